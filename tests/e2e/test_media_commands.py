"""The commands for pictures and sound, against a server with models of no weights."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import fix_media
import numpy as np
import pytest
import pytest_asyncio
from fix_media import LISTENER, PAINTER, SPEAKER
from live import live
from numpy.typing import NDArray
from PIL import Image
from repo import ROOT
from terminal import terminal
from tiny.tones import RATE, dtmf, words
from typer.testing import CliRunner, Result

from stelae.cli.app import app
from stelae.engines.fake_media.hearing import SILENCE
from stelae.engines.fake_media.imaging import colour

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOUND = b"RIFF and so on"
STELAE = str(Path(sys.executable).with_name("stelae"))
Stelae = Callable[..., Awaitable[Result]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a server."""
    root = tmp_path_factory.mktemp("media")
    models = {
        "painter": fix_media.settings(root, "painter", PAINTER),
        "listener": fix_media.settings(root, "listener", LISTENER),
        "speaker": fix_media.settings(root, "speaker", SPEAKER),
        "tones": {"source": str(ROOT / "tests" / "data" / "dtmf")},
    }
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with live(models=models) as server:
            yield server.url


@pytest.fixture
def stelae(url: str) -> Stelae:
    """Runs a command beside the server; it must end with the exit code ``check``."""
    variables = {"STELAE_URL": url, "NO_COLOR": "1"}

    async def run(*arguments: object, stdin: str | bytes = "", check: int = 0) -> Result:
        words = [str(word) for word in arguments]
        invoke = CliRunner().invoke
        ended = await asyncio.to_thread(invoke, app, words, input=stdin, env=variables)
        assert ended.exit_code == check, ended.stderr
        return ended

    return run


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A folder with two recordings and a file that is none."""
    for name, data in {"one.wav": SOUND, "two.mp3": b"ID3", "broken.wav": b"GIF89a"}.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_picture_is_written_and_its_seed_told(stelae: Stelae, tmp_path: Path) -> None:
    out = tmp_path / "boat.jpg"
    ended = await stelae("image", "painter", "a boat", "-o", out, "--size", "32x16", "--seed", 2)
    assert ended.stdout == ""
    assert f"{out}: 32x16, seed 2" in ended.stderr
    assert "3 steps in" in ended.stderr
    assert opened(out.read_bytes()).format == "JPEG"
    assert names(tmp_path) == ["boat.jpg"]


async def test_several_pictures_have_numbers(stelae: Stelae, tmp_path: Path) -> None:
    options = ["-n", 2, "--seed", 1, "--steps", 2, "-o", tmp_path / "a.png", "--json"]
    told = json.loads((await stelae("image", "painter", "a boat", *options)).stdout)
    assert [(Path(one["file"]).name, one["seed"]) for one in told["pictures"]] == [
        ("a-1.png", 1),
        ("a-2.png", 2),
    ]
    assert told["usage"]["steps"] == 4
    assert opened((tmp_path / "a-2.png").read_bytes()).getpixel((0, 0)) == colour(2)


async def test_picture_is_shown_in_a_terminal(url: str, tmp_path: Path) -> None:
    def play() -> None:
        out = str(tmp_path / "a.png")
        command = [STELAE, "image", "painter", "a boat", "--server", url, "--seed", "5"]
        with terminal(command, COLORTERM="truecolor", NO_COLOR="") as screen:
            screen.wait_for("a picture cannot be written to a terminal")
        with terminal([*command, "-o", out], COLORTERM="truecolor", NO_COLOR="") as screen:
            screen.wait_for("3/3")
            red, green, blue = colour(5)
            screen.wait_for(f"\x1b[38;2;{red};{green};{blue}m")
            screen.wait_for(f"{out}: 64x64, seed 5")
        with terminal([*command, "-o", out, "-q"], TERM="xterm-kitty", NO_COLOR="") as screen:
            with pytest.raises(TimeoutError):
                screen.wait_for("\x1b_G")
            assert screen.shown == ""

    await asyncio.to_thread(play)


async def test_picture_goes_to_a_pipe(stelae: Stelae) -> None:
    ended = await stelae("image", "painter", "--format", "webp", stdin="a boat\n")
    assert opened(ended.stdout_bytes).format == "WEBP"
    assert "stdout: 64x64, seed 0" in ended.stderr


async def test_picture_is_made_from_another(stelae: Stelae, tmp_path: Path) -> None:
    given, mask, out = (tmp_path / name for name in ("given.png", "mask.png", "out.png"))
    Image.new("RGB", (24, 16), (200, 30, 30)).save(given)
    Image.new("L", (24, 16), 255).save(mask)
    options = ["--from", given, "--mask", mask, "--strength", 0.4, "--negative", "blue"]
    await stelae("image", "painter", "redder", *options, "-o", out, "--quiet")
    assert opened(out.read_bytes()).getpixel((0, 0)) == (200, 30, 30)


async def test_bar_is_shown_if_asked_for(stelae: Stelae, tmp_path: Path) -> None:
    options = ["-o", tmp_path / "a.png", "--steps", 5, "--progress"]
    assert "5/5" in (await stelae("image", "painter", "a", *options)).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["painter", "a", "-o", "a.gif"], 2, "a.gif: names end with one of png, jpeg, webp"),
        (["painter", "a", "-n", "2"], 2, "stdout takes one picture"),
        (["painter", "a", "--json"], 2, "stdout takes one picture"),
        (["painter", "a", "--size", "big"], 2, "size='big'"),
        (["painter", "a", "--from", "/no/such.png"], 2, "cannot be read"),
        (["painter", "a b c d e f g h i"], 2, "9 words are over 8"),
        (["painter", "!fail"], 1, "told to fail"),
        (["painter"], 2, "there is no prompt"),
        (["nobody", "a"], 4, "nobody"),
        (["listener", "a"], 2, "image"),
        (["painter", "a", "--local", "--server", "http://x"], 2, "exclude each other"),
    ],
    ids=str,
)
async def test_picture_that_cannot_be_made_is_said(
    stelae: Stelae, arguments: list[str], code: int, said: str
) -> None:
    assert said in (await stelae("image", *arguments, check=code)).stderr


async def test_transcript_goes_to_stdout_line_by_line(stelae: Stelae, sounds: Path) -> None:
    ended = await stelae("transcribe", sounds / "one.wav", "-m", "listener")
    assert ended.stdout.split("\n") == [*SILENCE.split(), ""]
    assert "6.0 s of sound (en)" in ended.stderr


async def test_several_have_titles_and_a_broken_one_stops_nobody(
    stelae: Stelae, sounds: Path
) -> None:
    files = [sounds / name for name in ("one.wav", "broken.wav", "two.mp3")]
    ended = await stelae("transcribe", *files, "-m", "listener", "--prompt", "hello", check=1)
    assert ended.stdout == f"==> {files[0]} <==\nhello\n==> {files[2]} <==\nhello\n"
    assert f"error: {files[1]}: the recording has 6 bytes" in ended.stderr


async def test_each_recording_gets_a_file_in_a_folder(stelae: Stelae, sounds: Path) -> None:
    out = sounds / "made" / "here"
    files = [sounds / name for name in ("one.wav", "missing.wav", "two.mp3")]
    options = ["-m", "listener", "--translate", "--format", "srt", "-o", out, "--json"]
    ended = await stelae("transcribe", *files, *options, check=1)
    assert f"error: {files[1]}: it cannot be read: No such file" in ended.stderr
    told = json.loads(ended.stdout)
    assert names(out) == ["one.srt", "two.srt"]
    assert (out / "two.srt").read_text().startswith("1\n00:00:00,000 --> 00:00:01,000\nTHE\n\n2\n")
    assert told[0]["text"] == SILENCE.upper()
    assert told[0]["output"] == str(out / "one.srt")
    assert told[1]["error"]["code"] == "invalid_input"


async def test_format_is_that_of_the_name(stelae: Stelae, sounds: Path) -> None:
    out = sounds / "one.vtt"
    await stelae("transcribe", sounds / "one.wav", "-m", "listener", "-o", out, "-q")
    assert out.read_text().startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nthe\n\n")
    lines = sounds / "one.jsonl"
    await stelae("transcribe", sounds / "one.wav", "-m", "listener", "--words", "-o", lines)
    first, *_ = map(json.loads, lines.read_text().splitlines())
    assert (first["file"], first["text"], first["words"][0]["end"]) == (
        str(sounds / "one.wav"),
        "the",
        1.0,
    )


async def test_folder_is_told_by_its_slash(stelae: Stelae, sounds: Path) -> None:
    one = sounds / "one.wav"
    await stelae("transcribe", one, "-m", "listener", "--format", "vtt", "-o", f"{sounds}/made/")
    assert names(sounds / "made") == ["one.vtt"]
    ended = await stelae("transcribe", one, "-m", "listener", "-o", sounds / "no" / "a", check=2)
    assert "there is no folder" in ended.stderr


async def test_recording_comes_from_a_pipe(stelae: Stelae) -> None:
    ended = await stelae("transcribe", "-", "-m", "listener", "--json", stdin=SOUND)
    [told] = json.loads(ended.stdout)
    assert (told["file"], told["language"], len(told["segments"])) == ("-", "en", 6)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--format", "srt"], 2, "do not fit into one file"),
        (["--json", "--format", "text"], 2, "exclude each other"),
        (["-m", "painter"], 2, "transcribe"),
        (["-m", "nobody"], 4, "nobody"),
    ],
    ids=str,
)
async def test_transcripts_that_cannot_be_made_are_said_once(
    stelae: Stelae, sounds: Path, options: list[str], code: int, said: str
) -> None:
    files = [sounds / "one.wav", sounds / "two.mp3"]
    ended = await stelae("transcribe", *files, "-m", "listener", *options, check=code)
    assert said in ended.stderr
    assert ended.stderr.count("error:") == 1


async def test_transcript_replaces_no_recording_and_no_other(stelae: Stelae, sounds: Path) -> None:
    one = sounds / "one.wav"
    options = ["-m", "listener", "--format", "text"]
    told = await stelae("transcribe", one, *options, "-o", one, check=2)
    assert "is a recording" in told.stderr
    assert one.read_bytes() == SOUND
    told = await stelae("transcribe", one, one, *options, "-o", sounds, check=2)
    assert "would both be written to" in told.stderr


async def test_first_model_that_hears_is_asked(stelae: Stelae, sounds: Path) -> None:
    ended = await stelae("transcribe", sounds / "one.wav", "--prompt", "hello")
    assert ended.stdout == "hello\n"
    ended = await stelae("transcribe", sounds / "one.wav", "--local", check=2)
    assert "name the model" in ended.stderr


async def test_trained_model_hears_what_is_said(stelae: Stelae, tmp_path: Path) -> None:
    english, german = tmp_path / "english.wav", tmp_path / "german.wav"
    english.write_bytes(wave_of(dtmf("31415", 5)))
    german.write_bytes(wave_of(dtmf("271", 5, language="de")))
    told = json.loads((await stelae("transcribe", english, german, "-m", "tones", "--json")).stdout)
    assert [(one["language"], one["text"]) for one in told] == [
        ("en", words("31415").strip()),
        ("de", words("271", "de").strip()),
    ]
    ended = await stelae("transcribe", german, "-m", "tones", "--translate", "--format", "vtt")
    head, _, times, text, _ = ended.stdout.split("\n", 4)
    assert (head, text) == ("WEBVTT", words("271").strip())
    assert times.startswith("00:00:00.")


def wave_of(samples: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


async def test_speech_is_written_whole_or_not_at_all(stelae: Stelae, tmp_path: Path) -> None:
    out = tmp_path / "said.wav"
    ended = await stelae("speak", "speaker", "two words", "-o", out, "--voice", "bass", "--json")
    told = json.loads(ended.stdout)
    assert (told["format"], told["rate"], told["duration"]) == ("wav", 16_000, 0.2)
    assert "0.2 s of sound" in ended.stderr
    whole = out.read_bytes()
    await stelae("speak", "speaker", "a !late b", "-o", out, check=1)
    assert out.read_bytes() == whole
    assert names(tmp_path) == ["said.wav"]


async def test_speech_goes_to_a_pipe(stelae: Stelae) -> None:
    ended = await stelae("speak", "speaker", stdin="two words")
    assert ended.stdout_bytes == b"ID3" + bytes(2 * 3200)
    ended = await stelae("speak", "speaker", "a", "--format", "pcm", "--speed", 2, "-o", "-")
    assert ended.stdout_bytes == bytes(1600)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["speaker", "a", "-o", "a.midi"], 2, "names end with one of wav, mp3"),
        (["speaker", "a", "--json"], 2, "stdout takes the sound"),
        (["speaker", "a", "--voice", "tenor"], 2, "alto, bass"),
        (["speaker", " "], 2, "text"),
        (["speaker", "a", "--speed", "9"], 2, "--speed"),
    ],
    ids=str,
)
async def test_speech_that_cannot_be_made_is_said(
    stelae: Stelae, arguments: list[str], code: int, said: str
) -> None:
    assert said in (await stelae("speak", *arguments, check=code)).stderr
