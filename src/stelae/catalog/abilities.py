"""What a model does beside making representations: scores, findings, pictures, sound."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Finding(StrEnum):
    """Kinds of things that are found in items."""

    ENTITIES = "entities"
    RELATIONS = "relations"
    CLASSIFICATIONS = "classifications"
    OBJECTS = "objects"
    DATA = "data"


class ImageMode(StrEnum):
    """What a picture can be made from."""

    TEXT = "text-to-image"
    IMAGE = "image-to-image"
    INPAINT = "inpainting"


class Extractor(msgspec.Struct, frozen=True, kw_only=True, tag="extractor", omit_defaults=True):
    """How a model finds things in items.

    Attributes:
        layout: How it does that, by the name of its library or kind of head.
        finds: What it finds.
        labels: The kinds that it was trained to tell apart, if the caller does not name them.
        threshold: Least score of what is returned if the caller does not say.
        reading: The instruction at which it writes down the text of a picture, if it does; empty
            for one that does nothing else.
    """

    layout: str
    finds: tuple[Finding, ...]
    labels: tuple[str, ...] = ()
    threshold: float = 0.5
    reading: str | None = None


class Classify(msgspec.Struct, frozen=True, kw_only=True, tag="classify"):
    """A cross-encoder: query and document are read together, a head gives the scores.

    Attributes:
        labels: Names of the scores, in order.
        activation: Class name in ``torch.nn``, such as ``Identity`` or ``Sigmoid``; see
            ``catalog.scoring.ACTIVATIONS``.
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


class Imaging(msgspec.Struct, frozen=True, kw_only=True, tag="imaging", omit_defaults=True):
    """How a model makes pictures.

    Attributes:
        pipeline: Name of its pipeline's class, as ``model_index.json`` gives it.
        modes: What pictures can be made from.
        size: Width and height in pixels that it was made for.
        multiple: Sides are multiples of this.
        sides: Least and most of a side, in pixels.
        pixels: Most of a picture, width times height.
        longest: Tokens of a prompt that its text towers read, the one that reads most counts.
    """

    pipeline: str
    modes: tuple[ImageMode, ...]
    size: tuple[int, int]
    multiple: int = 8
    sides: tuple[int, int] = (64, 2048)
    pixels: int = 2048 * 2048
    longest: int = 77


class Hearing(msgspec.Struct, frozen=True, kw_only=True, tag="hearing", omit_defaults=True):
    """How a model writes down what is said.

    Attributes:
        languages: Codes of the languages that it knows; one only if it was trained for that.
        translates: Whether it can write English for any of them.
        rate: Samples per second that it hears.
        window: Seconds that it hears at once.
    """

    languages: tuple[str, ...]
    translates: bool = False
    rate: int = 16_000
    window: float = 30.0


class Speaking(msgspec.Struct, frozen=True, kw_only=True, tag="speaking", omit_defaults=True):
    """How a model reads texts aloud.

    Attributes:
        voices: Names of its voices, the first is taken if none is asked for.
        rate: Samples per second that it makes.
        languages: Codes of the languages that it reads, if it says.
    """

    voices: tuple[str, ...]
    rate: int
    languages: tuple[str, ...] = ()
