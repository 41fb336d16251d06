"""Answers as this protocol tells them: a message of blocks, whole or in events."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from stelae.dialects.anthropic.schema import Answer, MessageUsage
from stelae.dialects.events import EventsResponse
from stelae.dialects.writing import Gathered, Written, new_id
from stelae.types import ChatUsage, Delta, Finish, ToolPiece

SIGNATURE = "unsigned"
"""Stands for the signature of a thought: nothing is signed here, and none is looked at."""

_JSON = msgspec.json.Encoder(enc_hook=str)


def event(kind: str, **fields: Any) -> bytes:
    """One event, which has its name in its data too."""
    data = _JSON.encode({"type": kind, **fields})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


PING = event("ping")


class MessageEvents(EventsResponse):
    """A message in events."""

    ping: ClassVar[bytes] = PING


def usage(used: ChatUsage) -> MessageUsage:
    """Tokens of an answer; those that had been read before are counted apart."""
    return MessageUsage(
        input_tokens=used.prompt_tokens - used.cached_tokens,
        cache_read_input_tokens=used.cached_tokens,
        output_tokens=used.completion_tokens,
        output_tokens_details={"thinking_tokens": used.reasoning_tokens},
    )


class Shape:
    """Makes the answer to one request, whole or in events.

    Args:
        model: Name of the model.
        thoughtful: Whether blocks of thought are part of it.
        quiet: Whether these are told without what was thought.
        clipped: Whether the model could not write as much as was asked for.
    """

    def __init__(
        self, model: str, *, thoughtful: bool, quiet: bool = False, clipped: bool = False
    ) -> None:
        self._model, self._id = model, new_id("msg_")
        self._thoughtful, self._quiet, self._clipped = thoughtful, quiet, clipped

    def whole(self, gathered: Gathered) -> Answer:
        """The answer."""
        (written,) = gathered.texts
        reason, stopped_by = self.reason(written.finish, written.stopped_by)
        return self._message(self._content(written), reason, stopped_by, gathered.usage)

    def opening(self, read: ChatUsage) -> Answer:
        """The answer before anything of it is there."""
        return self._message([], None, None, read)

    def thought(self, text: str) -> str | None:
        """What is told of a thought, if it is told at all."""
        if not self._thoughtful:
            return None
        return "" if self._quiet else text

    def reason(self, finish: Finish | None, stopped_by: str | None) -> tuple[str, str | None]:
        """Why the answer ends, and the text that ended it."""
        if stopped_by is not None:
            return "stop_sequence", stopped_by
        if finish is Finish.TOOL_CALLS:
            return "tool_use", None
        if finish is Finish.LENGTH:
            return "model_context_window_exceeded" if self._clipped else "max_tokens", None
        return "end_turn", None

    def _message(
        self,
        content: list[dict[str, Any]],
        reason: str | None,
        stopped_by: str | None,
        used: ChatUsage,
    ) -> Answer:
        return Answer(
            id=self._id,
            type="message",
            role="assistant",
            content=content,
            model=self._model,
            stop_reason=reason,
            stop_sequence=stopped_by,
            usage=usage(used),
        )

    def _content(self, written: Written) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        thought = self.thought(written.reasoning) if written.reasoning else None
        if thought is not None:
            made.append({"type": "thinking", "thinking": thought, "signature": SIGNATURE})
        if written.text.strip():
            made.append({"type": "text", "text": written.text})
        for call in written.calls:
            block = {"type": "tool_use", "id": call.id, "name": call.name, "input": call.fields}
            made.append(block)
        return made


Kind = str | int
"""A block: ``thinking``, ``text``, or the number of a call of a tool."""


class Telling:
    """Tells an answer in events, block by block; blocks never overlap.

    Args:
        shape: Makes what is told.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._begun = False
        self._block: Kind | None = None
        self._index = -1
        self._blank = ""
        self._finish: Finish | None = None
        self._stopped_by: str | None = None

    def tell(self, piece: Delta) -> bytes:
        """The events of a piece, perhaps none."""
        told = b"" if self._begun else self._start(piece.read or ChatUsage())
        if piece.reasoning:
            told += self._think(piece.reasoning)
        if piece.text:
            told += self._say(piece.text)
        if piece.tool is not None:
            told += self._call(piece.tool)
        self._finish = piece.finish or self._finish
        self._stopped_by = piece.stopped_by or self._stopped_by
        return told if piece.usage is None else told + self._end(piece.usage)

    def _start(self, read: ChatUsage) -> bytes:
        self._begun = True
        return event("message_start", message=self._shape.opening(read)) + PING

    def _think(self, text: str) -> bytes:
        thought = self._shape.thought(text)
        if thought is None:
            return b""
        empty = {"type": "thinking", "thinking": "", "signature": ""}
        told = self._open("thinking", empty)
        return told + self._more("thinking_delta", thinking=thought) if thought else told

    def _say(self, text: str) -> bytes:
        """More of the text; a block of it begins with the first letter that can be seen."""
        text, self._blank = self._blank + text, ""
        if self._block != "text" and not text.strip():
            self._blank = text
            return b""
        return self._open("text", {"type": "text", "text": ""}) + self._more(
            "text_delta", text=text
        )

    def _call(self, piece: ToolPiece) -> bytes:
        self._blank = ""
        name = {"id": piece.id or new_id("toolu_"), "name": piece.name or ""}
        told = self._open(piece.index, {"type": "tool_use", **name, "input": {}})
        if not piece.arguments:
            return told
        return told + self._more("input_json_delta", partial_json=piece.arguments)

    def _open(self, kind: Kind, empty: dict[str, Any]) -> bytes:
        if self._block == kind:
            return b""
        told = self._close()
        self._block, self._index = kind, self._index + 1
        return told + event("content_block_start", index=self._index, content_block=empty)

    def _more(self, kind: str, **fields: str) -> bytes:
        return event("content_block_delta", index=self._index, delta={"type": kind, **fields})

    def _close(self) -> bytes:
        if self._block is None:
            return b""
        signed = b""
        if self._block == "thinking":
            signed = self._more("signature_delta", signature=SIGNATURE)
        self._block = None
        return signed + event("content_block_stop", index=self._index)

    def _end(self, used: ChatUsage) -> bytes:
        reason, stopped_by = self._shape.reason(self._finish, self._stopped_by)
        delta = {"stop_reason": reason, "stop_sequence": stopped_by}
        told = self._close() + event("message_delta", delta=delta, usage=usage(used))
        return told + event("message_stop")
