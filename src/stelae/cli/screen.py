"""Pictures in a terminal: whole where it can show them, else as blocks of two colours.

Source: the graphics protocol of kitty (https://sw.kovidgoyal.net/kitty/graphics-protocol/) and
the inline images of iTerm2 (https://iterm2.com/documentation-images.html).
"""

from __future__ import annotations

import base64
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib import import_module
from io import BytesIO
from math import ceil
from typing import Any

KITTY_CHUNK = 4096
"""Bytes of base64 in one escape sequence, as kitty asks for."""

CELL = 8
"""Assumed width of a character in pixels, for pictures smaller than the terminal."""

WIDEST = 64
"""Columns of a picture made of blocks."""

BLOCK = "\u2580"
"""The upper half of a cell has its foreground, the lower half its background."""

COLOURS = ("truecolor", "24bit")


class Way(StrEnum):
    """How a terminal shows pictures."""

    KITTY = "kitty"
    ITERM = "iterm"
    BLOCKS = "blocks"


def way_of(told: Mapping[str, str]) -> Way | None:
    """How the terminal shows pictures, by what it says of itself in the environment.

    Within tmux and screen the terminal outside is not reached.
    """
    program, kind = told.get("TERM_PROGRAM", ""), told.get("TERM", "")
    if not ("TMUX" in told or kind.startswith(("screen", "tmux"))):
        if "KITTY_WINDOW_ID" in told or kind in ("xterm-kitty", "xterm-ghostty"):
            return Way.KITTY
        if program in ("iTerm.app", "WezTerm", "mintty") or told.get("LC_TERMINAL") == "iTerm2":
            return Way.ITERM
    colours = told.get("COLORTERM") in COLOURS and not told.get("NO_COLOR")
    return Way.BLOCKS if colours else None


def show(picture: bytes) -> None:
    """Show a picture on stdout if the terminal can; else nothing.

    Args:
        picture: The bytes of its file.
    """
    way, room = way_of(os.environ), shutil.get_terminal_size()
    if way is None:
        return
    try:
        image = import_module("PIL.Image").open(BytesIO(picture)).convert("RGB")
    except (ImportError, OSError, ValueError):
        return  # nothing here reads pictures, or not this one: the file is there all the same
    columns = min(room.columns, ceil(image.width / CELL))
    match way:
        case Way.KITTY:
            sys.stdout.writelines(kitty(_png(image), columns))
        case Way.ITERM:
            sys.stdout.write(iterm(_png(image), columns))
        case Way.BLOCKS:
            sys.stdout.writelines(blocks(image, min(columns, WIDEST), room.lines))
    sys.stdout.flush()


def kitty(png: bytes, columns: int) -> Iterator[str]:
    """A picture as kitty reads it.

    Args:
        png: The bytes of its file.
        columns: Characters that it is wide.
    """
    data = base64.b64encode(png).decode()
    head = f"a=T,f=100,q=2,c={columns},"
    for start in range(0, len(data), KITTY_CHUNK):
        more = int(start + KITTY_CHUNK < len(data))
        yield f"\x1b_G{head}m={more};{data[start : start + KITTY_CHUNK]}\x1b\\"
        head = ""
    yield "\n"


def iterm(png: bytes, columns: int) -> str:
    """A picture as iTerm2 reads it; see ``kitty``."""
    data = base64.b64encode(png).decode()
    return f"\x1b]1337;File=inline=1;size={len(png)};width={columns}:{data}\x07\n"


def blocks(image: Any, columns: int, lines: int) -> Iterator[str]:
    """A picture as lines of half blocks.

    Args:
        image: A Pillow image of the mode RGB.
        columns: Most characters in a line.
        lines: Lines of the terminal, of which it takes two less.
    """
    shrink = min(columns / image.width, 2 * max(1, lines - 2) / image.height)
    width, height = max(1, round(image.width * shrink)), max(1, round(image.height * shrink / 2))
    pixels = image.resize((width, 2 * height)).load()
    for row in range(height):
        cells = (_cell(pixels[x, 2 * row], pixels[x, 2 * row + 1]) for x in range(width))
        yield "".join(cells) + "\x1b[0m\n"


def _cell(upper: tuple[int, int, int], lower: tuple[int, int, int]) -> str:
    over, under = (";".join(map(str, colour)) for colour in (upper, lower))
    return f"\x1b[38;2;{over}m\x1b[48;2;{under}m{BLOCK}"


def _png(image: Any) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()
