"""``stelae calibrate``: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fix_int8 import needs_int8, prose
from typer.testing import CliRunner

from stelae.cli.app import app
from stelae.engines.encoder import calibrate

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(calibrate, "ROUNDS", 1)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(prose()[:80]), "utf-8")
    return file


def ran(*arguments: str | Path, code: int = 0) -> str:
    result = RUNNER.invoke(app, ["calibrate", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


@needs_int8
def test_figures_of_both_formats_are_printed(texts: Path) -> None:
    said = ran("default", "--texts", texts, "--quiet")
    head, int8, plain, *_ = said.splitlines()
    assert head.split("  ")[0] == "DTYPE"
    assert int8.startswith("int8 ")
    assert plain.split()[0] in ("bfloat16", "float32")
    assert "40 learnt from, 40 others measured on" in said
    assert "24 of 24" in said


@needs_int8
def test_jsonl_is_read_and_json_is_printed(texts: Path, tmp_path: Path) -> None:
    lines = [json.dumps({"body": text}) for text in texts.read_text("utf-8").splitlines()]
    file, output = tmp_path / "texts.jsonl", tmp_path / "made" / "stelae-int8.safetensors"
    file.write_text("\n".join([*lines, '{"body": 3}']), "utf-8")
    said = ran("default", "--texts", file, "--field", "body", "--output", output, "--json")
    *warnings, document = said.splitlines()
    assert "1 texts cannot be read: line 81" in " ".join(warnings)
    found = json.loads(document)
    assert found["file"] == str(output)
    assert output.exists()
    assert 0.9 < found["int8"]["least_cosine"] <= found["int8"]["mean_cosine"] < 1.0
    assert found["int8"]["tokens_per_s"] > 0


@needs_int8
def test_too_few_texts_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "few.txt"
    file.write_text("one\ntwo\n")
    assert "at least 64" in ran("default", "--texts", file, code=2)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "no such file" in ran("default", "--texts", tmp_path / "none.txt", code=2)


@pytest.mark.parametrize("name", ["file/made/it.safetensors", "", "file"])
def test_an_output_that_cannot_be_written_is_refused_before_texts_are_read(
    tmp_path: Path, name: str
) -> None:
    """Below a file, and where a folder is; a file that is there is written over."""
    (tmp_path / "file").write_text("in the way")
    said = ran("default", "--texts", tmp_path / "none.txt", "--output", tmp_path / name, code=2)
    if name == "file":
        assert "no such file" in said
    else:
        assert "cannot be written" in said
        assert "--output" in said


def test_a_model_of_another_engine_is_refused(zoo: Path, texts: Path) -> None:
    folder = zoo / "static"
    assert "no linear layers" in ran(f"m={folder}", "--texts", texts, code=1)


@pytest.mark.parametrize("cosine", ["-0.1", "1.5"])
def test_a_cosine_that_is_none_is_refused(texts: Path, cosine: str) -> None:
    ran("default", "--texts", texts, "--cosine", cosine, code=2)
