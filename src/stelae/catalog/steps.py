"""From a text to a representation, step by step: what each step reads and gives.

Source: sentence-transformers 6.0.1, whose modules hand on a dictionary of which each
reads one entry and writes one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from stelae.catalog.operations import (
    Cut,
    Dense,
    Foreign,
    LayerNorm,
    LayerPool,
    Module,
    Pool,
    TopTerms,
)
from stelae.catalog.reading import Reading
from stelae.catalog.spec import Backbone, Static
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Role


class Stage(StrEnum):
    """What has been made of a text so far."""

    TOKENS = "token vectors"
    LOGITS = "logits of the vocabulary"
    VECTOR = "one vector"
    TERMS = "weights of terms"
    VECTORS = "the vectors of the tokens that count"
    SCORES = "scores"
    NEXT = "logits of the next token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first module of a checkpoint: texts to numbers.

    Attributes:
        kind: Its class in the checkpoint.
        trunk: What has weights for every text; ``None`` if nothing has.
        modules: What belongs to it besides.
        gives: What it gives.
        width: Width of the vectors that it gives; 0 if it is not stated.
        reading: How its texts are read.
        note: What was decided, for people; empty for nothing.
    """

    kind: str
    trunk: Backbone | Static | None
    modules: tuple[Module, ...] = ()
    gives: Stage
    width: int = 0
    reading: Reading
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A module between two stages.

    Attributes:
        kind: Its class in the checkpoint.
        module: The module.
        reads: What it reads.
        gives: What it gives.
    """

    kind: str
    module: Module
    reads: Stage
    gives: Stage


@dataclass(frozen=True, slots=True)
class Mask:
    """Which tokens of a text do not count in late interaction.

    Attributes:
        kind: Its class in the checkpoint.
        words: Tokens that do not count, by their text.
        roles: Sides of a search on which they do not.
    """

    kind: str
    words: tuple[str, ...]
    roles: frozenset[Role] = frozenset({Role.DOCUMENT})


Part = Start | Step | Mask


@dataclass(frozen=True, slots=True)
class Chained:
    """A start and its steps, of which each reads what the one before gives.

    Attributes:
        start: The beginning.
        modules: The steps, those that belong to the beginning included.
        gives: What the last one gives.
        width: Width of the vectors that it gives; 0 if it is not stated.
        mask: Which tokens do not count, if a part says.
    """

    start: Start
    modules: tuple[Module, ...]
    gives: Stage
    width: int
    mask: Mask | None = None


def follow(root: Path, parts: Iterable[Part]) -> Chained:
    """Put parts together.

    Raises:
        UnsupportedCheckpoint: A part does not read what the one before gives.
        ModelLoadFailed: The widths of neighbouring parts differ.
    """
    start, *steps = _in_order(root, tuple(parts))
    if not isinstance(start, Start):
        raise TypeError("a chain without a start")
    stage, width, before = start.gives, start.width, start.kind
    modules, mask = list(start.modules), None
    for step in steps:
        if isinstance(step, Mask) and stage is Stage.TOKENS and mask is None:
            mask = step
            continue
        if not isinstance(step, Step) or step.reads is not stage:
            raise _wrong_order(root, before, stage, step)
        width = _width(root, step, width)
        stage, before = step.gives, step.kind
        modules.append(step.module)
    return Chained(start, tuple(modules), stage, width, mask)


def _in_order(root: Path, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if not parts or not isinstance(parts[0], Start):
        order = ", ".join(part.kind for part in parts) or "nothing"
        raise UnsupportedCheckpoint(
            f"modules.json in {root} chains {order}; a model begins with a Transformer, or with "
            "a table of vectors or weights"
        )
    return parts


def _wrong_order(root: Path, before: str, stage: Stage, step: Part) -> UnsupportedCheckpoint:
    wanted = step.reads if isinstance(step, Step) else Stage.TOKENS
    reads = "reads texts" if isinstance(step, Start) else f"reads {wanted.value}"
    return UnsupportedCheckpoint(
        f"modules.json in {root} chains {step.kind} after {before}: it {reads}, {before} gives "
        f"{stage.value}; this order is not implemented"
    )


def _width(root: Path, step: Step, width: int) -> int:
    """Width of the vectors after a step."""
    match step.module:
        case Pool(width=stated, modes=modes):
            return _same(root, step, stated or width, width) * len(modes)
        case Dense(inputs=stated, outputs=outputs) | TopTerms(inputs=stated, outputs=outputs):
            _same(root, step, stated, width)
            return outputs
        case Foreign(inputs=stated, outputs=outputs):
            return outputs or _same(root, step, stated or width, width)
        case LayerNorm(width=stated) | LayerPool(width=stated):
            return _same(root, step, stated, width)
        case Cut(width=most):
            return min(width, most)
        case _:
            return width


def _same(root: Path, step: Step, stated: int, width: int) -> int:
    if width and stated != width:
        raise ModelLoadFailed(
            f"the {step.kind} {getattr(step.module, 'folder', '') or 'module'} in {root} takes "
            f"{stated} numbers, the module before it gives {width}"
        )
    return stated
