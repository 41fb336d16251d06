"""Sound files to samples: known formats, by their bytes, within limits, in bounded memory.

Channels are mixed to one by their mean. Files cut off are read as far as they go where their
format allows that, as players do: a header that promises more than there is counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stelae.audio import demux
from stelae.audio.formats import Format, check_header, recognise
from stelae.audio.limits import LIMITS, Limits, check_file, check_length
from stelae.audio.resample import Resampler
from stelae.errors import InvalidInput

BROKEN = (demux.Error, EOFError, OSError, RuntimeError, ValueError)
"""What the library raises on files that are not what they say."""


def decode(data: bytes, rate: int, limits: Limits = LIMITS) -> NDArray[np.float32]:
    """Read a recording.

    Args:
        data: The file's bytes; what its name or label says is not looked at.
        rate: Samples per second of the answer.
        limits: How large it may be.

    Returns:
        Its samples, shape (N,), N at least 1, full scale is 1.

    Raises:
        InvalidInput: It is no recording of a known format, broken, silent by having no samples,
            or too large.
    """
    tape, end = np.empty(rate, np.float32), 0
    for piece in pieces(data, rate, limits):
        if end + len(piece) > len(tape):  # grown where it stands, so memory is not taken twice
            tape.resize(end + max(len(piece), end // 2), refcheck=False)
        tape[end : end + len(piece)] = piece
        end += len(piece)
    tape.resize(end, refcheck=False)
    return tape


def pieces(data: bytes, rate: int, limits: Limits = LIMITS) -> Iterator[NDArray[np.float32]]:
    """Read a recording piece by piece, so that memory does not grow with its length.

    Args:
        data: As ``decode`` reads it.
        rate: Samples per second of the answer.
        limits: How large it may be, taken together.

    Yields:
        More of its samples, shape (N,), N at least 1.

    Raises:
        InvalidInput: As in ``decode``, as soon as it is found.
    """
    check_file(len(data), limits)
    found, begin = recognise(data)
    check_header(data, found, limits)
    limits, total = limits.at(rate), 0
    try:
        for piece in _resampled(data[begin:] if begin else data, found, rate, limits):
            if len(piece):
                total += len(piece)
                check_length(total / rate, limits)
                _check_numbers(piece, limits)
                yield piece
    except BROKEN as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InvalidInput(
            f"the {found.name} file is cut off or broken ({reason}); send the whole file",
            param="audio",
        ) from error
    if not total:
        raise InvalidInput(
            f"the {found.name} file has 0 samples; send one with sound in it", param="audio"
        )


def _resampled(
    data: bytes, found: Format, rate: int, limits: Limits
) -> Iterator[NDArray[np.float32]]:
    resampler = Resampler(rate)
    for samples, given in demux.blocks(data, found, limits):
        yield resampler.add(samples, given)
    yield resampler.end()


def _check_numbers(samples: NDArray[np.float32], limits: Limits) -> None:
    loudest = float(np.abs(samples).max())
    if not loudest <= limits.loudest:
        raise InvalidInput(
            f"the recording has a sample of size {loudest}, where 1 is full scale and at most "
            f"{limits.loudest:g} is read; save it with numbers from -1 to 1",
            param="audio",
        )
