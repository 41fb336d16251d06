"""Transcripts, translations and speech with the real ``openai`` client, in every format."""

from __future__ import annotations

import asyncio
import base64
import json
import wave
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import fix_media
import httpx
import openai
import pytest
import pytest_asyncio
from live import Live, live, until
from openai import AsyncOpenAI

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAV = b"RIFF"
FILE = ("said.wav", WAV, "audio/wav")
SAID = "the river flows to the sea"
HALF = "--x\r\nContent-Disposition: form-data; name="


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    root: Path = tmp_path_factory.mktemp("media")
    models = {
        "listener": fix_media.settings(root, "listener", fix_media.LISTENER),
        "speaker": fix_media.settings(root, "speaker", fix_media.SPEAKER),
    }
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with live(models=models) as made:
            for name in models:
                await made.house.fleet.load(name)
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/v1/audio") as opened:
        yield opened


async def heard(client: AsyncOpenAI, **asked: Any) -> Any:
    return await client.audio.transcriptions.create(**{"model": "listener", "file": FILE} | asked)


async def test_transcript_has_its_text_and_the_length_of_the_recording(client: AsyncOpenAI) -> None:
    made = await heard(client)
    assert made.text == SAID
    assert (made.usage.type, made.usage.seconds) == ("duration", 6.0)


async def test_plain_text_is_a_line(client: AsyncOpenAI) -> None:
    assert await heard(client, response_format="text") == f"{SAID}\n"


async def test_subtitles_have_a_cue_a_segment(client: AsyncOpenAI) -> None:
    srt = await heard(client, response_format="srt", prompt="one two")
    assert (
        srt == "1\n00:00:00,000 --> 00:00:01,000\none\n\n2\n00:00:01,000 --> 00:00:02,000\ntwo\n\n"
    )
    vtt = await heard(client, response_format="vtt", prompt="a-->b")
    assert vtt == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na--&gt;b\n\n"


async def test_verbose_transcript_tells_segments(client: AsyncOpenAI) -> None:
    made = await heard(client, response_format="verbose_json", language="de", prompt="one two")
    assert (made.task, made.language, made.duration) == ("transcribe", "german", 2.0)
    assert made.words is None
    assert [(s.id, s.seek, s.start, s.end, s.text) for s in made.segments] == [
        (0, 0, 0.0, 1.0, " one"),
        (1, 100, 1.0, 2.0, " two"),
    ]
    last = made.segments[1]
    assert (last.tokens, last.avg_logprob, last.compression_ratio) == ([3], -0.5, 1.0)
    assert (last.temperature, last.no_speech_prob) == (0.0, 0.25)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["word"], {"words"}),
        (["segment"], {"segments"}),
        (["word", "segment"], {"words", "segments"}),
    ],
)
async def test_what_is_asked_for_gets_its_times(
    client: AsyncOpenAI, asked: Any, told: set[str]
) -> None:
    made = await heard(client, response_format="verbose_json", timestamp_granularities=asked)
    assert {name for name in ("words", "segments") if getattr(made, name) is not None} == told
    if made.words is not None:
        assert [(w.word, w.start, w.end) for w in made.words[:2]] == [
            ("the", 0.0, 1.0),
            ("river", 1.0, 2.0),
        ]


@pytest.mark.parametrize(("given", "first"), [(None, 0.0), (0.0, 0.0), (0.5, 0.5)])
async def test_temperature_is_the_callers_unless_it_is_none(
    client: AsyncOpenAI, given: float | None, first: float
) -> None:
    more = {} if given is None else {"temperature": given}
    made = await heard(client, response_format="verbose_json", **more)
    assert made.segments[0].temperature == first


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
async def test_translation_is_english(client: AsyncOpenAI) -> None:
    made = await client.audio.translations.create(model="listener", file=FILE)
    assert made.text == SAID.upper()
    told: Any = await client.audio.translations.create(
        model="listener", file=FILE, response_format="verbose_json"
    )
    assert (told.task, told.language) == ("translate", "english")


@pytest.mark.parametrize("form", ["json", "text", "verbose_json"])
async def test_events_tell_the_text_as_it_grows(client: AsyncOpenAI, form: str) -> None:
    stream = await heard(client, stream=True, response_format=form)
    events = [event async for event in stream]
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert len(deltas) == 6
    assert "".join(deltas) == SAID
    done = events.pop()
    assert (done.type, done.text, done.usage.output_tokens) == ("transcript.text.done", SAID, 6)


async def test_events_of_verbose_transcripts_tell_segments(client: AsyncOpenAI) -> None:
    stream = await heard(client, stream=True, response_format="verbose_json", prompt="one two")
    told = [event async for event in stream if event.type == "transcript.text.segment"]
    assert [(e.id, e.start, e.end, e.text) for e in told] == [
        ("seg_0", 0.0, 1.0, " one"),
        ("seg_1", 1.0, 2.0, " two"),
    ]


async def test_events_of_subtitles_join_to_the_file(client: AsyncOpenAI) -> None:
    for form in ("srt", "vtt"):
        stream = await heard(client, stream=True, response_format=form)
        deltas = [event.delta async for event in stream if event.type == "transcript.text.delta"]
        assert "".join(deltas) == await heard(client, response_format=form)


async def test_failure_on_the_way_reaches_the_reader_of_events(client: AsyncOpenAI) -> None:
    stream = await heard(client, stream=True, prompt="one !late")
    with pytest.raises(openai.APIError, match="fail late"):
        [event async for event in stream]


async def test_voice_activity_may_cut_the_recording(client: AsyncOpenAI) -> None:
    for strategy in ("auto", {"type": "server_vad", "threshold": 0.5}):
        assert (await heard(client, chunking_strategy=strategy)).text == SAID


async def test_keywords_join_the_prompt(client: AsyncOpenAI) -> None:
    made = await heard(client, prompt="one", extra_body={"keywords": ["two", "three"]})
    assert made.text == "one two, three"


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"include": ["logprobs"]}, "include"),
        ({"extra_body": {"known_speaker_names": ["Ann"]}}, "known_speaker_names"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"response_format": "docx"}, "response_format"),
        ({"temperature": 9}, "temperature"),
        ({"extra_body": {"temperature": "warm"}}, "temperature"),
        ({"extra_body": {"beam_size": 99}}, "beam_size"),
        ({"timestamp_granularities": ["page"]}, "timestamp_granularities[0]"),
        ({"file": ("x.wav", b"", "audio/wav")}, "file"),
        ({"file": ("x.wav", b"<html>", "audio/wav")}, "file"),
        ({"language": "x" * 300}, "language"),
        ({"prompt": "x" * 40_000}, "prompt"),
    ],
)
async def test_what_cannot_be_heeded_is_refused_by_name(
    client: AsyncOpenAI, asked: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await heard(client, **asked)
    assert caught.value.param == param


async def test_model_that_does_not_listen_says_so(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await heard(client, model="speaker")
    assert caught.value.code == "unsupported_task"
    with pytest.raises(openai.NotFoundError):
        await heard(client, model="nobody")


async def test_form_of_xinferences_client_is_understood(http: httpx.AsyncClient) -> None:
    fields = {
        "model": "listener",
        "response_format": "verbose_json",
        "temperature": "0",
        "language": "",
        "timestamp_granularities[]": ["word", "segment"],
        "kwargs": json.dumps({"vad_filter": True, "prompt": "one two"}),
    }
    files = {"file": ("file", WAV, "application/octet-stream")}
    answer = await http.post("transcriptions", data=fields, files=files)
    made = answer.json()
    assert (made["text"], made["task"]) == ("one two", "transcribe")
    assert (len(made["segments"]), len(made["words"])) == (2, 2)


BROKEN_FORMS = [
    b"",
    b"--x",
    b"--x--\r\n",
    b"\r\n--x\r\n\r\n",
    f"{HALF}model\r\n\r\nlistener".encode(),
    f"{HALF}model\r\n\r\nlistener\r\n--x--\r\n".encode(),
    f'{HALF}"model"\r\n\r\n\xff\r\n--x--\r\n'.encode("latin-1"),
    f'{HALF}"file"; filename="a"\r\n\r\nRIFF\r\n--x--\r\n'.encode(),
    (f'{HALF}"model"\r\n\r\nlistener\r\n' * 500 + "--x--\r\n").encode(),
    f'{HALF}"model"\r\nX: {"y" * 20_000}\r\n\r\nlistener\r\n--x--\r\n'.encode(),
]


@pytest.mark.parametrize("body", BROKEN_FORMS)
async def test_broken_forms_are_the_callers_fault(http: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await http.post("transcriptions", content=body, headers=headers)
    assert answer.status_code in (400, 413), answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "multipart/form-data"}, b"--x--\r\n"),
        ({"Content-Type": "multipart/form-data; boundary=" + "y" * 200}, b"--x--\r\n"),
        ({"Content-Type": "application/json"}, b'{"model": "listener"}'),
        ({"Content-Type": "application/json"}, b'{"model": "listener", "file": "UklGRg=="}'),
        ({"Content-Type": "application/json"}, b"[]"),
        ({}, b"RIFF"),
    ],
)
async def test_request_without_a_recording_says_what_is_missing(
    http: httpx.AsyncClient, headers: dict[str, str], body: bytes
) -> None:
    answer = await http.post("transcriptions", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"]


async def test_two_recordings_are_one_too_many(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "transcriptions", data={"model": "listener"}, files=[("file", FILE), ("file", FILE)]
    )
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")


SOUND = {
    "mp3": ("audio/mpeg", b"ID3"),
    "opus": ("audio/ogg", b"OggS"),
    "aac": ("audio/aac", b"\xff\xf1"),
    "flac": ("audio/flac", b"fLaC"),
    "wav": ("audio/wav", b"RIFF"),
    "pcm": ("audio/pcm", b"\0"),
}


@pytest.mark.parametrize("form", SOUND)
async def test_speech_is_a_file_of_the_format_asked_for(client: AsyncOpenAI, form: Any) -> None:
    made = await client.audio.speech.create(
        model="speaker", input="two words", voice="alto", response_format=form
    )
    media, start = SOUND[form]
    assert made.response.headers["content-type"] == media
    assert made.response.headers["x-stelae-sample-rate"] == "16000"
    assert made.content.startswith(start)


async def test_speech_is_mp3_unless_another_format_is_asked_for(client: AsyncOpenAI) -> None:
    made = await client.audio.speech.create(model="speaker", input="two words", voice="alto")
    assert made.response.headers["content-type"] == "audio/mpeg"


async def test_speed_changes_the_length(client: AsyncOpenAI) -> None:
    lengths = []
    for speed in (1.0, 2.0):
        made = await client.audio.speech.create(
            model="speaker", input="a b", voice="bass", response_format="wav", speed=speed
        )
        with wave.open(BytesIO(made.content)) as sound:
            lengths.append(sound.getnframes() / sound.getframerate())
    assert lengths == pytest.approx([0.2, 0.1])


def idle(server: Live, name: str) -> Callable[[], bool]:
    return lambda: server.house.fleet.model(name).in_flight == 0


async def test_transcript_ends_when_nobody_waits_for_it(
    server: Live, http: httpx.AsyncClient
) -> None:
    fields = {"model": "listener", "prompt": "!wait"}
    asking = asyncio.create_task(http.post("transcriptions", data=fields, files={"file": WAV}))
    await until(lambda: not idle(server, "listener")())
    asking.cancel()
    await until(idle(server, "listener"))


async def test_speech_comes_as_it_is_made_and_ends_with_its_reader(
    server: Live, client: AsyncOpenAI
) -> None:
    asked = client.audio.speech.with_streaming_response.create(
        model="speaker", input="!more", voice="alto", response_format="wav"
    )
    async with asked as stream:
        chunks = stream.iter_bytes()
        size = 0
        while size < 1000:
            size += len(await anext(chunks))
        assert not idle(server, "speaker")()
    await until(idle(server, "speaker"))


async def test_speech_in_events_joins_to_the_file(http: httpx.AsyncClient) -> None:
    body = {"model": "speaker", "input": "two words", "response_format": "wav"}
    whole = await http.post("speech", json=body)
    told = await http.post("speech", json=body | {"stream_format": "sse"})
    events = [json.loads(part.removeprefix("data: ")) for part in told.text.split("\n\n")[:-1]]
    sound = [event["audio"] for event in events if event["type"] == "speech.audio.delta"]
    assert b"".join(map(decoded, sound)) == whole.content
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["usage"]["input_tokens"] == len("two words")


def decoded(text: str) -> bytes:
    return base64.b64decode(text)


@pytest.mark.parametrize("voice", ["bass", {"id": "bass"}])
async def test_voice_is_a_name_or_an_object_with_one(client: AsyncOpenAI, voice: Any) -> None:
    assert (await client.audio.speech.create(model="speaker", input="x", voice=voice)).content


async def test_unknown_voice_is_answered_with_those_there_are(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="alto, bass") as caught:
        await client.audio.speech.create(model="speaker", input="x", voice="alloy")
    assert caught.value.param == "voice"


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"input": " "}, "input"),
        ({"input": "x" * 70_000}, "input"),
        ({"speed": 5}, "speed"),
        ({"response_format": "ogg"}, "response_format"),
        ({"voice": {"name": "alto"}}, "voice"),
        ({"instructions": "Whisper."}, "instructions"),
        ({"stream_format": "ws"}, "stream_format"),
    ],
)
async def test_speech_that_cannot_be_made_is_refused_by_name(
    client: AsyncOpenAI, asked: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.audio.speech.create(
            **{"model": "speaker", "input": "x", "voice": "alto"} | asked
        )
    assert caught.value.param == param


async def test_failure_before_the_sound_is_an_error(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        await client.audio.speech.create(model="speaker", input="a !fail", voice="alto")
    assert caught.value.code == "engine_failed"


async def test_sound_that_fails_is_cut_off(http: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await http.post("speech", json={"model": "speaker", "input": "a !late"})


async def test_speech_forms_of_xinferences_client_are_understood(http: httpx.AsyncClient) -> None:
    asked = {
        "model": "speaker",
        "input": "two words",
        "voice": "",
        "response_format": "wav",
        "speed": "1.0",
        "stream": "False",
        "kwargs": "{}",
    }
    plain = {**asked, "speed": 1.0, "stream": False}
    made = await http.post("speech", json=plain)
    assert made.status_code == 200
    nothing = {"prompt_speech": ("prompt_speech", b"", "application/octet-stream")}
    copied = await http.post("speech", data=asked, files=nothing)
    assert (copied.status_code, copied.json()["error"]["param"]) == (400, "prompt_speech")
    form = await http.post("speech", files={name: (None, text) for name, text in asked.items()})
    assert form.content == made.content


async def test_voices_are_listed_by_model(http: httpx.AsyncClient) -> None:
    for query in ({}, {"model": "speaker"}):
        listed = (await http.get("voices", params=query)).json()
        assert [(v["id"], v["model"]) for v in listed["data"]] == [
            ("alto", "speaker"),
            ("bass", "speaker"),
        ]
    assert (await http.get("voices", params={"model": "listener"})).json()["data"] == []
    assert (await http.get("voices", params={"model": "nobody"})).status_code == 404
