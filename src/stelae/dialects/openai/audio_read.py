"""Requests of OpenAI's audio API to calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from stelae.dialects.openai.audio_schema import (
    Granularity,
    SpeechRequest,
    TranscriptFormat,
    TranscriptionRequest,
)
from stelae.dialects.openai.options import refuse
from stelae.dialects.uploads import Form
from stelae.errors import InvalidInput
from stelae.types import AudioFormat, SpeechCall, TranscribeCall
from stelae.types.transcription import FALLBACK

T = TypeVar("T")

FORM = "multipart/form-data"
"""What recordings come in."""

FILE = ("file", "audio")
"""Fields that a recording is sent in."""

VOICE_FILES = ("prompt_speech", "prompt_latent")
"""Fields of Xinference's client for a voice to imitate."""

SPEAKERS = ("known_speaker_names", "known_speaker_references")


def recording(form: Form) -> bytes:
    """The recording that came with a request.

    Raises:
        InvalidInput: There is none, or several.
    """
    file = form.file(*FILE)
    if file is None:
        raise InvalidInput(
            "file: there is no recording; send a form (multipart/form-data) with it as 'file'",
            param="file",
        )
    return file.data


def transcribe_call(
    request: TranscriptionRequest, audio: bytes, *, translate: bool
) -> TranscribeCall:
    """The call that a request means.

    Raises:
        InvalidInput: Something is asked for that no answer would heed.
    """
    refuse(request, SPEAKERS, ": speakers are not told apart")
    if "logprobs" in listed(request.include):
        raise InvalidInput(
            "include: probabilities of tokens are not told; 'verbose_json' has 'avg_logprob' of "
            "each segment",
            param="include",
        )
    chunked = request.chunking_strategy is not None or request.chunking_type is not None
    return TranscribeCall(
        model=request.model,
        audio=audio,
        translate=translate,
        language=_language(request),
        prompt=_prompt(request),
        temperatures=(request.temperature,) if request.temperature else FALLBACK,
        words=Granularity.WORD in granularities(request),
        vad=chunked if request.vad_filter is None else request.vad_filter,
        beams=1 if request.beam_size is None else request.beam_size,
    )


def granularities(request: TranscriptionRequest) -> list[Granularity]:
    """What gets its times in the answer."""
    if request.response_format is not TranscriptFormat.VERBOSE:
        return []
    return listed(request.timestamp_granularities) or [Granularity.SEGMENT]


def listed(given: list[T] | T | None) -> list[T]:
    """A list, or one value for a list of it; nothing for an empty one."""
    if given is None:
        return []
    return given if isinstance(given, list) else [given]


def _language(request: TranscriptionRequest) -> str | None:
    possible = listed(request.languages)
    return request.language or (possible[0] if len(possible) == 1 else None)


def _prompt(request: TranscriptionRequest) -> str | None:
    parts: Iterable[str | None] = (request.prompt, ", ".join(listed(request.keywords)))
    return " ".join(filter(None, parts)) or None


def speech_call(request: SpeechRequest, form: Form) -> SpeechCall:
    """The call that a request means.

    Raises:
        InvalidInput: Something is asked for that no answer would heed.
    """
    refuse(request, ("instructions",), ": no model here is told how to speak")
    for file in form.files(*VOICE_FILES):
        raise InvalidInput(
            f"{file.field}: no voice is imitated here; name one of the model's as 'voice'",
            param=file.field,
        )
    return SpeechCall(
        model=request.model,
        text=request.input,
        voice=_voice(request),
        speed=1.0 if request.speed is None else request.speed,
        language=request.language or None,
        seed=request.seed,
        format=request.response_format or AudioFormat.MP3,
    )


def _voice(request: SpeechRequest) -> str | None:
    given = request.voice
    if not isinstance(given, dict):
        return given or None
    if not isinstance(name := given.get("id"), str):
        raise InvalidInput(
            "voice: a name was expected, or an object with it as 'id'", param="voice"
        )
    return name
