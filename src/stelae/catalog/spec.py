"""ModelSpec: everything that decides a model's numbers, read from its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from stelae.images.processing import Processing
from stelae.types import Modality, OutputType, Role, Similarity, Task


class Pooling(StrEnum):
    """How token vectors become one vector."""

    CLS = "cls"
    MEAN = "mean"
    MAX = "max"
    MEAN_SQRT_LEN = "mean_sqrt_len"
    WEIGHTED_MEAN = "weighted_mean"
    LAST_TOKEN = "last_token"  # noqa: S105 - a way of pooling, no password


class Backbone(msgspec.Struct, frozen=True, kw_only=True, tag="backbone", omit_defaults=True):
    """The transformer itself.

    Attributes:
        folder: Where ``config.json`` and the weights lie, relative to the
            checkpoint; empty for its root.
        architecture: Class name from ``config.json``; empty if it names none.
        config: That file, whole.
        weights: Safetensors files, relative to ``folder``.
        prefix: How the names of its tensors start, where others lie beside them.
    """

    folder: str
    architecture: str
    config: dict[str, Any]
    weights: tuple[str, ...]
    prefix: str = ""


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


class Finding(StrEnum):
    """Kinds of things that are found in items."""

    ENTITIES = "entities"
    RELATIONS = "relations"
    CLASSIFICATIONS = "classifications"
    OBJECTS = "objects"
    DATA = "data"


class Extractor(msgspec.Struct, frozen=True, kw_only=True, tag="extractor", omit_defaults=True):
    """How a model finds things in items.

    Attributes:
        layout: How it does that, by the name of its library or kind of head.
        finds: What it finds.
        labels: The kinds that it was trained to tell apart, if the caller does not name them.
        threshold: Least score of what is returned if the caller does not say.
    """

    layout: str
    finds: tuple[Finding, ...]
    labels: tuple[str, ...] = ()
    threshold: float = 0.5


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
)


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """What makes one kind of output from the trunk's token vectors.

    Attributes:
        output: The kind.
        steps: In order.
        role: The side of the search it is for; ``None`` for both.
    """

    output: OutputType
    steps: tuple[Module, ...]
    role: Role | None = None


class Static(msgspec.Struct, frozen=True, kw_only=True, tag="static"):
    """A table of vectors in a transformer's place: every token has its own.

    Its texts stand without special tokens.

    Attributes:
        folder: Where the weights lie, relative to the checkpoint.
        weights: Safetensors file, relative to ``folder``.
        name: Tensor in it, shape ``(V, H)``.
        width: Width of a token vector.
        scales: Tensor of shape ``(V,)`` that a token's vector is multiplied with.
        rows: Tensor of shape ``(V,)`` with each token's row in the table.
        unused: Ids of tokens that are left out of every text.
    """

    folder: str
    weights: str
    name: str
    width: int
    scales: str | None = None
    rows: str | None = None
    unused: tuple[int, ...] = ()

    @property
    def architecture(self) -> str:
        """Name for people."""
        return "StaticEmbedding"


class Classify(msgspec.Struct, frozen=True, kw_only=True, tag="classify"):
    """A cross-encoder: query and document are read together, a head gives the scores.

    Attributes:
        labels: Names of the scores, in order.
        activation: Class name in ``torch.nn``: ``Identity``, ``Sigmoid`` or ``Softmax``.
        typed: Whether token types tell the two texts apart, if the tokenizer has any.
    """

    labels: tuple[str, ...]
    activation: str = "Identity"
    typed: bool = True


class YesNo(msgspec.Struct, frozen=True, kw_only=True, tag="yes_no"):
    """A language model that is asked whether a document fits, and how sure it is.

    The prompt is ``prefix``, then ``pair`` with ``{instruction}``, ``{query}`` and
    ``{document}`` filled in, then ``suffix``; of a long pair the end is cut.

    Attributes:
        yes: Token id of the answer that it fits.
        no: Token id of the other answer; ``None`` if only ``yes`` counts.
        prefix: Start of the prompt.
        pair: The middle of the prompt.
        suffix: End of the prompt.
        instruction: What is asked if the caller does not say.
        activation: Class name in ``torch.nn``, on ``logit(yes) - logit(no)``.
    """

    yes: int
    no: int | None = None
    prefix: str = ""
    pair: str = "{query}{document}"
    suffix: str = ""
    instruction: str = ""
    activation: str = "Sigmoid"

    @property
    def instructed(self) -> bool:
        """Whether the prompt has a place for an instruction."""
        return "{instruction}" in self.pair


class Vision(msgspec.Struct, frozen=True, kw_only=True, tag="vision"):
    """How pictures become vectors of the same kind as texts.

    Attributes:
        backbone: Patches to patch vectors.
        steps: Patch vectors to the picture's vector, in order.
        processing: A picture's pixels to what the backbone reads.
    """

    backbone: Backbone
    steps: tuple[Module, ...]
    processing: Processing


class Contrast(msgspec.Struct, frozen=True, kw_only=True, tag="contrast"):
    """What the cosine of a text and a picture means: the logit ``scale * cosine + bias``.

    Attributes:
        scale: Factor, learned in training.
        bias: Added, learned too; ``None`` if the logits are compared with each other
            (softmax) instead of taken each by itself (sigmoid).
    """

    scale: float
    bias: float | None = None


class WordPiece(msgspec.Struct, frozen=True, kw_only=True, tag="word_piece"):
    """How BERT cuts texts into the words of a vocabulary.

    Attributes:
        lowercase: Whether texts are lower-cased.
        strip_accents: Whether accents are dropped; ``None`` as ``lowercase``.
        chinese: Whether each Chinese character is a word.
        specials: Special tokens by their part: ``cls_token`` and so on.
    """

    lowercase: bool
    strip_accents: bool | None
    chinese: bool
    specials: dict[str, str]


class Fill(msgspec.Struct, frozen=True, kw_only=True, tag="fill"):
    """What every text is filled up with to the longest length that the model reads.

    Attributes:
        token: Its id.
        left: Whether it stands before the text.
        seen: Whether other tokens see it.
    """

    token: int
    left: bool = False
    seen: bool = True


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a checkpoint came from.

    Attributes:
        kind: ``embedded``, ``folder`` or ``hub``.
        location: Package name, folder as given, or hub id.
        revision: Commit of a hub checkpoint.
    """

    kind: str
    location: str
    revision: str | None = None

    def __str__(self) -> str:
        if self.kind == "hub":
            return f"{self.location}@{self.revision}" if self.revision else self.location
        return f"{self.kind}:{self.location}"


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A model as its checkpoint describes it.

    Attributes:
        name: The name it is served under.
        aliases: Other names that reach it.
        source: Where the checkpoint came from.
        folder: The checkpoint on this machine.
        backbone: Token ids to token vectors.
        chains: Token vectors to representations, one for each kind and side.
        vision: How it reads pictures, if it does.
        inputs: What it reads. If that is pictures alone, ``backbone`` is their own.
        contrast: How it compares texts with pictures, if it was trained to.
        scoring: How it scores pairs, if it reads both texts of a pair together.
        extraction: How it finds things in items, if it does.
        dimensions: Width of its dense vectors; 0 if it makes none.
        token_dimensions: Width of its token vectors; 0 if it gives none out.
        matryoshka: Widths it was trained to be cut to.
        max_tokens: Longest input it reads, special tokens included.
        fill: What short texts are filled up with, if they are.
        lowercase: Whether the ``Lowercase`` normalizer of ``tokenizers`` goes before
            the tokenizer's own normalizers, as ``do_lower_case`` asks.
        tokenizer: ``tokenizer.json``, relative to ``folder``; empty if it reads no texts.
        words: How texts are read if ``tokenizer`` is a vocabulary alone.
        prompts: Prompts by name.
        default_prompt: The prompt used when none is asked for.
        instruction: Prompt of queries with a place ``{instruction}``; ``None`` if it was
            not trained with instructions.
        similarity: How its vectors are meant to be compared.
        notes: What was decided while reading, for people.
    """

    name: str
    aliases: tuple[str, ...] = ()
    source: Source
    folder: str
    backbone: Backbone | Static
    chains: tuple[Chain, ...] = ()
    vision: Vision | None = None
    inputs: tuple[Modality, ...] = (Modality.TEXT,)
    contrast: Contrast | None = None
    scoring: Classify | YesNo | None = None
    extraction: Extractor | None = None
    dimensions: int = 0
    token_dimensions: int = 0
    matryoshka: tuple[int, ...] = ()
    max_tokens: int
    fill: Fill | None = None
    lowercase: bool = False
    tokenizer: str = "tokenizer.json"
    words: WordPiece | None = None
    prompts: dict[str, str] = {}
    default_prompt: str | None = None
    instruction: str | None = None
    similarity: Similarity | None = None
    notes: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[OutputType, ...]:
        """Kinds of representation it makes."""
        return tuple(dict.fromkeys(chain.output for chain in self.chains))

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it can be asked to do."""
        able = {
            Task.ENCODE: bool(self.chains),
            Task.SCORE: bool(self.chains) or self.scoring is not None or self.extraction is None,
            Task.EXTRACT: self.extraction is not None,
        }
        return tuple(task for task, can in able.items() if can)

    def chain(self, output: OutputType, role: Role | None = None) -> tuple[Module, ...]:
        """Steps that make an output for one side; without a side, those for documents.

        Raises:
            KeyError: It does not make that output.
        """
        for side in (role, None, Role.DOCUMENT):
            for chain in self.chains:
                if chain.output is output and chain.role is side:
                    return chain.steps
        raise KeyError(output)

    def framed(self, outputs: Sequence[OutputType], role: Role | None = None) -> bool:
        """Whether texts stand between special tokens when these outputs are made of them."""
        if isinstance(self.backbone, Static):
            return False
        firsts = [self.chain(output, role)[0] for output in outputs]
        return not firsts or not all(isinstance(step, StaticTerms) for step in firsts)

    @property
    def normalized(self) -> bool:
        """Whether its dense vectors have unit length as the checkpoint makes them."""
        dense = [c for c in self.chains if c.output is OutputType.DENSE]
        return bool(dense) and all(isinstance(c.steps[-1], Normalize) for c in dense)

    @property
    def marking(self) -> LateInteraction | None:
        """How it reads texts for late interaction, if it does that."""
        steps = (step for chain in self.chains for step in chain.steps)
        return next((step for step in steps if isinstance(step, LateInteraction)), None)
