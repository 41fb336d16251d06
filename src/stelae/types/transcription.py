"""Transcription: sound in, what is said in it out, segment by segment."""

from __future__ import annotations

import msgspec

FALLBACK = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Temperatures that are tried in turn where a text repeats itself or is unlikely.

Source: Radford et al. 2022 (arXiv:2212.04356), section 4.5.
"""


class TranscribeCall(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Ask a model what is said in a recording.

    Attributes:
        model: Name or alias of the model.
        audio: The recording as the bytes of its file (in JSON: base64); its format is recognised
            from these.
        translate: Whether the text shall be English, whatever is spoken.
        language: Language spoken, by its code (``en``) or name; ``None`` to find out.
        prompt: A text that might stand before: names, spelling, style.
        temperatures: Tried in turn until the text is good; 0 takes the likeliest token.
        words: Whether each word gets its times.
        vad: Whether stretches without a voice are left out.
        beams: Width of the search at temperature 0.
        gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``; ``None``
            for any.
    """

    model: str
    audio: bytes
    translate: bool = False
    language: str | None = None
    prompt: str | None = None
    temperatures: tuple[float, ...] = FALLBACK
    words: bool = False
    vad: bool = False
    beams: int = 1
    gpu: str | None = None


class Word(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A word and when it is said.

    Attributes:
        word: Its text, with the blank before it if there is one.
        start: Seconds from the beginning of the recording.
        end: Likewise.
        probability: How sure the model is, 0 to 1.
    """

    word: str
    start: float
    end: float
    probability: float = 0.0


class Segment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch of a recording and what is said in it.

    Attributes:
        id: Its number, from 0.
        start: Seconds from the beginning of the recording.
        end: Likewise.
        text: What is said.
        tokens: Ids of the tokens written.
        temperature: With which it was written.
        avg_logprob: Mean natural logarithm of its tokens' probabilities.
        compression_ratio: How much shorter zlib makes the text; high where it repeats itself.
        no_speech_prob: How likely nothing is said, 0 to 1.
        words: Its words, if asked for.
    """

    id: int
    start: float
    end: float
    text: str
    tokens: list[int] = []
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    words: list[Word] = []


class TranscribeUsage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Work of an answer.

    Attributes:
        seconds: Length of the recording.
        tokens: Tokens written.
    """

    seconds: float = 0.0
    tokens: int = 0


class TranscribePiece(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """More of what is said.

    The last piece of an answer, and only that, has ``usage``: without it the answer is not whole.

    Attributes:
        segment: A segment, in order of time.
        language: Language spoken, by its code, as soon as it is known.
        duration: Length of the recording in seconds, as soon as it is known.
        position: Seconds of the recording that are done.
        usage: Work of the whole answer.
    """

    segment: Segment | None = None
    language: str | None = None
    duration: float | None = None
    position: float | None = None
    usage: TranscribeUsage | None = None
