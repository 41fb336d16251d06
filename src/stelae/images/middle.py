"""The middle of a picture: what a crop keeps of it."""

from __future__ import annotations

from math import ceil, floor

from PIL import Image

Size = tuple[int, int]
"""Width and height."""

Span = tuple[int, int]
"""First pixel of one axis, and the one behind the last."""


def cropped(image: Image.Image, size: Size, *, even: bool) -> Image.Image:
    """Cut a picture, or put black around it.

    Args:
        image: Of any mode.
        size: Of the middle.
        even: As in ``Processing``.
    """
    left, top = (_start(have, want, even=even) for have, want in zip(image.size, size, strict=True))
    return image.crop((left, top, left + size[0], top + size[1]))


def resized(
    image: Image.Image, whole: Size, size: Size, kind: Image.Resampling, *, even: bool
) -> Image.Image:
    """The middle of a picture as it would be resized; the rest of it is not.

    A line of a thousand pixels becomes a picture of fifty million, of which nearly none is
    kept. Pillow holds the place of the middle in 32 bits, so that a number may be rounded
    the other way than in the whole.

    Args:
        image: Of any mode that Pillow resizes.
        whole: What all of it would be resized to.
        size: Of the middle, no larger than ``whole``.
        kind: How pixels are mixed.
        even: As in ``Processing``.
    """
    axes = list(zip(image.size, whole, size, strict=True))
    kept = [_span(have, want, even=even) for _, have, want in axes]
    scales = [given / have for given, have, _ in axes]
    near = [
        _near(span, scale, given)
        for span, scale, given in zip(kept, scales, image.size, strict=True)
    ]
    (left, right), (top, bottom) = near
    part = image.crop((left, top, right, bottom))
    (x0, x1), (y0, y1) = (
        [min(place * scale - first, last - first) for place in span]
        for span, scale, (first, last) in zip(kept, scales, near, strict=True)
    )
    return part.resize(size, kind, (x0, y0, x1, y1))


def _near(span: Span, scale: float, given: int) -> Span:
    """Pixels of one axis that are mixed into some: the widest filter looks 3 pixels far."""
    reach = 3 * max(scale, 1) + 2
    return max(0, floor(span[0] * scale - reach)), min(given, ceil(span[1] * scale + reach))


def _span(have: int, want: int, *, even: bool) -> Span:
    first = _start(have, want, even=even)
    return first, first + want


def _start(have: int, want: int, *, even: bool) -> int:
    """Where the middle of one axis starts."""
    spare = have - want
    if even:
        return round(spare / 2) if spare >= 0 else -(-spare // 2)
    return spare // 2
