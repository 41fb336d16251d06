"""Token vectors of several texts, listed or packed, read as float32 piece by piece."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from stelae.errors import InvalidInput
from stelae.types import Ragged
from stelae.types.lazy import np
from stelae.vectors import checks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
else:
    Floats = Any  # a name for annotations, which must not load NumPy


class Texts(Protocol):
    """Token vectors of ``N`` texts.

    Attributes:
        name: What the caller calls them.
        offsets: Text ``i`` has the rows ``offsets[i]`` to ``offsets[i + 1]``, shape ``(N + 1,)``.
        width: Of every vector; 0 if there is no text.
    """

    name: str
    offsets: NDArray[np.int64]
    width: int

    def rows(self, first: int, last: int, room: Floats) -> Floats:
        """Vectors of the texts ``first`` to ``last - 1``, in ``room`` or where they are."""


class Listed:
    """One array per text."""

    def __init__(self, texts: Iterable[Any], name: str) -> None:
        self.name = name
        self._texts = [
            text if isinstance(text, np.ndarray) else checks.numbers(text, f"{name}[{index}]")
            for index, text in enumerate(texts)
        ]
        if not _alike(self._texts):
            for index, text in enumerate(self._texts):
                checks.matrix(text, f"{name}[{index}]")
                widths = self._texts[0].shape[1], text.shape[1]
                checks.same_width(*widths, (f"{name}[0]", f"{name}[{index}]"))
        self.width = self._texts[0].shape[1] if self._texts else 0
        self.offsets = np.zeros(len(self._texts) + 1, np.int64)
        np.cumsum([len(text) for text in self._texts], out=self.offsets[1:])

    def rows(self, first: int, last: int, room: Floats) -> Floats:
        """See ``Texts``."""
        room = room[: self.offsets[last] - self.offsets[first]]
        texts = self._texts[first:last]
        if all(text.dtype == np.float16 for text in texts):
            return widen(np.concatenate(texts), room)
        return np.concatenate(texts, out=room, casting="same_kind")


def _alike(texts: list[NDArray[Any]]) -> bool:
    """Whether all are filled matrices of one kind, which most calls have."""
    kinds = {(text.dtype, text.shape[1:]) for text in texts}
    if len(kinds) != 1:
        return False
    [(dtype, shape)] = kinds
    return dtype.kind == "f" and len(shape) == 1 and shape[0] > 0 and all(map(len, texts))


class Packed:
    """One array for all texts."""

    def __init__(self, packed: Ragged, name: str) -> None:
        self.name = name
        self.offsets = np.asarray(packed.offsets, np.int64)
        self._values, self._quantization = packed.values, packed.quantization
        self._check()
        bits = None if packed.quantization is None else packed.quantization.dimensions
        self.width = bits or self._values.shape[1]
        self._bits = bits is not None

    def _check(self) -> None:
        offsets, rows, lengths = self.offsets, len(self._values), np.diff(self.offsets)
        if offsets.ndim != 1 or not len(offsets) or offsets[0] != 0 or offsets[-1] != rows:
            raise InvalidInput(f"offsets of {self.name} must lead from 0 to its {rows} rows")
        if (lengths <= 0).any():
            raise InvalidInput(f"{self.name}[{int(np.argmax(lengths <= 0))}] is empty")
        if self._quantization is None:
            if rows:
                checks.matrix(self._values, self.name)
        elif len(self._quantization.scale) != rows or len(self._quantization.zero) != rows:
            raise InvalidInput(f"quantization of {self.name} is not for its {rows} rows")
        if self._values.ndim != 2 or self._values.shape[1] == 0:
            raise InvalidInput(f"{self.name} has shape {self._values.shape}, not (rows, width)")

    def rows(self, first: int, last: int, room: Floats) -> Floats:
        """See ``Texts``."""
        place = slice(self.offsets[first], self.offsets[last])
        values: NDArray[Any] = self._values[place]
        if self._quantization is None and values.dtype == np.float32 and values.flags.c_contiguous:
            return values
        room = room[: len(values)]
        if self._quantization is None:
            return widen(values, room)
        if self._bits:
            values = np.unpackbits(values, axis=1, count=self.width)
        np.multiply(values, self._quantization.scale[place, None], out=room)
        room += self._quantization.zero[place, None]
        return room


def widen(values: NDArray[Any], room: Floats) -> Floats:
    """Write numbers as float32 into ``room``, which has their shape.

    Halves are moved bit by bit and their exponent set right by one multiplication,
    which is exact and takes a quarter of the time of NumPy's own conversion.
    """
    if values.dtype != np.float16:
        np.copyto(room, values, casting="same_kind")
        return room
    bits = room.view(np.int32)
    np.copyto(bits, values.view(np.int16))
    bits <<= 13  # the sign has spread: it now fills the four highest bits
    bits &= np.int32(-0x70000001)
    room *= np.float32(2.0**112)
    if max(room.max(initial=0), -room.min(initial=0)) > 65504:  # NaN and infinity
        np.copyto(room, values)
    return room


def texts_of(value: Any, name: str) -> Texts:
    """Token vectors however they are given: listed, packed, stacked, or of one text alone."""
    if isinstance(value, Ragged):
        return Packed(value, name)
    if not isinstance(value, np.ndarray):
        return Listed(value, name)
    if value.ndim == 3:
        count, tokens, width = value.shape
        offsets = np.arange(count + 1) * tokens
        return Packed(Ragged(values=value.reshape(count * tokens, width), offsets=offsets), name)
    return Listed([value] if value.ndim == 2 else value, name)
