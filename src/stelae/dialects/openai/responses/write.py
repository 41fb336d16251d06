"""What a model thinks, says and calls, as the steps of a response and the events that tell them.

Source: OpenAI's API reference, "Streaming events" of responses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from stelae.dialects.openai.chat_write import logprob
from stelae.dialects.writing import new_id
from stelae.types import Delta, TokenLogprob, ToolPiece

Event = dict[str, Any]
"""An event without its number in the sequence."""


class Step(Protocol):
    """A step that is being told.

    Attributes:
        item: The step as it stands.
    """

    item: dict[str, Any]

    def opened(self) -> Iterator[Event]:
        """What follows the news that it begins."""

    def closed(self) -> Iterator[Event]:
        """What comes before the news that it is over."""


class Prose:
    """What is said or thought.

    Args:
        item: The step, without content.
        part: Its content, still empty.
        place: Which step of the response it is.
        event: How the names of its events start.
    """

    def __init__(self, item: dict[str, Any], part: dict[str, Any], place: int, event: str) -> None:
        self.item, self._part, self._event = item, part, event
        self._at = {"item_id": item["id"], "output_index": place, "content_index": 0}

    def opened(self) -> Iterator[Event]:
        """It has one part."""
        part = dict(self._part)
        self.item["content"] = [self._part]
        yield {"type": "response.content_part.added", **self._at, "part": part}

    def more(self, text: str, told: list[TokenLogprob]) -> Event:
        """More of it."""
        self._part["text"] += text
        more: dict[str, Any] = {}
        if "logprobs" in self._part:
            more["logprobs"] = msgspec.to_builtins([logprob(lp) for lp in told])
            self._part["logprobs"] += more["logprobs"]
        return {"type": f"{self._event}.delta", **self._at, "delta": text, **more}

    def closed(self) -> Iterator[Event]:
        """All of it again."""
        whole = {name: said for name, said in self._part.items() if name in ("text", "logprobs")}
        yield {"type": f"{self._event}.done", **self._at, **whole}
        yield {"type": "response.content_part.done", **self._at, "part": self._part}


def message(place: int) -> Prose:
    """What is said."""
    item = {"id": new_id("msg_"), "type": "message", "role": "assistant", "content": []}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    return Prose(item, part, place, "response.output_text")


def thought(place: int) -> Prose:
    """What is thought."""
    item = {"id": new_id("rs_"), "type": "reasoning", "summary": [], "content": []}
    return Prose(item, {"type": "reasoning_text", "text": ""}, place, "response.reasoning_text")


class Calling:
    """A call of a tool.

    Args:
        piece: Its first piece.
        place: Which step of the response it is.
    """

    def __init__(self, piece: ToolPiece, place: int) -> None:
        self.item: dict[str, Any] = {
            "id": new_id("fc_"),
            "type": "function_call",
            "call_id": piece.id or new_id("call_"),
            "name": piece.name or "",
            "arguments": "",
        }
        self._at = {"item_id": self.item["id"], "output_index": place}

    def opened(self) -> Iterator[Event]:
        """Nothing more."""
        return iter(())

    def more(self, arguments: str) -> Event:
        """More of its arguments."""
        self.item["arguments"] += arguments
        kind = "response.function_call_arguments.delta"
        return {"type": kind, **self._at, "delta": arguments}

    def closed(self) -> Iterator[Event]:
        """All of its arguments again."""
        told = {"name": self.item["name"], "arguments": self.item["arguments"]}
        yield {"type": "response.function_call_arguments.done", **self._at, **told}


class Output:
    """The steps of one response, put together from pieces.

    Attributes:
        items: The steps so far.
    """

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self._step: Step | None = None
        self._kind: object = None

    def add(self, piece: Delta) -> Iterator[Event]:
        """What is told of a piece."""
        if piece.reasoning:
            yield from self._turn("thought", thought)
            yield from self._say(piece.reasoning, [])
        if piece.text or (piece.logprobs and self._kind == "message"):
            yield from self._turn("message", message)
            yield from self._say(piece.text, piece.logprobs)
        if (tool := piece.tool) is not None:
            yield from self._turn(tool.index, lambda place: Calling(tool, place))
            if isinstance(self._step, Calling) and tool.arguments:
                yield self._step.more(tool.arguments)

    def _say(self, text: str, told: list[TokenLogprob]) -> Iterator[Event]:
        if isinstance(self._step, Prose):
            yield self._step.more(text, told)

    def _turn(self, kind: object, make: Any) -> Iterator[Event]:
        """Begin a step, unless it is under way."""
        if self._kind == kind:
            return
        yield from self.close("completed")
        place = len(self.items)
        step: Step = make(place)
        self._step, self._kind = step, kind
        step.item["status"] = "in_progress"
        self.items.append(step.item)
        added = {"type": "response.output_item.added", "output_index": place}
        yield {**added, "item": dict(step.item)}
        yield from step.opened()

    def close(self, status: str) -> Iterator[Event]:
        """End the step that is under way, if one is."""
        if (step := self._step) is None:
            return
        self._step = self._kind = None
        yield from step.closed()
        step.item["status"] = status
        place = len(self.items) - 1
        yield {"type": "response.output_item.done", "output_index": place, "item": step.item}
