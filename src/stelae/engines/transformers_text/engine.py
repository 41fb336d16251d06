"""From a checkpoint to an engine: the library's model behind the token loop."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions
from stelae.engines.chat.abilities import Ability
from stelae.engines.chat.engine import LoopEngine
from stelae.engines.chat.formats.table import marks_of
from stelae.engines.chat.intake import Intake
from stelae.engines.chat.prefixes import MOST
from stelae.engines.chat.stepping import BLOCK
from stelae.engines.chat.structure.structures import Structures
from stelae.engines.chat.structure.vocabulary import of_file
from stelae.engines.chat.template import template_of
from stelae.engines.chat.tokens import FileTokens
from stelae.engines.runtime import device_of, dtype_of, name_of
from stelae.engines.transformers_text.adapters import adapters_of
from stelae.engines.transformers_text.model import PackedModel, load_model
from stelae.engines.transformers_text.seeing import SeeingModel, eyes_of
from stelae.errors import UnsupportedCheckpoint
from stelae.nn.kernels import cached, linear, variants

ABLE = frozenset({
    Ability.STRUCTURE, Ability.LORA, Ability.LOGPROBS, Ability.LOGIT_BIAS, Ability.MIN_P,
    Ability.SEED, Ability.PROMPT_TOKENS,
})  # fmt: skip
"""What this engine can be asked for."""


def _kernels(dtype: torch.dtype, device: torch.device) -> tuple[str, ...]:
    """What computes attention and linear layers, where there is a choice."""
    if device.type != "cpu":
        return ()
    return variants.note(cached.SOURCE, dtype), linear.note(dtype)


def load(spec: ModelSpec, options: EngineOptions) -> LoopEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented.
        ModelLoadFailed: The library cannot read it.
    """
    if spec.generation is None:
        raise UnsupportedCheckpoint(f"model {spec.name!r} goes on with no conversation")
    device = device_of(options)
    dtype, note = dtype_of(options, device)
    eyes = eyes_of(spec)
    model = load_model(spec, dtype, device, PackedModel if eyes is None else SeeingModel)
    info = EngineInfo(
        fingerprint=fingerprint(spec, name_of(dtype), weights_digest(spec)),
        dtype=name_of(dtype),
        device=str(device),
        notes=(
            note,
            f"keys and values of {options.cache_tokens} tokens are kept at once",
            *_kernels(dtype, device),
        ),
    )
    room = options.cache_tokens
    tokens = FileTokens(Path(spec.folder, spec.tokenizer), marks_of(spec.generation))
    intake = Intake(
        template=template_of(spec.generation),
        tokens=tokens,
        vocabulary=model.vocabulary,
        context=min(spec.max_tokens, room // BLOCK * BLOCK),
        engine="transformers_text",
        able=ABLE if eyes is None else ABLE | {Ability.IMAGES},
        eyes=eyes,
    )
    kept = 0 if options.deterministic else MOST
    adapters = adapters_of(spec, model, options)
    view = partial(of_file, tokens, model.vocabulary, spec.generation.ends)
    structures = Structures(spec.generation, tokens.decode, view, model.vocabulary)
    return LoopEngine(
        intake, model, frozenset(spec.generation.ends), info, room, kept, adapters, structures
    )
