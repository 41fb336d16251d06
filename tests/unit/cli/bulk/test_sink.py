"""Outputs: what is in them, and that going on from a mark keeps exactly the rows before it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stelae.cli.bulk.npy import HEADER, header
from stelae.cli.bulk.rows import Row, Shape
from stelae.cli.bulk.sink import Mark, Sink, open_sink, output_format
from stelae.errors import Conflict, InvalidInput
from stelae.types import Quantization

SHAPE = Shape(width=3, dtype="float32", model="m", fingerprint="f")
FAILED = InvalidInput("no text").info


def row(index: int, *, failed: bool = False) -> Row:
    if failed:
        return Row(index, f"id{index}", None, error=FAILED)
    vector = np.full(3, index, np.float32)
    return Row(index, f"id{index}", vector, tokens=index, truncated=index == 2)


def opened(path: Path | None, kind: str, mark: Mark | None = None, shape: Shape = SHAPE) -> Sink:
    return open_sink(path, kind, shape, with_ids=True, mark=mark)


def done(sink: Sink) -> None:
    sink.commit()
    sink.finish()
    sink.close()


@pytest.mark.parametrize(
    ("path", "wanted", "expected"),
    [
        ("a.npy", "auto", "npy"),
        ("a.JSONL", "auto", "jsonl"),
        ("a.pq", "auto", "parquet"),
        ("a.npy", "jsonl", "jsonl"),
        (None, "auto", "jsonl"),
    ],
)
def test_format_goes_by_name_unless_given(path: str | None, wanted: str, expected: str) -> None:
    assert output_format(Path(path) if path else None, wanted) == expected


def test_name_that_does_not_tell_the_format_is_wrong_usage() -> None:
    with pytest.raises(InvalidInput, match="does not tell the format") as wrong:
        output_format(Path("out.txt"), "auto")
    assert wrong.value.param == "output"


@given(rows=st.integers(0, 2**63), width=st.integers(1, 2**31))
def test_npy_header_has_room_for_any_shape(rows: int, width: int) -> None:
    assert len(header(rows, width, "float16")) == HEADER


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_npy_is_a_matrix_with_nan_for_failures(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "out.npy"
    sink = opened(path, "npy", shape=Shape(width=3, dtype=dtype, model="m", fingerprint="f"))
    sink.write([row(0), row(1, failed=True), row(2)])
    done(sink)
    found = np.load(path)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, [[0, 0, 0], [np.nan] * 3, [2, 2, 2]])
    listed = json.loads((tmp_path / "out.npy.errors.jsonl").read_text())
    assert (listed["index"], listed["id"], listed["error"]["code"]) == (1, "id1", "invalid_input")


def whole_numbers(index: int, *, failed: bool = False) -> Row:
    if failed:
        return Row(index, None, None, error=FAILED)
    read = Quantization(scale=np.float32([0.5]), zero=np.float32([index]))
    return Row(index, None, np.int8([index, -1, 2]), tokens=1, reading=read)


INT8 = Shape(width=3, dtype="int8", scaled=True, model="m", fingerprint="f")


def test_npy_of_whole_numbers_has_its_scales_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "out.npy"
    sink = opened(path, "npy", shape=INT8)
    sink.write([whole_numbers(0), whole_numbers(1, failed=True), whole_numbers(2)])
    done(sink)
    codes, scales = np.load(path), np.load(tmp_path / "out.npy.scales.npy")
    np.testing.assert_array_equal(codes, np.int8([[0, -1, 2], [0, 0, 0], [2, -1, 2]]))
    np.testing.assert_array_equal(scales, np.float32([[0.5, 0], [np.nan] * 2, [0.5, 2]]))
    assert codes.dtype == np.int8


def test_npy_of_other_numbers_leaves_no_scales(tmp_path: Path) -> None:
    (tmp_path / "out.npy.scales.npy").write_text("of an older run")
    sink = opened(tmp_path / "out.npy", "npy")
    sink.write([row(0)])
    done(sink)
    assert [p.name for p in tmp_path.iterdir()] == ["out.npy"]


def test_parquet_of_whole_numbers_has_columns_for_the_scales(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    sink = opened(path, "parquet", shape=replace(INT8, dimensions=24))
    sink.write([whole_numbers(0), whole_numbers(1, failed=True), whole_numbers(2)])
    done(sink)
    table = pq.read_table(path, columns=["embedding", "scale", "zero"])
    assert table.schema.field("embedding").type == pa.list_(pa.int8(), 3)
    assert table.to_pydict() == {
        "embedding": [[0, -1, 2], None, [2, -1, 2]],
        "scale": [0.5, None, 0.5],
        "zero": [0.0, None, 2.0],
    }
    assert table.schema.metadata[b"stelae.dimensions"] == b"24"


def test_jsonl_of_bits_says_how_to_read_them(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    read = Quantization(scale=np.float32([2]), zero=np.float32([-1]), dimensions=7)
    sink = opened(path, "jsonl")
    sink.write([Row(0, None, np.uint8([254]), reading=read)])
    done(sink)
    assert json.loads(path.read_text()) == {
        "index": 0,
        "embedding": [254],
        "scale": 2,
        "zero": -1,
        "dimensions": 7,
        "tokens": 0,
        "truncated": False,
    }


def terms(index: int, ids: list[int]) -> Row:
    weights = np.float16([i / 2 for i in ids])
    return Row(index, None, {"indices": np.int32(ids), "values": weights})


def test_parquet_of_terms_has_columns_of_lists(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    sink = opened(path, "parquet", shape=replace(SHAPE, kind="sparse", width=0, dtype="float16"))
    sink.write([terms(0, [1, 5]), Row(1, None, None, error=FAILED), terms(2, []), terms(3, [4])])
    done(sink)
    table = pq.read_table(path, columns=["indices", "values"])
    assert table.schema.types == [pa.list_(pa.int32()), pa.list_(pa.float16())]
    assert table.to_pydict() == {
        "indices": [[1, 5], None, [], [4]],
        "values": [[0.5, 2.5], None, [], [2]],
    }


def tokens(index: int, rows: int) -> Row:
    values = np.arange(3 * rows, dtype=np.int8).reshape(rows, 3)
    read = Quantization(scale=np.ones(rows, np.float32), zero=np.zeros(rows, np.float32))
    return Row(index, None, values, reading=read)


def test_parquet_of_token_vectors_has_lists_of_vectors(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    sink = opened(path, "parquet", shape=replace(INT8, kind="multivector"))
    sink.write([tokens(0, 2), Row(1, None, None, error=FAILED), tokens(2, 0), tokens(3, 1)])
    done(sink)
    table = pq.read_table(path, columns=["embedding", "scale", "zero"])
    assert table.schema.field("embedding").type == pa.list_(pa.list_(pa.int8(), 3))
    assert table.to_pydict() == {
        "embedding": [[[0, 1, 2], [3, 4, 5]], None, [], [[0, 1, 2]]],
        "scale": [[1, 1], None, [], [1]],
        "zero": [[0, 0], None, [], [0]],
    }


def test_parquet_groups_of_large_rows_are_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stelae.cli.bulk.parquet.MOST_BYTES", 3000)
    path = tmp_path / "out.parquet"
    sink = opened(path, "parquet", shape=replace(INT8, kind="multivector"))
    sink.write([tokens(n, 500) for n in range(7)])
    done(sink)
    file = pq.ParquetFile(path)
    groups = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
    assert groups == [2, 2, 2, 1]
    assert [len(r) for r in file.read().column("embedding").to_pylist()] == [500] * 7


def test_npy_can_be_read_after_each_commit(tmp_path: Path) -> None:
    path = tmp_path / "out.npy"
    sink = opened(path, "npy")
    for count in (1, 2, 3):
        sink.write([row(count)])
        sink.commit()
        assert len(np.load(path, mmap_mode="r")) == count
    sink.close()


def test_npy_without_failures_lists_none(tmp_path: Path) -> None:
    path = tmp_path / "out.npy"
    (tmp_path / "out.npy.errors.jsonl").write_text("of an older run")
    sink = opened(path, "npy")
    sink.write([row(0)])
    done(sink)
    assert [p.name for p in tmp_path.iterdir()] == ["out.npy"]


def test_jsonl_has_stable_keys(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink = opened(path, "jsonl")
    sink.write([row(2), row(3, failed=True), Row(4, None, np.ones(3, np.float16))])
    done(sink)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"index": 2, "id": "id2", "embedding": [2, 2, 2], "tokens": 2, "truncated": True},
        {
            "index": 3,
            "id": "id3",
            "embedding": None,
            "tokens": 0,
            "truncated": False,
            "error": {"code": "invalid_input", "message": "no text"},
        },
        {"index": 4, "embedding": [1, 1, 1], "tokens": 0, "truncated": False},
    ]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_parquet_has_null_vectors_for_failures(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "out.parquet"
    shape = Shape(width=3, dtype=dtype, model="m", fingerprint="f")
    sink = opened(path, "parquet", shape=shape)
    sink.write([row(0), row(1, failed=True), row(2)])
    done(sink)
    table = pq.read_table(path)
    kind = pa.float16() if dtype == "float16" else pa.float32()
    assert table.schema.field("embedding").type == pa.list_(kind, 3)
    assert table.to_pydict() == {
        "index": [0, 1, 2],
        "id": ["id0", "id1", "id2"],
        "embedding": [[0, 0, 0], None, [2, 2, 2]],
        "tokens": [0, 0, 2],
        "truncated": [False, False, True],
        "error": [None, "no text", None],
    }
    assert table.schema.metadata[b"stelae.fingerprint"] == b"f"
    assert [p.name for p in tmp_path.iterdir()] == ["out.parquet"]


def test_parquet_rows_come_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stelae.cli.bulk.parquet.GROUP", 10)
    path = tmp_path / "out.parquet"
    sink = opened(path, "parquet")
    for start in range(0, 42, 3):
        sink.write([row(n) for n in range(start, start + 3)])
        sink.commit()
    done(sink)
    file = pq.ParquetFile(path)
    assert file.metadata.num_row_groups == 5
    assert file.read().column("index").to_pylist() == list(range(42))


@pytest.mark.parametrize("kind", ["npy", "jsonl", "parquet"])
@settings(max_examples=20)
@given(cuts=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=6))
def test_rows_after_a_mark_are_dropped(
    tmp_path_factory: pytest.TempPathFactory, kind: str, cuts: list[tuple[int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("sink") / f"out.{kind}"
    mark, kept = None, 0
    sink = opened(path, kind)
    mark = sink.commit()
    for count, committed in cuts:
        sink.write([row(n, failed=n % 3 == 1) for n in range(kept, kept + count)])
        if committed:
            mark, kept = sink.commit(), kept + count
        sink.close()
        sink = opened(path, kind, mark)
    done(sink)
    assert indexes(path, kind) == list(range(kept))


def indexes(path: Path, kind: str) -> list[int]:
    if kind == "parquet":
        return list(pq.read_table(path).column("index").to_pylist())
    if kind == "jsonl":
        return [json.loads(line)["index"] for line in path.read_text().splitlines()]
    matrix = np.load(path)
    listed = Path(f"{path}.errors.jsonl")
    failed = (
        [json.loads(line)["index"] for line in listed.read_text().splitlines()]
        if (listed.exists())
        else []
    )
    assert failed == [n for n in range(len(matrix)) if n % 3 == 1]
    return [n if n in failed else int(matrix[n, 0]) for n in range(len(matrix))]


def test_output_cut_behind_our_back_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.npy"
    sink = opened(path, "npy")
    sink.write([row(0)])
    mark = sink.commit()
    sink.close()
    path.write_bytes(b"short")
    with pytest.raises(Conflict, match="fewer than the"):
        opened(path, "npy", mark)


def test_lost_parts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    sink = opened(path, "parquet")
    sink.write([row(0)])
    mark = sink.commit()
    sink.close()
    (tmp_path / "out.parquet.parts" / "00000000.arrow").unlink()
    with pytest.raises(Conflict, match="parts of the earlier run are gone"):
        opened(path, "parquet", mark)


def test_stdout_gets_lines_at_once(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    sink = opened(None, "jsonl")
    sink.write([row(0)])
    assert json.loads(capfdbinary.readouterr().out)["index"] == 0
