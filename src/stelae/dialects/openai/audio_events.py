"""Transcripts and speech in the events of OpenAI's audio API."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import msgspec

from stelae.dialects.events import event
from stelae.dialects.openai.audio_schema import Granularity
from stelae.dialects.openai.audio_write import Heard, Script, rounded, timed_words
from stelae.types import Segment, SpeechPiece, SpeechUsage, TranscribePiece

NOBODY = ""
"""Who speaks, in events that have a place for it: speakers are not told apart."""


class Dictation:
    """Tells a transcript as it is made.

    Args:
        script: How the answer is written.
    """

    def __init__(self, script: Script) -> None:
        self._script, self._writer = script, script.writer()
        self._heard, self._text = Heard(), ""

    def begin(self) -> Iterator[bytes]:
        """Events for what stands before the first segment."""
        yield from self._add(self._writer.head)

    def tell(self, piece: TranscribePiece) -> Iterator[bytes]:
        """Events for a piece."""
        self._heard.add(piece)
        if (segment := piece.segment) is not None:
            yield from self._add(self._writer.write(segment))
            if self._script.times:
                yield self._timed(segment)

    def end(self) -> bytes:
        """The last event: the whole text, and its work."""
        written = self._heard.usage.tokens
        usage = {"type": "tokens", "input_tokens": 0, "output_tokens": written}
        usage |= {"total_tokens": written, "seconds": rounded(self._heard.duration)}
        return _event("transcript.text.done", text=self._text, usage=usage)

    def _add(self, text: str) -> Iterator[bytes]:
        if text:
            self._text += text
            yield _event("transcript.text.delta", delta=text)

    def _timed(self, segment: Segment) -> bytes:
        said: dict[str, Any] = {
            "id": f"seg_{segment.id}",
            "start": rounded(segment.start),
            "end": rounded(segment.end),
            "text": segment.text,
            "speaker": NOBODY,
        }
        if Granularity.WORD in self._script.times:
            said["words"] = timed_words(segment)
        return _event("transcript.text.segment", **said)


async def dictated(
    made: AsyncGenerator[list[TranscribePiece]], script: Script
) -> AsyncGenerator[bytes]:
    """The events of a transcript.

    Source: OpenAI's ``transcript.text.delta``, ``.segment`` (in ``verbose_json``) and ``.done``.
    """
    dictation = Dictation(script)
    async with aclosing(made):
        for data in dictation.begin():
            yield data
        async for pieces in made:
            for piece in pieces:
                for data in dictation.tell(piece):
                    yield data
    yield dictation.end()


async def spoken(made: AsyncGenerator[list[SpeechPiece]]) -> AsyncGenerator[bytes]:
    """The events of speech.

    Source: OpenAI's ``speech.audio.delta`` and ``speech.audio.done``.
    """
    used = SpeechUsage()
    async with aclosing(made):
        async for pieces in made:
            if audio := b"".join(piece.audio for piece in pieces):
                text = b2a_base64(audio, newline=False).decode("ascii")
                yield _event("speech.audio.delta", audio=text)
            used = pieces[-1].usage or used
    read = {"input_tokens": used.characters, "output_tokens": 0, "total_tokens": used.characters}
    yield _event("speech.audio.done", usage=read | {"seconds": rounded(used.seconds)})


def _event(kind: str, **said: Any) -> bytes:
    return event(msgspec.json.encode({"type": kind, **said}))
