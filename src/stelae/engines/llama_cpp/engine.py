"""From a GGUF file to an engine: llama.cpp's model behind the token loop."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.gguf_chat import STORED
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.base import Device, EngineInfo, EngineOptions
from stelae.engines.chat.abilities import Ability
from stelae.engines.chat.engine import LoopEngine
from stelae.engines.chat.formats.table import marks_of
from stelae.engines.chat.intake import Intake
from stelae.engines.chat.prefixes import MOST
from stelae.engines.chat.stepping import BLOCK
from stelae.engines.chat.structure.structures import Structures
from stelae.engines.chat.template import template_of
from stelae.engines.llama_cpp import library
from stelae.engines.llama_cpp.model import SteppedModel
from stelae.engines.llama_cpp.tokens import LlamaTokens
from stelae.errors import UnsupportedCheckpoint

ABLE = frozenset({
    Ability.STRUCTURE,
    Ability.LOGPROBS, Ability.LOGIT_BIAS, Ability.MIN_P, Ability.SEED, Ability.PROMPT_TOKENS,
})  # fmt: skip
"""What this engine can be asked for."""

TEXTS = 64
"""Texts that can have keys and values at once."""


def load(spec: ModelSpec, options: EngineOptions) -> LoopEngine:
    """Load a GGUF file.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented.
        ModelLoadFailed: The library cannot read it, or there is no room for it.
    """
    if spec.generation is None or not isinstance(spec.backbone, Backbone):
        raise UnsupportedCheckpoint(f"model {spec.name!r} goes on with no conversation")
    device = options.device or (Device.CUDA if library.gpu() else Device.CPU)
    # Texts take whole blocks in the loop, and whole runs of cells in the library.
    room = min(options.cache_tokens, TEXTS * _whole(spec.max_tokens)) // BLOCK * BLOCK
    template = template_of(spec.generation)
    opened = library.open_model(Path(spec.folder, spec.backbone.weights[0]), device)
    context = library.open_context(opened, options, room, TEXTS)
    tokens = LlamaTokens(opened, marks_of(spec.generation))
    model = SteppedModel(opened, context, tokens.size)
    stored = "+".join(spec.backbone.config[STORED]).lower()
    info = EngineInfo(
        fingerprint=fingerprint(spec, f"{stored}/{options.dtype}", weights_digest(spec)),
        dtype=stored,
        device=str(device),
        notes=(
            f"{stored}: as the file has it",
            f"keys and values of {room} tokens are kept at once",
        ),
    )
    intake = Intake(
        template=template,
        tokens=tokens,
        vocabulary=tokens.size,
        context=min(spec.max_tokens, room),
        engine="llama_cpp",
        able=ABLE,
    )
    kept = 0 if options.deterministic or not model.forks else MOST
    ends = frozenset(spec.generation.ends)
    structures = Structures(spec.generation, tokens.decode, partial(tokens.view, ends), tokens.size)
    return LoopEngine(intake, model, ends, info, room, kept, structures=structures)


def _whole(tokens: int) -> int:
    return -(-tokens // BLOCK) * BLOCK
