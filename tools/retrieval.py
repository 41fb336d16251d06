"""A retrieval set from text that comes with Python, and its measure.

Queries are the summary lines of docstrings of the standard library, documents the
passages of what follows them; a passage is relevant for the summary above it.
"""

from __future__ import annotations

import ast
import random
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PASSAGE = 80
"""Most words of a passage."""

FOREIGN = {"site-packages", "dist-packages", "test", "tests", "idlelib", "ensurepip"}
"""Folders of the standard library's place that are not looked into."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Texts, and which of them belong together.

    Attributes:
        queries: Texts by id.
        documents: Texts by id, all different.
        relevant: How relevant documents are, by the id of a query and their own;
            those not named are not.
    """

    queries: dict[str, str]
    documents: dict[str, str]
    relevant: dict[str, dict[str, int]]


def build(queries: int, seed: int = 7) -> Retrieval:
    """Put together a set; the same for one version of Python.

    Args:
        queries: Most queries; all that there are if that is fewer.
        seed: Which ones.
    """
    chosen: dict[str, str] = {}
    documents: dict[str, str] = {}
    relevant: dict[str, dict[str, int]] = {}
    for head, body in _pairs(seed):
        if head not in chosen and len(chosen) == queries:
            break
        query = chosen.setdefault(head, f"q{len(chosen)}")
        for passage in _passages(body):
            document = documents.setdefault(passage, f"d{len(documents)}")
            relevant.setdefault(query, {})[document] = 1
    return Retrieval(_swapped(chosen), _swapped(documents), relevant)


def _swapped(ids: dict[str, str]) -> dict[str, str]:
    return {name: text for text, name in ids.items()}


def _pairs(seed: int) -> Iterator[tuple[str, str]]:
    """Summary and body of each docstring that has enough of both, file by file."""
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(root.rglob("*.py"))
    random.Random(seed).shuffle(files)
    for file in files:
        if FOREIGN.isdisjoint(file.relative_to(root).parts):
            for text in _docstrings(file):
                head, _, body = text.partition("\n\n")
                if 4 <= len(head.split()) <= 30 and len(body.split()) >= 15:
                    yield " ".join(head.split()), " ".join(body.split())


def _docstrings(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:  # some files are there to be wrong
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def _passages(body: str) -> Iterator[str]:
    words = body.split()
    for start in range(0, len(words), PASSAGE):
        yield " ".join(words[start : start + PASSAGE])


def ndcg(
    task: Retrieval, queries: NDArray[Any], documents: NDArray[Any], at: int = 10
) -> NDArray[np.float64]:
    """Normalised discounted cumulative gain of ranking by dot product, for each query.

    Args:
        task: The set.
        queries: Vectors of its queries, in its order.
        documents: Vectors of its documents, in its order.
        at: How many documents are looked at.

    Source:
        Järvelin and Kekäläinen 2002, with the logarithm of the rank plus 1 from the first.
    """
    names = np.array(list(task.documents))
    ranking = np.argsort(-(queries @ documents.T), axis=1, kind="stable")[:, :at]
    found = []
    for query, best in zip(task.queries, ranking, strict=True):
        grades = task.relevant[query]
        gains = [grades.get(name, 0) for name in names[best]]
        found.append(_discounted(gains) / _discounted(sorted(grades.values(), reverse=True)[:at]))
    return np.array(found)


def _discounted(gains: Sequence[int]) -> float:
    return float(np.sum(np.asarray(gains) / np.log2(np.arange(2, len(gains) + 2))))
