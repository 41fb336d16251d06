"""Which compiled kernels there are for a number format on this machine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from stelae.nn.kernels import tiles
from stelae.nn.kernels.build import BuildFailed, load

POINTER, LONG, INT, FLOAT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, ctypes.c_float
"""What the functions of kernels are given."""


@dataclass(frozen=True, slots=True)
class Variant:
    """The kernels for one number format and one kind of processor.

    Attributes:
        name: Of the instructions that they use.
        dtype: Of the numbers that are multiplied, and of results.
        step: Numbers that are multiplied together; widths are multiples of it.
        lanes: Sums in a register.
        runs: Whether the processor has the instructions.
        flags: Of the compiler.
    """

    name: str
    dtype: torch.dtype
    step: int
    lanes: int
    runs: Callable[[], bool]
    flags: tuple[str, ...]


def _capability(*known: str) -> Callable[[], bool]:
    """Whether it is one of the levels that PyTorch's own kernels are chosen by."""
    return lambda: torch.backends.cpu.get_cpu_capability() in known


_BFLOAT16 = ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512bf16", "-DSTELAE_BFLOAT16")
_IN_TILES = (*_BFLOAT16, "-DSTELAE_TILES")

TILED = Variant(
    *("AMX-BF16", torch.bfloat16, 2, 16),
    lambda: torch.cpu._is_avx512_bf16_supported() and tiles.work(*_IN_TILES),
    _IN_TILES,
)
"""Linear layers and attention by tiles, all else as without."""

WITHOUT_TILES = Variant(
    "AVX512-BF16", torch.bfloat16, 2, 16, torch.cpu._is_avx512_bf16_supported, _BFLOAT16
)

VARIANTS = (
    TILED,
    WITHOUT_TILES,
    Variant("AVX-512", torch.float32, 1, 16, _capability("AVX512"), ("-mavx512f",)),
    Variant("AVX2", torch.float32, 1, 8, _capability("AVX2", "AVX512"), ("-mavx2", "-mfma")),
)
"""The best for a number format first."""


def _with_int8(name: str, variant: Variant) -> Variant:
    """Kernels that multiply whole numbers too, and are otherwise those of another kind."""
    own = ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512vnni", "-DSTELAE_INT8")
    return Variant(
        name,
        variant.dtype,
        variant.step,
        variant.lanes,
        lambda: variant.runs() and torch.cpu._is_vnni_supported(),
        tuple(dict.fromkeys((*variant.flags, *own))),
    )


INT8_VARIANTS = (
    _with_int8("AVX512-VNNI with AVX512-BF16", WITHOUT_TILES),
    _with_int8("AVX512-VNNI", VARIANTS[2]),
)
"""Those that multiply in int8 between numbers of their format."""


@dataclass(frozen=True, slots=True)
class Source:
    """A kernel in C++.

    Attributes:
        name: Of its file, as ``attention``.
        what: It computes, for people.
        function: What it exports.
        takes: Types of the arguments.
    """

    name: str
    what: str
    function: str
    takes: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A compiled kernel.

    Attributes:
        variant: Which it is.
        run: The function, which returns 0 unless it failed.
    """

    variant: Variant
    run: Callable[..., int]


def compiled(source: Source, variant: Variant) -> Kernel:
    """A kernel of one kind.

    Raises:
        BuildFailed: It cannot be compiled here.
    """
    # A library has its functions as attributes, by the names that their sources give them.
    function = getattr(load(source.name, *variant.flags), source.function)
    function.argtypes, function.restype = source.takes, INT
    return Kernel(variant, function)


@cache
def best(source: Source, dtype: torch.dtype) -> Kernel | None:
    """The best kernel for a number format that runs here, compiled if it was not yet."""
    variant = _variant(dtype)
    try:
        return None if variant is None else compiled(source, variant)
    except BuildFailed:
        return None


def int8_variant(dtype: torch.dtype) -> Variant | None:
    """The kind of kernel that multiplies in int8 between numbers of a format here."""
    return next((v for v in INT8_VARIANTS if v.dtype == dtype and v.runs()), None)


def note(source: Source, dtype: torch.dtype) -> str:
    """Who computes what a kernel is for in a number format here, for people."""
    variant = _variant(dtype)
    if variant is None:
        wanted = " or ".join(v.name for v in VARIANTS if v.dtype == dtype)
        lack = f"the processor lacks {wanted}" if wanted else f"no kernel is for {dtype}"
        return f"{source.what} by PyTorch: {lack}"
    try:
        compiled(source, variant)
    except BuildFailed as error:
        return f"{source.what} by PyTorch: {error}"
    return told(source, variant)


def told(source: Source, variant: Variant) -> str:
    """That a kernel computes what it is for, for people."""
    return f"{source.what} by a kernel compiled here ({variant.name})"


def _variant(dtype: torch.dtype) -> Variant | None:
    return next((v for v in VARIANTS if v.dtype == dtype and v.runs()), None)
