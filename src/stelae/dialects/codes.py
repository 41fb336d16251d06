"""Vectors in the number formats that protocols of vectors name, as numbers or base64.

==========  ====================================================================================
``float``   the numbers
``int8``    each row scaled so that its largest number is 127; compare such rows by cosine
``uint8``   each row scaled from its lowest number, 0, to its highest, 255
``ubinary`` a bit for each number, 1 if it is above 0; eight to a byte, the first is the highest
``binary``  the same less 128, as numbers from -128 to 127
==========  ====================================================================================
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterator
from enum import StrEnum

import numpy as np

from stelae.types import EmbeddingDtype, Matrix
from stelae.vectors.quantize import quantize

_SIGN = 128


class Code(StrEnum):
    """A number format, as these protocols name it."""

    FLOAT = "float"
    INT8 = "int8"
    UINT8 = "uint8"
    BINARY = "binary"
    UBINARY = "ubinary"


_DTYPES = {
    Code.FLOAT: EmbeddingDtype.FLOAT32,
    Code.INT8: EmbeddingDtype.INT8,
    Code.UINT8: EmbeddingDtype.UINT8,
    Code.BINARY: EmbeddingDtype.BINARY,
    Code.UBINARY: EmbeddingDtype.UBINARY,
}


def coded(rows: Matrix, code: Code) -> Matrix:
    """Vectors in a number format.

    Args:
        rows: fp32, shape ``(N, D)``.
        code: The format.

    Returns:
        Shape ``(N, D)``, or ``(N, ceil(D / 8))`` for bits; little-endian fp32 or bytes.
    """
    made, _ = quantize(rows, _DTYPES[code])
    if code is Code.BINARY:
        return (made.astype(np.int16) - _SIGN).astype(np.int8)
    return np.ascontiguousarray(made, "<f4") if code is Code.FLOAT else made


def base64_rows(rows: Matrix) -> Iterator[str]:
    """The bytes of each row as base64."""
    for row in rows:
        yield b2a_base64(row.tobytes(), newline=False).decode("ascii")
