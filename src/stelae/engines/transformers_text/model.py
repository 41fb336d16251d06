"""A causal language model of the library, run on packed tokens."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import logging as transformers_log

from stelae.catalog.chat_pictures import SEEING
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.chat.stepping import Share
from stelae.engines.transformers_text.attention import NAME, Memory, Row
from stelae.engines.transformers_text.packing import pack
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.nn.lora.update import adapted

LIBRARY_ERRORS = (
    AttributeError, ImportError, KeyError, OSError, RuntimeError, StrictDataclassError, TypeError,
    ValueError,
)  # fmt: skip
"""What the library raises for checkpoints that it cannot read."""

SHIFTING = frozenset({"dynamic", "longrope"})
"""Angles of positions that depend on the longest text present: neighbours would matter."""

WINDOWS = {"sliding_attention": "sliding_window", "chunked_attention": "attention_chunk_size"}
"""Kinds of layers that see part of a text, and which number of ``config.json`` says how much."""

PROBE = 24
"""Tokens by which a model is tried."""

AWAY = {torch.float32: 1e-3, torch.bfloat16: 0.15, torch.float16: 0.05}
"""How far its scores may be off the library's own, as part of their spread."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The tokens of a step, end to end; see ``nn.lora.update.Packed``.

    Attributes:
        ids: All of them, shape ``(T,)``.
        lengths: How many each text has.
    """

    ids: Tensor
    lengths: Sequence[int]

    @property
    def segments(self) -> Tensor:
        """The text of each token, shape ``(T,)``."""
        lengths = torch.tensor(self.lengths, device=self.ids.device)
        return torch.arange(len(lengths), device=self.ids.device).repeat_interleave(lengths)


class PackedModel:
    """The library's model, run step by step; see ``Stepper``.

    Attributes:
        model: It, its linear layers those of ``packing``.
    """

    most = sys.maxsize

    def __init__(self, model: Any, device: torch.device) -> None:
        self.model, self._device = model, device
        self.vocabulary: int = model.config.get_text_config().vocab_size

    @staticmethod
    def pack_attention(model: Any) -> None:
        """Let texts be attended to by our own attention."""
        model.set_attn_implementation(NAME)

    def memory(self) -> Memory:
        return Memory()

    def fork(self, memory: Memory, tokens: int) -> Memory:
        return memory.fork(tokens)

    @torch.inference_mode()
    def scores(self, shares: Sequence[Share[Memory]]) -> Tensor:
        # Quirk: torch tells a thread how many others it may use when it is first asked, not
        # before its first product; the token loop's thread would take all cores.
        torch.get_num_threads()
        ids: list[int] = []
        rows, lasts = [], []
        for share in shares:
            begin = len(ids)
            ids += share.ids
            rows.append(Row(begin, len(ids), share.memory))
            lasts.append(len(ids) - 1)
        packed = Texts(torch.tensor(ids, device=self._device), [len(share.ids) for share in shares])
        with adapted(packed, [share.lora for share in shares]):
            made = self.model(
                **self._inputs(packed.ids, shares),
                logits_to_keep=torch.tensor(lasts, device=self._device),
                use_cache=False,
                rows=rows,
            )
        scores: Tensor = made.logits[0].float().cpu()
        return scores

    def _inputs(self, ids: Tensor, shares: Sequence[Share[Memory]]) -> dict[str, Tensor]:
        """What the library's model takes for tokens, shape ``(T,)``: they and their positions."""
        positions: list[int] = []
        for share in shares:
            positions += range(share.start, share.start + len(share.ids))
        return {
            "input_ids": ids[None],
            "position_ids": torch.tensor([positions], device=self._device),
        }

    def close(self) -> None:
        del self.model

    @torch.inference_mode()
    def check(self, expected: Tensor) -> None:
        """Compare with the library's own model, on texts cut up and in company.

        Args:
            expected: What ``probe`` made of the library's.

        Raises:
            UnsupportedCheckpoint: The scores differ, or would in a longer text: part of the
                model is no attention that is known here.
        """
        ids = _probed(self.vocabulary)
        memory, half = Memory(), PROBE // 2
        try:
            self.scores([Share(ids[5:9], 0, Memory()), Share(ids[:half], 0, memory)])
            found = self.scores([Share(ids[half:], half, memory), Share(ids[:1], 0, Memory())])[0]
        except LIBRARY_ERRORS as error:
            raise UnsupportedCheckpoint(f"texts cannot be run side by side: {error}") from error
        away = float((found - expected).abs().max() / expected.std().clamp(min=1e-6))
        if not away <= AWAY[self.model.dtype]:
            raise UnsupportedCheckpoint(
                f"run side by side, scores are off the library's own by {away:.2g} of their "
                "spread: the model has layers of a kind that is not implemented"
            )
        _check_windows(self.model.config.get_text_config(), memory.windows)


def _probed(vocabulary: int) -> list[int]:
    return [(7 * i + 3) % vocabulary for i in range(PROBE)]


@torch.inference_mode()
def probe(model: Any, device: torch.device) -> Tensor:
    """Scores of the library's own model after a few tokens, in fp32, shape ``(V,)``."""
    ids = _probed(model.config.get_text_config().vocab_size)
    made = model(input_ids=torch.tensor([ids], device=device), use_cache=False)
    scores: Tensor = made.logits[0, -1].float().cpu()
    return scores


def load_model(
    spec: ModelSpec, dtype: torch.dtype, device: torch.device, packed: type[PackedModel]
) -> PackedModel:
    """The library's model; no number is made up, no code of the checkpoint is run.

    Args:
        spec: The model.
        dtype: What it computes in.
        device: Where.
        packed: What runs it.

    Raises:
        UnsupportedCheckpoint: The class is not one of the library's, weights are missing, or
            texts cannot be run side by side.
        ModelLoadFailed: The library cannot read the checkpoint.
    """
    part = spec.backbone
    if not isinstance(part, Backbone):
        raise UnsupportedCheckpoint(f"model {spec.name!r} is a table, no language model")
    name = part.architecture
    if name not in {*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values(), *SEEING}:
        raise UnsupportedCheckpoint(f"the library has no language model {name!r}")
    transformers_log.disable_progress_bar()  # type: ignore[no-untyped-call]  # theirs
    try:
        model, report = getattr(transformers, name).from_pretrained(
            Path(spec.folder, part.folder),
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            attn_implementation="sdpa",
        )
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: transformers cannot load {spec.folder}: {error}"
        ) from error
    if report["missing_keys"] or report["mismatched_keys"]:
        wrong = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
        raise UnsupportedCheckpoint(f"weights do not fit the architecture: {wrong[:5]}")
    _check_angles(model.config)
    if getattr(model.config.get_text_config(), "attn_logit_softcapping", None) is not None:
        # Quirk: transformers 5.17 leaves it out of its default form of attention.
        model.set_attn_implementation("eager")
    expected = probe(model.eval().to(device), device)
    packed.pack_attention(model)
    pack(model)
    made = packed(model, device)
    made.check(expected)
    return made


def _check_angles(config: Any) -> None:
    stated = getattr(config.get_text_config(), "rope_parameters", None) or {}
    kind = stated.get("rope_type", "default")
    if kind in SHIFTING:
        raise UnsupportedCheckpoint(
            f"config.json sets rope_type={kind!r}, whose angles depend on the length of other "
            "texts; that is not implemented"
        )


def _check_windows(config: Any, told: dict[int, int | None]) -> None:
    """Refuse layers that see part of a text without telling attention so.

    The library hides the rest from them by a mask alone, which texts side by side do without.

    Args:
        config: Of the model.
        told: What attention was told, by the number of a layer.
    """
    most = getattr(config, "max_position_embeddings", None)
    for layer, kind in enumerate(_kinds(config)):
        window = getattr(config, WINDOWS[kind], None) if kind in WINDOWS else None
        short = window is not None and (most is None or window < most)
        if short and told.get(layer) is None:
            raise UnsupportedCheckpoint(
                f"config.json lets layer {layer} see {window} tokens ({kind}) in a way that is "
                "not implemented"
            )


def _kinds(config: Any) -> Sequence[str]:
    """What each layer sees."""
    kinds: Sequence[str] | None = getattr(config, "layer_types", None)
    if kinds:
        return tuple(kinds)
    whole = getattr(config, "use_sliding_window", True) is False
    return ("full_attention" if whole else "sliding_attention",) * int(config.num_hidden_layers)
