"""ModelSpec: everything that decides a model's numbers, read from its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec

from stelae.catalog.abilities import Classify, Extractor, Hearing, Imaging, Speaking, YesNo
from stelae.catalog.operations import LateInteraction, Module, Normalize, StaticTerms
from stelae.images.processing import Processing
from stelae.types import Modality, OutputType, Role, Similarity, Task


class Backbone(msgspec.Struct, frozen=True, kw_only=True, tag="backbone", omit_defaults=True):
    """The transformer itself.

    Attributes:
        folder: Where ``config.json`` and the weights lie, relative to the
            checkpoint; empty for its root.
        architecture: Class name from ``config.json``; empty if it names none.
        config: That file, whole.
        weights: Files of weights, relative to ``folder``.
        prefix: How the names of its tensors start, where others lie beside them.
        bare: Whether its texts stand without special tokens.
    """

    folder: str
    architecture: str
    config: dict[str, Any]
    weights: tuple[str, ...]
    prefix: str = ""
    bare: bool = False


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


class Generation(msgspec.Struct, frozen=True, kw_only=True, tag="generation"):
    """How a language model goes on with a conversation.

    Attributes:
        template: Its chat template, in the language of Jinja.
        ends: Tokens that end a text.
        specials: Special tokens by their part, which the template may name.
        tools: Format in which it calls tools; empty if its template tells it of none.
        reasoning: What stands before and behind its thought; nothing if it shows none.
    """

    template: str
    ends: tuple[int, ...]
    specials: dict[str, str] = {}
    tools: str = ""
    reasoning: tuple[str, ...] = ()


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a checkpoint came from.

    Attributes:
        kind: ``embedded``, ``folder`` or ``hub``.
        location: Package name, folder as given, or hub id.
        revision: Commit of a hub checkpoint.
        beside: Folders with small files of other repositories that it names, by hub id.
    """

    kind: str
    location: str
    revision: str | None = None
    beside: dict[str, str] = {}

    def __str__(self) -> str:
        if self.kind == "hub":
            return f"{self.location}@{self.revision}" if self.revision else self.location
        return f"{self.kind}:{self.location}"


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, dict=True):
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
        scorer: Token vectors to these scores, in order; nothing where the transformer's own
            class gives them.
        extraction: How it finds things in items, if it does.
        generation: How it goes on with a conversation, if it does.
        imaging: How it makes pictures, if it does.
        hearing: How it writes down what is said, if it does.
        speaking: How it reads aloud, if it does.
        dimensions: Width of its dense vectors; 0 if it makes none.
        token_dimensions: Width of its token vectors; 0 if it gives none out.
        matryoshka: Widths it was trained to be cut to.
        max_tokens: Longest input it reads, special tokens included.
        fill: What short texts are filled up with, if they are.
        lowercase: Whether the ``Lowercase`` normalizer of ``tokenizers`` goes before
            the tokenizer's own normalizers, as ``do_lower_case`` asks.
        tokenizer: ``tokenizer.json``, relative to ``folder``; empty if it reads no texts, or
            its tokenizer lies with the weights.
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
    scorer: tuple[Module, ...] = ()
    extraction: Extractor | None = None
    generation: Generation | None = None
    imaging: Imaging | None = None
    hearing: Hearing | None = None
    speaking: Speaking | None = None
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

    @cached_property
    def outputs(self) -> tuple[OutputType, ...]:
        """Kinds of representation it makes."""
        return tuple(dict.fromkeys(chain.output for chain in self.chains))

    @property
    def reads_pictures(self) -> bool:
        """Whether it writes down what pictures say."""
        return self.extraction is not None and self.extraction.reading is not None

    @cached_property
    def answers(self) -> tuple[Task, ...]:
        """What it can be asked to do: its tasks, and what follows from them."""
        able = {*self.tasks, *([Task.EXTRACT] if self.generation is not None else [])}
        return tuple(task for task in Task if task in able)

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """What an engine does with it."""
        able = {
            Task.EXTRACT: self.extraction is not None,
            Task.CHAT: self.generation is not None,
            Task.IMAGE: self.imaging is not None,
            Task.TRANSCRIBE: self.hearing is not None,
            Task.SPEAK: self.speaking is not None,
        }
        scores = bool(self.chains) or self.scoring is not None or not any(able.values())
        able = {Task.ENCODE: bool(self.chains), Task.SCORE: scores, **able}
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
        if isinstance(self.backbone, Static) or self.backbone.bare:
            return False
        firsts = [self.chain(output, role)[0] for output in outputs]
        return not firsts or not all(isinstance(step, StaticTerms) for step in firsts)

    @cached_property
    def normalized(self) -> bool:
        """Whether its dense vectors have unit length as the checkpoint makes them."""
        dense = [c for c in self.chains if c.output is OutputType.DENSE]
        return bool(dense) and all(c.steps and isinstance(c.steps[-1], Normalize) for c in dense)

    @cached_property
    def marking(self) -> LateInteraction | None:
        """How it reads texts for late interaction, if it does that."""
        steps = (step for chain in self.chains for step in chain.steps)
        return next((step for step in steps if isinstance(step, LateInteraction)), None)
