"""The steps from token vectors to one kind of output, with the checkpoint's weights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stelae.catalog.abilities import Classify, YesNo
from stelae.catalog.operations import (
    Cut,
    Dense,
    Foreign,
    LateInteraction,
    LayerNorm,
    LayerPool,
    Module,
    Normalize,
    OwnPool,
    Pool,
    SparsePool,
    StaticTerms,
    TermWeights,
    TopTerms,
)
from stelae.catalog.spec import Backbone as SpecBackbone
from stelae.catalog.spec import Chain, ModelSpec
from stelae.engines.text.features import Output
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.nn.backbone import Backbone
from stelae.nn.batch import TokenBatch
from stelae.nn.heads.dense import CutHead, DenseHead, NormalizeHead
from stelae.nn.heads.late import LateInteractionHead
from stelae.nn.heads.layers import LayerPoolHead
from stelae.nn.heads.pooling import PoolingHead
from stelae.nn.heads.sparse import SpladeHead, StaticTermsHead, TermWeightsHead
from stelae.nn.heads.top_terms import TopTermsHead
from stelae.nn.layers import norm
from stelae.nn.static import StaticTable
from stelae.nn.stored import read
from stelae.nn.weights import WeightMap, assign
from stelae.types import OutputType, Role

Trunk = Backbone | StaticTable
Tensors = Mapping[str, Tensor]

AS_THEY_ARE = WeightMap()
"""For files that have our names."""

FIELDS = {
    OutputType.DENSE: "dense",
    OutputType.SPARSE: "terms",
    OutputType.MULTIVECTOR: "vectors",
}


class Head(nn.Module):
    """One kind of output.

    Args:
        field: Where the rows go in an ``Output``.
        steps: From token vectors to rows, in order.

    Attributes:
        reads_tokens: Whether it needs the trunk's token vectors.
        reads_layers: Whether it needs those of every layer.
    """

    def __init__(self, field: str, steps: Sequence[nn.Module]) -> None:
        super().__init__()
        self.field = field
        self.steps = nn.ModuleList(steps)
        self.reads_tokens = not isinstance(self.steps[0], StaticTermsHead)
        self.reads_layers = any(isinstance(step, LayerPoolHead) for step in self.steps)

    def forward(
        self, states: Sequence[Tensor], batch: TokenBatch, roles: Sequence[Role | None]
    ) -> Sequence[Any]:
        """Rows in packed order.

        Args:
            states: Token vectors; of every layer if ``reads_layers``, else the last only.
            batch: Where each text lies.
            roles: The side of each text, in packed order.
        """
        x: Any = states[-1] if states else batch.ids
        for step in self.steps:
            match step:
                case PoolingHead():
                    x = step(x, batch)
                case LayerPoolHead():
                    x = step(states)
                case LateInteractionHead():
                    x = step(x, batch, roles)
                case DenseHead() | NormalizeHead() | CutHead() | norm.LayerNorm() | TopTermsHead():
                    x = step(x.float())
                case _:
                    x = step(x, batch)
        rows: Sequence[Any] = list(x.float().cpu().numpy()) if isinstance(x, Tensor) else x
        return rows

    def put(self, rows: Sequence[Any], batch: TokenBatch, outputs: Sequence[Output]) -> None:
        """Give rows in packed order to the texts in the caller's order."""
        for row, index in zip(rows, batch.order, strict=True):
            setattr(outputs[index], self.field, row)


def build_head(spec: ModelSpec, chain: Chain, trunk: Trunk, tensors: Tensors) -> Head:
    """The head for a chain.

    A closing ``Normalize`` of dense vectors is left out: whether they get unit length
    is the call's to say.

    Args:
        spec: The model.
        chain: What makes the output.
        trunk: What gives the token vectors.
        tensors: The trunk's file, where heads of its own class lie too.
    """
    steps = chain.steps
    if chain.output is OutputType.DENSE and isinstance(steps[-1], Normalize):
        steps = steps[:-1]
    made = [_step(spec, step, trunk, tensors) for step in steps]
    return Head(FIELDS[chain.output], made)


def _step(spec: ModelSpec, step: Module, trunk: Trunk, tensors: Tensors) -> nn.Module:
    match step:
        case Pool() | OwnPool():
            return _pool(step, trunk, tensors)
        case LayerPool():
            return _loaded(spec, step.folder, step.weights, LayerPoolHead(step.first, step.layers))
        case LayerNorm():
            made = norm.LayerNorm(step.width, step.eps)
            return _loaded(spec, step.folder, step.weights, made, WeightMap(prefixes=("norm.",)))
        case Dense():
            return _dense(spec, step, tensors)
        case SparsePool():
            return _splade(spec, step, trunk, tensors)
        case TermWeights():
            terms = TermWeightsHead(trunk.width, step.unused)
            return _loaded(spec, "", step.weights, terms, WeightMap(rename={"^": "linear."}))
        case StaticTerms():
            return _static_terms(spec, step)
        case TopTerms():
            return _top_terms(spec, step)
        case Normalize() | Cut() | LateInteraction() | Foreign():
            return _weightless(step, trunk)


def _weightless(step: Normalize | Cut | LateInteraction | Foreign, trunk: Trunk) -> nn.Module:
    match step:
        case Normalize():
            return NormalizeHead()
        case Cut():
            return CutHead(step.width)
        case LateInteraction():
            return _late(step, trunk)
        case Foreign():
            raise UnsupportedCheckpoint(f"the module {step.kind} is not implemented")


def _late(step: LateInteraction, trunk: Trunk) -> LateInteractionHead:
    hidden = any(
        s.expand is not None and not s.attend_expansion for s in (step.query, step.document)
    )
    if hidden and isinstance(trunk, Backbone) and not trunk.hides:
        raise UnsupportedCheckpoint(
            f"query expansion with attend=false is not implemented for {type(trunk).__name__}"
        )
    return LateInteractionHead(step)


def _loaded(
    spec: ModelSpec, folder: str, file: str, head: nn.Module, weights: WeightMap = AS_THEY_ARE
) -> nn.Module:
    assign(head, weights.apply(read([Path(spec.folder, folder, file)])), torch.float32)
    return head


def _pool(step: Pool | OwnPool, trunk: Trunk, tensors: Tensors) -> nn.Module:
    if isinstance(step, Pool):
        return PoolingHead(step.modes)
    if not isinstance(trunk, Backbone):
        raise UnsupportedCheckpoint("a table of vectors has no pooling of its own")
    pooler = trunk.pooler()
    dtype = next(trunk.parameters()).dtype
    assign(pooler, trunk.pooler_weights.apply(tensors), dtype)
    return pooler


def _dense(spec: ModelSpec, step: Dense, tensors: Tensors) -> nn.Module:
    head = DenseHead(
        step.inputs,
        step.outputs,
        bias=step.bias,
        activation=step.activation,
        residual=step.residual,
    )
    if not _beside(spec, step):
        tensors = read([Path(spec.folder, step.folder, step.weights)])
    ours = ("linear.weight", "linear.bias", "beside.weight")
    pairs = zip(ours, (*step.names, "residual.weight"), strict=True)
    weights = WeightMap(
        rename={f"^{re.escape(theirs)}$": name for name, theirs in pairs if theirs},
        only=tuple(map(re.escape, ours)),
        change={r"linear\.weight": _transposed} if step.transposed else {},
    )
    assign(head, weights.apply(tensors), torch.float32)
    return head


def _transposed(matrix: Tensor) -> Tensor:
    return matrix.T.contiguous()


def _beside(spec: ModelSpec, step: Dense) -> bool:
    """Whether a layer's tensors lie in a trunk's file."""
    trunks = [spec.backbone, *(() if spec.vision is None else (spec.vision.backbone,))]
    files = {(t.folder, file) for t in trunks if isinstance(t, SpecBackbone) for file in t.weights}
    return (step.folder, step.weights) in files


def _splade(spec: ModelSpec, step: SparsePool, trunk: Trunk, tensors: Tensors) -> nn.Module:
    if not isinstance(trunk, Backbone) or not isinstance(spec.backbone, SpecBackbone):
        raise UnsupportedCheckpoint("a table of vectors has no masked language head")
    logits = trunk.masked_lm()
    found = trunk.masked_lm_weights.apply(tensors)
    if spec.backbone.config.get("tie_word_embeddings", True) is not False:
        found.setdefault("decoder.weight", trunk.words.weight)
    elif "decoder.weight" not in found:
        raise ModelLoadFailed(
            f"config.json sets tie_word_embeddings=false, and {found.source.where} lack "
            f"{found.called('decoder.weight')} of the masked language head"
        )
    assign(logits, found, trunk.words.weight.dtype)
    return SpladeHead(logits, trunk.words.weight.shape[0], step.pooling, step.activation)


def _static_terms(spec: ModelSpec, step: StaticTerms) -> nn.Module:
    tensors = read([Path(spec.folder, step.weights)])
    head = StaticTermsHead(len(tensors[step.name]))
    assign(head, {"weight": tensors[step.name]}, torch.float32)
    return head


def _top_terms(spec: ModelSpec, step: TopTerms) -> nn.Module:
    tensors = read([Path(spec.folder, step.folder, step.weights)])
    head = TopTermsHead(step.inputs, step.outputs, step.keep, standardize=step.standardize)
    named = {"centre": "pre_bias", "features.bias": "latent_bias", "features.weight": step.name}
    found = {ours: tensors[theirs] for ours, theirs in named.items()}
    assign(head, found, torch.float32)
    return head


def build_scorer(
    spec: ModelSpec, scoring: Classify | YesNo, trunk: Trunk, tensors: Tensors
) -> Head:
    """The head that scores a pair of texts read together, in fp32."""
    if spec.scorer:
        return Head("scores", [_step(spec, step, trunk, tensors) for step in spec.scorer])
    if not isinstance(trunk, Backbone):
        raise UnsupportedCheckpoint("a table of vectors cannot read two texts together")
    if isinstance(scoring, YesNo):
        answers = [scoring.yes] if scoring.no is None else [scoring.yes, scoring.no]
        return Head("scores", [trunk.choice(tensors, answers)])
    head = trunk.classifier(len(scoring.labels))
    assign(head, trunk.classifier_weights.apply(tensors), torch.float32)
    return Head("scores", [head])
