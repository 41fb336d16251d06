"""What is read aloud, beside what the library reads aloud by itself."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_speech import asked, heard, speaking, spoken, vits_says

from stelae.audio.decode import decode
from stelae.errors import InvalidInput
from stelae.types import AudioFormat, SpeechCall

TEXT = "Hello world, it's a kicking day"
SENTENCES = ["The king gave orders.", "Was it done?", "It was, at once!"]
STEP = 2 / 65535
"""Between two samples of 16 bits: what writing them may cost."""


@pytest.mark.parametrize(
    ("name", "text", "voice"),
    [("vits", TEXT, None), ("vits", TEXT, "default"), ("vits-voices", "Bonjour, le monde ?", "2")],
)
async def test_sound_is_that_of_the_library(
    zoo: Path, name: str, text: str, voice: str | None
) -> None:
    options = {"speaker_id": int(voice or 0)} if name == "vits-voices" else {}
    for seed in (0, 7):
        expected = vits_says(zoo / name, [text], seed, **options)
        async with speaking(zoo / name) as engine:
            made = await heard(engine, text, voice=voice, seed=seed)
        assert made.std() > 0.01
        np.testing.assert_allclose(made, expected, atol=STEP)


async def test_sentences_are_read_one_after_the_other(zoo: Path) -> None:
    expected = vits_says(zoo / "vits", SENTENCES, 3)
    async with speaking(zoo / "vits") as engine:
        made = await heard(engine, " ".join(SENTENCES), seed=3)
        assert engine.stats.steps >= len(SENTENCES)
    np.testing.assert_allclose(made, expected, atol=STEP)


async def test_speed_is_the_librarys_speaking_rate(zoo: Path) -> None:
    expected = vits_says(zoo / "vits", [TEXT], 3, speaking_rate=2.0)
    async with speaking(zoo / "vits") as engine:
        made = await heard(engine, TEXT, seed=3, speed=2.0)
        slow = await heard(engine, TEXT, seed=3, speed=0.5)
    np.testing.assert_allclose(made, expected, atol=STEP)
    assert len(slow) > 2 * len(made)


async def test_company_changes_nothing(zoo: Path) -> None:
    text = " ".join(SENTENCES)
    async with speaking(zoo / "vits") as engine:
        alone = [await heard(engine, text, seed=seed) for seed in (1, 2)]
        twins = await asyncio.gather(*(heard(engine, text, seed=seed) for seed in (1, 2, 1)))
    for made, expected in zip(twins, (*alone, alone[0]), strict=True):
        np.testing.assert_array_equal(made, expected)
    assert not np.array_equal(alone[0][:1000], alone[1][:1000])


async def test_chance_is_the_calls_own(zoo: Path) -> None:
    async with speaking(zoo / "vits") as engine:
        before = torch.random.get_rng_state()
        one, other = [await heard(engine, TEXT) for _ in range(2)]
        assert torch.equal(torch.random.get_rng_state(), before)
    assert not np.array_equal(one[:1000], other[:1000])


async def test_first_piece_tells_the_rate_and_the_last_the_length(zoo: Path) -> None:
    text = " ".join(SENTENCES)
    async with speaking(zoo / "vits") as engine:
        pieces = await spoken(engine, asked(text, seed=3))
    assert [piece.rate for piece in pieces] == [16_000] + [None] * (len(pieces) - 1)
    assert [piece.usage is None for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    usage, size = pieces[-1].usage, sum(len(piece.audio) for piece in pieces)
    assert usage is not None
    assert (usage.characters, usage.seconds) == (len(text), pytest.approx(size / 2 / 16_000))
    assert len(pieces) >= len(SENTENCES)


@pytest.mark.parametrize("kind", [form for form in AudioFormat if form is not AudioFormat.PCM])
async def test_every_format_holds_the_same_sound(zoo: Path, kind: AudioFormat) -> None:
    text = " ".join(SENTENCES)
    call = SpeechCall(model="voice", text=text, seed=3, format=kind)
    async with speaking(zoo / "vits") as engine:
        plain = await heard(engine, text, seed=3)
        file = b"".join(piece.audio for piece in await spoken(engine, call))
    sound = decode(file, 16_000)
    assert abs(len(sound) - len(plain)) < 0.2 * 16_000
    if kind in (AudioFormat.WAV, AudioFormat.FLAC):
        np.testing.assert_allclose(sound, plain, atol=STEP)


async def test_whoever_leaves_is_read_no_further_sentence(zoo: Path) -> None:
    async with speaking(zoo / "vits") as engine:
        async with aclosing(engine.stream(asked("A word. " * 500, seed=1))) as pieces:
            await anext(pieces)
        await heard(engine, "The end", seed=1)
        assert engine.stats.steps < 20


@pytest.mark.parametrize(
    ("name", "text", "options", "told"),
    [
        ("vits", "hello", {"voice": "alloy"}, "known are 'default'"),
        ("vits-voices", "bonjour", {"voice": "3"}, "known are '0', '1', '2'"),
        ("vits", "hello", {"language": "deu"}, "known are 'eng'"),
        ("vits", "It costs 7 €", {}, "cannot read: '7', '€'; write numbers and signs in words"),
        ("vits", "… !", {}, "nothing that could be read"),
        ("vits-roman", "안녕", {}, "uroman"),
    ],
)
async def test_what_a_model_lacks_is_refused_by_name(
    zoo: Path, name: str, text: str, options: dict[str, Any], told: str
) -> None:
    async with speaking(zoo / name) as engine:
        with pytest.raises(InvalidInput) as caught:
            await spoken(engine, asked(text, **options))
        assert told in str(caught.value)
        assert len(await heard(engine, "so", seed=1))


async def test_what_makes_no_sound_is_left_out_where_it_is_unknown(zoo: Path) -> None:
    expected = vits_says(zoo / "vits", ["it's a day so to say"], 3)
    async with speaking(zoo / "vits") as engine:
        made = await heard(engine, "It’s (a day),\tso “to say”", seed=3)  # noqa: RUF001
    np.testing.assert_allclose(made, expected, atol=STEP)
