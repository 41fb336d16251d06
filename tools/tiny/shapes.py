"""Pictures of coloured shapes, and captions for them."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 170, 40),
    "blue": (40, 60, 220),
    "yellow": (235, 220, 40),
    "black": (10, 10, 10),
    "white": (250, 250, 250),
    "purple": (140, 40, 170),
    "orange": (245, 140, 20),
}
SHAPES = ("circle", "square", "triangle", "cross")
KINDS = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)
"""Everything that a picture can show."""

PATTERNS = (
    "{}",
    "a {}",
    "a photo of a {}",
    "an image of a {}",
    "this is a {}",
    "a {} on a plain background",
    "there is a {} here",
)
SIDE = 64

Kind = tuple[str, str]


def caption(kind: Kind, pattern: str = "a photo of a {}") -> str:
    """What a picture shows, in words."""
    return pattern.format(" ".join(kind))


def draw(kind: Kind, rng: random.Random) -> Image.Image:
    """A picture of one shape, with size, place, shade and background left to chance."""
    colour, shape = kind
    ground = tuple(rng.randint(90, 170) for _ in range(3))
    image = Image.new("RGB", (SIDE, SIDE), ground)
    pen = ImageDraw.Draw(image)
    size = rng.randint(SIDE // 4, int(SIDE * 0.4))
    x, y = (SIDE // 2 + rng.randint(-6, 6) for _ in range(2))
    ink = tuple(max(0, min(255, value + rng.randint(-15, 15))) for value in COLOURS[colour])
    box = (x - size, y - size, x + size, y + size)
    match shape:
        case "circle":
            pen.ellipse(box, fill=ink)
        case "square":
            pen.rectangle(box, fill=ink)
        case "triangle":
            pen.polygon([(x, y - size), (x - size, y + size), (x + size, y + size)], fill=ink)
        case _:
            arm = size // 3
            pen.rectangle((x - arm, y - size, x + arm, y + size), fill=ink)
            pen.rectangle((x - size, y - arm, x + size, y + arm), fill=ink)
    return image
