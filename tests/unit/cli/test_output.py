"""What commands print where."""

from __future__ import annotations

import io
import json

import pytest

from stelae.cli.output import Output, cell, size


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


ROWS = [{"name": "a", "state": "ready", "size": 1234}, {"name": "long name", "state": None}]


def test_pipe_gets_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(ROWS, ("name", "state", "size"))
    assert capsys.readouterr().out == (
        "NAME       STATE  SIZE\na          ready  1,234\nlong name  -      -\n"
    )


def test_pipe_is_never_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table([{"a": "x" * 500, "b": "y" * 500}], ("a", "b"))
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_markup_in_data_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    Output().facts({"text": "[bold]:smile:[/bold]"})
    assert capsys.readouterr().out == "text  [bold]:smile:[/bold]\n"


@pytest.mark.parametrize(("no_color", "expected"), [("", True), ("1", False)])
def test_terminal_gets_colour_unless_refused(
    monkeypatch: pytest.MonkeyPatch, no_color: str, expected: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    Output().table(ROWS, ("name", "state"))
    assert ("\x1b[32m" in terminal.getvalue()) is expected


def test_document_is_one_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=True).document({"a": "é", "b": [1, None]})
    out = capsys.readouterr().out
    assert out == '{"a": "é", "b": [1, null]}\n'
    assert json.loads(out) == {"a": "é", "b": [1, None]}


def test_notes_and_warnings_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Output().note("a note")
    Output(quiet=True).note("not said")
    Output(quiet=True).warn("look out")
    assert capsys.readouterr() == ("", "a note\nwarning: look out\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ([], "-"),
        ("", ""),
        (True, "yes"),
        (1234567, "1,234,567"),
        (0.12345, "0.123"),
        (1234.56, "1,234.6"),
        (("a", 1), "a, 1"),
    ],
)
def test_cells_read_well(value: object, text: str) -> None:
    assert cell(value).plain == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**40, "3.0 TiB")]
)
def test_sizes_read_well(count: int, text: str) -> None:
    assert size(count) == text
