"""Pictures, transcripts and speech with our own client: over HTTP, and with a model here."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from pathlib import Path

import fix_media
import numpy as np
import pytest
import pytest_asyncio
from fix_media import LISTENER, PAINTER, SKETCHER, SPEAKER
from live import Live, live, until
from PIL import Image

import stelae
from stelae.client import AsyncClient
from stelae.engines.fake_media.hearing import SILENCE
from stelae.engines.fake_media.imaging import colour
from stelae.errors import (
    DeadlineExceeded,
    EngineFailed,
    InputTooLong,
    InvalidInput,
    StelaeError,
    UnsupportedTask,
)
from stelae.types import ImageFormat

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOUND = b"RIFF and so on"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    root = tmp_path_factory.mktemp("media")
    models = {
        "painter": fix_media.settings(root, "painter", PAINTER),
        "sketcher": fix_media.settings(root, "sketcher", SKETCHER),
        "listener": fix_media.settings(root, "listener", LISTENER),
        "speaker": fix_media.settings(root, "speaker", SPEAKER),
        "vectors": {"source": "embedded", "engine": "fake"},
    }
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with live(models=models) as made:
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url, model="painter", retries=0) as opened:
        yield opened


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


async def test_pictures_are_as_many_and_as_large_as_asked_for(
    client: AsyncClient, tmp_path: Path
) -> None:
    pictures = await client.image("a boat", n=2, size="32x16", seed=4, steps=5)
    assert [picture.seed for picture in pictures] == [4, 5]
    assert [opened(picture.image).size for picture in pictures] == [(32, 16)] * 2
    assert opened(pictures[1].image).getpixel((0, 0)) == colour(5)
    assert (pictures.usage.images, pictures.usage.steps) == (2, 10)
    saved = pictures.save(tmp_path / "boat.png")
    assert [path.name for path in saved] == ["boat-1.png", "boat-2.png"]
    assert saved[1].read_bytes() == pictures[1].image


@pytest.mark.parametrize("form", list(ImageFormat))
async def test_picture_has_the_format_asked_for(client: AsyncClient, form: ImageFormat) -> None:
    [picture] = await client.image("a boat", format=form)
    assert picture.format is form
    assert opened(picture.image).format == form.upper()
    assert form.media in picture._repr_html_()


async def test_pictures_are_made_from_pictures_in_any_form(
    client: AsyncClient, tmp_path: Path
) -> None:
    red = Image.new("RGB", (24, 16), (200, 30, 30))
    mask = Image.new("L", (24, 16), 255)
    red.save(tmp_path / "red.png")
    forms = [red, tmp_path / "red.png", str(tmp_path / "red.png"), np.asarray(red)]
    for form in [*forms, (tmp_path / "red.png").read_bytes(), [red]]:
        [picture] = await client.image("redder", images=form, mask=mask, strength=0.5)
        assert opened(picture.image).getpixel((3, 3)) == (200, 30, 30)
        assert picture.size == (24, 16)


async def test_steps_are_told(client: AsyncClient) -> None:
    told: list[tuple[int, int | None]] = []
    await client.image("a", n=2, steps=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (2, 4), (3, 4), (4, 4), (4, 4)]
    pieces = [piece async for piece in client.stream_image("a boat", steps=2)]
    assert [(piece.step, piece.steps) for piece in pieces[:2]] == [(1, 2), (2, 2)]
    assert pieces[-1].usage is not None
    assert stelae.client.Pictures.of(pieces).image == pieces[-1].image


async def test_transcript_is_put_together(client: AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "talk.wav").write_bytes(SOUND)
    told: list[tuple[int, int | None]] = []
    heard = await client.transcribe(
        tmp_path / "talk.wav",
        model="listener",
        words=True,
        temperatures=0.0,
        progress=lambda done, total: told.append((done, total)),
    )
    assert (heard.text, heard.language, heard.duration) == (SILENCE, "en", 6.0)
    assert str(heard) == heard.text
    assert [word.word.strip() for word in heard.words] == SILENCE.split()
    assert heard.srt().startswith("1\n00:00:00,000 --> 00:00:01,000\nthe\n\n2\n")
    assert heard.vtt().startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nthe\n\n")
    assert told[0] == (0, 6)
    assert told[-1] == (6, 6)


async def test_transcript_can_be_translated_and_told_in_pieces(client: AsyncClient) -> None:
    pieces = [
        piece
        async for piece in client.stream_transcribe(
            SOUND, model="listener", prompt="guten tag", language="de", translate=True
        )
    ]
    heard = stelae.client.Transcript.of(pieces)
    assert (heard.text, heard.language) == ("GUTEN TAG", "de")


async def test_speech_is_whole_or_comes_in_chunks(client: AsyncClient, tmp_path: Path) -> None:
    speech = await client.speak("two words", model="speaker", format="wav", voice="bass", speed=2)
    assert (speech.rate, speech.seconds, speech.usage.characters) == (16_000, 0.1, 9)
    assert speech.audio.startswith(b"RIFF")
    assert speech.save(tmp_path / "two.wav").read_bytes() == speech.audio
    assert "audio/wav" in (speech._repr_html_() or "")
    asked = client.stream_speak("two words", model="speaker", format="wav", voice="bass", speed=2)
    chunks = [chunk async for chunk in asked]
    assert len(chunks) == 3
    assert b"".join(chunks) == speech.audio
    assert (await client.speak("a", model="speaker")).audio.startswith(b"ID3")


async def test_errors_are_those_of_the_server(client: AsyncClient) -> None:
    with pytest.raises(EngineFailed, match="told to fail"):
        await client.image("!fail")
    with pytest.raises(EngineFailed, match="fail late"):
        await client.speak("a !late", model="speaker")
    with pytest.raises(InputTooLong, match="9 words are over 8"):
        await client.image("a b c d e f g h i")
    with pytest.raises(InvalidInput, match="no sound of a known format"):
        await client.transcribe(b"GIF89a", model="listener")
    with pytest.raises(InvalidInput, match="strength") as caught:
        await client.image("a", strength=0.5)
    assert caught.value.param == "strength"
    for asked in (client.image("a", model="vectors"), client.speak("a", model="painter")):
        with pytest.raises(UnsupportedTask):
            await asked
    with pytest.raises(DeadlineExceeded):
        await client.image("!wait", timeout=0.2)


async def test_failure_in_the_middle_comes_after_what_was_made(client: AsyncClient) -> None:
    pieces = client.stream_image("!late")
    assert (await anext(pieces)).step == 1
    with pytest.raises(EngineFailed, match="fail late"):
        await anext(pieces)


@pytest.mark.parametrize("model", ["painter", "listener", "speaker"])
async def test_leaving_ends_the_work(client: AsyncClient, server: Live, model: str) -> None:
    streams = {
        "painter": client.stream_image("!more"),
        "listener": client.stream_transcribe(SOUND, model="listener", prompt="!more a"),
        "speaker": client.stream_speak("!more", model="speaker"),
    }
    async with aclosing(streams[model]) as pieces:
        await anext(pieces)
    replica = server.house.fleet._deployments.replica(model)
    assert replica is not None
    await until(lambda: replica.in_flight == 0, seconds=20)


async def test_model_in_this_process_makes_what_a_served_one_does(
    client: AsyncClient, server: Live, tmp_path: Path
) -> None:
    folder = fix_media.settings(tmp_path, "here", PAINTER)["source"]
    with stelae.local(folder, engine="fake_media") as here:
        own = here.image("a boat", n=2, seed=3)
        pieces = list(here.stream_image("a boat", n=2, seed=3))
        with pytest.raises(StelaeError, match="told to fail"):
            here.image("!fail")
        with closing(here.stream_image("!more")) as endless:
            next(endless)
    served = await client.image("a boat", n=2, seed=3)
    assert [picture.image for picture in own] == [picture.image for picture in served]
    assert stelae.client.Pictures.of(pieces).usage == own.usage == served.usage


async def test_model_in_this_process_listens_and_speaks(server: Live, tmp_path: Path) -> None:
    listener = fix_media.settings(tmp_path, "ear", LISTENER)["source"]
    with stelae.local(listener, engine="fake_media") as here:
        assert here.transcribe(SOUND).text == SILENCE
    speaker = fix_media.settings(tmp_path, "mouth", SPEAKER)["source"]
    with stelae.local(speaker, engine="fake_media") as here:
        assert (
            b"".join(here.stream_speak("a b", format="pcm"))
            == here.speak("a b", format="pcm").audio
        )
