from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from stelae.telemetry import log


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    log.get()  # as where Stelae is imported: its loggers are quiet
    root.handlers, root.level = handlers, level


def test_json_event_carries_its_fields() -> None:
    out = io.StringIO()
    log.configure(json=True, stream=out)
    log.get().info("replica_ready", model="m", seconds=1.5)
    event = json.loads(out.getvalue())
    assert (event["event"], event["level"]) == ("replica_ready", "info")
    assert (event["model"], event["seconds"]) == ("m", 1.5)


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("evil", ["a\r\nb", "\x1b[31mred", "\u202edlrow", "nul\0", "\ud800"])
def test_callers_text_stays_on_its_line_and_plain(evil: str, as_json: bool) -> None:
    out = io.StringIO()
    log.configure(json=as_json, stream=out)
    log.get().warning("odd", value=evil)
    line = out.getvalue()
    assert line.count("\n") == 1
    assert line[:-1].isprintable()


def test_format_signs_are_not_interpreted() -> None:
    out = io.StringIO()
    log.configure(json=True, stream=out)
    log.get().info("odd", value="%s {} %(x)s")
    assert json.loads(out.getvalue())["value"] == "%s {} %(x)s"


def test_less_severe_events_are_left_out() -> None:
    out = io.StringIO()
    log.configure(json=True, level="warning", stream=out)
    log.get().info("quiet")
    logging.getLogger("some.package").info("quiet too")
    assert out.getvalue() == ""


def test_records_of_the_standard_library_join_the_stream() -> None:
    out = io.StringIO()
    log.configure(json=True, stream=out)
    logging.getLogger("some.package").warning("found %d\n", 3)
    event = json.loads(out.getvalue())
    assert (event["event"], event["logger"]) == ("found 3\\n", "some.package")


def test_traceback_for_people_cannot_colour_the_terminal() -> None:
    out = io.StringIO()
    log.configure(json=False, stream=out)
    try:
        raise ValueError("\x1b[31mred")
    except ValueError:
        log.get().exception("failed")
    assert "\x1b" not in out.getvalue()
    assert "ValueError: \\x1b[31mred" in out.getvalue()


def test_traceback_for_machines_is_one_field() -> None:
    out = io.StringIO()
    log.configure(json=True, stream=out)
    try:
        raise ValueError("broken")
    except ValueError:
        log.get().exception("failed")
    assert "ValueError: broken" in json.loads(out.getvalue())["exception"]
