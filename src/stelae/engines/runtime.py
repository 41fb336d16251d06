"""Where and in which number format torch computes; imported by engines on torch only."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from functools import cache

import torch
from msgspec.structs import replace

from stelae.engines.base import Device, EngineOptions
from stelae.engines.hardware import bfloat16_feature, cores
from stelae.types import ComputeDtype


def device_of(options: EngineOptions) -> torch.device:
    """The device asked for, or the best there is; on the CPU, takes the threads it may use."""
    found = options.device or (Device.CUDA if torch.cuda.is_available() else Device.CPU)
    if found is Device.CPU:
        torch.set_num_threads(threads_of(options))
    return torch.device(found.value)


def threads_of(options: EngineOptions) -> int:
    """CPU threads asked for, or one for each processor that this process may use."""
    return options.threads or cores()


def dtype_of(options: EngineOptions, device: torch.device) -> tuple[torch.dtype, str]:
    """The number format to compute in, and why.

    ``auto`` takes bf16 where the device multiplies it natively, else fp32; so does ``int8`` for
    all but what is multiplied in whole numbers.
    """
    if options.dtype is ComputeDtype.INT8:
        dtype, why = dtype_of(replace(options, dtype=ComputeDtype.AUTO), device)
        return dtype, f"int8: asked for; beside it {why}"
    if options.dtype is not ComputeDtype.AUTO:
        return getattr(torch, options.dtype.value), f"{options.dtype.value}: asked for"
    if device.type == Device.CUDA.value:
        return torch.bfloat16, "bfloat16: the device multiplies it natively"
    feature = bfloat16_feature()
    if feature is not None:
        return torch.bfloat16, f"bfloat16: the processor has {feature}"
    return torch.float32, f"float32: no bf16 instructions on this {platform.machine()} processor"


def name_of(dtype: torch.dtype) -> str:
    """The format's name as models state it, such as ``bfloat16``."""
    return str(dtype).removeprefix("torch.")


def faithful_dtype(options: EngineOptions) -> tuple[torch.dtype, str]:
    """The number format for models of which only fp32 is known to be faithful, and why."""
    if options.dtype is ComputeDtype.AUTO:
        return torch.float32, "float32: the library computes in it"
    return getattr(torch, options.dtype.value), f"{options.dtype.value}: asked for"


CORES = 8
"""Processors of a lane: fewer are put to better use by one batch with all of them."""

FREE = 4
"""Lanes at most that share few processors evenly, where a pass leaves the interpreter to others."""


def lanes_of(options: EngineOptions, device: torch.device, *, free: bool) -> int:
    """How many batches may run at once where an engine keeps nothing between two layers.

    None beside another (0) on a GPU, where adapters are put into the layers, and where each text
    has to give the same bits whatever runs beside it.

    Args:
        options: What the engine was started with.
        device: Where it runs.
        free: Whether a pass leaves the interpreter to others nearly all the time.
    """
    if device.type != Device.CPU.value or options.deterministic or options.adapters.sources:
        return 0
    processors = threads_of(options)
    even = max(lanes for lanes in range(1, FREE + 1) if processors % lanes == 0)
    return max(1, processors // CORES, even if free else 1)


def spread(threads: int) -> None:
    """Let torch use so many threads for what the calling thread computes, and no other."""
    torch.get_num_threads()  # what torch sets in each thread, once, is set before
    (_openmp() or torch.set_num_threads)(threads)


@cache
def _openmp() -> Callable[[int], None] | None:
    """OpenMP's own call, which concerns the calling thread alone, where it is to be had.

    It is over at once, so that thread keeps the interpreter.
    """
    try:
        return ctypes.PyDLL(None).omp_set_num_threads
    except AttributeError:
        return None
