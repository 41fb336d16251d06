"""What is refused everywhere: anything but arrays of finite numbers, of the right shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stelae.errors import InvalidInput
from stelae.types.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def numbers(value: Any, name: str) -> NDArray[Any]:
    """An array of real numbers.

    Raises:
        InvalidInput: It holds something else, or codes that mean nothing by themselves.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InvalidInput(f"{name} is not a rectangular array: {error}", param=name) from error
    if array.dtype.kind not in "fiub":
        raise InvalidInput(f"{name} holds {array.dtype}, not numbers", param=name)
    if array.dtype == np.uint8:
        raise _codes(array, name)
    return array


def _codes(array: NDArray[Any], name: str) -> InvalidInput:
    return InvalidInput(
        f"{name} holds {array.dtype} codes, which mean nothing without their quantization",
        param=name,
        hint="call dequantize first, or pass them packed, with it",
    )


def matrix(value: Any, name: str) -> NDArray[Any]:
    """An array of numbers, shape ``(T, D)``, neither of them 0."""
    array = numbers(value, name)
    if array.dtype == np.int8:  # each row has a scale of its own
        raise _codes(array, name)
    if array.ndim != 2:
        raise InvalidInput(f"{name} has shape {array.shape}, not (tokens, width)", param=name)
    if 0 in array.shape:
        raise InvalidInput(f"{name} is empty: its shape is {array.shape}", param=name)
    return array


def finite(array: NDArray[Any], name: str) -> None:
    """Refuse NaN and infinity."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidInput(f"{name} holds NaN or infinity", param=name)


def same_width(first: int, second: int, names: tuple[str, str]) -> None:
    """Refuse vectors of different widths."""
    if first != second:
        raise InvalidInput(
            f"{names[0]} is {first} wide and {names[1]} {second}; both must come from one model"
        )
