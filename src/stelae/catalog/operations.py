"""What can be done to the vectors of tokens, step by step: the modules of a chain."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Pooling(StrEnum):
    """How token vectors become one vector."""

    CLS = "cls"
    MEAN = "mean"
    MAX = "max"
    MEAN_SQRT_LEN = "mean_sqrt_len"
    WEIGHTED_MEAN = "weighted_mean"
    LAST_TOKEN = "last_token"  # noqa: S105 - a way of pooling, no password


class Pool(msgspec.Struct, frozen=True, kw_only=True, tag="pool"):
    """Token vectors to one vector; several modes are concatenated in order.

    Attributes:
        modes: Ways of pooling.
        include_prompt: Whether the tokens of the prompt are pooled too.
        width: Width of a token vector; 0 if the file does not state it.
    """

    modes: tuple[Pooling, ...]
    include_prompt: bool = True
    width: int = 0


class OwnPool(msgspec.Struct, frozen=True, kw_only=True, tag="own_pool"):
    """Token vectors to one vector in the way of the transformer's own class."""


class LayerPool(msgspec.Struct, frozen=True, kw_only=True, tag="layer_pool"):
    """Token vectors of several layers to one, by learned weights.

    Attributes:
        folder: Where its files lie, relative to the checkpoint.
        first: First layer that counts; 0 is the embeddings.
        layers: Number of layers of the transformer, ``first`` to this one count.
        width: Width of a token vector; 0 if the file does not state it.
        weights: Safetensors file, relative to ``folder``.
    """

    folder: str
    first: int
    layers: int
    width: int = 0
    weights: str


class Dense(msgspec.Struct, frozen=True, kw_only=True, tag="dense"):
    """A linear layer, then an activation.

    Attributes:
        folder: Where its files lie, relative to the checkpoint.
        inputs: Numbers it takes.
        outputs: Numbers it gives.
        bias: Whether it adds ``linear.bias``.
        activation: Class name in ``torch.nn``: ``Identity``, ``Tanh``, ``ReLU``,
            ``GELU`` (exact), ``SiLU`` or ``Sigmoid``.
        residual: Whether its input is added to its result; if the widths differ, through
            the matrix ``residual.weight``.
        weights: File relative to ``folder``.
        names: Tensors in that file: of the weight, and of the bias if there is one.
        transposed: Whether the weight is stored with its inputs first.
    """

    folder: str
    inputs: int
    outputs: int
    bias: bool
    activation: str
    residual: bool = False
    weights: str
    names: tuple[str, str] = ("linear.weight", "linear.bias")
    transposed: bool = False


class LayerNorm(msgspec.Struct, frozen=True, kw_only=True, tag="layer_norm"):
    """Layer normalisation of a vector.

    Attributes:
        folder: Where its files lie, relative to the checkpoint.
        width: Numbers it takes and gives.
        eps: Added to the variance.
        weights: Safetensors file, relative to ``folder``.
    """

    folder: str
    width: int
    eps: float
    weights: str


class Normalize(msgspec.Struct, frozen=True, kw_only=True, tag="normalize"):
    """Unit length."""


class Cut(msgspec.Struct, frozen=True, kw_only=True, tag="cut"):
    """Only the first numbers of a vector, as they are.

    Attributes:
        width: How many.
    """

    width: int


class Terms(StrEnum):
    """How the logits of a text's tokens become one weight for each term."""

    MAX = "max"
    SUM = "sum"


class SparsePool(msgspec.Struct, frozen=True, kw_only=True, tag="sparse_pool"):
    """SPLADE: the logits of the masked language head to one weight per term.

    Attributes:
        pooling: Over the tokens of a text.
        activation: ``relu`` (``log(1 + relu(x))``) or ``log1p_relu``
            (``log(1 + log(1 + relu(x)))``).
    """

    pooling: Terms = Terms.MAX
    activation: str = "relu"


class TermWeights(msgspec.Struct, frozen=True, kw_only=True, tag="term_weights"):
    """BGE-M3: a weight for each token of a text; of equal tokens the largest counts.

    Attributes:
        weights: File with ``weight`` of shape ``(1, H)`` and ``bias``, relative to the
            checkpoint.
        unused: Ids of special tokens, which get no weight.
    """

    weights: str
    unused: tuple[int, ...]


class StaticTerms(msgspec.Struct, frozen=True, kw_only=True, tag="static_terms"):
    """A fixed weight for each term, whatever stands around it; needs no transformer.

    Its texts stand without special tokens.

    Attributes:
        weights: Safetensors file relative to the checkpoint.
        name: Tensor in it, shape ``(V,)``.
    """

    weights: str
    name: str = "weight"


class TopTerms(msgspec.Struct, frozen=True, kw_only=True, tag="top_terms"):
    """A dense vector to a sparse one: only the largest of many learned features are kept.

    Attributes:
        folder: Where its files lie, relative to the checkpoint.
        inputs: Numbers it takes.
        outputs: Features it knows.
        keep: How many of them are kept.
        standardize: Whether vectors first get mean 0 and standard deviation 1.
        weights: Safetensors file, relative to ``folder``.
        name: Tensor in it with the features, shape ``(outputs, inputs)``.
    """

    folder: str
    inputs: int
    outputs: int
    keep: int
    standardize: bool = False
    weights: str
    name: str = "encoder.weight"


class Marking(msgspec.Struct, frozen=True, kw_only=True):
    """How late-interaction models read the texts of one side.

    Attributes:
        text: Put before each text, as text.
        ids: Put between the first special token and the text, as token ids.
        max_tokens: Longest input, special tokens included.
        expand: Token id that fills short texts up; ``None`` for no filling.
        expand_to: Tokens that they are filled up to, special tokens included.
        attend_expansion: Whether other tokens see the filling.
        skip: Ids of tokens whose vectors are left out.
        skip_first: Vectors at the start that are left out.
    """

    text: str = ""
    ids: tuple[int, ...] = ()
    max_tokens: int
    expand: int | None = None
    expand_to: int = 0
    attend_expansion: bool = False
    skip: tuple[int, ...] = ()
    skip_first: int = 0


class LateInteraction(msgspec.Struct, frozen=True, kw_only=True, tag="late_interaction"):
    """Keeps the vectors of the tokens that count.

    Attributes:
        query: How queries are read.
        document: How documents are read.
        mean: Whether a score is the mean of the query's best matches instead of their sum.
    """

    query: Marking
    document: Marking
    mean: bool = False


class Foreign(msgspec.Struct, frozen=True, kw_only=True, tag="foreign"):
    """Token vectors to others, by a module that sentence-transformers alone has.

    Attributes:
        kind: Its class.
        folder: Where its files lie, relative to the checkpoint.
        files: Those that decide its numbers, relative to ``folder``.
        inputs: Width of the vectors it takes; 0 for any.
        outputs: Width of the vectors it gives; 0 for that of those it takes.
    """

    kind: str
    folder: str
    files: tuple[str, ...]
    inputs: int = 0
    outputs: int = 0


Module = (
    Pool
    | OwnPool
    | LayerPool
    | Dense
    | LayerNorm
    | Normalize
    | Cut
    | SparsePool
    | TermWeights
    | StaticTerms
    | TopTerms
    | LateInteraction
    | Foreign
)
