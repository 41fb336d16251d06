"""Pictures in a terminal: what it is told, by what it says of itself."""

from __future__ import annotations

import base64
import re
from io import BytesIO

import pytest
from PIL import Image

from stelae.cli import screen
from stelae.cli.screen import KITTY_CHUNK, Way, blocks, iterm, kitty, way_of

RED, BLUE = (200, 30, 30), (20, 40, 250)
TRUE = {"COLORTERM": "truecolor"}


@pytest.mark.parametrize(
    ("told", "way"),
    [
        ({"TERM": "xterm-kitty"} | TRUE, Way.KITTY),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, Way.KITTY),
        ({"TERM": "xterm-ghostty"}, Way.KITTY),
        ({"TERM_PROGRAM": "iTerm.app"}, Way.ITERM),
        ({"TERM_PROGRAM": "WezTerm"} | TRUE, Way.ITERM),
        ({"LC_TERMINAL": "iTerm2"}, Way.ITERM),
        ({"TERM": "tmux-256color", "TMUX": "x", "KITTY_WINDOW_ID": "1"} | TRUE, Way.BLOCKS),
        ({"TERM": "screen-256color", "LC_TERMINAL": "iTerm2"}, None),
        ({"TERM": "xterm-256color", "COLORTERM": "24bit"}, Way.BLOCKS),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"} | TRUE, None),
        ({"TERM": "xterm-256color"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_terminal_shows_pictures_as_it_says(told: dict[str, str], way: Way | None) -> None:
    assert way_of(told) is way


def test_kitty_gets_the_file_in_chunks() -> None:
    data = bytes(range(256)) * 40
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", "".join(kitty(data, 20)))
    assert base64.b64decode("".join(part for _, part in parts)) == data
    assert all(len(part) <= KITTY_CHUNK for _, part in parts)
    heads = [head.split(",") for head, _ in parts]
    assert {"a=T", "f=100", "c=20", "m=1"} <= set(heads[0])
    assert heads[1:] == [["m=1"]] * (len(parts) - 2) + [["m=0"]]


def test_iterm_gets_the_file_whole() -> None:
    said = iterm(b"data", 20)
    assert said == "\x1b]1337;File=inline=1;size=4;width=20:ZGF0YQ==\x07\n"


def test_block_has_one_pixel_above_the_other() -> None:
    picture = Image.new("RGB", (1, 2), RED)
    picture.putpixel((0, 1), BLUE)
    assert list(blocks(picture, 1, 24)) == [
        "\x1b[38;2;200;30;30m\x1b[48;2;20;40;250m\u2580\x1b[0m\n"
    ]


@pytest.mark.parametrize("size", [(64, 64), (640, 10), (10, 640), (1, 1), (5000, 1)], ids=str)
def test_blocks_fit_into_the_terminal(size: tuple[int, int]) -> None:
    lines = list(blocks(Image.new("RGB", size, RED), 40, 20))
    assert 1 <= len(lines) <= 18
    assert all(1 <= line.count("\u2580") <= 40 for line in lines)


@pytest.mark.parametrize(
    ("told", "sign"), [({"TERM": "xterm-kitty"}, "\x1b_G"), (TRUE, "\u2580"), ({}, "")]
)
def test_picture_is_shown_as_the_terminal_can(
    told: dict[str, str],
    sign: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(screen.os, "environ", told)
    file = BytesIO()
    Image.new("RGB", (16, 16), RED).save(file, "WEBP")
    screen.show(file.getvalue())
    shown = capsys.readouterr().out
    assert shown.startswith(sign) if not told else sign in shown
    assert bool(shown) == bool(told)


def test_file_that_is_no_picture_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen.os, "environ", TRUE)
    screen.show(b"GIF89a")
    assert capsys.readouterr().out == ""
