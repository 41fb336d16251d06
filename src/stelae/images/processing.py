"""What is done to a picture before a model reads it, as a value."""

from __future__ import annotations

import msgspec


class ShortestEdge(msgspec.Struct, frozen=True, tag="shortest_edge"):
    """Resize so that the shorter side has this length; the shape stays."""

    length: int


class Exact(msgspec.Struct, frozen=True, tag="exact"):
    """Resize to this height and width, whatever the shape."""

    height: int
    width: int


class PatchBudget(msgspec.Struct, frozen=True, tag="patch_budget"):
    """Resize to about the same shape, in whole patches, as many as are allowed.

    Attributes:
        patch: Side of a patch in pixels.
        most: Most patches of a picture.
    """

    patch: int
    most: int


class Processing(msgspec.Struct, frozen=True, kw_only=True):
    """The steps in their order; ``None`` leaves a step out.

    Attributes:
        resize: How the size is changed.
        as_stored: Whether a picture is resized in the colours that its file has (palette,
            transparency, CMYK) and only then becomes red, green and blue, as in open_clip.
        resample: Pillow's number of the filter: 0 nearest, 1 Lanczos, 2 bilinear,
            3 bicubic, 4 box, 5 Hamming.
        crop: Height and width that are cut from the middle; black is put around a
            smaller picture.
        even: Whether a middle that lies between two pixels goes to the even one, as in
            torchvision, instead of the upper left one.
        scale: Factor on the pixels.
        mean: Subtracted from red, green and blue.
        std: Red, green and blue are divided by it.
    """

    resize: ShortestEdge | Exact | PatchBudget | None
    as_stored: bool = False
    resample: int = 3
    crop: tuple[int, int] | None = None
    even: bool = False
    scale: float | None = 1 / 255
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of every picture afterwards; ``None`` if they differ."""
        if self.crop is not None:
            return self.crop
        if isinstance(self.resize, Exact):
            return self.resize.height, self.resize.width
        return None
