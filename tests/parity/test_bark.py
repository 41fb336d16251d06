"""What is read aloud in the voices of Bark, beside what the library reads aloud by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fix_speech import asked, bark_says, heard, speaking, spoken

from stelae.errors import InvalidInput

SENTENCES = ["The king of the river.", "Was it long?"]
STEP = 2 / 65535
RATE = 24_000


@pytest.mark.parametrize("voice", ["v2/de_speaker_3", "announcer"])
async def test_sound_is_that_of_the_library(zoo: Path, voice: str) -> None:
    expected = bark_says(zoo / "bark", SENTENCES, 2, voice)
    async with speaking(zoo / "bark") as engine:
        made = await heard(engine, " ".join(SENTENCES), seed=2, voice=voice)
    assert made.std() > 0.01
    np.testing.assert_allclose(made, expected.clip(-1, 1), atol=STEP)


async def test_language_chooses_a_voice(zoo: Path) -> None:
    async with speaking(zoo / "bark") as engine:
        by_language = await heard(engine, SENTENCES[0], seed=2, language="de")
        by_voice = await heard(engine, SENTENCES[0], seed=2, voice="v2/de_speaker_3")
        first = await heard(engine, SENTENCES[0], seed=2)
    np.testing.assert_array_equal(by_language, by_voice)
    assert not np.array_equal(first[:1000], by_voice[:1000])


async def test_speed_changes_the_time_of_the_same_sound(zoo: Path) -> None:
    async with speaking(zoo / "bark") as engine:
        plain = await heard(engine, SENTENCES[0], seed=2)
        fast = await heard(engine, SENTENCES[0], seed=2, speed=2.0)
    assert len(fast) == pytest.approx(len(plain) / 2, abs=0.05 * RATE)


async def test_voices_are_those_whose_files_are_there(zoo: Path) -> None:
    async with speaking(zoo / "bark") as engine:
        with pytest.raises(InvalidInput, match=r"'v2/en_speaker_0', .*, 'announcer'"):
            await spoken(engine, asked("The king", voice="alloy"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("The king of 日本 is 😀", "'日本', '😀'"),
        ("the " * 40, "40 tokens, the model reads 32"),
        ("...", "nothing"),
    ],
)
async def test_what_cannot_be_read_is_refused(zoo: Path, text: str, told: str) -> None:
    async with speaking(zoo / "bark") as engine:
        with pytest.raises(InvalidInput, match=told):
            await spoken(engine, asked(text))
