from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from stelae.telemetry.tally import SECONDS, Family, Level, Spread, Tally


def test_numbers_add_up_by_labels() -> None:
    tally = Tally(Family("x_total", "counter", ("a",), "Help."))
    tally.add(1, "p")
    tally.add(2, "p")
    tally.add(5, "q")
    found = {s.labels["a"]: s.value for s in tally.metric().samples}
    assert found == {"p": 3, "q": 5}


def test_number_without_labels_is_there_from_the_start() -> None:
    assert [s.value for s in Level(Family("x", "gauge", (), "Help.")).metric().samples] == [0]


@given(st.lists(st.sampled_from(SECONDS) | st.floats(0, 100, allow_nan=False)))
def test_spread_counts_as_prometheus_itself_does(durations: list[float]) -> None:
    reference = Histogram("x", "Help.", ("a",), buckets=SECONDS, registry=CollectorRegistry())
    spread = Spread(Family("x", "histogram", ("a",), "Help."))
    for seconds in durations:
        reference.labels("p").observe(seconds)
        spread.line("p").add(seconds)
    (expected,) = reference.collect()
    wanted = [s for s in expected.samples if not s.name.endswith("_created")]
    found = spread.metric().samples
    assert [(s.name, s.labels) for s in found] == [(s.name, s.labels) for s in wanted]
    assert [s.value for s in found] == pytest.approx([s.value for s in wanted])


def test_level_is_what_is_written_or_what_is_read() -> None:
    level = Level(Family("x", "gauge", (), "Help."))
    level.value += 3
    assert [s.value for s in level.metric().samples] == [3]
    level.read = lambda: 7
    assert [s.value for s in level.metric().samples] == [7]
