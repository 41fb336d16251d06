from __future__ import annotations

from datetime import datetime

import pytest

from stelae.dialects.clip.asked import Told
from stelae.dialects.clip.timing import rfc3339, stages

MS = 1_000_000
BASE = 1_700_000_000 * 1000 * MS


def milliseconds(start: int, end: int) -> int:
    """As the client measures: each time is cut first."""
    return end // MS - start // MS


@pytest.mark.parametrize("start", [0, 1, 999_999, 500_000])
@pytest.mark.parametrize("took", [0, 1, 300_000, 1_700_000, 12_345_678])
@pytest.mark.parametrize("model", [None, (0, 0), (100, 200_000)])
def test_the_server_takes_a_millisecond_at_least_and_the_model_no_more(
    start: int, took: int, model: tuple[int, int] | None
) -> None:
    told = Told(arrived=BASE + start)
    if model is not None:
        told.began, told.ended = told.arrived + model[0], told.arrived + min(model[1], took)

    (_, begin, end), (_, began, ended) = stages(told, BASE + start + took)

    assert begin == BASE + start
    assert begin <= began <= ended <= end
    assert 0 <= milliseconds(began, ended) <= milliseconds(begin, end)
    assert milliseconds(begin, end) >= 1
    assert end - begin <= max(took, MS)


def test_a_clock_that_is_set_back_makes_no_negative_time() -> None:
    (_, begin, end), _ = stages(Told(arrived=BASE), BASE - 5 * MS)

    assert milliseconds(begin, end) == 1


def test_times_have_an_offset() -> None:
    said = rfc3339(BASE + 123_456_789)

    assert said.endswith("+00:00")
    assert datetime.fromisoformat(said).timestamp() == pytest.approx(1_700_000_000.123456)
