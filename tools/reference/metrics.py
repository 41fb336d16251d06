"""Metrics: names, kinds, labels and meanings."""

from __future__ import annotations

from reference.markdown import code, codes, joined, prose, table
from stelae.telemetry.metrics import FAMILIES
from stelae.telemetry.tally import SECONDS

INTRODUCTION = """
`GET /metrics` answers in Prometheus' text format. Labels never hold a caller's text: `model` is a
served name or empty, `route` a template of a path, `code` an HTTP status or the
[code of an error](errors.md).
"""


def page() -> str:
    """Every metric."""
    rows = ((code(f.name), f.kind, codes(f.labels), prose(f.help)) for f in FAMILIES)
    return joined(
        "# Metrics",
        INTRODUCTION,
        table(("metric", "kind", "labels", "meaning"), rows),
        f"Bounds of the histograms, in seconds: {', '.join(f'{s:g}' for s in SECONDS)}.",
    )
