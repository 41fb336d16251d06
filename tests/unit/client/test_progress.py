from __future__ import annotations

import sys

import pytest

from stelae.client._options import encode_plan
from stelae.client._progress import shown
from stelae.errors import MissingDependency


def test_bar_without_rich_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    plan = encode_plan({"progress": True}, "m")
    with pytest.raises(MissingDependency, match=r"pip install 'stelae\[cli\]'"), shown(plan, 3):
        pass


def test_no_progress_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(encode_plan({}, "m"), 3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")
