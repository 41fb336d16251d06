"""OpenAI's audio: transcripts, translations, speech, voices."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import json_answer
from stelae.dialects.ask import begun, opened, speak, transcribe
from stelae.dialects.base import REFUSALS, Handle, Operation, Rooms, record_of
from stelae.dialects.events import ChunksResponse, EventsResponse
from stelae.dialects.openai.audio_events import dictated, spoken
from stelae.dialects.openai.audio_read import (
    FORM,
    granularities,
    recording,
    speech_call,
    transcribe_call,
)
from stelae.dialects.openai.audio_schema import (
    SpeechRequest,
    SpeechStream,
    TranscriptFormat,
    TranscriptionRequest,
    VerboseTranscription,
    Voice,
    VoiceList,
)
from stelae.dialects.openai.audio_write import Heard, Script
from stelae.dialects.openai.convert import fields_as_sent
from stelae.dialects.openai.ended import ended
from stelae.dialects.uploads import asked
from stelae.errors import ModelNotFound
from stelae.types import (
    AudioFormat,
    ModelInfo,
    SpeechCall,
    SpeechPiece,
    Task,
    TranscribeCall,
    TranscribePiece,
)

RATE = "X-Stelae-Sample-Rate"
"""Says how many samples a second the sound of an answer has."""

HEARD = {"audio": "file", "temperatures": "temperature", "beams": "beam_size", "vad": "vad_filter"}
SPOKEN = {"text": "input", "format": "response_format"}
"""Fields of calls that requests have under other names."""


def _written_down(*, translate: bool) -> Handle:
    """Writes down what is said, in its own language or in English."""

    async def handle(request: Request, rooms: Rooms) -> Response:
        form, files = await asked(request, TranscriptionRequest)
        call = transcribe_call(form, recording(files), translate=translate)
        record_of(request).called = form.request_id or ""
        script = Script(
            form.response_format or TranscriptFormat.JSON, granularities(form), translate
        )
        with fields_as_sent(TranscribeCall, TranscriptionRequest, HEARD):
            made = await begun(transcribe(request, rooms, call))
            if not form.stream:
                return script.whole(await _heard(made))
        return EventsResponse(ended(request, dictated(made, script)))

    handle.__name__ = "create_translation" if translate else "create_transcription"
    return handle


async def _heard(made: AsyncGenerator[list[TranscribePiece]]) -> Heard:
    heard = Heard()
    async with aclosing(made):
        async for pieces in made:
            for piece in pieces:
                heard.add(piece)
    return heard


async def create_speech(request: Request, rooms: Rooms) -> Response:
    """Read a text aloud; sound is sent as it is made."""
    form, files = await asked(request, SpeechRequest)
    call = speech_call(form, files)
    record_of(request).called = form.request_id or ""
    with fields_as_sent(SpeechCall, SpeechRequest, SPOKEN):
        first, made = await opened(speak(request, rooms, call))
    headers = {} if first[0].rate is None else {RATE: str(first[0].rate)}
    if form.stream_format is SpeechStream.SSE:
        return EventsResponse(ended(request, spoken(made)), headers)
    return ChunksResponse(_sound(made), call.format.media, headers)


async def _sound(made: AsyncGenerator[list[SpeechPiece]]) -> AsyncGenerator[bytes]:
    async with aclosing(made):
        async for pieces in made:
            if audio := b"".join(piece.audio for piece in pieces):
                yield audio


async def list_voices(request: Request, rooms: Rooms) -> Response:
    """The voices of one model (``?model=``), or of all; known once a model was loaded."""
    name = request.query_params.get("model")
    infos = rooms.fleet.models() if name is None else [rooms.fleet.model(name)]
    voices = [voice for info in infos if Task.SPEAK in info.tasks for voice in _voices(info)]
    return json_answer(VoiceList(object="list", data=voices))


def _voices(info: ModelInfo) -> list[Voice]:
    return [
        Voice(id=name, object="audio.voice", name=name, model=info.name, languages=info.languages)
        for name in info.voices
    ]


MEDIA = ("application/json", "text/plain", "text/vtt", "text/event-stream")
SOUND = (*(form.media for form in AudioFormat), "text/event-stream")

AUDIO_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/audio/transcriptions",
        handle=_written_down(translate=False),
        summary="Write down what is said in a recording; a form with `file`.",
        request=TranscriptionRequest,
        takes=(FORM,),
        example={"model": "whisper-tiny", "response_format": "verbose_json"},
        response=VerboseTranscription,
        errors=REFUSALS,
        media=MEDIA,
    ),
    Operation(
        method="POST",
        path="/v1/audio/translations",
        handle=_written_down(translate=True),
        summary="Write down in English what is said in a recording; a form with `file`.",
        request=TranscriptionRequest,
        takes=(FORM,),
        example={"model": "whisper-tiny"},
        response=VerboseTranscription,
        errors=REFUSALS,
        media=MEDIA,
    ),
    Operation(
        method="POST",
        path="/v1/audio/speech",
        handle=create_speech,
        summary="Read a text aloud; sound is sent as it is made.",
        request=SpeechRequest,
        takes=("application/json", FORM),
        example={"model": "mms-tts-eng", "input": "Hello, world", "response_format": "wav"},
        errors=REFUSALS,
        media=SOUND,
    ),
    Operation(
        method="GET",
        path="/v1/audio/voices",
        handle=list_voices,
        summary="List the voices of one model (`?model=`), or of all; known once it was loaded.",
        response=VoiceList,
        errors=(ModelNotFound,),
    ),
)
