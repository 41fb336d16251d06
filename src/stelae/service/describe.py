"""What a server says of a model, from all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stelae.catalog.abilities import Classify, YesNo
from stelae.catalog.entry import ModelEntry
from stelae.catalog.profiles import profiles_of
from stelae.catalog.spec import ModelSpec
from stelae.cluster.replica import Replica
from stelae.service.deployments import Standing
from stelae.types import ModelInfo, ModelState


def describe(
    entry: ModelEntry, standing: Standing, state: ModelState, replicas: Sequence[Replica]
) -> ModelInfo:
    """Put together entry, checkpoint, choice of engine and loaded engine."""
    facts: dict[str, Any] = {"source": entry.source}
    if standing.spec is not None and not replicas:
        facts |= _of_spec(standing.spec)
    if standing.choice is not None:
        facts |= {"engine": standing.choice.manifest.name, "reason": standing.choice.reason}
    error = standing.error
    if replicas:
        facts |= _of_replicas(replicas)
        error = replicas[0].error
    return ModelInfo(
        name=entry.name,
        aliases=entry.aliases,
        loras=tuple(entry.loras),
        profiles=profiles_of(entry),
        state=state,
        error=None if error is None else error.info,
        **facts,
    )


def traits(entry: ModelEntry, spec: ModelSpec | None) -> ModelInfo:
    """What of a model is the same for as long as its checkpoint is."""
    return ModelInfo(
        name=entry.name,
        aliases=entry.aliases,
        loras=tuple(entry.loras),
        profiles=profiles_of(entry),
        **({"source": entry.source} if spec is None else _of_spec(spec)),
    )


def _of_spec(spec: ModelSpec) -> dict[str, Any]:
    return {
        "source": str(spec.source),
        "tasks": spec.answers,
        "inputs": spec.inputs,
        "outputs": spec.outputs,
        "architecture": spec.backbone.architecture,
        "dimensions": spec.dimensions,
        "token_dimensions": spec.token_dimensions,
        "labels": _labels(spec),
        "instructions": _instructed(spec),
        "abilities": _abilities(spec),
        "languages": _languages(spec),
        "voices": () if spec.speaking is None else spec.speaking.voices,
        "matryoshka": spec.matryoshka,
        "max_tokens": spec.max_tokens,
        "prompts": spec.prompts,
        "default_prompt": spec.default_prompt,
        "similarity": spec.similarity,
        "normalized": spec.normalized,
    }


def _instructed(spec: ModelSpec) -> bool:
    """Whether it can be told what is looked for."""
    if spec.scoring is not None:
        return isinstance(spec.scoring, YesNo) and spec.scoring.instructed
    return spec.instruction is not None


def _abilities(spec: ModelSpec) -> tuple[str, ...]:
    """What it can do beside talking, if it writes; whether it writes down what pictures say."""
    if (writes := spec.generation) is None:
        return ("ocr",) if spec.reads_pictures else ()
    able = {"tools": bool(writes.tools), "thinking": bool(writes.reasoning)}
    return tuple(name for name, can in able.items() if can)


def _languages(spec: ModelSpec) -> tuple[str, ...]:
    """Those that it hears or reads aloud."""
    able = spec.hearing or spec.speaking
    return () if able is None else able.languages


def _labels(spec: ModelSpec) -> tuple[str, ...]:
    """Names of the scores, where there are several."""
    labels = spec.scoring.labels if isinstance(spec.scoring, Classify) else ()
    return labels if len(labels) > 1 else ()


def _of_replicas(replicas: Sequence[Replica]) -> dict[str, Any]:
    """Of the first what differs, of all together what can be summed."""
    replica = replicas[0]
    facts: dict[str, Any] = {
        **_of_spec(replica.deployment.spec),
        "engine": replica.deployment.engine,
        "reason": replica.deployment.reason,
        "memory_bytes": sum([each.memory_bytes for each in replicas]),
        "pid": replica.vitals.pid,
        "in_flight": sum([each.in_flight for each in replicas]),
        "restarts": sum([each.restarts for each in replicas]),
    }
    if (info := replica.info) is not None:
        facts |= {
            "dtype": info.dtype,
            "device": info.device,
            "fingerprint": info.fingerprint,
            "notes": info.notes,
        }
    return facts
