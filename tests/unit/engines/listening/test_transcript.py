"""Windows, texts and times of a recording, with answers that are written beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_hearing import RATE, asked, listener, noise, segments, text
from numpy.typing import NDArray

from stelae.catalog.abilities import Hearing
from stelae.engines.listening.asks import Align, Ask, Detect, Hear, Write
from stelae.engines.listening.engine import vocabulary_of
from stelae.engines.listening.hearer import Aligned, Written
from stelae.engines.listening.tape import Tape, survey
from stelae.engines.listening.transcript import Ears, Transcript
from stelae.engines.listening.vocabulary import Vocabulary
from stelae.errors import EngineFailed
from stelae.types import TranscribeCall, TranscribePiece

HEARING = Hearing(languages=("en", "de", "cs"), translates=True, window=2.0)
SURE, DOUBTFUL = -0.2, -3.0


@dataclass
class Script:
    """Answers what a transcript asks.

    Attributes:
        texts: What is written of each window and try, in turn: times in ticks and words.
        logprobs: How likely each is; the last one counts on.
        silent: How likely nothing is said, likewise.
        asks: What was asked.
        told: What was found.
    """

    vocabulary: Vocabulary
    texts: list[list[int | str]]
    logprobs: list[float] = field(default_factory=lambda: [SURE])
    silent: list[float] = field(default_factory=lambda: [0.0])
    asks: list[Ask] = field(default_factory=list)
    told: list[TranscribePiece] = field(default_factory=list)

    def answer(self, ask: Ask) -> Any:
        self.asks.append(ask)
        match ask:
            case Hear():
                return len(self.of(Hear))
            case Detect():
                return dict(zip(self.vocabulary.languages.values(), (0.1, 0.7, 0.2), strict=True))
            case Write():
                return self.written(len(self.of(Write)) - 1)
            case Align(text=text):
                steps = np.linspace(0.1, 1.9, len(text) + 1).tolist()
                return Aligned(steps, [0.5] * len(text))

    def written(self, index: int) -> Written:
        tokens: list[int] = []
        for part in self.texts[index]:
            if isinstance(part, int):
                tokens.append(self.vocabulary.first_time + part)
            else:
                tokens += self.vocabulary.encode(part)
        likely, silent = (
            values[min(index, len(values) - 1)] for values in (self.logprobs, self.silent)
        )
        return Written(tokens, likely, silent)

    def of(self, kind: type) -> list[Any]:
        return [ask for ask in self.asks if isinstance(ask, kind)]

    @property
    def windows(self) -> list[int]:
        """Samples of each window that was heard."""
        return [len(ask.samples) for ask in self.of(Hear)]


Play = Callable[..., Script]


@pytest.fixture(scope="module")
def vocabulary(zoo: Path) -> Vocabulary:
    return vocabulary_of(listener(zoo / "whisper"))


@pytest.fixture
def play(vocabulary: Vocabulary) -> Play:
    def run(
        samples: NDArray[np.float32],
        *texts: list[int | str],
        language: str | None = "en",
        logprobs: list[float] | None = None,
        silent: list[float] | None = None,
        written: int = 64,
        **options: Any,
    ) -> Script:
        script = Script(vocabulary, list(texts), logprobs or [SURE], silent or [0.0])
        call: TranscribeCall = asked(samples, **options)
        ears = Ears(HEARING, vocabulary, written)
        tape, found = Tape(call.audio, RATE), survey(call.audio, RATE)
        steps = Transcript(tape, found, call, language, ears, script.told.extend).run()
        answer = None
        while True:
            try:
                ask = steps.send(answer)
            except StopIteration:
                return script
            answer = script.answer(ask)

    return run


def test_a_window_begins_where_the_last_was_done_so_no_word_is_lost_or_doubled(play: Play) -> None:
    script = play(
        noise(4.0),
        [0, " one", 40, 45, " two", 80, 80, " thr"],
        [0, " three", 60, 60, " fo"],
        [0, " four", 50],
    )
    assert text(script.told) == " one two three four"
    times = [(segment.start, segment.end) for segment in segments(script.told)]
    assert times == [(0.0, 0.8), (0.9, 1.6), (1.6, 2.8), (2.8, 3.8)]
    assert script.windows == [32_000, 32_000, 19_200]
    assert [p.position for p in script.told if p.position is not None] == [1.6, 2.8, 4.0, 4.0]


def test_the_last_piece_says_how_long_the_recording_is_and_how_much_was_written(
    play: Play,
) -> None:
    script = play(noise(1.5), [0, " one", 40])
    first, last = script.told[0], script.told[-1]
    assert first.duration == 1.5
    assert last.usage is not None
    assert last.usage.seconds == 1.5
    assert last.usage.tokens == len(script.written(0).tokens)


@pytest.mark.parametrize("scores", [{"logprobs": [np.nan]}, {"silent": [np.nan]}])
def test_scores_that_are_no_numbers_are_told_and_not_written_down(
    play: Play, scores: dict[str, list[float]]
) -> None:
    with pytest.raises(EngineFailed, match="no finite numbers"):
        play(noise(1.5), [0, " one", 40], **scores)


def test_what_was_said_stands_before_the_next_window(play: Play, vocabulary: Vocabulary) -> None:
    script = play(noise(4.0), [0, " one", 60, 60], [0, " two", 100], [0, " w", 40], prompt="Anna")
    first, second, _ = (ask.prompt for ask in script.of(Write))
    opening = vocabulary.prefix("en", translate=False)
    before = vocabulary.before([], 1) or vocabulary.before([1], 1)[:1]
    given = vocabulary.encode(" Anna")
    assert first == [*before, *given, *opening]
    assert second == [*before, *given, *vocabulary.encode(" one"), *opening]


def test_a_long_text_before_is_cut_at_its_beginning(play: Play) -> None:
    script = play(noise(1.0), [0, " one", 40], prompt="the water " * 40)
    (ask,) = script.of(Write)
    assert len(ask.prompt) == 64 // 2 + 1


def test_of_a_text_that_goes_on_a_round_number_of_tokens_is_told(play: Play) -> None:
    parts = [[0, *([" water"] * count), 100] for count in (5, 15, 90, 1)]
    script = play(noise(8.0), *parts, written=448, logprobs=[SURE], temperatures=(0.0,))
    marks = 1 + 3  # what says that a text stands before, and what is wanted
    told = [len(ask.prompt) - marks for ask in script.of(Write)[1:]]
    assert told == [5, 5 + 15, (5 + 15 + 90) // 32 * 32]


@pytest.mark.parametrize(("translate", "token"), [(False, "transcribe"), (True, "translate")])
def test_the_prompt_says_what_is_wanted(
    play: Play, vocabulary: Vocabulary, translate: bool, token: str
) -> None:
    script = play(noise(1.0), [0, " one", 40], language="de", translate=translate)
    (ask,) = script.of(Write)
    names = vocabulary.names()
    assert [names[t] for t in ask.prompt] == ["<|startoftranscript|>", "<|de|>", f"<|{token}|>"]


def test_the_language_is_found_out_once_and_told(play: Play) -> None:
    script = play(noise(4.0), [0, " one", 100], [0, " two", 100], language=None)
    assert len(script.of(Detect)) == 1
    assert [piece.language for piece in script.told if piece.language] == ["de"]


def test_an_unlikely_text_is_tried_again_at_the_next_temperature(play: Play) -> None:
    script = play(noise(2.0), [0, " bad", 90], [0, " one", 90], logprobs=[DOUBTFUL, SURE], beams=4)
    assert text(script.told) == " one"
    (segment,) = segments(script.told)
    assert segment.temperature == 0.2
    assert segment.avg_logprob == SURE
    assert [(a.how.temperature, a.how.beams) for a in script.of(Write)] == [(0.0, 4), (0.2, 1)]


def test_a_text_that_repeats_itself_is_tried_again(play: Play) -> None:
    script = play(noise(2.0), [0, " one" * 40, 90], [0, " one", 90], temperatures=(0.0, 0.7))
    assert text(script.told) == " one"


def test_where_no_temperature_helps_the_last_one_counts(play: Play) -> None:
    texts = [[0, f" try {i}", 90] for i in range(3)]
    script = play(noise(2.0), *texts, logprobs=[DOUBTFUL], temperatures=(0.0, 0.4, 0.9))
    assert text(script.told) == " try 2"


def test_a_text_of_a_high_temperature_is_no_help_for_the_next_window(
    play: Play, vocabulary: Vocabulary
) -> None:
    script = play(
        noise(4.0), [0, " a", 90], [0, " b", 90], [0, " c", 90],
        logprobs=[DOUBTFUL, SURE], temperatures=(0.0, 0.6),
    )  # fmt: skip
    assert script.of(Write)[-1].prompt == vocabulary.prefix("en", translate=False)


def test_a_doubtful_text_where_nothing_seems_said_is_none(play: Play) -> None:
    script = play(noise(2.0), [0, " one", 90], logprobs=[DOUBTFUL], silent=[0.9])
    assert segments(script.told) == []
    assert len(script.of(Write)) == 1  # and worth no other try


def test_a_likely_text_counts_though_nothing_seems_said(play: Play) -> None:
    script = play(noise(2.0), [0, " one", 90], logprobs=[SURE], silent=[0.9])
    assert text(script.told) == " one"


def test_segments_without_text_or_behind_the_end_are_left_out(play: Play) -> None:
    script = play(noise(1.0), [0, " one", 40, 45, 45, " ", 48, 90, " two", 95])
    assert text(script.told) == " one"


def test_times_stay_within_the_recording(play: Play) -> None:
    script = play(noise(1.0), [0, " one", 20, 30, " two", 99])
    assert [(s.start, s.end) for s in segments(script.told)] == [(0.0, 0.4), (0.6, 1.0)]


def test_words_have_times_of_their_own_and_decide_those_of_the_segment(play: Play) -> None:
    script = play(
        noise(4.0), [0, " one", 40, 45, " two", 80, 80], [0, " three", 60], [0, " w", 20],
        words=True,
    )  # fmt: skip
    found = segments(script.told)
    for segment in found:
        assert "".join(word.word for word in segment.words) == segment.text
        assert (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)
    times = [t for segment in found for word in segment.words for t in (word.start, word.end)]
    assert times == sorted(times)
    (first, *_) = script.of(Align)
    assert first.frames == 200


def test_silence_is_not_even_heard(play: Play) -> None:
    script = play(np.zeros(60 * RATE, np.float32), language=None)
    assert script.asks == []
    assert script.told[-1].usage is not None
    assert script.told[-1].usage.seconds == 60.0


def test_with_vad_pauses_are_not_heard(play: Play) -> None:
    sound = np.concatenate([noise(1.0), 1e-3 * noise(5.0), noise(1.0, 1)])
    script = play(sound, [0, " one", 50], [0, " two", 50], vad=True)
    assert script.windows == [19_200, 19_200]
    assert [(s.start, s.end) for s in segments(script.told)] == [(0.0, 1.0), (5.8, 6.8)]
