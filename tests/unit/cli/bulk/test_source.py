"""Inputs: what is an item, and what is not."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stelae.cli.bulk.intake import sendable
from stelae.cli.bulk.rows import Record
from stelae.cli.bulk.source import input_format, open_source
from stelae.errors import InvalidInput


def read(path: Path, kind: str, field: str = "text", id_field: str = "id") -> list[Record]:
    return list(open_source(str(path), kind, field, id_field))


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "input"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("path", "wanted", "expected"),
    [
        ("a.txt", "auto", "text"),
        ("a.JSONL", "auto", "jsonl"),
        ("a.ndjson", "auto", "jsonl"),
        ("a.parquet", "auto", "parquet"),
        ("-", "auto", "text"),
        ("a.txt", "jsonl", "jsonl"),
    ],
)
def test_format_goes_by_name_unless_given(path: str, wanted: str, expected: str) -> None:
    assert input_format(path, wanted) == expected


def test_lines_are_items_empty_ones_too(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbfone\r\n\n tw\x00o \nlast")
    assert [r.text for r in read(path, "text")] == ["one", "", " tw\x00o ", "last"]


def test_line_that_is_not_utf8_is_an_item_that_failed(tmp_path: Path) -> None:
    found = read(written(tmp_path, b"a\n\xffb\nc\n"), "text")
    assert [r.text for r in found] == ["a", None, "c"]
    assert found[1].error is not None
    assert "line 2 is not UTF-8" in found[1].error.message


def test_stdin_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"a\nb\n")))
    assert [r.text for r in open_source("-", "text", "text", "id")] == ["a", "b"]


def test_jsonl_takes_objects_and_strings(tmp_path: Path) -> None:
    path = written(tmp_path, b'{"text": "a", "id": 7}\n\n"b"\n{"text": "c", "id": "x"}\n')
    assert read(path, "jsonl") == [Record("a", 7), Record("b"), Record("c", "x")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "is not JSON"),
        ("[1]", "neither an object nor a string"),
        ('{"id": 1}', "is missing"),
        ('{"text": null}', "is null"),
        ('{"text": 3}', "is a int, not a string"),
        ('"\\ud800"', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_jsonl_line_without_a_text_failed(tmp_path: Path, line: str, reason: str) -> None:
    found = read(written(tmp_path, f'"first"\n{line}\n"last"\n'.encode()), "jsonl")
    assert [r.text for r in found] == ["first", None, "last"]
    assert found[1].error is not None
    assert reason in found[1].error.message


def test_misspelt_field_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such field") as wrong:
        read(written(tmp_path, b'{"body": "a", "n": 1}\n'), "jsonl")
    assert wrong.value.param == "field"
    assert "body, n" in (wrong.value.hint or "")


def test_parquet_columns_are_texts_and_ids(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    table = pa.table({"n": [1, 2, 3], "body": ["a", None, "c"], "other": [0.5] * 3})
    pq.write_table(table, path)
    found = read(path, "parquet", "body", "n")
    assert [(r.text, r.id) for r in found] == [("a", 1), (None, 2), ("c", 3)]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_parquet_texts_of_any_string_type(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": pa.array(["a", "b"]).cast(kind)}), path)
    assert [r.text for r in read(path, "parquet")] == ["a", "b"]


def test_parquet_without_the_column_is_wrong_usage(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"n": [1]}), path)
    with pytest.raises(InvalidInput, match="no such column"):
        read(path, "parquet")
    with pytest.raises(InvalidInput, match="holds int64, not strings"):
        read(path, "parquet", "n")


def test_parquet_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not Parquet"):
        read(written(tmp_path, b"PAR0 nonsense"), "parquet")
    with pytest.raises(InvalidInput, match="cannot be read from stdin"):
        open_source("-", "parquet", "text", "id")


@pytest.mark.parametrize("place", ["missing.txt", "."])
def test_input_that_is_not_there_is_wrong_usage(tmp_path: Path, place: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        open_source(str(tmp_path / place), "text", "text", "id")
    assert wrong.value.param == "FILE"


def test_texts_over_the_limit_are_not_sent() -> None:
    assert sendable(Record("abc"), 3) == Record("abc")
    assert sendable(Record("äb"), 3) == Record("äb")
    refused = sendable(Record("äöü", "x"), 5)
    assert (refused.text, refused.id) == (None, "x")
    assert refused.error is not None
    assert "6 bytes, the server takes 5" in refused.error.message


def test_lone_surrogates_are_not_sent() -> None:
    refused = sendable(Record("\ud800"), None)
    assert refused.error is not None
    assert "surrogates" in refused.error.message
