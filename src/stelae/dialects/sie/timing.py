"""Where the time of a request went, in headers."""

from __future__ import annotations

from stelae.types import Timing


def timing_headers(timing: Timing) -> dict[str, str]:
    """Milliseconds by stage, for the headers."""
    headers = {
        "X-Queue-Time": f"{timing.queue_ms:.2f}",
        "X-Tokenization-Time": f"{timing.prepare_ms:.2f}",
        "X-Inference-Time": f"{timing.run_ms:.2f}",
        "X-Total-Time": f"{timing.total_ms:.2f}",
    }
    if timing.finish_ms > 0:
        headers["X-Postprocessing-Time"] = f"{timing.finish_ms:.2f}"
    return headers
