"""Progress in words."""

from __future__ import annotations

import io
from itertools import count

import pytest

from stelae.cli.bulk.progress import Bar, Lines, Silent, duration, meter
from stelae.cli.bulk.state import Counts


def test_lines_come_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    ticks = count(0, 6)
    lines = Lines(every=10.0, clock=lambda: float(next(ticks)))
    for rows in (100, 160, 220, 280):
        lines.update(Counts(rows=rows), rows, 400)
    assert capsys.readouterr().err == (
        "160 items (40% of the input), 5 items/s\n280 items (70% of the input), 8 items/s\n"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (61, "1:01 min"), (7325, "2:02 h")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("terminal", "wanted", "quiet", "kind"),
    [
        (True, None, False, Bar),
        (True, None, True, Silent),
        (True, True, True, Bar),
        (True, False, False, Silent),
        (False, None, False, Silent),
        (False, True, False, Lines),
    ],
)
def test_meter_fits_the_stream(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, wanted: bool | None, quiet: bool, kind: type
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr("sys.stderr", stream)
    made = meter(wanted, quiet=quiet)
    made.update(Counts(rows=1), 1, None)
    made.close()
    assert isinstance(made, kind)
