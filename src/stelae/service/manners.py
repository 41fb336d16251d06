"""What the owner of a model wants of its conversations, where a call leaves that open."""

from __future__ import annotations

from msgspec.structs import replace

from stelae.catalog.entry import ModelEntry
from stelae.types import ChatCall


def mannered(call: ChatCall, entry: ModelEntry) -> ChatCall:
    """A call with the model's own say on reasoning, and its texts that end what it writes."""
    if call.reasoning is None and entry.thinking is not None:
        call = replace(call, reasoning=entry.thinking)
    further = [stop for stop in entry.stops if stop not in call.sampling.stop]
    if not further:
        return call
    return replace(call, sampling=replace(call.sampling, stop=[*call.sampling.stop, *further]))
