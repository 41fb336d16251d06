"""What ``stelae verify`` prints: a table for people, a document for programs."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec

from stelae.cli import exits
from stelae.cli.output import Output
from stelae.cli.parity.compare import Tolerance, Verdict
from stelae.cli.parity.values import Probe, Samples

COLUMNS = (
    "output",
    "side",
    "compared",
    "max difference",
    "min cosine",
    "failed",
    "other tokens",
    "tolerance",
    "reference",
    "verdict",
)

LIBRARIES = frozenset({"sentence-transformers", "transformers"})
"""References that have a version; the other is a published formula."""

LONGEST = 80
"""Characters of a text that are shown."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table.

    Attributes:
        probe: What was compared.
        tolerance: How far it may be apart.
        reference: Who it is compared with.
        verdict: How far it is apart; ``None`` if there is no reference.
        reason: Why there is none.
    """

    probe: Probe
    tolerance: Tolerance
    reference: str = ""
    verdict: Verdict | None = None
    reason: str = ""

    @property
    def word(self) -> str:
        """The verdict in a word or two."""
        if self.verdict is None:
            return "no reference"
        return "ok" if self.verdict.ok else "failed"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that is told of a model.

    Attributes:
        model: Its name.
        engine: Who runs it.
        dtype: Number format it computes in.
        fingerprint: Identifies what runs.
        samples: What it was asked.
        rows: One for each kind of numbers and side.
    """

    model: str
    engine: str
    dtype: str
    fingerprint: str
    samples: Samples
    rows: list[Row]

    @property
    def ok(self) -> bool:
        """Whether everything was compared, and all of it agrees."""
        return all(row.verdict is not None and row.verdict.ok for row in self.rows)

    @property
    def code(self) -> int:
        """The exit code: anything apart is a failure, anything not compared is no success."""
        if any(row.verdict is not None and not row.verdict.ok for row in self.rows):
            return exits.FAILURE
        return exits.OK if self.ok else exits.NOT_COMPARED

    @property
    def references(self) -> list[str]:
        """Who it is compared with, and which release of it."""
        names = dict.fromkeys(row.reference for row in self.rows if row.verdict is not None)
        return [f"{name} {version(name)}" if name in LIBRARIES else name for name in names]

    def worst(self, row: Row) -> str | None:
        """The start of the text that is farthest apart in a row."""
        if row.verdict is None or not row.verdict.compared:
            return None
        return self.samples.named(row.probe, row.verdict.worst)[:LONGEST]


def tell(report: Report, out: Output) -> None:
    """Print a report."""
    if out.json:
        out.document(_document(report))
    elif not out.quiet:
        out.facts(
            {
                "model": report.model,
                "engine": f"{report.engine}, {report.dtype}",
                "reference": ", ".join((*report.references, "float32")),
                "fingerprint": report.fingerprint,
            }
        )
        out.table([_cells(row) for row in report.rows], COLUMNS)
    for row in report.rows:
        _warn(report, row, out)


def _warn(report: Report, row: Row, out: Output) -> None:
    where = f"{row.probe.kind} ({row.probe.side})"
    if row.verdict is None:
        out.warn(f"{where}: {row.reason}")
    elif not row.verdict.ok and (text := report.worst(row)) is not None:
        out.warn(f"{where}: farthest apart is {text!r}")


def _cells(row: Row) -> dict[str, Any]:
    found = row.verdict
    cells: dict[str, Any] = {
        "output": row.probe.kind.value,
        "side": row.probe.side,
        "tolerance": _limits(row.tolerance),
        "verdict": row.word,
    }
    if found is not None:
        cells |= {
            "reference": row.reference,
            "compared": found.compared,
            "max difference": f"{found.difference:.1e}",
            "min cosine": f"{found.cosine:.8f}",
            "failed": found.failed,
            "other tokens": found.tokens_differ,
        }
    return cells


def _limits(tolerance: Tolerance) -> str:
    cosine = f">= {tolerance.cosine:g}"
    return cosine if tolerance.difference is None else f"<= {tolerance.difference:g}, {cosine}"


def _document(report: Report) -> dict[str, Any]:
    return {
        "model": report.model,
        "engine": report.engine,
        "dtype": report.dtype,
        "fingerprint": report.fingerprint,
        "references": report.references,
        "rows": [_entry(report, row) for row in report.rows],
        "ok": report.ok,
    }


def _entry(report: Report, row: Row) -> dict[str, Any]:
    entry = {
        "output": row.probe.kind.value,
        "side": row.probe.side,
        "verdict": row.word,
        "tolerance": msgspec.to_builtins(row.tolerance),
    }
    found = row.verdict
    if found is None:
        return entry | {"reason": row.reason}
    return entry | {
        "reference": row.reference,
        "compared": found.compared,
        "max_difference": found.difference,
        "min_cosine": found.cosine,
        "worst_text": report.worst(row),
        "failed": found.failed,
        "tokens_differ": found.tokens_differ,
    }
