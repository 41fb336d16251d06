"""Where the time of a request went, in the SDK's words."""

from __future__ import annotations

from stelae.types import Timing


def timing_of(timing: Timing) -> dict[str, float]:
    """Milliseconds by stage, for the body."""
    return {
        "total_ms": timing.total_ms,
        "queue_ms": timing.queue_ms,
        "tokenization_ms": timing.prepare_ms,
        "inference_ms": timing.run_ms,
        "postprocessing_ms": timing.finish_ms,
    }


def timing_headers(timing: Timing) -> dict[str, str]:
    """The same for the headers."""
    headers = {
        "X-Queue-Time": f"{timing.queue_ms:.2f}",
        "X-Tokenization-Time": f"{timing.prepare_ms:.2f}",
        "X-Inference-Time": f"{timing.run_ms:.2f}",
        "X-Total-Time": f"{timing.total_ms:.2f}",
    }
    if timing.finish_ms > 0:
        headers["X-Postprocessing-Time"] = f"{timing.finish_ms:.2f}"
    return headers
