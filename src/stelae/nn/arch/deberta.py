"""DeBERTa v2 and v3: scores from contents and from distances, each with its own products.

Source: He et al. 2021 (arXiv:2006.03654) and 2023 (arXiv:2111.09543).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, cast

from torch import Tensor, nn

from stelae.nn.backbone import activation_of, architecture, require
from stelae.nn.batch import TokenBatch
from stelae.nn.fields import Epsilon, Width
from stelae.nn.heads.classify import ClassifierHead
from stelae.nn.heads.masked_lm import MaskedLmHead
from stelae.nn.layers.convolution import Convolution, flat_kernel
from stelae.nn.layers.disentangled import DisentangledLayer, Distances
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.linear import Linear
from stelae.nn.layers.norm import LayerNorm
from stelae.nn.postnorm import (
    BLOCKS,
    EMBEDDINGS,
    NORMS,
    QKV,
    UNUSED,
    PostNormConfig,
    PostNormEncoder,
    classifier_names,
    masked_lm_names,
)
from stelae.nn.weights import WeightMap

KINDS = ("c2p", "p2c")


class DebertaConfig(PostNormConfig, kw_only=True):
    """Positions may be on the scores, in the embeddings, or both."""

    type_vocab_size: int = 0
    layer_norm_eps: Epsilon = 1e-7
    embedding_size: Width | None = None
    position_biased_input: bool = True
    relative_attention: bool = False
    max_relative_positions: int = -1
    position_buckets: int = -1
    pos_att_type: str | tuple[str, ...] | None = None
    share_att_key: bool = False
    norm_rel_ebd: str = "none"
    conv_kernel_size: int = 0
    conv_groups: int = 1
    conv_act: str = "tanh"
    pooler_hidden_act: str = "gelu"
    pooler_hidden_size: Width | None = None

    @property
    def embedding(self) -> int:
        """Width of the embeddings."""
        return self.embedding_size or self.hidden_size

    def kinds(self) -> frozenset[str]:
        """Which distances count for the scores."""
        stated = self.pos_att_type or ()
        names = stated.lower().split("|") if isinstance(stated, str) else stated
        kinds = frozenset(name.strip() for name in names)
        require(kinds <= {*KINDS}, "pos_att_type", sorted(kinds), ", ".join(KINDS))
        return kinds if self.relative_attention else frozenset()

    def distances(self) -> Distances:
        """Buckets of the distances."""
        farthest = self.max_relative_positions
        if farthest < 1:
            farthest = self.max_position_embeddings
        if self.position_buckets > 0:
            return Distances(self.position_buckets, farthest)
        return Distances(farthest)

    def convolution(self) -> Convolution | None:
        """What the first block is joined by in the largest checkpoints of v2."""
        size, groups = self.conv_kernel_size, self.conv_groups
        if size <= 0:
            return None
        require(size % 2 == 1, "conv_kernel_size", size, "odd numbers")
        require(groups == 1, "conv_groups", groups, "1")
        return Convolution(self.hidden_size, size, activation_of(self.conv_act, "conv_act"))


@architecture("DebertaV2Model", "DebertaV2ForMaskedLM", "DebertaV2ForSequenceClassification")
class Deberta(PostNormEncoder):
    """All blocks share one table of distances."""

    Config: ClassVar = DebertaConfig
    config: DebertaConfig
    adapts = False  # the products of distances are shared by all texts
    hides = False  # the library lets such tokens look at all, themselves without content
    weights = WeightMap(
        prefixes=("deberta.",),
        rename={
            **NORMS,
            **EMBEDDINGS,
            r"^embeddings\.embed_proj": "widen",
            r"^encoder\.rel_embeddings": "table",
            r"^encoder\.LayerNorm": "table_norm",
            r"^encoder\.conv\.conv\.": "convolution.mix.",
            r"^encoder\.conv\.LayerNorm": "convolution_norm",
            r"attention\.self\.pos_key_proj": "distance_key",
            r"attention\.self\.pos_query_proj": "distance_query",
            r"attention\.self\.(query|key|value)_proj": r"attention.self.\1",
            **BLOCKS,
        },
        fuse=QKV,
        change={r"convolution\.mix\.weight": flat_kernel},
        ignore=(*UNUSED, r"cls\..*", r"lm_predictions\..*", r"mask_predictions\..*"),
    )
    masked_lm_weights = masked_lm_names(
        dense=r"^(cls\.predictions\.transform|lm_predictions\.lm_head)\.dense\.",
        norm=r"^(cls\.predictions\.transform|lm_predictions\.lm_head)\.LayerNorm\.",
        decoder=r"^cls\.predictions\.decoder\.",
        bias=r"^(cls\.predictions|lm_predictions\.lm_head)\.bias$",
    )
    classifier_weights = classifier_names(r"^pooler\.dense\.", r"^classifier\.")

    def __init__(self, config: DebertaConfig) -> None:
        super().__init__(config)
        width, eps = config.hidden_size, config.layer_norm_eps
        if not config.position_biased_input:
            del self.positions
        self.norm = LayerNorm(width, eps)
        narrow = config.embedding
        self.widen = Linear(narrow, width, bias=False) if narrow != width else nn.Identity()
        relative = config.relative_attention
        self.table = Embedding(2 * config.distances().span, width) if relative else None
        normed = "layer_norm" in config.norm_rel_ebd.lower()
        self.table_norm = LayerNorm(width, eps) if normed else nn.Identity()
        self.convolution = config.convolution()
        self.convolution_norm = None if self.convolution is None else LayerNorm(width, eps)

    def block(self) -> DisentangledLayer:
        """One block."""
        config = self.config
        return DisentangledLayer(
            self.width,
            config.num_attention_heads,
            config.intermediate_size,
            config.activation,
            config.layer_norm_eps,
            kinds=config.kinds(),
            shared=config.share_att_key,
        )

    def embed(self, batch: TokenBatch) -> Tensor:
        """Normalised sum of the embeddings, shape ``(T, H)``."""
        x: Tensor = self.words(batch.ids)
        if self.config.position_biased_input:
            x = x + self.positions(batch.positions)
        normed: Tensor = self.norm(self.widen(self.typed(x, batch)))
        return normed

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Token vectors after the embeddings and after each block, each ``(T, H)``."""
        x = self.embed(batch)
        yield x
        longest = max(group.length for group in batch.groups)
        rows = self.config.distances().rows(longest, x.device)
        first, *others = cast("Iterable[DisentangledLayer]", self.layers)
        x = self.joined(x, first.look(x, batch, self.rows, rows), batch)
        yield x
        for block in others:
            x = block.look(x, batch, self.rows, rows)
            yield x

    def joined(self, x: Tensor, y: Tensor, batch: TokenBatch) -> Tensor:
        """What the first block made, ``y``, joined by neighbours among the embeddings ``x``."""
        if self.convolution is None or self.convolution_norm is None:
            return y
        normed: Tensor = self.convolution_norm(y + self.convolution(x, batch))
        return normed

    def rows(self) -> Tensor:
        """Vectors of the buckets, shape ``(2 span, H)``."""
        if self.table is None:
            return self.words.weight.new_zeros(1, self.width)
        normed: Tensor = self.table_norm(self.table.weight)
        return normed

    def masked_lm(self) -> MaskedLmHead:
        """The head for masked words, as wide inside as the token vectors."""
        config = self.config
        return MaskedLmHead(
            self.width,
            config.vocab_size,
            eps=config.layer_norm_eps,
            activation=config.activation,
        )

    def classifier(self, labels: int) -> ClassifierHead:
        """The head for classes: the first token, one dense layer."""
        config = self.config
        activation = activation_of(config.pooler_hidden_act, "pooler_hidden_act")
        return ClassifierHead(
            self.width, labels, hidden=activation, inner=config.pooler_hidden_size
        )
