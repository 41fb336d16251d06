"""A checkpoint's trunk and heads, run together on packed tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from stelae.catalog.operations import Pool
from stelae.catalog.spec import Backbone as SpecBackbone
from stelae.catalog.spec import Chain, ModelSpec, Static
from stelae.engines.encoder.heads import Head, Trunk, build_head, build_scorer
from stelae.engines.text.features import Features, Output
from stelae.errors import UnsupportedCheckpoint
from stelae.nn.backbone import Backbone, backbone_class
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.kernels.quantised import kernel_for
from stelae.nn.layers.linear import prepack
from stelae.nn.lora.update import adapted
from stelae.nn.quantise import quantise
from stelae.nn.static import StaticTable
from stelae.nn.stored import Stored, read, within
from stelae.nn.weights import Named, assign
from stelae.types import OutputType, Role

Heads = tuple[Head, ...]


class TextEncoder(nn.Module):
    """Token ids to what is wanted of them, exactly as the checkpoint says.

    The trunk computes in ``dtype``; pooling and all that follows in fp32.

    Args:
        spec: The model.
        dtype: Number format of the trunk.
        device: Where to run.
        deterministic: Whether each text runs alone, so that its numbers are the same
            bit for bit whatever else is asked at the time.
        int8: Smoothing of the trunk's layers that multiply in int8, by name.

    Raises:
        ModelLoadFailed: There is no such layer, or no kernel for it here.
    """

    def __init__(
        self,
        spec: ModelSpec,
        dtype: torch.dtype,
        device: torch.device,
        *,
        deterministic: bool = False,
        int8: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.device, self.deterministic = device, deterministic
        tensors = read_trunk(spec)
        self.trunk = load_trunk(spec, tensors, dtype)
        if int8:
            quantise(self.trunk, named_weights(spec, tensors), kernel_for(dtype), int8)
        self.heads = nn.ModuleList(
            build_head(spec, chain, self.trunk, tensors) for chain in spec.chains
        )
        self.scorer = (
            None if spec.scoring is None else build_scorer(spec, spec.scoring, self.trunk, tensors)
        )
        # What is remembered knows no encoder: that would leave its weights to the collector.
        made = list(zip(spec.chains, self.heads, strict=True))
        self._heads = lru_cache(64)(partial(_wanted, made, self.scorer))
        self.skips_prompts = any(not pool.include_prompt for pool in _pools(spec.chains))
        self.to(device)
        prepack(self)
        self.eval()

    @property
    def free(self) -> bool:
        """Whether a pass leaves the interpreter to others nearly all the time."""
        return isinstance(self.trunk, Backbone) and self.trunk.free

    @torch.inference_mode()
    def run(self, batch: Sequence[Features]) -> list[Output]:
        """What is wanted of each entry, in order."""
        outputs = [Output() for _ in batch]
        for heads, indices in self._parts(batch).items():
            self._together(heads, [batch[i] for i in indices], [outputs[i] for i in indices])
        return outputs

    def _parts(self, batch: Sequence[Features]) -> dict[Heads, list[int]]:
        """Entries by the heads they need; nearly always all need the same."""
        parts: dict[Heads, list[int]] = {}
        for index, features in enumerate(batch):
            parts.setdefault(self._heads(features.outputs, features.role), []).append(index)
        return parts

    def _together(self, heads: Heads, batch: Sequence[Features], outputs: Sequence[Output]) -> None:
        """Fill the outputs of entries that need the same heads."""
        if self.deterministic and len(batch) > 1:
            for features, output in zip(batch, outputs, strict=True):
                self._together(heads, [features], [output])
            return
        packed = self._pack(batch)
        roles = [batch[i].role for i in packed.order]
        with adapted(packed, [batch[i].lora for i in packed.order]):
            states = self._states(heads, packed)
            for head in heads:
                head.put(head(states, packed, roles), packed, outputs)

    def _pack(self, batch: Sequence[Features]) -> TokenBatch:
        return pack(
            [features.ids for features in batch],
            [features.prompt for features in batch] if self.skips_prompts else [],
            self.device,
            seconds=[_second(f) for f in batch] if any(f.second is not None for f in batch) else [],
            seen=[_seen(f) for f in batch] if any(f.seen is not None for f in batch) else [],
        )

    def _states(self, heads: Heads, packed: TokenBatch) -> list[Tensor]:
        if not any(head.reads_tokens for head in heads):
            return []
        if any(head.reads_layers for head in heads):
            return list(self.trunk.states(packed))
        return [self.trunk(packed)]

    def close(self) -> None:
        """Free trunk and heads."""
        del self.trunk, self.heads, self.scorer, self._heads


def _wanted(
    made: Sequence[tuple[Chain, nn.Module]],
    scorer: Head | None,
    outputs: tuple[OutputType, ...],
    role: Role | None,
) -> Heads:
    """The heads for what is wanted of a text on one side: its scores if no outputs are."""
    if not outputs:
        return () if scorer is None else (scorer,)
    return tuple(_head(made, output, role) for output in outputs)


def _head(made: Sequence[tuple[Chain, nn.Module]], output: OutputType, role: Role | None) -> Head:
    for side in (role, None, Role.DOCUMENT):
        for chain, head in made:
            if chain.output is output and chain.role is side and isinstance(head, Head):
                return head
    raise KeyError(output)


def _second(features: Features) -> int:
    return len(features.ids) if features.second is None else features.second


def _seen(features: Features) -> int:
    return len(features.ids) if features.seen is None else features.seen


def _pools(chains: Iterable[Chain]) -> list[Pool]:
    return [step for chain in chains for step in chain.steps if isinstance(step, Pool)]


def read_trunk(spec: ModelSpec) -> Stored:
    """All tensors in the files of the trunk."""
    part = spec.backbone
    files = (part.weights,) if isinstance(part, Static) else part.weights
    return read(Path(spec.folder, part.folder, name) for name in files)


def load_trunk(spec: ModelSpec, tensors: dict[str, Tensor], dtype: torch.dtype) -> Trunk:
    """Build the trunk and give it its weights."""
    part = spec.backbone
    if isinstance(part, Static):
        return _load_static(part, tensors)
    return load_backbone(part, tensors, dtype)


def load_backbone(
    part: SpecBackbone, tensors: Mapping[str, Tensor], dtype: torch.dtype
) -> Backbone:
    """Build a transformer and give it its weights."""
    kind = backbone_class(part.architecture)
    with torch.device("meta"):
        backbone: Backbone = kind.from_config(part.config)
    assign(backbone, kind.weights.apply(within(tensors, part.prefix)), dtype)
    return backbone


def named_weights(spec: ModelSpec, tensors: Mapping[str, Tensor]) -> Named:
    """The weights of a transformer under the names of its modules, as the checkpoint has them."""
    part = spec.backbone
    if isinstance(part, Static):
        raise UnsupportedCheckpoint("a table of vectors has no linear layers")
    return backbone_class(part.architecture).weights.apply(within(tensors, part.prefix))


def _load_static(part: Static, tensors: dict[str, Tensor]) -> StaticTable:
    table = tensors[part.name]
    named = {"table": table}
    if part.scales is not None:
        named["scales"] = tensors[part.scales]
    if part.rows is not None:
        named["places"] = tensors[part.rows]
    tokens = len(named.get("places", named.get("scales", table)))
    made = StaticTable(
        tokens, len(table), part.width, scaled="scales" in named, shared="places" in named
    )
    made.load_state_dict(named, assign=True)
    return made
