"""A run that is killed and run again leaves what an undisturbed run leaves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import bulk_job
import numpy as np
import pyarrow.parquet as pq
import pytest

ROWS = 300


@pytest.fixture
def source(tmp_path: Path) -> str:
    texts = ["!bad" if n % 50 == 7 else f"text number {n} of many" for n in range(ROWS)]
    lines = [json.dumps({"text": text, "id": n}) for n, text in enumerate(texts)]
    lines[100] = "no json"
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(lines))
    return str(path)


def die(kind: str, source: str, output: Path, after: int, *more: str) -> None:
    ended = subprocess.run(
        [sys.executable, bulk_job.__file__, kind, source, str(output), str(after), *more],
        capture_output=True,
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


WRITTEN = [
    *((kind, ending) for kind in ("dense", "int8", "ubinary") for ending in ("npy", "parquet")),
    *((kind, "parquet") for kind in ("sparse", "multivector")),
    *((kind, "jsonl") for kind in ("dense", "int8", "multivector")),
]


@pytest.mark.parametrize(("kind", "ending"), WRITTEN)
def test_same_file_as_an_undisturbed_run(
    source: str, tmp_path: Path, kind: str, ending: str
) -> None:
    assert_continued(source, tmp_path, kind, ending, after=200, left=108)


@pytest.mark.parametrize("ending", ["npy", "jsonl", "parquet"])
def test_killed_before_the_first_block(source: str, tmp_path: Path, ending: str) -> None:
    assert_continued(source, tmp_path, "int8", ending, after=63, left=299)


def assert_continued(
    source: str, tmp_path: Path, kind: str, ending: str, *, after: int, left: int
) -> None:
    whole, broken = tmp_path / f"whole.{ending}", tmp_path / f"broken.{ending}"
    bulk_job.run(source, whole, bulk_job.Scripted(kind=kind))

    die(kind, source, broken, after)
    encoder = bulk_job.Scripted(kind=kind)
    job = bulk_job.run(source, broken, encoder)

    assert job.counts.rows == ROWS
    assert job.counts.failed == 7
    assert len(encoder.seen) == left
    assert same(whole, broken)
    assert not list(tmp_path.glob("broken*.state.json*"))
    assert not list(tmp_path.glob("*.parts"))


@pytest.mark.parametrize("ending", ["npy", "jsonl", "parquet"])
def test_killed_between_output_and_state(source: str, tmp_path: Path, ending: str) -> None:
    whole, broken = tmp_path / f"whole.{ending}", tmp_path / f"broken.{ending}"
    bulk_job.run(source, whole, bulk_job.Scripted())

    die("dense", source, broken, ROWS * 2, ".state.json")
    bulk_job.run(source, broken, bulk_job.Scripted())

    assert same(whole, broken)


def same(a: Path, b: Path) -> bool:
    if a.suffix == ".parquet":
        return bool(pq.read_table(a).equals(pq.read_table(b), check_metadata=True))
    if a.suffix == ".npy":
        assert len(np.load(a)) == ROWS
        beside = [
            [Path(f"{path}{end}") for end in (".errors.jsonl", ".scales.npy")] for path in (a, b)
        ]
        assert [p.exists() for p in beside[0]] == [p.exists() for p in beside[1]]
        return a.read_bytes() == b.read_bytes() and all(
            p.read_bytes() == q.read_bytes() for p, q in zip(*beside, strict=True) if p.exists()
        )
    return a.read_bytes() == b.read_bytes()
