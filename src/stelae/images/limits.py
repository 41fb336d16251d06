"""How large a picture may be; looked at before memory is taken for it."""

from __future__ import annotations

from dataclasses import dataclass

from stelae.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one picture.

    Attributes:
        file_bytes: Size of the file.
        pixels: Width times height, as it is given and as it is resized.
        scans: Passes over the picture that a progressive JPEG may take.
    """

    file_bytes: int = 32 * 2**20
    pixels: int = 64_000_000
    scans: int = 100


LIMITS = Limits()


def check_size(width: int, height: int, limits: Limits, what: str = "the picture has") -> None:
    """Refuse a picture of no pixels or of too many.

    Raises:
        InvalidInput: It is one of these.
    """
    if width < 1 or height < 1:
        raise InvalidInput(
            f"{what} {width} x {height} pixels; it needs at least one", param="items"
        )
    if width * height > limits.pixels:
        raise InvalidInput(
            f"{what} {width} x {height} = {width * height / 1e6:.0f} million pixels, at most "
            f"{limits.pixels / 1e6:.0f} million are read; make it smaller before sending it",
            param="items",
        )
