"""The facts of a model that can be launched, and its variants."""

from __future__ import annotations

from typing import Literal

import msgspec

ModelKind = Literal["llm", "embedding", "rerank", "extract", "image", "audio"]
"""What a model is for; those that share vectors of texts and pictures are ``embedding``."""

QUANTIZATION = "{quantization}"
"""Place in hub ids and file names."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be fetched; attributes as of ``Variant``."""

    format: str
    size: float | None
    quantization: str
    hub: str
    revision: str | None
    files: tuple[str, ...]


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A model in one format and size; ``{quantization}`` may stand in its texts.

    Attributes:
        format: How the weights are stored.
        size: Billions of parameters, where models of the name differ in it.
        hub: Hub id; of a model that a user registered perhaps a folder or a GGUF file.
        revision: Commit to take; ``None`` is the main branch.
        quantizations: What there is to choose; ``none`` alone if nothing.
        files: Patterns of the GGUF file, the likeliest first; empty takes the checkpoint.
    """

    format: str
    size: float | None
    hub: str
    revision: str | None
    quantizations: tuple[str, ...]
    files: tuple[str, ...]

    def chosen(self, quantization: str) -> Chosen:
        """The variant in one of its quantisations."""
        return Chosen(
            format=self.format,
            size=self.size,
            quantization=quantization,
            hub=self.hub.replace(QUANTIZATION, quantization),
            revision=self.revision,
            files=tuple(file.replace(QUANTIZATION, quantization) for file in self.files),
        )


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a model, for lists; nothing of it need be on this machine.

    Attributes:
        name: Short name.
        family: Whose model it is.
        kind: What it is for.
        aliases: Further names.
        languages: Codes of the languages it was made for, or ``multilingual``.
        abilities: What it can do, in the words of its kind.
        inputs: What it reads.
        context: Longest input in tokens, if known.
        dimensions: Width of its vectors, if it makes any and it is known.
        architectures: Class names in ``config.json``, of language models.
        variants: What there is to choose.
        description: A sentence for people.
        builtin: Whether it came with Stelae; if not, a user registered it.
    """

    name: str
    family: str
    kind: ModelKind
    aliases: tuple[str, ...]
    languages: tuple[str, ...]
    abilities: tuple[str, ...]
    inputs: tuple[str, ...]
    context: int | None
    dimensions: int | None
    architectures: tuple[str, ...]
    variants: tuple[Variant, ...]
    description: str = ""
    builtin: bool = True
