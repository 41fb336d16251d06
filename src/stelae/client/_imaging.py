"""New pictures: what is asked, and the pictures that come of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

from stelae.client._pictures import file_of, is_picture
from stelae.client._place import Place
from stelae.client._streams import call_of
from stelae.errors import InvalidInput
from stelae.types import ImageCall, ImageFormat, ImagePiece, ImageUsage, Truncate
from stelae.wire import data_uri

if TYPE_CHECKING:
    from stelae.client._pictures import PictureLike

    Given = PictureLike | Sequence[PictureLike]
    Size = str | tuple[int, int]
else:
    PictureLike = Given = Size = Any  # names for annotations, which must not load NumPy

_SIZE = re.compile(r"\s*(\d{1,6})\s*[x×]\s*(\d{1,6})\s*")  # noqa: RUF001 - people write it

_BEGINNINGS = {
    ImageFormat.PNG: re.compile(rb"\x89PNG\r\n\x1a\n"),
    ImageFormat.JPEG: re.compile(rb"\xff\xd8\xff"),
    ImageFormat.WEBP: re.compile(rb"RIFF....WEBP", re.DOTALL),
}


class ImageOptions(TypedDict, total=False):
    """Options of ``image``; see ``ImageCall`` for their meaning.

    ``size`` is a text such as ``"512x512"``, or width and height in pixels. ``images`` is one
    picture or several, ``mask`` is one: a path, the bytes of a file, a data URI, a Pillow image
    or an array.
    """

    n: int
    size: Size | None
    steps: int | None
    guidance: float | None
    seed: int | None
    negative_prompt: str | None
    images: Given | None
    mask: PictureLike | None
    strength: float | None
    scheduler: str | None
    lora: str | None
    format: ImageFormat | Literal["png", "jpeg", "webp"]
    truncate: Truncate | Literal["error", "end"]
    gpu: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that a model made.

    Attributes:
        image: The bytes of its file.
        seed: The seed that it was made with: the same again gives the same picture.
        size: Width and height in pixels.
    """

    image: bytes = field(repr=False)
    seed: int | None = None
    size: tuple[int, int] | None = None

    @property
    def format(self) -> ImageFormat | None:
        """Format of its file; ``None`` for one that is not known."""
        kinds = (kind for kind, begins in _BEGINNINGS.items() if begins.match(self.image))
        return next(kinds, None)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, in the format that it was asked for.

        Returns:
            Where it is.
        """
        place = Path(path)
        place.write_bytes(self.image)
        return place

    def _repr_html_(self) -> str:
        media = self.format.media if self.format else "image/*"
        return f'<img src="{data_uri.written(self.image, media)}">'


@dataclass(frozen=True, slots=True, eq=False)
class Pictures(Sequence[Picture]):
    """The pictures of one call, in order; what is asked of them all is that of the first.

    Attributes:
        pictures: All of them.
        usage: Work of the whole answer.
    """

    pictures: tuple[Picture, ...]
    usage: ImageUsage = field(default_factory=ImageUsage)

    @classmethod
    def of(cls, pieces: Iterable[ImagePiece]) -> Pictures:
        """The pieces of an answer, put together.

        Args:
            pieces: As ``stream_image`` gives them; all, or those that came.
        """
        made: dict[int, Picture] = {}
        usage = ImageUsage()
        for piece in pieces:
            usage = piece.usage or usage
            if piece.image is not None:
                made[piece.index] = Picture(image=piece.image, seed=piece.seed, size=piece.size)
        return cls(tuple(picture for _, picture in sorted(made.items())), usage)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Picture]: ...
    def __getitem__(self, index: int | slice) -> Picture | Sequence[Picture]:
        return self.pictures[index]

    def __iter__(self) -> Iterator[Picture]:
        return iter(self.pictures)

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def image(self) -> bytes:
        """The bytes of the first picture's file."""
        return self.pictures[0].image

    @property
    def seed(self) -> int | None:
        """The seed that the first picture was made with."""
        return self.pictures[0].seed

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the first picture in pixels."""
        return self.pictures[0].size

    def save(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write the files, in the format that was asked for.

        Args:
            path: Where; of several pictures the first is ``name-1.png``, and so on.

        Returns:
            Where they are.
        """
        places = numbered(Path(path), len(self))
        return [picture.save(place) for picture, place in zip(self, places, strict=True)]

    def _repr_html_(self) -> str:
        return "\n".join(picture._repr_html_() for picture in self)


def numbered(path: Path, count: int) -> list[Path]:
    """Names of several files; a single one has the name itself."""
    if count == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(1, count + 1)]


class Steps:
    """Counts the steps of all pictures of a call.

    Args:
        count: Pictures asked for.
    """

    def __init__(self, count: int) -> None:
        self._count, self._steps = count, 0
        self._done: dict[int, int] = {}

    def add(self, piece: ImagePiece) -> tuple[int, int | None]:
        """Steps done with a piece, and steps in all, if that is known."""
        self._steps = max(self._steps, piece.steps)
        self._done[piece.index] = max(self._done.get(piece.index, 0), piece.step)
        return sum(self._done.values()), self._count * self._steps or None


def image_call(prompt: str, model: str, options: Mapping[str, Any]) -> ImageCall:
    """The call that arguments mean.

    Raises:
        InvalidInput: A picture cannot be read, or an option is not one.
    """
    fields = {**options, "model": model, "prompt": prompt, "images": _files(options.get("images"))}
    if (mask := options.get("mask")) is not None:
        fields["mask"] = _file(mask, Place("mask"))
    if isinstance(size := options.get("size"), str):
        fields["size"] = size_of(size)
    return call_of("image", fields, ImageCall)


def size_of(text: str) -> tuple[int, int]:
    """Width and height of a text such as ``"640x480"``.

    Raises:
        InvalidInput: It is another.
    """
    if (found := _SIZE.fullmatch(text)) is None:
        raise InvalidInput(
            f"size={text!r}: width and height in pixels were expected, such as '512x512'",
            param="size",
        )
    return int(found[1]), int(found[2])


def _files(given: Any) -> list[bytes]:
    if given is None:
        return []
    if not isinstance(given, list | tuple):
        return [_file(given, Place("images"))]
    return [_file(picture, Place("images", index)) for index, picture in enumerate(given)]


def _file(given: Any, place: Place) -> bytes:
    if isinstance(given, str) and not data_uri.is_data(given):
        given = Path(given)
    if not is_picture(given):
        raise place.wrong(
            f"is of type {type(given).__name__}; a path, the bytes of a file, a data URI, a Pillow "
            "image or an array was expected"
        )
    return file_of(given, place)
