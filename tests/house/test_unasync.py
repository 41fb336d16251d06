"""The generated side of the client is what would be generated now."""

from __future__ import annotations

from pathlib import Path

import pytest
import unasync


def test_generated_files_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert unasync.main(["--check"]) == 0, capsys.readouterr().err


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one file to generate from, and no others."""
    monkeypatch.setattr(unasync, "ROOT", tmp_path)
    monkeypatch.setattr(unasync, "FOLDERS", ("src",))
    source = tmp_path / "src" / "_async"
    source.mkdir(parents=True)
    (source / "a.py").write_text("async def f() -> None:\n    await AsyncClient().aclose()\n")
    return tmp_path / "src" / "_sync"


def faults(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert unasync.main(list(arguments)) == 1
    return [line for line in capsys.readouterr().err.splitlines() if "stale" in line]


def test_words_are_replaced_and_the_source_is_named(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unasync.main([])
    head, *body = (copy / "a.py").read_text().splitlines()
    assert "_async/a.py" in head
    assert body == ["def f() -> None:", "    Client().close()"]


def test_words_that_nothing_needs_are_a_failure(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unasync.main([]) == 1
    assert "__aenter__" in capsys.readouterr().err


def test_missing_changed_and_left_over_files_are_stale(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(faults(capsys, "--check")) == 1
    unasync.main([])
    capsys.readouterr()
    assert faults(capsys, "--check") == []
    (copy / "a.py").write_text("changed")
    (copy / "left_over.py").write_text("")
    (copy / "_crew.py").write_text("by hand")
    assert len(faults(capsys, "--check")) == 2
    unasync.main([])
    assert {path.name for path in copy.iterdir()} == {"a.py", "_crew.py"}
