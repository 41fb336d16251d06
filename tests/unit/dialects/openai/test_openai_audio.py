"""Requests for transcripts and speech as calls, and transcripts as text and events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.dialects.openai.audio_events import Dictation, dictated, spoken
from stelae.dialects.openai.audio_read import granularities, recording, speech_call, transcribe_call
from stelae.dialects.openai.audio_schema import (
    Granularity,
    SpeechRequest,
    TranscriptFormat,
    TranscriptionRequest,
)
from stelae.dialects.openai.audio_write import Heard, Plain, Script, transcript
from stelae.dialects.uploads import Form, Upload
from stelae.errors import InvalidInput
from stelae.types import (
    AudioFormat,
    Segment,
    SpeechCall,
    SpeechPiece,
    SpeechUsage,
    TranscribeCall,
    TranscribePiece,
    TranscribeUsage,
)
from stelae.types.transcription import FALLBACK

AUDIO = b"RIFF"
VERBOSE = TranscriptFormat.VERBOSE


def request(**asked: Any) -> TranscriptionRequest:
    return msgspec.convert({"model": "m", **asked}, TranscriptionRequest)


def call(**asked: Any) -> TranscribeCall:
    return transcribe_call(request(**asked), AUDIO, translate=False)


def speech(**asked: Any) -> SpeechCall:
    made = msgspec.convert({"model": "m", "input": "x", **asked}, SpeechRequest)
    return speech_call(made, Form())


def said(text: str, number: int = 0) -> Segment:
    return Segment(id=number, start=number, end=number + 1, text=text)


async def made(*pieces: Any) -> AsyncGenerator[list[Any]]:
    for piece in pieces:
        yield [piece]


async def told(events: AsyncGenerator[bytes]) -> list[dict[str, Any]]:
    return [json.loads(data.removeprefix(b"data: ")) async for data in events]


@pytest.mark.parametrize(
    ("asked", "field", "value"),
    [
        ({}, "temperatures", FALLBACK),
        ({"temperature": 0}, "temperatures", FALLBACK),
        ({"temperature": 0.4}, "temperatures", (0.4,)),
        ({"language": "de"}, "language", "de"),
        ({"languages": ["de"]}, "language", "de"),
        ({"languages": ["de", "fr"]}, "language", None),
        ({"language": "en", "languages": ["de"]}, "language", "en"),
        ({"prompt": "Ann"}, "prompt", "Ann"),
        ({"keywords": "Ann"}, "prompt", "Ann"),
        ({"prompt": "So", "keywords": ["Ann", "Bo"]}, "prompt", "So Ann, Bo"),
        ({"chunking_strategy": "auto"}, "vad", True),
        ({"chunking_strategy[type]": "server_vad"}, "vad", True),
        ({"chunking_strategy": "auto", "vad_filter": False}, "vad", False),
        ({"beam_size": 5}, "beams", 5),
        ({"timestamp_granularities": ["word"]}, "words", False),
        ({"timestamp_granularities": "word", "response_format": "verbose_json"}, "words", True),
    ],
)
def test_every_spelling_of_a_field_reaches_the_call(
    asked: dict[str, Any], field: str, value: Any
) -> None:
    assert getattr(call(**asked), field) == value


def test_segments_get_their_times_unless_something_else_is_asked_for() -> None:
    assert granularities(request()) == []
    assert granularities(request(response_format=VERBOSE)) == [Granularity.SEGMENT]


@pytest.mark.parametrize("field", ["known_speaker_names", "known_speaker_references", "include"])
def test_what_no_answer_would_heed_is_refused(field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        call(**{field: ["logprobs"]})
    assert caught.value.param == field


def test_recording_may_be_called_audio() -> None:
    form = Form()
    with pytest.raises(InvalidInput, match="no recording"):
        recording(form)
    form.uploads.append(Upload("audio", "x", AUDIO))
    assert recording(form) == AUDIO


@pytest.mark.parametrize("voice", ["alto", {"id": "alto"}])
def test_voice_is_its_name(voice: Any) -> None:
    assert speech(voice=voice).voice == "alto"


def test_speech_is_mp3_in_the_first_voice_unless_told_otherwise() -> None:
    made = speech(voice="")
    assert (made.voice, made.format, made.speed) == (None, AudioFormat.MP3, 1.0)


@given(st.lists(st.text(" ab\n", max_size=4), max_size=6))
def test_what_is_written_joins_to_the_text_without_blanks_around_it(texts: list[str]) -> None:
    assert transcript(Plain(), [said(text) for text in texts]) == "".join(texts).strip()


def test_length_is_that_of_the_work_where_nothing_else_tells_it() -> None:
    heard = Heard()
    heard.add(TranscribePiece(usage=TranscribeUsage(seconds=2.5)))
    answer = json.loads(bytes(Script(TranscriptFormat.JSON).whole(heard).body))
    assert answer == {"text": "", "usage": {"type": "duration", "seconds": 2.5}}


async def test_silence_is_one_event() -> None:
    silence = made(TranscribePiece(usage=TranscribeUsage(seconds=1.0)))
    events = await told(dictated(silence, Script(TranscriptFormat.JSON)))
    assert [(event["type"], event["text"]) for event in events] == [("transcript.text.done", "")]


def test_events_for_words_tell_words() -> None:
    dictation = Dictation(Script(VERBOSE, [Granularity.WORD]))
    _, timed = dictation.tell(TranscribePiece(segment=said(" one")))
    assert json.loads(timed.removeprefix(b"data: "))["words"] == []


async def test_last_event_of_speech_tells_its_work() -> None:
    used = SpeechUsage(characters=4, seconds=0.5)
    events = await told(spoken(made(SpeechPiece(audio=b"ab"), SpeechPiece(usage=used))))
    assert [event["type"] for event in events] == ["speech.audio.delta", "speech.audio.done"]
    assert events[0]["audio"] == "YWI="
    assert events[1]["usage"]["seconds"] == 0.5
