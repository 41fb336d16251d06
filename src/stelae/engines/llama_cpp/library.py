"""llama.cpp's own functions: a model opened, a context made, and what it prints."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import structlog

from stelae.engines.base import Device, EngineOptions
from stelae.engines.hardware import cores
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import ComputeDtype

log = structlog.get_logger(__name__)

ALL_LAYERS = -1

STEP_TOKENS = 512
"""Tokens that the library runs at once; longer steps are cut by it."""

F32, F16, BF16 = 0, 1, 30
"""Formats of numbers, by the library's code."""

KEPT = {ComputeDtype.AUTO: F16, ComputeDtype.BFLOAT16: BF16, ComputeDtype.FLOAT32: F32}
"""Formats of keys and values."""

WARNING, ERROR = 3, 4
"""Levels of what the library prints."""


@cache
def start() -> Any:
    """Start the library, once; what it prints goes to our log from here on."""

    @lib.llama_log_callback  # type: ignore[untyped-decorator]  # theirs
    def tell(level: int, text: bytes, data: Any) -> None:
        del data
        said = text.decode("utf-8", "replace").strip()
        if said and level in (WARNING, ERROR):
            log.debug("llama_cpp_says", text=said)

    lib.llama_log_set(tell, ctypes.c_void_p(0))
    lib.llama_backend_init()
    return tell  # the library keeps a bare pointer to it


def open_model(file: Path, device: Device) -> Any:
    """The library's model.

    Raises:
        ModelLoadFailed: The library cannot read the file.
        UnsupportedCheckpoint: It reads and writes by two parts of the model.
    """
    start()
    how = lib.llama_model_default_params()
    how.n_gpu_layers = ALL_LAYERS if device is Device.CUDA else 0
    # Quirk: with its extra buffers the library's AMX kernels crash on q8_0 (llama-cpp-python
    # 0.3.36; tests/parity/test_llama_cpp.py writes with such a model).
    how.use_extra_bufts = False
    model = lib.llama_model_load_from_file(os.fsencode(file), how)
    if not model:
        raise ModelLoadFailed(
            f"llama.cpp cannot load {file}",
            hint="it may be of an architecture that the installed llama-cpp-python does not know",
        )
    if lib.llama_model_has_encoder(model):
        lib.llama_model_free(model)
        raise UnsupportedCheckpoint(f"{file} has an encoder, which is not implemented")
    return model


def open_context(model: Any, options: EngineOptions, room: int, texts: int) -> Any:
    """What runs a model, with room for keys and values of so many tokens of so many texts.

    Raises:
        ModelLoadFailed: There is not the memory for it; the model is freed.
    """
    how = lib.llama_context_default_params()
    how.n_ctx, how.n_seq_max, how.kv_unified = room, texts, True
    how.n_batch = how.n_ubatch = STEP_TOKENS
    how.n_threads = how.n_threads_batch = options.threads or cores()
    how.type_k = how.type_v = KEPT[options.dtype]
    if options.dtype is ComputeDtype.FLOAT32:
        how.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED  # it rounds to fp16
    how.no_perf = True
    context = lib.llama_init_from_model(model, how)
    if not context:
        lib.llama_model_free(model)
        raise ModelLoadFailed(
            f"llama.cpp has no memory for keys and values of {room} tokens",
            hint="lower limits.cache_tokens",
        )
    return context


def gpu() -> bool:
    """Whether the library was built for a GPU and there is one."""
    start()
    return bool(lib.llama_supports_gpu_offload())
