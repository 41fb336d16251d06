"""An engine asked directly, without queue and threads."""

from __future__ import annotations

from typing import Any


def prepared_of(engine: Any, call: Any) -> list[Any]:
    """All entries of a call, prepared."""
    job = engine.open(call)
    return list(job.prepare(0, job.size))


def answer(engine: Any, call: Any) -> Any:
    """The result of a call whose entries run as one batch."""
    job = engine.open(call)
    prepared = list(job.prepare(0, job.size))
    made = iter(engine.run([p.features for p in prepared if p.features is not None]))
    rows = [p.error or (next(made) if p.row is None else p.row) for p in prepared]
    return job.finish(prepared, rows)
