"""Retrieval quality through the running server against sentence-transformers: nDCG@10."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from benchmarks import checkpoint, report, servers
from stelae import Client
from tools.retrieval import Retrieval, build, ndcg

LIMITS = {"float32": 0.001, "bfloat16": 0.002}
"""How far the measure may be from the reference's."""

FOLDER = checkpoint.CACHE / "quality"

SETUP = """
mteb is not installed in .cache/peers/mteb:
  python3 -m venv .cache/peers/mteb
  .cache/peers/mteb/bin/pip install torch==2.13.0
  .cache/peers/mteb/bin/pip install mteb==2.26.24
"""

Vectors = tuple[NDArray[Any], NDArray[Any]]
"""Of the queries, and of the documents."""


def served(task: Retrieval, dtype: str) -> Vectors:
    """Vectors that a server in processes of its own gives over HTTP."""
    with (
        servers.running([servers.stelae(dtype)]) as (server,),
        Client(server.url.removesuffix("/v1/embeddings"), model="bench") as client,
    ):
        queries = client.encode(list(task.queries.values()), role="query")
        documents = client.encode(list(task.documents.values()), role="document")
    return queries.dense, documents.dense


def reference(task: Retrieval) -> Vectors:
    """Vectors of the same weights through sentence-transformers."""
    model = SentenceTransformer(str(checkpoint.folder()), device="cpu")
    queries = model.encode_query(list(task.queries.values()))
    return queries, model.encode_document(list(task.documents.values()))


def judged_by_mteb(task: Retrieval, vectors: dict[str, Vectors]) -> dict[str, float]:
    """The measure as mteb takes it, in its own environment."""
    python = checkpoint.CACHE / "peers/mteb/bin/python"
    if not python.exists():
        sys.exit(SETUP)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (queries, documents) in vectors.items():
        np.savez(FOLDER / f"{name}.npz", queries=queries, documents=documents)
    parts = {name: getattr(task, name) for name in ("queries", "documents", "relevant")}
    (FOLDER / "task.json").write_text(json.dumps(parts))
    script = Path(__file__).with_name("quality_mteb.py")
    # -P: this folder has modules of the same names as Python's own.
    command = [python, "-P", script, FOLDER, *vectors]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    scores: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return scores


def main(arguments: Sequence[str]) -> None:
    """Print a row per number format; fails if one is further off than it may be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--dtypes", nargs="+", choices=LIMITS, default=list(LIMITS))
    parser.add_argument("--mteb", action="store_true", help="let mteb judge, too")
    options = parser.parse_args(arguments)
    report.machine("torch", "sentence-transformers", "stelae")
    task = build(options.queries)
    vectors = {"reference": reference(task)}
    vectors |= {dtype: served(task, dtype) for dtype in options.dtypes}
    scores = {name: ndcg(task, *pair) for name, pair in vectors.items()}
    judged = judged_by_mteb(task, vectors) if options.mteb else {}
    rows, wrong = [], []
    for name, each in scores.items():
        apart = abs(each.mean() - scores["reference"].mean())
        apart = max(apart, abs(judged.get(name, 0) - judged.get("reference", 0)))
        limit = LIMITS.get(name, 0.0)
        moved = int((each != scores["reference"]).sum())
        theirs = f"{judged[name]:.5f}" if judged else "-"
        rows.append((name, f"{each.mean():.5f}", theirs, f"{apart:.5f}", f"{limit}", moved))
        wrong += [name] if apart > limit else []
    title = f"nDCG@10, {len(task.queries)} queries, {len(task.documents)} documents"
    columns = ("vectors", "nDCG@10", "by mteb", "apart", "limit", "queries that differ")
    report.table(title, columns, rows)
    if wrong:
        sys.exit(f"too far from the reference: {', '.join(wrong)}")
