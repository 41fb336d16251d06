"""What a small Whisper hears and is to write when it learns telephone tones."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tiny.tones import GAP, NOISE, RATE, TONE, Phrase, dtmf, phrases, words

LATEST = 1.0
"""The latest time of the first token of a window; what starts later is said to start then.

Source: Radford et al. 2022 (arXiv:2212.04356), section 4.5.
"""

LONGEST_WINDOW, BEFORE = 25.0, 120
"""Seconds, and tokens, that may have been written before a window."""


class Ids:
    """The tokens of a checkpoint.

    Args:
        folder: Where its tokenizer is.
    """

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.end = self.special("<|endoftext|>")
        self.first_time = self.special("<|0.00|>")

    def special(self, token: str) -> int:
        """The id of a token."""
        found = self._tokenizer.token_to_id(token)
        assert found is not None, token
        return int(found)

    def text(self, text: str) -> list[int]:
        """The ids of a text."""
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def time(self, seconds: float) -> int:
        """The id of a time."""
        return self.first_time + round(seconds / 0.02)


@dataclass
class Example:
    """A stretch of sound and what is to be written.

    Attributes:
        samples: The sound.
        language: Which it is in, ``None`` for silence.
        said: Its whole phrases.
        rest: When a phrase begins that the stretch cuts off, if one does.
    """

    samples: NDArray[np.float32]
    language: str | None
    said: list[Phrase] = field(default_factory=list)
    rest: float | None = None


def text(rng: random.Random, room: float) -> str:
    """Phrases with pauses between them that take about so many seconds."""
    made = ""
    while True:
        more = "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 8)))
        blanks = " " * rng.choice((1, 1, 1, 2, 3)) if made else ""
        if made and phrases(made + blanks + more)[-1].end > room:
            return made
        made += blanks + more


def example(rng: random.Random, length: float, *, cut: bool) -> Example:
    """Something new to hear, of at most so many seconds, the end cut off or not."""
    seed, noise = rng.randrange(2**31), rng.choice((NOISE, rng.uniform(0.004, 0.02)))
    if rng.random() < 0.03:
        hiss = np.random.default_rng(seed).normal(0, noise, round(rng.uniform(0.5, length) * RATE))
        return Example(hiss.astype(np.float32), None)
    lead = rng.choice((GAP, GAP, rng.randint(0, 10) / 10, rng.randint(0, 20) / 10))
    room = 2 * length if cut else rng.uniform(0.5, length - 0.2)
    digits, language = text(rng, room - lead), rng.choice(("en", "de"))
    shift = rng.choice((0.0, rng.uniform(-0.03, 0.03)))
    gain, begin = rng.uniform(0.4, 1.2), max(0.0, lead + shift)
    samples = dtmf(digits, seed, lead=begin, gain=gain, language=language, noise=noise)
    said = phrases(digits, lead)
    whole = [one for one in said if one.end <= length - GAP]
    rest = [one.start for one in said[len(whole) :] if one.start < length - TONE]
    return Example(samples[: round(length * RATE)], language, whole, rest[0] if rest else None)


class Writer:
    """Examples as the model is to write them.

    Args:
        ids: The tokens.
        rng: Decides what is shown.
    """

    def __init__(self, ids: Ids, rng: random.Random) -> None:
        self._ids, self._rng = ids, rng

    def row(self, one: Example, offset: float) -> tuple[list[int], list[int]]:
        """Tokens that are read, and the one to be written after each or -100.

        Args:
            one: What is heard.
            offset: Where in the window it begins.
        """
        ids, rng = self._ids, self._rng
        language = rng.choice(("en", "de")) if rng.random() < 0.15 else one.language or "en"
        task = rng.choice(("transcribe", "transcribe", "translate"))
        timed = one.rest is not None or rng.random() < 0.65
        prompt = [ids.special(f"<|{language}|>"), ids.special(f"<|{task}|>")]
        heard = ids.special(f"<|{one.language}|>" if one.language else "<|nospeech|>")
        if not timed:
            prompt.append(ids.special("<|notimestamps|>"))
        answer = self._answer(one, "en" if task == "translate" else language, timed, offset)
        before = self._before(rng, language)
        tokens = [*before, ids.special("<|startoftranscript|>"), *prompt, *answer, ids.end]
        wanted = [-100] * len(before) + [heard] + [-100] * (len(prompt) - 1) + answer + [ids.end]
        if timed and offset and one.said:  # elsewhere the first time has other rules
            wanted[len(before) + len(prompt)] = -100
        return tokens[:-1], wanted

    def _before(self, rng: random.Random, language: str) -> list[int]:
        """What a window before this one might have said, or nothing."""
        if rng.random() > 0.3:
            return []
        timed, said = rng.random() < 0.5, phrases(text(rng, rng.uniform(0.5, LONGEST_WINDOW)))
        tokens = self._written(said, language, timed)[-rng.randint(1, BEFORE) :]
        return [self._ids.special("<|startofprev|>"), *tokens]

    def _written(self, said: list[Phrase], language: str, timed: bool) -> list[int]:
        ids, tokens = self._ids, []
        for one in said:
            around = [[ids.time(one.start)], [ids.time(one.end)]] if timed else [[], []]
            tokens += [*around[0], *ids.text(words(one.digits, language)), *around[1]]
        return tokens

    def _answer(self, one: Example, language: str, timed: bool, offset: float) -> list[int]:
        said = [replace(p, start=p.start + offset, end=p.end + offset) for p in one.said]
        if said and not offset:
            said[0] = replace(said[0], start=min(said[0].start, LATEST))
        answer = self._written(said, language, timed)
        if timed and not said:
            answer.append(self._ids.time(0.0))
        if timed and one.rest is not None:
            answer.append(self._ids.time(one.rest + offset))
        return answer
