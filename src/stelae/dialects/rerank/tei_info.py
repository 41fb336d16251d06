"""What text-embeddings-inference says about its model."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from stelae.catalog.abilities import Classify
from stelae.catalog.operations import Pool
from stelae.catalog.spec import ModelSpec
from stelae.dialects.answers import json_answer
from stelae.dialects.base import Rooms
from stelae.dialects.rerank.tei import name_of
from stelae.dialects.rerank.tei_schema import TeiInfo
from stelae.types import ModelInfo, OutputType, Task

ONE_LABEL = ("LABEL_0",)


def serves(model: ModelInfo) -> bool:
    """Whether a model makes vectors or reads pairs."""
    return Task.ENCODE in model.tasks or Task.SCORE in model.tasks


async def info(request: Request, rooms: Rooms) -> Response:
    """What is served, and its limits."""
    name = name_of(request, rooms, request.query_params.get("model"), serves)
    spec, model = await rooms.fleet.spec(name), rooms.fleet.model(name)
    limits = rooms.about.limits
    return json_answer(
        TeiInfo(
            model_id=model.name,
            model_sha=None,
            model_dtype=model.dtype,
            model_type=kind_of(spec),
            max_concurrent_requests=int(limits["calls"]),
            max_input_length=spec.max_tokens,
            max_batch_tokens=int(limits["batch_tokens"]),
            max_batch_requests=None,
            max_client_batch_size=int(limits["items"]),
            auto_truncate=True,
            tokenization_workers=1,
            version=rooms.about.version,
            sha=None,
            docker_label=None,
        )
    )


def kind_of(spec: ModelSpec) -> dict[str, Any]:
    """``embedding`` with how tokens are put together, or ``reranker`` or ``classifier``."""
    if spec.scoring is None:
        return {"embedding": {"pooling": _pooling(spec)}}
    labels = labels_of(spec)
    told = {
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "label2id": {label: number for number, label in enumerate(labels)},
    }
    return {"classifier" if classifies(spec) else "reranker": told}


def labels_of(spec: ModelSpec) -> tuple[str, ...]:
    """Names of the scores of a model that reads pairs."""
    return spec.scoring.labels if isinstance(spec.scoring, Classify) else ONE_LABEL


def classifies(spec: ModelSpec) -> bool:
    """Whether a model that reads pairs gives several scores."""
    return len(labels_of(spec)) > 1


def _pooling(spec: ModelSpec) -> str:
    """How vectors of tokens become one; where they stay apart, by their weights of terms."""
    if OutputType.DENSE not in spec.outputs:
        return "splade" if OutputType.SPARSE in spec.outputs else "none"
    steps = (step for step in spec.chain(OutputType.DENSE) if isinstance(step, Pool))
    pool = next(steps, None)
    return "none" if pool is None else "+".join(mode.value for mode in pool.modes)
