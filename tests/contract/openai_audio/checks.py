"""What OpenAI's client must find of sound, written with the client itself; see ``driver.py``.

Each function is one row of the compatibility table: its docstring is what the row says. The
recordings of ``folder`` are telephone tones, which the model ``ears`` was trained to write down.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI

EARS, MOUTH, VOICES = "ears", "mouth", "voices"
SAID = "three one four one five"
GERMAN = "zwei sieben"
TRANSLATED = "two seven"
FILES = ("said.wav", "said.flac", "said.mp3", "said.ogg", "said.m4a", "said.webm")


class Skip(Exception):
    """The client of this version does not have it."""


class Place:
    """Where to ask.

    Args:
        url: Of the server.
        folder: Of the recordings.
    """

    def __init__(self, url: str, folder: str) -> None:
        self.url, self.folder = url, Path(folder)

    @contextlib.contextmanager
    def client(self) -> Iterator[OpenAI]:
        with OpenAI(base_url=f"{self.url}/v1", api_key="any", max_retries=0) as made:
            yield made

    def heard(self, name: str = "said.wav", **asked: Any) -> Any:
        """What is answered about a recording; events as a list."""
        with self.client() as c, (self.folder / name).open("rb") as file:
            made = c.audio.transcriptions.create(**{"model": EARS, "file": file, **asked})
            return list(made) if asked.get("stream") else made

    def translated(self, name: str, **asked: Any) -> Any:
        """What is answered about a recording, in English."""
        with self.client() as c, (self.folder / name).open("rb") as file:
            return c.audio.translations.create(**{"model": EARS, "file": file, **asked})

    def spoken(self, text: str = "hello", **asked: Any) -> Any:
        """A text read aloud."""
        with self.client() as c:
            return c.audio.speech.create(**{"model": VOICES, "input": text, "voice": "0", **asked})


def raised(kind: type[Exception], ask: Any) -> Any:
    try:
        ask()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was expected")


def check_transcription(at: Place) -> None:
    """A transcript, and the length of the recording as its `usage`"""
    made = at.heard()
    assert made.text.lower() == SAID, made.text
    usage = made.usage if isinstance(made.usage, dict) else made.usage.model_dump()
    assert usage["type"] == "duration"
    assert abs(usage["seconds"] - 3.2) < 0.5, usage


def check_containers(at: Place) -> None:
    """Recordings as WAV, FLAC, MP3, Ogg, M4A and WebM"""
    assert {name: at.heard(name).text.lower() for name in FILES} == dict.fromkeys(FILES, SAID)


def check_nameless(at: Place) -> None:
    """Recordings as bytes without a name or a type, or with wrong ones"""
    for name in ("said.wav", "said.m4a"):
        data = (at.folder / name).read_bytes()
        given: list[Any] = [data, ("said.txt", data, "text/plain")]
        with at.client() as c:
            for file in given:
                made = c.audio.transcriptions.create(model=EARS, file=file)
                assert made.text.lower() == SAID, (name, made.text)


def check_text(at: Place) -> None:
    """`response_format`: `text`, `srt`, `vtt`"""
    assert at.heard(response_format="text").lower() == f"{SAID}\n"
    srt = at.heard(response_format="srt")
    assert srt.startswith("1\n00:00:0"), srt
    assert " --> 00:00:0" in srt
    assert "," in srt.splitlines()[1]
    vtt = at.heard(response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:0"), vtt


def check_segments(at: Place) -> None:
    """`verbose_json`: language, length, segments with all their fields"""
    made = at.heard(response_format="verbose_json")
    assert (made.language, made.text.lower()) == ("english", SAID)
    assert abs(float(made.duration) - 3.2) < 0.5
    assert made.words is None
    assert "".join(segment.text for segment in made.segments).strip() == made.text
    for number, segment in enumerate(made.segments):
        assert segment.id == number
        assert 0 <= segment.start <= segment.end <= float(made.duration) + 0.1
        assert segment.avg_logprob <= 0
        assert 0 <= segment.no_speech_prob <= 1
        assert segment.tokens
        assert segment.compression_ratio > 0


def check_words(at: Place) -> None:
    """`timestamp_granularities`: words alone, or beside segments"""
    words = at.heard(response_format="verbose_json", timestamp_granularities=["word"])
    assert words.segments is None
    assert " ".join(word.word for word in words.words).lower() == SAID
    times = [word.start for word in words.words]
    assert times == sorted(times)
    both = at.heard(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert both.segments
    assert len(both.words) == len(words.words)


def check_language(at: Place) -> None:
    """Languages are found out, or told by code or name"""
    found = at.heard("german.wav", response_format="verbose_json")
    assert (found.language, found.text.lower()) == ("german", GERMAN)
    for name in ("de", "German"):
        told = at.heard("german.wav", response_format="verbose_json", language=name)
        assert (told.language, told.text.lower()) == ("german", GERMAN)


def check_temperature(at: Place) -> None:
    """`temperature` 0, or another number"""
    for temperature in (0, 0.2):
        made = at.heard(response_format="verbose_json", temperature=temperature)
        assert {round(s.temperature, 3) for s in made.segments} == {temperature}


def check_prompt(at: Place) -> None:
    """`prompt`, `chunking_strategy`"""
    assert at.heard(prompt="one two").text
    assert at.heard(extra_body={"chunking_strategy": "auto"}).text.lower() == SAID


def check_translation(at: Place) -> None:
    """A translation as `json`, `verbose_json`, `text`, `srt`, `vtt`"""
    if not hasattr(openai.resources.audio, "Translations"):
        raise Skip("no translations")
    assert at.translated("german.wav").text.lower() == TRANSLATED
    told = at.translated("german.wav", response_format="verbose_json")
    assert (told.language, told.text.lower()) == ("english", TRANSLATED)
    assert at.translated("german.wav", response_format="text").lower() == f"{TRANSLATED}\n"
    assert "-->" in at.translated("german.wav", response_format="srt")
    assert at.translated("german.wav", response_format="vtt").startswith("WEBVTT")


def check_events(at: Place) -> None:
    """`stream`: `transcript.text.delta` and `transcript.text.done`"""
    events = at.heard("long.wav", stream=True)
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == "".join(deltas)
    assert events[-1].text == at.heard("long.wav").text
    assert len(deltas) > 1


async def check_asynchronous(at: Place) -> None:
    """The asynchronous client: a transcript, its events, speech"""
    data = (at.folder / "said.mp3").read_bytes()
    async with AsyncOpenAI(base_url=f"{at.url}/v1", api_key="any", max_retries=0) as c:
        made = await c.audio.transcriptions.create(model=EARS, file=("said.mp3", data))
        assert made.text.lower() == SAID
        stream: Any = await c.audio.transcriptions.create(
            model=EARS, file=("said.mp3", data), stream=True
        )
        told = [event async for event in stream]
        assert told[-1].text == made.text
        speech = await c.audio.speech.create(
            model=VOICES, input="hello", voice="0", response_format="wav"
        )
    assert speech.content.startswith(b"RIFF")


def check_speech(at: Place) -> None:
    """Speech as MP3 (unless asked otherwise), Opus, AAC, FLAC, WAV, PCM; it can be read again"""
    starts = {"opus": b"OggS", "flac": b"fLaC", "wav": b"RIFF"}
    types = {"mp3": "mpeg", "opus": "ogg"}
    for form in ("mp3", "opus", "aac", "flac", "wav", "pcm"):
        made = at.spoken(response_format=form)
        media = made.response.headers["content-type"]
        assert media == f"audio/{types.get(form, form)}", media
        assert made.content.startswith(starts.get(form, b"")), form
        assert len(made.content) > 100
        if form != "pcm":
            with at.client() as c:
                assert c.audio.transcriptions.create(model=EARS, file=made.content) is not None
    assert at.spoken().response.headers["content-type"] == "audio/mpeg"


def check_speed(at: Place) -> None:
    """`speed` changes the length"""
    slow, fast = (at.spoken(response_format="wav", speed=speed) for speed in (0.5, 2.0))
    assert len(slow.content) > 1.5 * len(fast.content)


def check_voices(at: Place) -> None:
    """`voice` as a name or an object with its `id`; those there are, where it is none"""
    assert at.spoken(voice="1").content
    assert at.spoken(voice={"id": "1"}).content
    error = raised(openai.BadRequestError, lambda: at.spoken(voice="alloy"))
    assert error.param == "voice"
    assert "0" in error.message
    assert "1" in error.message


def check_speech_stream(at: Place) -> None:
    """Speech in chunks: `with_streaming_response`; in events: `stream_format` `sse`"""
    asked: dict[str, Any] = {"model": VOICES, "input": "hello", "voice": "0"}
    wav = {**asked, "response_format": "wav"}
    with at.client() as c, c.audio.speech.with_streaming_response.create(**wav) as stream:
        assert b"".join(stream.iter_bytes()).startswith(b"RIFF")
    told = at.spoken(response_format="pcm", extra_body={"stream_format": "sse"}).text
    events = [json.loads(part.removeprefix("data: ")) for part in told.split("\n\n") if part]
    assert {event["type"] for event in events} == {"speech.audio.delta", "speech.audio.done"}
    sound = b"".join(base64.b64decode(event.get("audio", "")) for event in events)
    assert len(sound) > 100
    assert "usage" in events[-1]


def check_refused(at: Place) -> None:
    """What is wrong is refused with 400 and named: recordings, formats, numbers, texts"""
    bad: dict[str, dict[str, Any]] = {
        "response_format": {"response_format": "docx"},
        "temperature": {"temperature": 7},
        "include": {"include": ["logprobs"]},
        "language": {"language": "klingon"},
    }
    for param, asked in bad.items():
        error = raised(openai.BadRequestError, lambda asked=asked: at.heard(**asked))
        assert error.param == param, (param, error)
    for data in (b"", b"<html></html>", b"RIFF", b"\x00" * 4000):
        file = ("said.wav", data)
        error = raised(openai.BadRequestError, lambda file=file: at.heard(file=file))
        assert error.param == "file", error
    silent: dict[str, dict[str, Any]] = {"input": {"text": " "}, "speed": {"speed": 9.0}}
    for param, asked in silent.items():
        error = raised(openai.BadRequestError, lambda asked=asked: at.spoken(**asked))
        assert error.param == param, error


def check_tasks(at: Place) -> None:
    """A model that cannot do it says so with 400, one that is not there with 404"""
    error = raised(openai.BadRequestError, lambda: at.heard(model=VOICES))
    assert error.code == "unsupported_task"
    error = raised(openai.BadRequestError, lambda: at.spoken(model=EARS))
    assert error.code == "unsupported_task"
    raised(openai.NotFoundError, lambda: at.heard(model="nobody"))
    raised(openai.NotFoundError, lambda: at.spoken(model="nobody"))
