from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.types import Segment
from stelae.wire.subtitles import Cues, Subtitles, stamp, subtitles

TIMES = {
    Subtitles.SRT: re.compile(r"\d{2,}:[0-5]\d:[0-5]\d,\d{3}"),
    Subtitles.VTT: re.compile(r"\d{2,}:[0-5]\d:[0-5]\d\.\d{3}"),
}
FORMS = list(Subtitles)

segments = st.lists(
    st.builds(
        Segment,
        id=st.integers(0, 9),
        start=st.floats(0, 500_000),
        end=st.floats(0, 500_000),
        text=st.text(st.characters(codec="utf-8"), max_size=40)
        | st.sampled_from(["--->", " - -->> ", "a\n\nb", "a\r\n \r\nb -->", "<i>&amp;"]),
    ),
    max_size=5,
)


def said(text: str, start: float = 0.0, end: float = 1.0) -> Segment:
    return Segment(id=0, start=start, end=end, text=text)


def test_subrip_has_numbers_and_commas() -> None:
    made = subtitles([said(" One.", 0, 2.5), said(" Two.", 3661.0625, 3662)], Subtitles.SRT)
    assert made == (
        "1\n00:00:00,000 --> 00:00:02,500\nOne.\n\n2\n01:01:01,062 --> 01:01:02,000\nTwo.\n\n"
    )


def test_webvtt_has_a_head_and_points() -> None:
    made = subtitles([said(" One.", 0, 2.5)], Subtitles.VTT)
    assert made == "WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nOne.\n\n"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "00:00:00,000"),
        (59.9996, "00:01:00,000"),
        (3599.9999, "01:00:00,000"),
        (359_999.999, "99:59:59,999"),
        (360_000, "100:00:00,000"),
        (-0.02, "00:00:00,000"),
    ],
)
def test_times_carry_over(seconds: float, told: str) -> None:
    assert stamp(seconds, Subtitles.SRT) == told


@pytest.mark.parametrize("form", FORMS)
def test_silence_is_not_shown_and_not_counted(form: Subtitles) -> None:
    rest = [said("One.")]
    assert subtitles([said(" "), *rest, said("")], form) == subtitles(rest, form)


def test_nothing_said_is_an_empty_file() -> None:
    assert subtitles([], Subtitles.SRT) == ""
    assert subtitles([], Subtitles.VTT) == "WEBVTT\n\n"


def test_text_of_webvtt_is_escaped() -> None:
    made = subtitles([said("a < b --> c & d")], Subtitles.VTT)
    assert made.splitlines()[3] == "a &lt; b --&gt; c &amp; d"


def test_cue_lasts_at_least_a_moment() -> None:
    made = subtitles([said("x", 2, 2)], Subtitles.VTT)
    assert "00:00:02.000 --> 00:00:02.001\n" in made


@pytest.mark.parametrize("form", FORMS)
@given(spoken=segments)
def test_every_file_is_read_back_cue_by_cue(form: Subtitles, spoken: list[Segment]) -> None:
    made = subtitles(spoken, form)
    assert made.startswith(form.head)
    cues = made.removeprefix(form.head).split("\n\n")
    assert cues.pop() == ""
    assert len(cues) == sum(bool(segment.text.strip()) for segment in spoken)
    for number, cue in enumerate(cues, 1):
        head, *rest = cue.split("\n")
        if form is Subtitles.SRT:
            assert head == str(number)
            head = rest.pop(0)
        start, end = head.split(" --> ")
        assert TIMES[form].fullmatch(start)
        assert TIMES[form].fullmatch(end)
        assert start < end or len(start) != len(end)
        assert all(line.strip() and "-->" not in line for line in rest)


@pytest.mark.parametrize("form", FORMS)
def test_cues_one_by_one_are_the_file(form: Subtitles) -> None:
    spoken = [said("One."), said(""), said("Two.")]
    cues = Cues(form)
    assert cues.head + "".join(cues.write(s) for s in spoken) == subtitles(spoken, form)


@pytest.mark.parametrize("start", [0.9375, 0.9385, 0.0005, 0.0015, 12.9995])
def test_a_cue_ends_after_it_begins_however_its_times_are_rounded(start: float) -> None:
    cue = Cues(Subtitles.SRT).write(said("at once", start, start))
    begins, ends = cue.splitlines()[1].split(" --> ")
    assert begins < ends
