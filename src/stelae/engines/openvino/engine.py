"""From a checkpoint to an engine: OpenVINO's graph behind the token loop."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineInfo, EngineOptions
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
from stelae.engines.hardware import gpus
from stelae.engines.openvino.loading import load_model
from stelae.engines.runtime import dtype_of, name_of
from stelae.errors import UnsupportedCheckpoint

ABLE = frozenset({
    Ability.STRUCTURE, Ability.LOGPROBS, Ability.LOGIT_BIAS, Ability.MIN_P, Ability.SEED,
    Ability.PROMPT_TOKENS,
})  # fmt: skip
"""What this engine can be asked for."""


def load(spec: ModelSpec, options: EngineOptions) -> LoopEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented, or another engine serves it better.
        ModelLoadFailed: The library cannot read it.
    """
    if spec.generation is None:
        raise UnsupportedCheckpoint(f"model {spec.name!r} goes on with no conversation")
    _check_place(options)
    dtype, note = dtype_of(options, torch.device("cpu"))
    room = options.cache_tokens // BLOCK * BLOCK
    template = template_of(spec.generation)
    tokens = FileTokens(Path(spec.folder, spec.tokenizer), marks_of(spec.generation))
    model = load_model(spec, options, name_of(dtype), room)
    info = EngineInfo(
        fingerprint=fingerprint(spec, name_of(dtype), weights_digest(spec)),
        dtype=name_of(dtype),
        device=Device.CPU,
        notes=(note, f"keys and values of {room} tokens are kept at once"),
    )
    intake = Intake(
        template=template,
        tokens=tokens,
        vocabulary=model.vocabulary,
        context=min(spec.max_tokens, room),
        engine="openvino",
        able=ABLE,
    )
    kept = 0 if options.deterministic else MOST
    view = partial(of_file, tokens, model.vocabulary, spec.generation.ends)
    structures = Structures(spec.generation, tokens.decode, view, model.vocabulary)
    ends = frozenset(spec.generation.ends)
    return LoopEngine(intake, model, ends, info, room, kept, structures=structures)


def _check_place(options: EngineOptions) -> None:
    """Leave models to engines that do more for them.

    Raises:
        UnsupportedCheckpoint: There is a GPU, or adapters are asked for.
    """
    if options.device not in (None, Device.CPU) or (options.device is None and gpus()):
        raise UnsupportedCheckpoint("it runs on the CPU only, and there is a GPU")
    if options.adapters.sources:
        raise UnsupportedCheckpoint("it runs without adapters, and the model has some")
