"""Where the time of a request went, in SIE's words."""

from __future__ import annotations

from stelae.types import Timing


def timing_of(timing: Timing) -> dict[str, float]:
    """Milliseconds by stage."""
    return {
        "total_ms": timing.total_ms,
        "queue_ms": timing.queue_ms,
        "tokenization_ms": timing.prepare_ms,
        "inference_ms": timing.run_ms,
        "postprocessing_ms": timing.finish_ms,
    }
