"""Our results as the SDK's dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from stelae.client import Encoding, Extracted, Scores
from stelae.sie.types import (
    CapacityInfo,
    EncodeResult,
    ExtractResult,
    PoolInfo,
    RequestMetadata,
    RequestUsage,
    ScoreResult,
    TimingInfo,
    WorkerInfo,
)
from stelae.types import Capacity, Pool, Usage
from stelae.wire.sie.codes import code_of
from stelae.wire.sie.names import named_all
from stelae.wire.sie.timing import timing_of

LISTS = ("entities", "relations", "classifications", "objects")


def request_of(usage: Usage, *, pairs: int = 0, images: int = 0) -> RequestMetadata:
    """What is told of a call."""
    used: RequestUsage = {"input_tokens": usage.tokens}
    if pairs:
        used["pairs"] = pairs
    if images:
        used["images"] = images
    return {"usage": used}


def encode_result(encoding: Encoding, name: str | None, request: RequestMetadata) -> EncodeResult:
    """What was made of one item."""
    result: EncodeResult = {} if name is None else {"id": name}
    columns = encoding.columns
    if columns.dense is not None:
        result["dense"] = encoding.dense
    if columns.sparse is not None:
        indices, values = encoding.sparse
        result["sparse"] = {"indices": indices, "values": values}
    if columns.multivector is not None:
        result["multivector"] = encoding.multivector
    result["timing"] = cast(TimingInfo, timing_of(encoding.timing))
    result |= {"model": encoding.model, "request": _copied(request)}
    return result


def score_result(
    scores: Scores, values: Sequence[float], names: Sequence[str | None], query: str | None
) -> ScoreResult:
    """All items, best first; equal ones in the order given."""
    order = sorted(range(len(names)), key=lambda index: -values[index])
    known = named_all(names)
    ranked: ScoreResult = {
        "model": scores.model,
        "scores": [
            {"item_id": known[i], "score": float(values[i]), "rank": rank}
            for rank, i in enumerate(order)
        ],
        "usage": {"input_tokens": scores.usage.tokens},
        "request": request_of(scores.usage, pairs=len(names)),
    }
    return ranked if query is None else {**ranked, "query_id": query}


def extract_result(found: Extracted, name: str, request: RequestMetadata) -> ExtractResult:
    """What one item holds, or why it failed."""
    lists = {kind: [_plain(thing) for thing in getattr(found, kind)] for kind in LISTS}
    result = {"id": name, **lists, "data": found.data, "model": found.model}
    if found.error is not None:
        result["error"] = {"code": code_of(found.error), "message": str(found.error)}
    result["request"] = _copied(request)
    return result  # type: ignore[return-value]  # lists by the names of their kinds


def _copied(request: RequestMetadata) -> RequestMetadata:
    """The same for another result, which may change its own."""
    return {"usage": request["usage"].copy()}


def _plain(thing: msgspec.Struct) -> dict[str, Any]:
    fields = {name: getattr(thing, name) for name in thing.__struct_fields__}
    box = fields.get("bbox")
    return fields if box is None else {**fields, "bbox": [round(side) for side in box]}


def capacity_info(seen: Capacity) -> CapacityInfo:
    """What there is at this moment."""
    workers: list[WorkerInfo] = [
        {
            "name": worker.name,
            "gpu": worker.profile,
            "gpu_count": len(worker.gpus),
            "healthy": worker.healthy,
            "queue_depth": worker.queue_calls,
            "loaded_models": list(worker.models),
            "memory_used_bytes": worker.memory_used_bytes,
            "memory_total_bytes": worker.memory_total_bytes,
        }
        for worker in seen.workers
    ]
    healthy = all(worker.healthy for worker in seen.workers)
    return {
        "status": ("healthy" if healthy else "degraded") if workers else "no_workers",
        "worker_count": len(workers),
        "gpu_count": sum(len(worker.gpus) for worker in seen.workers),
        "models_loaded": len({name for worker in seen.workers for name in worker.models}),
        "configured_gpu_types": list(seen.profiles),
        "live_gpu_types": sorted({worker.profile for worker in seen.workers}),
        "workers": workers,
    }


def pool_info(pool: Pool) -> PoolInfo:
    """A pool as it stands."""
    return {
        "name": pool.spec.name,
        "spec": {
            "name": pool.spec.name,
            "gpus": pool.spec.gpus,
            "gpu_caps": pool.spec.gpu_caps,
            "queue_pool": pool.spec.queue_pool,
            "bundle": pool.spec.bundle,
            "minimum_worker_count": pool.spec.minimum_worker_count,
            "pinned_models": list(pool.spec.pinned_models),
        },
        "status": {
            "state": pool.state.value,
            "assigned_workers": [{"name": w.name, "gpu": w.profile} for w in pool.workers],
            "created_at": pool.created_at,
            "last_renewed": pool.last_renewed,
        },
    }
