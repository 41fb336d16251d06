"""Places in the answers of Florence-2, in pixels of the picture.

A place is four or more tokens ``<loc_0>`` to ``<loc_999>`` behind its name: boxes of left,
upper, right and lower edge, or corners one after the other.

Source: transformers 5.17, ``models/florence2/processing_florence2.py``; its
``post_process_generation`` gives the same boxes. Other than there, names keep letters
that are not ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from stelae.types.extract import Box

STEPS = 1000
"""Parts that each side of a picture is divided into."""

PLACE = re.compile(r"<loc_(\d+)>")
OUTSIDE = r"(?:^|(?<=>)|(?<=<)(?![\w/]))"
"""Not within a tag."""

NAMED = re.compile(OUTSIDE + r"([^<]+)((?:<loc_\d+>){4,})")
BARE = re.compile(r"(?:<loc_\d+>){4,}")
LINE = re.compile(r"(?:<loc_\d+>){8}")
MARKED = re.compile(OUTSIDE + r"([^<]*)((?:<loc_\d+>|<sep>|<poly>|</poly>){4,})")
PART = re.compile(r"<poly>(.*?)</poly>")
FRAME = re.compile(r"</?s>|<pad>")

Points = list[float]
"""Across and down of each corner, one after the other."""


class Named(NamedTuple):
    """A place and what is there.

    Attributes:
        name: What is there; empty if that is not said.
        corners: Of the box, or of one shape or several.
    """

    name: str
    corners: tuple[Points, ...]

    @property
    def box(self) -> Box:
        """What holds all corners: left and upper edge, width and height."""
        across = [value for points in self.corners for value in points[::2]]
        down = [value for points in self.corners for value in points[1::2]]
        left, upper = min(across), min(down)
        return left, upper, max(across) - left, max(down) - upper


def bare(answer: str) -> str:
    """An answer without the tokens around it."""
    return FRAME.sub("", answer)


def boxes(answer: str, size: tuple[int, int]) -> list[Named]:
    """Boxes with names; of several behind one name, each has it."""
    return [
        Named(name.strip(), (corners,))
        for name, places in NAMED.findall(bare(answer))
        if name.strip()
        for corners in _fours(places, size)
    ]


def nameless_boxes(answer: str, size: tuple[int, int]) -> list[Named]:
    """Boxes without names."""
    runs = BARE.findall(bare(answer))
    return [Named("", (corners,)) for run in runs for corners in _fours(run, size)]


def lines(answer: str, size: tuple[int, int]) -> list[Named]:
    """Lines of writing, each with the four corners of where it stands."""
    text, end, found = bare(answer), 0, []
    for places in LINE.finditer(text):
        words = PLACE.sub("", text[end : places.start()]).strip()
        end = places.end()
        if words:
            found.append(Named(words, (_points(places[0], size),)))
    return found


def shapes(answer: str, size: tuple[int, int], *, named: bool) -> list[Named]:
    """Shapes by their corners; several of one name stand together.

    Args:
        answer: The model's.
        size: Width and height of the picture.
        named: Whether those without a name are left out.
    """
    found = []
    for name, run in MARKED.findall(bare(answer)):
        if named and not name.strip():
            continue
        for part in PART.findall(run) or [run]:
            corners = tuple(_corners(part, size))
            if corners:
                found.append(Named(name.strip() if named else "", corners))
    return found


def _corners(part: str, size: tuple[int, int]) -> Iterator[Points]:
    for shape in part.split("<sep>"):
        points = _points(shape, size)
        if len(points) >= 2:
            yield points


def _fours(places: str, size: tuple[int, int]) -> Iterator[Points]:
    points = _points(places, size)
    for start in range(0, len(points) - 3, 4):
        yield points[start : start + 4]


def _points(places: str, size: tuple[int, int]) -> Points:
    """Whole pixels in the middle of each step; an odd one at the end is dropped."""
    steps = [int(step) for step in PLACE.findall(places)]
    return [
        float(int((min(step, STEPS - 1) + 0.5) * size[i % 2] / STEPS))
        for i, step in enumerate(steps[: len(steps) // 2 * 2])
    ]


def as_data(found: Sequence[Named]) -> list[dict[str, Any]]:
    """Names and corners, for the caller."""
    return [{"label": one.name, "polygons": list(one.corners)} for one in found]
