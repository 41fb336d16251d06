"""Messages of OpenAI's audio API; see ``schema`` on unknown fields and ``null``."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from stelae.types import AudioFormat


class TranscriptFormat(StrEnum):
    """Formats of transcripts."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    VERBOSE = "verbose_json"


class Granularity(StrEnum):
    """What gets its times."""

    WORD = "word"
    SEGMENT = "segment"


class TranscriptionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What transcriptions and translations take: a form with the recording as ``file``.

    Attributes:
        model: Name of the model.
        language: Language spoken, by its code (``en``) or name; found out if absent.
        languages: Those that may be spoken; heeded if there is one and no ``language``.
        prompt: A text that might stand before: names, spelling, style.
        keywords: Words that may be said; they join ``prompt``.
        response_format: ``json`` if absent.
        temperature: 0 or absent for several, each tried when the text of the one before is
            poor; another number for that alone.
        timestamp_granularities: What gets its times in ``verbose_json``: ``segment``, the
            default, ``word`` or both.
        chunking_strategy: Whatever it says, stretches without a voice are left out.
        chunking_type: The same, as forms spell it.
        vad_filter: (faster-whisper) Whether stretches without a voice are left out.
        beam_size: (faster-whisper) Width of the search at temperature 0.
        stream: Whether the answer is told in events.
        request_id: (Xinference) A name to follow or end the request by.
        include: ``logprobs`` is refused, for none are told of tokens.
        known_speaker_names: Refused: speakers are not told apart.
        known_speaker_references: Likewise.
    """

    model: str
    language: str | None = None
    languages: list[str] | str | None = None
    prompt: str | None = None
    keywords: list[str] | str | None = None
    response_format: TranscriptFormat | None = None
    temperature: float | None = None
    timestamp_granularities: list[Granularity] | Granularity | None = None
    chunking_strategy: Any = None
    chunking_type: str | None = msgspec.field(name="chunking_strategy[type]", default=None)
    vad_filter: bool | None = None
    beam_size: int | None = None
    stream: bool | None = None
    request_id: str | None = None
    include: list[str] | str | None = None
    known_speaker_names: list[str] | str | None = None
    known_speaker_references: list[str] | str | None = None


class DurationUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Work of an answer by the length of the recording; ``type`` is ``duration``."""

    type: str
    seconds: float


class Transcription(msgspec.Struct, frozen=True, kw_only=True):
    """A transcript as ``json``."""

    text: str
    usage: DurationUsage


class TranscriptWord(msgspec.Struct, frozen=True, kw_only=True):
    """A word and when it is said, in seconds."""

    word: str
    start: float
    end: float


class TranscriptSegment(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the recording; see ``Segment``.

    Attributes:
        id: Its number, from 0.
        seek: Where it starts, in hundredths of a second.
        start: Seconds from the beginning.
        end: Likewise.
        text: What is said.
        tokens: Ids of the tokens written.
        temperature: With which it was written.
        avg_logprob: Mean natural logarithm of its tokens' probabilities.
        compression_ratio: How much shorter zlib makes the text.
        no_speech_prob: How likely nothing is said.
    """

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseTranscription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A transcript as ``verbose_json``.

    Attributes:
        task: ``transcribe`` or ``translate``.
        language: Name of the language of the text, in English.
        duration: Length of the recording in seconds.
        text: What is said.
        usage: Work of the answer.
        segments: With their times, if wanted.
        words: With theirs, if wanted.
    """

    task: str
    language: str
    duration: float
    text: str
    usage: DurationUsage
    segments: list[TranscriptSegment] | None = None
    words: list[TranscriptWord] | None = None


class SpeechRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/audio/speech`` takes, as JSON or as a form.

    Attributes:
        model: Name of the model.
        input: What to read.
        voice: Name of one of the model's voices, or an object with it as ``id``; the first if
            absent or empty.
        response_format: ``mp3`` if absent.
        speed: How fast, 0.25 to 4.
        stream_format: ``audio``, the default, or ``sse`` for events.
        stream: Accepted: sound is sent as it is made in any case.
        language: (Stelae) Language of the text, for models that read several.
        seed: (Stelae) Decides what chance decides.
        request_id: (Xinference) A name to follow or end the request by.
        instructions: Refused: no model here is told how to speak.
    """

    model: str
    input: str
    voice: str | dict[str, Any] | None = None
    response_format: AudioFormat | None = None
    speed: float | None = None
    stream_format: SpeechStream | None = None
    stream: bool | None = None
    language: str | None = None
    seed: int | None = None
    request_id: str | None = None
    instructions: str | None = None


class SpeechStream(StrEnum):
    """How speech is sent."""

    AUDIO = "audio"
    SSE = "sse"


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """A voice of a model.

    Attributes:
        id: What to ask for.
        object: Always ``audio.voice``.
        name: The same as ``id``.
        model: The model whose it is.
        languages: Languages that the model reads, by their codes, if it says.
    """

    id: str
    object: str
    name: str
    model: str
    languages: tuple[str, ...]


class VoiceList(msgspec.Struct, frozen=True, kw_only=True):
    """What ``GET /v1/audio/voices`` answers."""

    object: str
    data: list[Voice]


class AudioEmbeddingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/audio/embeddings`` takes: a form with the recording as ``file``.

    Attributes:
        model: Name of the model.
        dimensions: Width to cut the vector to; only for models trained for it.
    """

    model: str
    dimensions: int | None = None


class AudioEmbedding(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/audio/embeddings`` answers."""

    object: str
    model: str
    dimensions: int
    embedding: list[float]
