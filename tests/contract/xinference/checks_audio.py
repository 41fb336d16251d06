"""What the handle of audio models finds; see ``driver.py`` and ``either.py``.

The listener hears the words of the prompt, a second each, in capitals where it translates.
"""

from __future__ import annotations

import io
import math
import wave
from array import array

from either import OLD, Place, Skip, Spoken, fresh

__all__ = ["Place", "Skip"]

RATE = 16_000


def recording(seconds: float = 1.0) -> bytes:
    """A tone as a WAV file."""
    count = int(seconds * RATE)
    tone = array("h", (int(9000 * math.sin(i / 8)) for i in range(count)))
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((1, 2, RATE, count, "NONE", ""))
        file.writeframes(tone.tobytes())
    return made.getvalue()


async def listener(c: Spoken) -> Spoken:
    """The handle of a model that listens."""
    return await c.get_model("whisper-large-v3")


def heard(answer: bytes | list[bytes]) -> bytes:
    """Sound as it came, whole or in pieces."""
    return answer if isinstance(answer, bytes) else b"".join(answer)


async def check_transcriptions(place: Place) -> None:
    """A recording without a name is written down, with all options"""
    async with place.client() as c:
        model = await listener(c)
        assert "AudioModelHandle" in type(model.inner).__name__
        answer = await model.transcriptions(recording())
        assert isinstance(answer["text"], str)
        assert answer["text"]
        answer = await model.transcriptions(
            recording(), language="en", prompt="Ann and Bob", temperature=0.5, request_id=fresh()
        )
        assert answer["text"] == "Ann and Bob"


async def check_transcription_times(place: Place) -> None:
    """`verbose_json` has segments, words or both, with their times"""
    async with place.client() as c:
        model = await listener(c)
        for wanted in (None, ["segment"], ["word"], ["word", "segment"]):
            answer = await model.transcriptions(
                recording(),
                prompt="Ann and Bob",
                response_format="verbose_json",
                timestamp_granularities=wanted,
            )
            assert (answer["task"], answer["duration"]) == ("transcribe", 3.0)
            named = {"segments": "segment", "words": "word"}
            given = {name for name, unit in named.items() if unit in (wanted or ["segment"])}
            assert {name for name in named if name in answer} == given
            assert [word["word"] for word in answer.get("words", [])] in ([], ["Ann", "and", "Bob"])
            for segment in answer.get("segments", []):
                assert {"id", "seek", "start", "end", "text", "tokens"} <= segment.keys()


async def check_translations(place: Place) -> None:
    """A recording is written down in English"""
    async with place.client() as c:
        model = await listener(c)
        assert (await model.translations(recording()))["text"]
        answer = await model.translations(
            recording(), "de", "Ann und Bob", "verbose_json", 0.5, ["segment"]
        )
        assert (answer["task"], answer["text"]) == ("translate", "ANN UND BOB")
        assert len(answer["segments"]) == 3
        call = model.transcriptions(b"no recording")
        await place.raised(call, "Failed to transcribe the audio, detail: ", "recording")
        call = model.translations(b"no recording")
        await place.raised(call, "Failed to translate the audio, detail: ", "recording")


async def check_speech(place: Place) -> None:
    """A text is read aloud in each format, whole"""
    async with place.client() as c:
        model = await c.get_model("kokoro")
        starts = {
            "mp3": (b"ID3", b"\xff"),
            "wav": (b"RIFF",),
            "flac": (b"fLaC",),
            "opus": (b"Ogg",),
        }
        for form, start in starts.items():
            made = heard(await model.speech("Hello", "bass", form, 1.5, seed=7))
            assert made.startswith(start), (form, made[:8])
        assert heard(await model.speech("Hello"))
        call = model.speech("Hello", voice="nobody")
        await place.raised(call, "Failed to speech the text, detail: ", "voice")


async def check_speech_stream(place: Place) -> None:
    """The same in pieces"""
    if OLD and place.is_async:
        raise Skip("its pieces cannot be read")
    async with place.client() as c:
        model = await c.get_model("kokoro")
        made = await model.speech("Hello, hello, hello", "", "wav", stream=True)
        assert isinstance(made, list)
        assert heard(made).startswith(b"RIFF")


async def check_speech_imitation(place: Place) -> None:
    """A voice to imitate comes as a form and is refused, for no model here does that"""
    async with place.client() as c:
        model = await c.get_model("kokoro")
        call = model.speech("Hello", prompt_speech=recording(), prompt_text="Hi")
        await place.raised(call, "Failed to speech the text, detail: ", "imitated")


async def check_audio_embedding(place: Place) -> None:
    """A recording has a vector, of a model that is launched as one for audio"""
    async with place.launched(model_name="clap", model_type="audio") as (c, uid):
        model = await c.get_model(uid)
        answer = await model.create_embedding(recording())
        assert (answer["object"], answer["model"]) == ("embedding", uid)
        assert len(answer["embedding"]) == answer["dimensions"] > 0
        call = model.create_embedding(b"no recording")
        await place.raised(call, "Failed to create the audio embedding, detail: ", "recording")
