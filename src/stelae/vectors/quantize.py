"""Fewer bits per number, row by row, and back.

    dtype             code of ``x``                                 ``x`` is about
    int8              round(x / peak * 127), peak = max |x|         code * peak / 127
    uint8             round((x - low) / (high - low) * 255)         code * (high - low) / 255 + low
    binary, ubinary   1 if x > 0 else 0, eight to a byte            (2 * code - 1) * mean |x|

Halves are rounded to even. The first bit is the highest of its byte, and the last byte
is filled up with zeros; ``binary`` and ``ubinary`` are the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stelae.errors import InvalidInput
from stelae.types import EmbeddingDtype, OutputType, Quantization
from stelae.types.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stelae.types import Matrix

    Floats = NDArray[np.float32]

# Quirk: sie-server answers a dense vector whose numbers are all equal with 128, and such
# a token vector with 0; tests/unit/vectors/test_quantize.py. Both are read back exactly.
FLAT = {OutputType.DENSE: 128, OutputType.MULTIVECTOR: 0}
"""uint8 code of a row whose numbers are all equal, by kind of output."""


def quantize(
    rows: Matrix, dtype: EmbeddingDtype, *, output: OutputType = OutputType.DENSE
) -> tuple[Matrix, Quantization | None]:
    """Write vectors in a smaller number format.

    Args:
        rows: Vectors, shape ``(N, D)``. A row with NaN or infinity, as that of a failed
            item, has codes 0 and NaN as its scale.
        dtype: The format.
        output: What the rows are: dense vectors, or tokens of multi-vectors.

    Returns:
        The codes, shape ``(N, D)``, or ``(N, ceil(D / 8))`` in binary formats; and how to
        read them, ``None`` in floating-point formats.

    Example:
        >>> codes, read = quantize(np.array([[0.5, -1.0, 0.25]], np.float32), EmbeddingDtype.INT8)
        >>> codes
        array([[  64, -127,   32]], dtype=int8)
        >>> dequantize(codes, read).round(2)
        array([[ 0.5 , -1.  ,  0.25]], dtype=float32)
    """
    rows = np.asarray(rows, np.float32)
    if dtype is EmbeddingDtype.FLOAT32:
        return rows, None
    with np.errstate(invalid="ignore", over="ignore"):
        match dtype:
            case EmbeddingDtype.FLOAT16:
                return rows.astype(np.float16), None
            case EmbeddingDtype.INT8:
                return _symmetric(rows)
            case EmbeddingDtype.UINT8:
                return _affine(rows, FLAT[output])
            case _:
                return _bits(rows)


def _symmetric(rows: Floats) -> tuple[Matrix, Quantization]:
    peak = np.abs(rows).max(axis=1, initial=0)
    codes = _codes(rows / _divisor(peak) * 127, np.isfinite(peak), np.int8)
    return codes, _reading(peak / 127, np.zeros_like(peak), np.isfinite(peak))


def _affine(rows: Floats, flat: int) -> tuple[Matrix, Quantization]:
    low = rows.min(axis=1, initial=np.inf)
    span = rows.max(axis=1, initial=-np.inf) - low
    sound = np.isfinite(span)
    codes = _codes((rows - low[:, None]) / _divisor(span) * 255, sound, np.uint8)
    codes[span == 0] = flat
    return codes, _reading(span / 255, low, sound)


def _bits(rows: Floats) -> tuple[Matrix, Quantization]:
    size = np.abs(rows).mean(axis=1, dtype=np.float32)
    reading = _reading(2 * size, -size, np.isfinite(size), rows.shape[1])
    return np.packbits(rows > 0, axis=1), reading


def _divisor(spread: Floats) -> Floats:
    return np.where(spread > 0, spread, np.float32(1))[:, None]


def _codes(numbers: Floats, sound: NDArray[np.bool_], dtype: type[np.generic]) -> NDArray[Any]:
    return np.where(sound[:, None], np.rint(numbers), np.float32(0)).astype(dtype)


def _reading(
    scale: Floats, zero: Floats, sound: NDArray[np.bool_], dimensions: int | None = None
) -> Quantization:
    nan = np.float32(np.nan)
    return Quantization(
        scale=np.where(sound, scale, nan), zero=np.where(sound, zero, nan), dimensions=dimensions
    )


def dequantize(
    codes: Matrix, quantization: Quantization | None, *, dimensions: int | None = None
) -> Floats:
    """Read vectors back from a smaller number format.

    Args:
        codes: As ``quantize`` made them, shape ``(N, D)``; or one vector.
        quantization: What came beside them; ``None`` for floating-point formats.
        dimensions: How many numbers a row has, if the codes are packed bits and the
            quantization does not say.

    Returns:
        Vectors, shape ``(N, D)``, or one vector if one was given.

    Raises:
        InvalidInput: There is no scale for each row, or too few bits for the dimensions.
    """
    rows = np.atleast_2d(np.asarray(codes))
    if dimensions is None and quantization is not None:
        dimensions = quantization.dimensions
    if dimensions is not None:
        if rows.dtype != np.uint8 or rows.shape[1] != -(-dimensions // 8):
            raise InvalidInput(
                f"dimensions={dimensions}: {-(-dimensions // 8)} uint8 numbers in each row were "
                f"expected, {rows.shape[1]} of {rows.dtype} were given",
                param="dimensions",
            )
        rows = np.unpackbits(rows, axis=1, count=dimensions)
    numbers = rows.astype(np.float32)
    if quantization is not None:
        numbers *= _column(quantization.scale, len(rows))
        numbers += _column(quantization.zero, len(rows))
    return numbers if np.ndim(codes) == 2 else numbers[0]


def _column(values: NDArray[Any], rows: int) -> Floats:
    column = np.asarray(values, np.float32).reshape(-1, 1)
    if len(column) != rows:
        raise InvalidInput(f"quantization of {len(column)} rows was given for {rows} rows")
    return column
