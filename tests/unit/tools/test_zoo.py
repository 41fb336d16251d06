from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import zoo as checkpoints

from stelae.catalog.checkpoint import read_spec
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import Source

NAMES = list(checkpoints.CHECKPOINTS)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_checkpoints_are_the_same_bytes_each_time(zoo: Path, tmp_path: Path) -> None:
    checkpoints.build(tmp_path)
    assert _bytes(tmp_path) == _bytes(zoo)


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("broken")])
def test_sound_checkpoint_is_read(zoo: Path, name: str) -> None:
    source = Source(kind="folder", location=name)
    entry = ModelEntry(name=name, source=name, matryoshka=checkpoints.MATRYOSHKA.get(name, ()))
    assert read_spec(zoo / name, entry, source).name == name


def test_checkpoints_are_small(zoo: Path) -> None:
    for folder in zoo.iterdir():
        assert sum(len(content) for content in _bytes(folder).values()) < 1_000_000


def test_wrong_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bert-mean"):
        checkpoints.build(tmp_path, ["bert-meen"])


def test_named_checkpoints_only_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checkpoints.main([str(tmp_path), "bert-cls"]) == 0
    assert [folder.name for folder in tmp_path.iterdir()] == ["bert-cls"]
    assert "bert-cls" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["--help"], 0)])
def test_help_lists_the_checkpoints(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    main: Callable[[list[str]], int] = checkpoints.main
    assert main(arguments) == code
    out = capsys.readouterr().out
    assert all(name in out for name in NAMES)
