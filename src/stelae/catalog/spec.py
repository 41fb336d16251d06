"""ModelSpec: everything that decides a model's numbers, read from its checkpoint."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from stelae.types import OutputType, Similarity, Task


class Pooling(StrEnum):
    """How token vectors become one vector."""

    CLS = "cls"
    MEAN = "mean"
    MAX = "max"
    MEAN_SQRT_LEN = "mean_sqrt_len"
    WEIGHTED_MEAN = "weighted_mean"
    LAST_TOKEN = "last_token"  # noqa: S105 - a way of pooling, no password


class Backbone(msgspec.Struct, frozen=True, kw_only=True, tag="backbone"):
    """The transformer itself.

    Attributes:
        folder: Where ``config.json`` and the weights lie, relative to the
            checkpoint; empty for its root.
        architecture: Class name from ``config.json``; empty if it names none.
        config: That file, whole.
        weights: Safetensors files, relative to ``folder``.
    """

    folder: str
    architecture: str
    config: dict[str, Any]
    weights: tuple[str, ...]


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


class Dense(msgspec.Struct, frozen=True, kw_only=True, tag="dense"):
    """A linear layer after pooling, then an activation.

    Attributes:
        folder: Where its files lie, relative to the checkpoint.
        inputs: Numbers it takes.
        outputs: Numbers it gives.
        bias: Whether it adds ``linear.bias``.
        activation: Class name in ``torch.nn``: ``Identity``, ``Tanh``, ``ReLU``,
            ``GELU`` (exact), ``SiLU`` or ``Sigmoid``.
        weights: Safetensors file, relative to ``folder``.
    """

    folder: str
    inputs: int
    outputs: int
    bias: bool
    activation: str
    weights: str


class Normalize(msgspec.Struct, frozen=True, kw_only=True, tag="normalize"):
    """Unit length."""


Module = Backbone | Pool | Dense | Normalize


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
        modules: The steps from token ids to vector, in order.
        tasks: What it can be asked to do.
        outputs: Kinds of representation it makes.
        dimensions: Width of its dense vectors.
        matryoshka: Widths it was trained to be cut to.
        max_tokens: Longest input it reads, special tokens included.
        lowercase: Whether the ``Lowercase`` normalizer of ``tokenizers`` goes before
            the tokenizer's own normalizers, as ``do_lower_case`` asks.
        tokenizer: ``tokenizer.json``, relative to ``folder``.
        prompts: Prompts by name.
        default_prompt: The prompt used when none is asked for.
        similarity: How its vectors are meant to be compared.
        notes: What was decided while reading, for people.
    """

    name: str
    aliases: tuple[str, ...] = ()
    source: Source
    folder: str
    modules: tuple[Module, ...]
    tasks: tuple[Task, ...] = (Task.ENCODE,)
    outputs: tuple[OutputType, ...] = (OutputType.DENSE,)
    dimensions: int
    matryoshka: tuple[int, ...] = ()
    max_tokens: int
    lowercase: bool = False
    tokenizer: str = "tokenizer.json"
    prompts: dict[str, str] = {}
    default_prompt: str | None = None
    similarity: Similarity | None = None
    notes: tuple[str, ...] = ()

    @property
    def backbone(self) -> Backbone:
        """The transformer among the modules."""
        return next(m for m in self.modules if isinstance(m, Backbone))

    @property
    def normalized(self) -> bool:
        """Whether the last module gives vectors unit length."""
        return isinstance(self.modules[-1], Normalize)
