"""What one file of well-known models says, and what follows from it for each model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import msgspec

from stelae.catalog.abilities import Finding, ImageMode
from stelae.catalog.entry import Ask, ModelEntry
from stelae.catalog.variants import Row, Wish, choose
from stelae.types import Card, Chosen, ModelKind, OutputType, Profile, Task, Variant
from stelae.types.card import QUANTIZATION

ABILITIES: dict[ModelKind, frozenset[str]] = {
    "llm": frozenset(
        {"generate", "chat", "tools", "vision", "reasoning", "hybrid", "audio", "omni"}
    ),
    "embedding": frozenset(OutputType),
    "rerank": frozenset(),
    "extract": frozenset(Finding),
    "image": frozenset(ImageMode),
    "audio": frozenset({Task.TRANSCRIBE, "translate", Task.SPEAK}),
}
"""What models of a kind can do, in words; ``hybrid`` ones reason if they are asked to."""

INPUTS = frozenset({"text", "image", "audio", "video"})
"""What models read."""


class Member(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    dict=True,
):
    """A model of a family; what is left out is as the family says.

    Attributes:
        name: Short name.
        family: The family that it is of, in a file of several that have few models.
        hub: Hub id of the weights as their authors stored them; reaches the model too.
        revision: Commit to take; ``None`` is the main branch.
        rows: Variants beside the one of ``hub``, or all if there is none.
        aliases: Further names.
        kind: What it is for.
        languages: Codes of the languages it was made for, or ``multilingual``.
        abilities: What it can do, in the words of its kind; see ``ABILITIES``.
        inputs: What it reads; see ``INPUTS``.
        context: Longest input in tokens, as its authors say.
        dimensions: Width of its dense vectors, or else of those of its tokens or its terms.
        architectures: Class names in ``config.json``, of language models.
        matryoshka: Widths that its authors say it was trained to be cut to.
        max_tokens: Longest input, where the authors advise less than the
            checkpoint allows.
        prompts: Prompts by name that its authors advise, for checkpoints that have none.
        instruction: Prompt of queries with a place ``{instruction}``.
        ask: What it is asked, if it is a language model that compares.
        profiles: Named sets of options.
    """

    name: str
    family: str | None = None
    hub: str | None = None
    revision: str | None = None
    rows: tuple[Row, ...] = msgspec.field(default=(), name="variants")
    aliases: tuple[str, ...] = ()
    kind: ModelKind | None = None
    languages: tuple[str, ...] | None = None
    abilities: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    context: int | None = None
    dimensions: int | None = None
    architectures: tuple[str, ...] = ()
    matryoshka: tuple[int, ...] = ()
    max_tokens: int | None = None
    prompts: dict[str, str] | None = None
    instruction: str | None = None
    ask: Ask | None = None
    profiles: dict[str, Profile] = {}

    def __post_init__(self) -> None:
        if not (self.hub or self.rows):
            raise ValueError("a model has a hub id, or variants")

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """All its variants."""
        own = () if self.hub is None else (Row(hub=self.hub, revision=self.revision),)
        return tuple(variant for row in (*own, *self.rows) for variant in row.variants)

    @property
    def entry(self) -> ModelEntry:
        """The model as it is registered, in the variant that is usual."""
        chosen = choose(self.name, self.variants, Wish())
        return self.entry_of(chosen, aliases=(chosen.hub, *self.aliases))

    @property
    def sizes(self) -> Iterator[ModelEntry]:
        """Each size as its authors stored it, by its hub id."""
        for variant in self.variants:
            if variant.format == "pytorch" and QUANTIZATION not in variant.hub:
                yield self.entry_of(variant.chosen(variant.quantizations[0]), name=variant.hub)

    def entry_of(
        self, chosen: Chosen, *, name: str | None = None, aliases: tuple[str, ...] = ()
    ) -> ModelEntry:
        """The model as it is registered, in a variant and perhaps under another name."""
        return ModelEntry(
            name=name or self.name,
            source=chosen.hub,
            revision=chosen.revision,
            files=chosen.files,
            aliases=aliases,
            matryoshka=self.matryoshka,
            max_tokens=self.max_tokens,
            profiles=self.profiles,
        )


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What authors say of a model that its checkpoint may not.

    Attributes:
        family: Whose model it is.
        prompts: Prompts by name.
        instruction: Prompt of queries with a place ``{instruction}``.
        ask: What it is asked, if it is a language model that compares.
    """

    family: str
    prompts: dict[str, str] = {}
    instruction: str | None = None
    ask: Ask | None = None


class Refusal(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Models that people will ask for and that are not served.

    Attributes:
        names: Their names.
        reason: Why, and what to take instead.
    """

    names: tuple[str, ...]
    reason: str


class Family(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A family of models: what one YAML file holds.

    Attributes:
        family: Its name, also that of the file.
        models: Its models.
        refused: Models that are not served.
        kind: What models are for that do not say it themselves; so all below.
        languages: Codes of the languages they were made for.
        abilities: What they can do.
        inputs: What they read.
        prompts: Their prompts.
        instruction: Their prompt with an instruction.
        ask: What they are asked.
    """

    family: str
    models: tuple[Member, ...] = ()
    refused: tuple[Refusal, ...] = ()
    kind: ModelKind = "embedding"
    languages: tuple[str, ...] = ()
    abilities: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ("text",)
    prompts: dict[str, str] = {}
    instruction: str | None = None
    ask: Ask | None = None

    def advice(self, member: Member) -> Advice:
        """What the authors say of one of the models."""
        return Advice(
            family=member.family or self.family,
            prompts=self.prompts if member.prompts is None else member.prompts,
            instruction=member.instruction or self.instruction,
            ask=member.ask or self.ask,
        )

    def card(self, member: Member) -> Card:
        """The facts of one of the models."""
        return Card(
            name=member.name,
            family=member.family or self.family,
            kind=member.kind or self.kind,
            aliases=member.aliases,
            languages=self.languages if member.languages is None else member.languages,
            abilities=self.abilities if member.abilities is None else member.abilities,
            inputs=self.inputs if member.inputs is None else member.inputs,
            context=member.context,
            dimensions=member.dimensions,
            architectures=member.architectures,
            variants=member.variants,
        )
