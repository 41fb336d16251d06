"""Pictures as callers have them, and as they are sent: pure, shared by both clients."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from stelae.client._place import Place
from stelae.errors import InvalidInput, MissingDependency
from stelae.types import Item
from stelae.types.lazy import np
from stelae.wire import data_uri

if TYPE_CHECKING:
    from numpy.typing import NDArray

    class PillowImage(Protocol):
        """What is used of ``PIL.Image.Image``."""

        @property
        def mode(self) -> str:
            """Kind of its pixels."""

        @property
        def size(self) -> tuple[int, int]:
            """Width and height."""

        def convert(self, mode: str) -> Any:
            """The same picture with pixels of another kind."""

        def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
            """Write it as a file."""

        def transpose(self, method: Any) -> Any:
            """The same picture, turned or mirrored."""

    Pixels = NDArray[np.integer[Any] | np.floating[Any] | np.bool_]
    PictureLike = bytes | bytearray | memoryview | os.PathLike[str] | str | PillowImage | Pixels
    """A picture: its file's bytes, the file's path, a data URI, a Pillow image, or pixels
    ``(H, W, 3)``, ``(H, W, 4)`` or ``(H, W)``."""

ORIENTATION = 0x0112
UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""What undoes each EXIF orientation, as Pillow numbers its transpositions."""

SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")
AS_THEY_ARE = ("1", "L", "RGB", "RGBA")
WITH_COLOURS = {"PA": "RGBA", "LA": "RGBA"}
"""Kinds of pixels and what shows their colours; others are converted to ``RGB``."""

UNREAD = ("I", "F")
"""Kinds of pixels whose range nobody knows."""

BYTES = (bytes, bytearray, memoryview)


class Deferred(Item, frozen=True, kw_only=True):
    """A file that is read when its request is sent, so that few are held at once.

    Attributes:
        source: A path, or a Pillow image.
        form: The item's field that takes its bytes.
    """

    source: Any
    form: str = "image"


def is_picture(value: object) -> TypeGuard[PictureLike]:
    """Whether a value is a picture in one of its forms."""
    if isinstance(value, str):
        return data_uri.is_picture(value)
    return isinstance(value, (*BYTES, os.PathLike)) or _is_pillow(value) or _is_numbers(value)


def _is_pillow(value: object) -> bool:
    pillow = sys.modules.get("PIL.Image")  # who has an image has loaded it
    return pillow is not None and isinstance(value, pillow.Image)


def _is_numbers(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.ndim > 1


def picture(value: Any, place: Place) -> tuple[Item, int]:
    """The item that a picture means, and its size in bytes.

    Raises:
        InvalidInput: There is no such file, the data URI holds none, or the array has no shape of
            a picture.
    """
    if isinstance(value, str):
        value = embedded(value, place)
    if isinstance(value, BYTES):
        data = value if type(value) is bytes else bytes(value)
        return Item(image=data), len(data)
    if isinstance(value, os.PathLike):
        return Deferred(source=value), file_size(value, place)
    if _is_pillow(value):
        width, height = value.size
        return Deferred(source=value), 3 * width * height
    if value.ndim not in (2, 3):
        raise place.wrong(f"has shape {value.shape}; one picture is (H, W), (H, W, 3) or (H, W, 4)")
    return Item(pixels=value), int(value.nbytes)


def embedded(uri: str, place: Place) -> bytes:
    """What a data URI holds.

    Raises:
        InvalidInput: It holds nothing.
    """
    try:
        return data_uri.content(uri)
    except InvalidInput as error:
        raise place.wrong(f"cannot be read: {error.message}", hint=error.hint) from error


def file_size(path: os.PathLike[str], place: Place) -> int:
    """Bytes of a file.

    Raises:
        InvalidInput: There is no such file.
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as error:
        raise _unread(path, error, place) from error
    if not stat.S_ISREG(found.st_mode):
        raise place.wrong(f"{os.fspath(path)!r} is not a file")
    return found.st_size


def loaded(item: Deferred, place: Place) -> Item:
    """The item as it is sent.

    Raises:
        InvalidInput: The file or the picture cannot be read.
    """
    source = item.source
    try:
        if isinstance(source, os.PathLike):
            data: dict[str, Any] = {item.form: Path(source).read_bytes()}
            return Item(**data)
        return _shown(source, place.wrong)
    except (OSError, ValueError) as error:
        raise _unread(source, error, place) from error


def file_of(value: Any, place: Place) -> bytes:
    """The bytes of a file with a picture, whatever form that has.

    Raises:
        InvalidInput: It cannot be read.
        MissingDependency: It is pixels, and there is no Pillow to write them.
    """
    if isinstance(value, str):
        return embedded(value, place)
    if isinstance(value, BYTES):
        return bytes(value)
    item = Item(pixels=value) if _is_numbers(value) else loaded(Deferred(source=value), place)
    return item.image if item.image is not None else _written(item.pixels, place)


def _written(pixels: Any, place: Place) -> bytes:
    if pixels.dtype.kind not in "bu" or pixels.itemsize > 1 or pixels.ndim not in (2, 3):
        raise place.wrong(
            f"is a picture of shape {pixels.shape} and type {pixels.dtype}; uint8 of (H, W), "
            "(H, W, 3) or (H, W, 4) was expected"
        )
    try:
        image = import_module("PIL.Image")  # late: most pictures are files already
    except ImportError as error:
        raise MissingDependency(
            "to send pixels as a file the package 'pillow' is needed", hint="pip install pillow"
        ) from error
    return _file(image.fromarray(pixels))


def _unread(source: object, error: Exception, place: Place) -> Exception:
    name = f"{os.fspath(source)!r}" if isinstance(source, os.PathLike) else "the picture"
    reason = getattr(error, "strerror", None) or str(error)
    return place.wrong(f"{name} cannot be read: {reason}")


def _shown(image: Any, wrong: Callable[[str], Exception]) -> Item:
    """A Pillow image upright and in colour, as the server reads it of its file."""
    turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    shown = image if turn is None else image.transpose(turn)
    if shown.mode == "P":  # a model may resize it before it looks colours up in the palette
        return Item(image=_file(shown))
    return Item(pixels=_pixels(shown, wrong))


def _file(image: Any) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", compress_level=1, exif=b"")
    return file.getvalue()


def _pixels(shown: Any, wrong: Callable[[str], Exception]) -> NDArray[np.uint8]:
    if shown.mode in SIXTEEN_BIT:
        return (np.asarray(shown) >> 8).astype(np.uint8)
    if shown.mode in UNREAD:
        raise wrong(
            f"is a picture with pixels of the kind {shown.mode!r}; convert it to 'L' or 'RGB'"
        )
    kind = shown.mode if shown.mode in AS_THEY_ARE else WITH_COLOURS.get(shown.mode, "RGB")
    return np.asarray(shown if kind == shown.mode else shown.convert(kind))
