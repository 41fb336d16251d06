"""Windows on long texts, and what is kept of places that overlap."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.engines.extract.batches import alike
from stelae.engines.extract.spans import Candidates, merged, selected
from stelae.engines.extract.windows import Windows, bound, overlap_of, plan

COSTS = st.lists(st.integers(1, 12), max_size=120)
Span = tuple[int, int, int, float]


def candidates(*spans: Span) -> Candidates:
    starts, ends, kinds, scores = (list(c) for c in zip(*spans, strict=True)) if spans else [[]] * 4
    return Candidates(
        np.array(starts, np.int64),
        np.array(ends, np.int64),
        np.array(kinds, np.int64),
        np.array(scores, np.float64),
    )


def spans(found: Candidates) -> list[Span]:
    columns = (found.starts, found.ends, found.kinds, found.scores)
    return [(a, b, c, d) for a, b, c, d in zip(*(x.tolist() for x in columns), strict=True)]


@given(COSTS, st.integers(12, 60), st.integers(2, 40), st.integers(0, 20))
def test_windows_cover_all_words_and_keep_to_their_size(
    costs: list[int], room: int, most: int, overlap: int
) -> None:
    windows = plan(costs, room, most, overlap)
    assert sorted({i for a, b in windows for i in range(a, b)}) == list(range(len(costs)))
    assert all(0 < b - a <= most and sum(costs[a:b]) <= room for a, b in windows)
    assert all(a < c <= b < d for (a, b), (c, d) in pairwise(windows))


@given(COSTS, st.integers(48, 90), st.integers(8, 40), st.integers(0, 3))
def test_windows_share_as_many_words_as_asked(
    costs: list[int], room: int, most: int, overlap: int
) -> None:
    for (_, end), (start, _) in pairwise(plan([1] * len(costs), room, most, overlap)):
        assert end - start == overlap


def test_text_that_fits_is_one_window() -> None:
    assert plan([3] * 10, 30, 10, 4) == [(0, 10)]
    assert plan([], 30, 10, 4) == []


def test_word_that_is_too_long_stands_alone() -> None:
    assert plan([2, 50, 2], 10, 8, 4) == [(0, 1), (1, 2), (2, 3)]


@given(st.text(max_size=400), st.integers(16, 200), st.integers(8, 60))
def test_no_text_needs_more_windows_than_were_set_aside(text: str, room: int, most: int) -> None:
    for costs in ([1] * len(text), [2 * len(c.encode("utf-8", "surrogatepass")) for c in text]):
        assert len(plan(costs, room, most, overlap_of(most, 4))) <= bound(text, room, most)


def test_windows_are_made_when_they_are_asked_for() -> None:
    made: list[tuple[int, int]] = []

    def make(first: int, end: int) -> int:
        made.append((first, end))
        return end - first

    windows = Windows([(0, 4), (2, 9)], make)
    assert (len(windows), made) == (2, [])
    assert (windows[1], made) == (7, [(2, 9)])


def test_overlap_has_room_for_the_longest_name() -> None:
    assert overlap_of(384, 12) == 48
    assert overlap_of(32, 12) == 12
    assert overlap_of(8, 12) == 4


def test_places_of_two_windows_are_one_with_the_best_score() -> None:
    one = candidates((0, 4, 0, 0.9), (9, 12, 1, 0.3))
    two = candidates((9, 12, 1, 0.7), (9, 12, 0, 0.5))
    assert spans(merged([one, two])) == [(0, 4, 0, 0.9), (9, 12, 0, 0.5), (9, 12, 1, 0.7)]
    assert spans(merged([])) == []


CROSSING = candidates(
    (0, 6, 0, 0.5), (0, 9, 0, 0.9), (0, 9, 1, 0.6), (5, 12, 0, 0.8), (12, 14, 1, 0.4)
)


@pytest.mark.parametrize(
    ("nested", "several", "expected"),
    [
        (False, False, [(0, 9, 0, 0.9), (12, 14, 1, 0.4)]),
        (False, True, [(0, 9, 0, 0.9), (0, 9, 1, 0.6), (12, 14, 1, 0.4)]),
        (True, False, [(0, 9, 0, 0.9), (0, 6, 0, 0.5), (12, 14, 1, 0.4)]),
    ],
)
def test_the_best_of_places_that_overlap_are_kept(
    nested: bool, several: bool, expected: list[Span]
) -> None:
    assert spans(selected(CROSSING, nested=nested, several=several)) == expected


PLACES = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 8), st.integers(0, 2), st.integers(0, 99)),
    max_size=40,
)


@given(PLACES, st.booleans(), st.booleans())
def test_whatever_is_left_out_gives_way_to_something_better(
    places: list[tuple[int, int, int, int]], nested: bool, several: bool
) -> None:
    found = merged([candidates(*((a, a + n, k, s / 100) for a, n, k, s in places))])
    kept = spans(selected(found, nested=nested, several=several))
    assert [span[0] for span in kept] == sorted(span[0] for span in kept)

    def clash(one: Span, other: Span) -> bool:
        if one[:2] == other[:2]:
            return not several
        apart = one[1] <= other[0] or other[1] <= one[0]
        within = (one[0] <= other[0] and other[1] <= one[1]) or (
            other[0] <= one[0] and one[1] <= other[1]
        )
        return not apart and not (nested and within)

    assert not any(clash(a, b) for i, a in enumerate(kept) for b in kept[i + 1 :])
    for lost in set(spans(found)) - set(kept):
        assert any(clash(lost, span) and span[3] >= lost[3] for span in kept)


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 2)), max_size=60))
def test_every_entry_runs_once_beside_its_like(batch: list[tuple[int, int]]) -> None:
    groups = alike(batch, key=lambda e: e[1], length=lambda e: e[0], most=lambda e: 4)
    assert sorted(i for group in groups for i in group) == list(range(len(batch)))
    for group in groups:
        lengths = [batch[i][0] for i in group]
        assert len({batch[i][1] for i in group}) == 1
        assert len(group) <= 4
        assert max(lengths) <= 1.25 * min(lengths) + 8
