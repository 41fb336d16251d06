"""The encoder engine: tokenise, run packed, put together."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.spec import ModelSpec, Pool
from stelae.engines.base import Device, EngineInfo, EngineOptions, Prepared
from stelae.engines.embedding import assemble, check_call, choose_prompt, item_error
from stelae.engines.encoder.model import TextEncoder
from stelae.engines.encoder.tokenizer import TextTokenizer, Tokens
from stelae.engines.hardware import bfloat16_feature, cores
from stelae.errors import StelaeError
from stelae.nn.batch import Ids
from stelae.types import ComputeDtype, EncodeCall, EncodeResult, Item, Truncate

Row = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Features:
    """One text, ready to run.

    Attributes:
        ids: Token ids, special tokens included.
        skip: Tokens at the start that pooling leaves out.
    """

    ids: Ids
    skip: int = 0


class EncoderEngine:
    """Serves ``encode`` from a checkpoint, on packed batches."""

    def __init__(self, spec: ModelSpec, options: EngineOptions) -> None:
        self.spec = spec
        device = _device(options)
        dtype, note = _dtype(options.dtype, device)
        if device.type == "cpu":
            torch.set_num_threads(options.threads or cores())
        self.tokenizer = TextTokenizer(
            Path(spec.folder, spec.tokenizer), spec.max_tokens, lowercase=spec.lowercase
        )
        self.model = TextEncoder(spec, dtype, device)
        name = str(dtype).removeprefix("torch.")
        self._info = EngineInfo(
            fingerprint=fingerprint(spec, name, weights_digest(spec)),
            dtype=name,
            device=str(device),
            notes=(note,),
        )
        self._skips_prompt = not _pool(spec).include_prompt
        self._warm_up()

    @property
    def info(self) -> EngineInfo:
        return self._info

    def estimate(self, call: EncodeCall) -> int:
        limit = self.spec.max_tokens
        return sum(min(limit, 2 + _size(item) // 3) for item in call.items)

    def prepare(self, call: EncodeCall) -> list[Prepared[Features]]:
        check_call(self.spec, call)
        prompt = choose_prompt(self.spec, call)
        skip = self.tokenizer.prompt_length(prompt) if prompt and self._skips_prompt else 0
        errors = [item_error(item, self.tokenizer.vocabulary) for item in call.items]
        good = [item for item, error in zip(call.items, errors, strict=True) if error is None]
        tokens = iter(self._tokens(prompt, good, call.truncate))
        return [
            _prepared(error or next(tokens), skip if item.token_ids is None else 0)
            for item, error in zip(call.items, errors, strict=True)
        ]

    def run(self, batch: Sequence[Features]) -> Sequence[Row]:
        return list(self.model.embed([f.ids for f in batch], [f.skip for f in batch]))

    def finish(
        self,
        call: EncodeCall,
        prepared: Sequence[Prepared[Features]],
        rows: Sequence[Row | StelaeError],
    ) -> EncodeResult:
        return assemble(call, self.spec, self._info.fingerprint, prepared, rows)

    def close(self) -> None:
        del self.model

    def _tokens(
        self, prompt: str, items: Sequence[Item], truncate: Truncate
    ) -> list[Tokens | StelaeError]:
        """Tokens of each item, in order; given ids stand as they are, without a prompt."""
        texts = [prompt + item.text for item in items if item.text is not None]
        read = iter(self.tokenizer.encode(texts, truncate))
        return [
            next(read) if item.token_ids is None else self.tokenizer.wrap(item.token_ids, truncate)
            for item in items
        ]

    def _warm_up(self) -> None:
        """Run once, so that the first caller does not pay for what torch sets up lazily."""
        ids = np.array([*self.tokenizer.prefix, *self.tokenizer.suffix] or [0], np.int32)
        self.run([Features(ids), Features(np.repeat(ids, 2))])


def load(spec: ModelSpec, options: EngineOptions) -> EncoderEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Something in it is not implemented, or does not fit.
    """
    return EncoderEngine(spec, options)


def _prepared(tokens: Tokens | StelaeError, skip: int) -> Prepared[Features]:
    if isinstance(tokens, StelaeError):
        return Prepared(None, error=tokens)
    count = len(tokens.ids)
    return Prepared(
        Features(tokens.ids, min(skip, count)),
        cost=count,
        tokens=count,
        truncated=tokens.truncated,
    )


def _size(item: Item) -> int:
    return len(item.text) if item.text is not None else 3 * len(item.token_ids or ())


def _pool(spec: ModelSpec) -> Pool:
    return next((module for module in spec.modules if isinstance(module, Pool)), Pool(modes=()))


def _device(options: EngineOptions) -> torch.device:
    if options.device is not None:
        return torch.device(options.device.value)
    return torch.device(Device.CUDA.value if torch.cuda.is_available() else Device.CPU.value)


def _dtype(wanted: ComputeDtype, device: torch.device) -> tuple[torch.dtype, str]:
    """The number format to compute in, and why."""
    if wanted is not ComputeDtype.AUTO:
        return getattr(torch, wanted.value), f"{wanted.value}: asked for"
    if device.type == "cuda":
        return torch.bfloat16, "bfloat16: the device multiplies it natively"
    feature = bfloat16_feature()
    if feature is not None:
        return torch.bfloat16, f"bfloat16: the processor has {feature}"
    return torch.float32, f"float32: no bf16 instructions on this {platform.machine()} processor"
