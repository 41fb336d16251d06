"""``stelae score`` from its options to its last line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stelae.cli import reach
from stelae.cli.given import read_lines
from stelae.cli.output import Output
from stelae.client import Score, ScoreOptions, Scores


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
    documents = request.documents or read_lines(out, "documents")
    where = (request.server, request.key)
    with reach.either(request.model, *where, local=request.local) as client:
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
