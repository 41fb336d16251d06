"""BERT and its kin: what all families of them share.

A family states its names of tensors, and what differs: how positions are counted, how
wide the embeddings are, which layers there are, what is added to the scores.

Source: Devlin et al. 2018 (arXiv:1810.04805).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import ClassVar

import msgspec
from torch import Tensor, nn

from stelae.nn.backbone import Backbone, activation_of, require
from stelae.nn.batch import TokenBatch
from stelae.nn.fields import Count, Epsilon, Layers, Width
from stelae.nn.heads.classify import CLASSIFIER_NAMES, ClassifierHead
from stelae.nn.heads.masked_lm import MASKED_LM_NAMES, MaskedLmHead
from stelae.nn.kernels.postnorm import Blocks
from stelae.nn.kernels.rows import Embeddings, fits
from stelae.nn.layers.attention import ByDistance
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.linear import Activation, Packable, prepack
from stelae.nn.layers.norm import LayerNorm
from stelae.nn.layers.postnorm import PostNormLayer
from stelae.nn.layers.whole import WholeStack, whole_stack
from stelae.nn.weights import WeightMap


class PostNormConfig(msgspec.Struct, kw_only=True):
    """The part of ``config.json`` that all families have and that decides the numbers."""

    vocab_size: Count
    hidden_size: Width
    num_hidden_layers: Layers
    num_attention_heads: Width
    intermediate_size: Width
    max_position_embeddings: Count
    type_vocab_size: int = 2
    layer_norm_eps: Epsilon = 1e-12
    hidden_act: str = "gelu"
    position_embedding_type: str = "absolute"
    is_decoder: bool = False

    @property
    def embedding(self) -> int:
        """Width of the embeddings."""
        return self.hidden_size

    @property
    def activation(self) -> Activation:
        """Of the feed-forward blocks."""
        return activation_of(self.hidden_act)


class PostNormEncoder(Backbone, Packable):
    """Embeddings of word, position and segment, then post-norm blocks.

    Attributes:
        position_kind: The ``position_embedding_type`` of the family.
        masked_lm_activation: Of the head for masked words; ``None`` for the blocks' own.
        classifier_activation: Of the head for classes.
        whole: All blocks as one, once they are laid out and where a kernel runs them so.
    """

    position_kind: ClassVar[str] = "absolute"
    masked_lm_activation: ClassVar[Activation | None] = None
    classifier_activation: ClassVar[Activation] = "tanh"

    def __init__(self, config: PostNormConfig) -> None:
        super().__init__(config)
        _check(config, self.position_kind)
        self.config = config
        self.width = config.hidden_size
        self.words = Embedding(config.vocab_size, config.embedding)
        self.positions = Embedding(config.max_position_embeddings, config.embedding)
        kinds = config.type_vocab_size
        self.types = Embedding(kinds, config.embedding) if kinds > 0 else None
        self.norm = LayerNorm(config.embedding, config.layer_norm_eps)
        self.layers = self.blocks()
        self.whole: WholeStack[Blocks] | None = None

    def blocks(self) -> nn.ModuleList:
        """All blocks that have weights."""
        return nn.ModuleList(self.block() for _ in range(self.config.num_hidden_layers))

    def block(self) -> PostNormLayer:
        """One block."""
        config = self.config
        return PostNormLayer(
            self.width,
            config.num_attention_heads,
            config.intermediate_size,
            config.activation,
            config.layer_norm_eps,
        )

    def stack(self) -> Iterable[nn.Module]:
        """The blocks in the order in which they run."""
        return self.layers

    def places(self, batch: TokenBatch) -> Tensor:
        """Row in the table of positions for each token, shape ``(T,)``."""
        return batch.positions

    def bias(self, batch: TokenBatch) -> ByDistance | None:
        """What is added to the scores in every block."""
        del batch
        return None

    def embed(self, batch: TokenBatch) -> Tensor:
        """Normalised sum of the embeddings, shape ``(T, E)``."""
        if self.free and self._summed is not None:
            return self._summed.run([batch.ids, self.places(batch), *self._kinds(batch)])
        x = self.typed(self.words(batch.ids), batch)
        normed: Tensor = self.norm(x + self.positions(self.places(batch)))
        return normed

    @cached_property
    def _summed(self) -> Embeddings | None:
        """Its tables and their norm, where a kernel adds them up."""
        modules = (self.words, self.positions, self.types)
        tables = [module.weight for module in modules if module is not None]
        norm = self.norm
        if norm.bias is None or not fits(tables):
            return None
        return Embeddings(tables, norm.weight, norm.bias, norm.eps)

    def _kinds(self, batch: TokenBatch) -> list[Tensor | None]:
        """Row in the table of segments for each token, if there is a table."""
        return [batch.types if self._told > 1 else None] if self._told else []

    @cached_property
    def _told(self) -> int:
        """Rows in the table of segments."""
        return 0 if self.types is None else len(self.types.weight)

    def typed(self, x: Tensor, batch: TokenBatch) -> Tensor:
        """``x`` plus the embedding of each token's segment, if there is one; ``(T, E)``."""
        return x if self.types is None else x + _segments(self.types, batch)

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Token vectors after the embeddings and after each block, each ``(T, H)``."""
        x, bias = self.embed(batch), self.bias(batch)
        yield x
        for block in self.stack():
            x = block(x, batch, bias)
            yield x

    def prepack(self) -> None:
        """Lay the weights of all blocks out, and run them as one where that can be had."""
        if self.whole is None:
            prepack(self.layers)
            self.whole = self.united()
            self.free = self.whole is not None

    def united(self) -> WholeStack[Blocks] | None:
        """All blocks as one, laid out; ``None`` where no kernel runs them so."""
        return whole_stack(self.stack())

    def forward(self, batch: TokenBatch) -> Tensor:
        """Token vectors of the last layer, shape ``(T, H)``."""
        whole = self.whole
        if whole is None or whole.adapted:
            return super().forward(batch)
        return self.through(whole.blocks, batch)

    def through(self, blocks: Blocks, batch: TokenBatch) -> Tensor:
        """Token vectors of the last layer, by blocks as one; shape ``(T, H)``."""
        bias = self.bias(batch)
        return blocks.run(self.embed(batch), batch, None if bias is None else bias.table)

    def masked_lm(self) -> MaskedLmHead:
        """The head of ``...ForMaskedLM``, as wide inside as the embeddings."""
        config = self.config
        return MaskedLmHead(
            self.width,
            config.vocab_size,
            inner=config.embedding,
            eps=config.layer_norm_eps,
            activation=self.masked_lm_activation or config.activation,
        )

    def classifier(self, labels: int) -> ClassifierHead:
        """The head of ``...ForSequenceClassification``: the first token, one dense layer."""
        return ClassifierHead(self.width, labels, hidden=self.classifier_activation)


def _check(config: PostNormConfig, wanted: str) -> None:
    kind = config.position_embedding_type
    require(kind == wanted, "position_embedding_type", kind, wanted)
    require(not config.is_decoder, "is_decoder", config.is_decoder, "false")
    width, heads = config.hidden_size, config.num_attention_heads
    require(width % heads == 0, "num_attention_heads", heads, f"divisors of hidden_size={width}")


def _segments(table: Embedding, batch: TokenBatch) -> Tensor:
    """Embedding of each token's segment, where the family tells segments apart."""
    if batch.types is None or len(table.weight) == 1:
        return table.weight[0]
    found: Tensor = table(batch.types)
    return found


NORMS = {r"LayerNorm\.gamma$": "LayerNorm.weight", r"LayerNorm\.beta$": "LayerNorm.bias"}
"""The names in checkpoints that were converted from TensorFlow."""

EMBEDDINGS = {
    r"^embeddings\.word_embeddings": "words",
    r"^embeddings\.position_embeddings": "positions",
    r"^embeddings\.token_type_embeddings": "types",
    r"^embeddings\.LayerNorm": "norm",
}
BLOCKS = {
    r"^encoder\.layer\.": "layers.",
    r"attention\.output\.LayerNorm": "out_norm",
    r"attention\.output\.dense": "out",
    r"intermediate\.dense": "up",
    r"output\.LayerNorm": "down_norm",
    r"output\.dense": "down",
}
QKV = {"qkv": ("attention.self.query", "attention.self.key", "attention.self.value")}
UNUSED = (r"embeddings\.(position|token_type)_ids", r"pooler\..*", r"classifier\..*")


def bert_names(prefix: str, *unused: str) -> WeightMap:
    """BERT's names of tensors, which most families kept.

    Args:
        prefix: Before each name where the checkpoint holds a head.
        unused: Names of such heads, besides the pooler and the classifier.
    """
    names = {**NORMS, **EMBEDDINGS, **BLOCKS}
    return WeightMap(prefixes=(prefix,), rename=names, fuse=QKV, ignore=(*UNUSED, *unused))


def masked_lm_names(dense: str, norm: str, decoder: str, bias: str = r"(?!)") -> WeightMap:
    """Names of the head for masked words, as regular expressions.

    Args:
        dense: Of the dense layer.
        norm: Of its norm.
        decoder: Of the product with the vocabulary.
        bias: Of its bias, where that has another name; a bias beside the product counts
            before it.
    """
    names = {bias: "decoder.bias", dense: "dense.", norm: "norm.", decoder: "decoder."}
    return WeightMap(rename={**NORMS, **names}, only=MASKED_LM_NAMES, spare=(bias,))


def classifier_names(dense: str, out: str) -> WeightMap:
    """Names of the head for classes, as regular expressions."""
    return WeightMap(rename={dense: "dense.", out: "out."}, only=CLASSIFIER_NAMES)


FIRST_TOKEN = classifier_names(r"^classifier\.dense\.", r"^classifier\.out_proj\.")
"""Where dense layer and labels are one part of the checkpoint."""
