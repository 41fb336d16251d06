"""What a model is and can do, from its checkpoint where that was read, or else from its card."""

from __future__ import annotations

from stelae.dialects.xinference.kinds import abilities_told
from stelae.types import Card, LaunchInfo, Modality, ModelInfo, ModelKind, Task

KINDS: dict[Task, ModelKind] = {
    Task.CHAT: "llm",
    Task.IMAGE: "image",
    Task.TRANSCRIBE: "audio",
    Task.SPEAK: "audio",
    Task.ENCODE: "embedding",
    Task.EXTRACT: "extract",
    Task.SCORE: "rerank",
}
"""What a model is for by what it can be asked to do; the first that it can counts."""


def type_of(info: ModelInfo, card: Card | None) -> ModelKind:
    """What a model is for."""
    if not info.architecture:
        return "embedding" if card is None else card.kind
    return next(kind for task, kind in KINDS.items() if task in info.tasks)


def abilities(info: ModelInfo, card: Card | None, kind: ModelKind) -> list[str]:
    """What a model can do, in the words of Xinference's clients."""
    if card is not None and card.kind == kind and card.abilities:
        return abilities_told(kind, card.abilities)
    if kind == "llm":
        return _writing(info)
    told = {"audio": info.tasks, "image": info.abilities}.get(kind, ())
    return abilities_told(kind, told)


def _writing(info: ModelInfo) -> list[str]:
    can = {
        "generate": True,
        "chat": True,
        "vision": Modality.IMAGE in info.inputs,
        "audio": Modality.AUDIO in info.inputs,
        "tools": "tools" in info.abilities,
        "reasoning": "thinking" in info.abilities,
    }
    return [word for word, able in can.items() if able]


def replica_uid(uid: str, number: int) -> str:
    """The name of one replica."""
    return f"{uid}-rep{number}"


def name_of(info: ModelInfo, launch: LaunchInfo | None) -> str:
    """The name of the model that was launched."""
    return info.name if launch is None else launch.call.model
