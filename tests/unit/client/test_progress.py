from __future__ import annotations

import sys

import pytest

from stelae.client._progress import gauge, shown
from stelae.errors import MissingDependency


def test_bar_without_rich_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    told = pytest.raises(MissingDependency, match=r"pip install 'stelae\[cli\]'")
    with told, shown(True, "encode", 3):
        pass


def test_no_progress_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(False, "encode", 3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_function_is_told_what_is_done_and_what_there_is() -> None:
    told: list[tuple[int, int | None]] = []
    with shown(lambda done, total: told.append((done, total)), "encode", 3) as advance:
        advance(1)
        advance(2)
    assert told == [(1, 3), (3, 3)]


def test_bar_shows_what_is_done_and_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with gauge(True, "image", "steps") as tell:
        tell(1, None)
        tell(4, 4)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "image" in shown.err
    assert "4/4" in shown.err
