"""A model that writes what it is told: the last message, or the prompt, is its answer as JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.engines.base import Device, EngineManifest, EngineOptions, WeightFormat
from stelae.engines.fake_text.engine import FakeTextEngine
from stelae.types import ChatCall, ChatUsage, Delta, Finish, Task, ToolPiece

_PIECES = msgspec.json.Decoder(list[Delta])

HEARD: list[ChatCall] = []
"""What was asked, the latest last; of models in threads of the test's own process."""


class ToldEngine(FakeTextEngine):
    """Writes the pieces that the last message has as JSON, then ends; other texts it echoes."""

    async def stream(self, call: ChatCall) -> AsyncGenerator[list[Delta]]:
        HEARD.append(call)
        text = call.messages[-1].text if call.messages else call.prompt or ""
        if call.count_only or not text.startswith("["):
            async for pieces in super().stream(call):
                yield pieces
            return
        pieces = _PIECES.decode(text)
        for piece in pieces:
            yield [piece]
        if not any(piece.finish for piece in pieces):
            called = any(piece.tool for piece in pieces)
            yield [Delta(finish=Finish.TOOL_CALLS if called else Finish.STOP)]
        yield [Delta(usage=ChatUsage(prompt_tokens=7, completion_tokens=len(pieces)))]


def heard() -> list[ChatCall]:
    """What was asked, beside what asks whether the model is well."""
    asked = [call for call in HEARD if call.messages]
    return [call for call in asked if "canary" not in call.messages[-1].text]


def told(*pieces: Delta) -> str:
    """What to say to the model, to hear these pieces."""
    return msgspec.json.encode(list(pieces)).decode()


def calling(name: str, arguments: str, index: int = 0) -> list[Delta]:
    """The pieces of a call of a tool, its arguments in two halves."""
    half = len(arguments) // 2
    first = ToolPiece(index=index, id=f"c{index}", name=name, arguments=arguments[:half])
    rest = ToolPiece(index=index, arguments=arguments[half:])
    return [Delta(tool=first), Delta(tool=rest)]


def load(spec: ModelSpec, options: EngineOptions) -> ToldEngine:
    """Load the model."""
    del options
    return ToldEngine(spec.max_tokens)


MANIFEST = EngineManifest(
    name="told",
    tasks=frozenset({Task.CHAT}),
    formats=frozenset(WeightFormat),
    devices=frozenset({Device.CPU}),
    load="fix_told:load",
)


def settings(folder: object) -> dict[str, Any]:
    """Settings of the model; its template is that of the checkpoint in a folder."""
    return {"source": str(folder), "engine": "told"}


def install(patch: pytest.MonkeyPatch) -> None:
    """Make the engine known for the time of a test."""
    patch.setattr(registry, "BUILT_IN", (*registry.BUILT_IN, MANIFEST))
