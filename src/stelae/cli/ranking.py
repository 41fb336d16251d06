"""``stelae score`` from its options to its last line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stelae.cli import reach
from stelae.cli.output import Output
from stelae.client import Client, Score, ScoreOptions, Scores
from stelae.errors import InvalidInput

TIMEOUT = 600.0
"""Seconds for all: a first request may wait for a model to be fetched and loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of ``stelae score``."""

    model: str
    query: str
    documents: Sequence[str]
    top_k: int | None
    options: ScoreOptions
    server: str | None
    key: str | None
    local: bool


def run(request: Request, out: Output) -> bool:
    """Score the documents and print them, best first.

    Returns:
        Whether none of them failed.

    Raises:
        InvalidInput: There are no documents, or the model cannot do what is asked.
        ServerUnreachable: No server answers there.
    """
    documents = request.documents or lines(out)
    with reached(request) as client:
        scores = client.score(request.query, documents, **request.options)
    best = scores.ranked(request.top_k)
    if out.json:
        out.document(summary(scores, best, documents))
    else:
        show(best, documents, out)
    for index, error in scores.errors.items():
        out.warn(f"document {index} failed: {error.message}")
    if cut := int(scores.truncated.sum()):
        out.warn(f"{cut:,} of {len(scores):,} documents were cut, or the query beside them")
    return not scores.errors


def lines(out: Output) -> list[str]:
    """The documents on stdin, one a line; blank lines are none.

    Raises:
        InvalidInput: There are none, or they are not UTF-8.
    """
    if sys.stdin.isatty():
        out.note("reading documents from the terminal, one a line; Ctrl-D ends")
    try:
        found = [line for line in sys.stdin.read().splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"stdin is not UTF-8: {error}", param="documents") from error
    if not found:
        raise InvalidInput(
            "there are no documents: give some after the query, or as lines on stdin",
            param="documents",
        )
    return found


def reached(request: Request) -> Client:
    """The client of the server, or of a model in this process."""
    if request.local:
        from stelae.local import local

        return local(request.model)
    return reach.connect(request.server, request.key, timeout=TIMEOUT)


def show(best: Sequence[Score], documents: Sequence[str], out: Output) -> None:
    """Print the ranking as a table."""
    labels = any(row.label is not None for row in best)
    columns = ("rank", "score", *(("label",) if labels else ()), "index", "document")
    rows = [
        {
            "rank": rank,
            "score": f"{row.score:.4f}",
            "label": row.label,
            "index": row.index,
            "document": " ".join(documents[row.index].split()),
        }
        for rank, row in enumerate(best, start=1)
    ]
    out.table(rows, columns)


def summary(scores: Scores, best: Sequence[Score], documents: Sequence[str]) -> dict[str, Any]:
    """The ranking, for programs."""
    return {
        "model": scores.model,
        "fingerprint": scores.fingerprint,
        "tokens": scores.usage.tokens,
        "ranking": [_row(scores, row, documents[row.index]) for row in best],
        "errors": {
            str(index): {"code": error.code, "message": error.message}
            for index, error in scores.errors.items()
        },
    }


def _row(scores: Scores, row: Score, document: str) -> dict[str, Any]:
    told: dict[str, Any] = {"index": row.index, "score": row.score}
    if scores.labels:
        values = scores.scores[row.index].tolist()
        told |= {"label": row.label, "scores": dict(zip(scores.labels, values, strict=True))}
    return {**told, "truncated": bool(scores.truncated[row.index]), "document": document}
