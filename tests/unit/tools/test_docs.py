"""The reference pages: written, found stale, and the same wherever they are written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from reference.markdown import anchor, prose, table
from reference.schemas import words

import docs


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    return tmp_path


def test_pages_are_fresh_once_written(root: Path) -> None:
    docs.main([])
    assert docs.main(["--check"]) == 0
    assert len(list((root / docs.FOLDER).iterdir())) == len(docs.PAGES)


def test_missing_changed_and_left_over_pages_are_stale(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docs.main([])
    folder = root / docs.FOLDER
    (folder / "cli.md").write_text("changed")
    (folder / "errors.md").unlink()
    (folder / "left-over.md").write_text("")
    assert docs.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert [line.split("/")[-1].split(":")[0] for line in said.splitlines()] == [
        "cli.md",
        "errors.md",
        "left-over.md",
    ]
    docs.main([])
    assert docs.main(["--check"]) == 0


def test_pages_do_not_depend_on_terminal_or_variables() -> None:
    strange = {"COLUMNS": "40", "NO_COLOR": "1", "STELAE_URL": "http://elsewhere:1", "LANG": "C"}
    done = subprocess.run(
        [sys.executable, docs.__file__, "--check"],
        env={**os.environ, **strange},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_cells_stay_in_their_table() -> None:
    assert table(["a"], [["x | y\nz"]]) == "| a |\n| --- |\n| x \\| y z |"


def test_docstrings_become_markdown() -> None:
    assert prose("``None`` as the\n    model says") == "`None` as the model says"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer", "minimum": 1}, "integer ≥ 1"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string"),
        ({"type": "array", "items": {"$ref": "#/x/Item"}}, "list of <Item>"),
        ({"enum": ["a", "b", None]}, "`a` or `b`"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "map to string"),
        ({"type": "object", "additionalProperties": {}}, "map"),
        ({}, "anything"),
    ],
)
def test_schemas_are_told_in_words(schema: dict[str, object], said: str) -> None:
    assert words(schema, lambda name: f"<{name}>") == said


def test_headings_are_linked_as_they_are_rendered() -> None:
    assert anchor("The walk of one request") == "#the-walk-of-one-request"
    assert anchor("Large files: `embed`") == "#large-files-embed"
