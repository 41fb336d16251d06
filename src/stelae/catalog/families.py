"""Well-known models by short name: one YAML file per family, hub ids and facts."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from stelae.catalog.entry import Ask, ModelEntry
from stelae.errors import MissingDependency, ModelLoadFailed
from stelae.types import Profile

BUILT_IN = Path(__file__).parent / "families"


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model of a family; what is left out is as the family says.

    Attributes:
        name: Short name.
        hub: Hub id; reaches the model too.
        revision: Commit to take; ``None`` is the main branch.
        aliases: Further names.
        matryoshka: Widths that its authors say it was trained to be cut to.
        max_tokens: Longest input, where the authors advise less than the
            checkpoint allows.
        prompts: Prompts by name that its authors advise, for checkpoints that have none.
        instruction: Prompt of queries with a place ``{instruction}``.
        ask: What it is asked, if it is a language model that compares.
        profiles: Named sets of options.
    """

    name: str
    hub: str
    revision: str | None = None
    aliases: tuple[str, ...] = ()
    matryoshka: tuple[int, ...] = ()
    max_tokens: int | None = None
    prompts: dict[str, str] | None = None
    instruction: str | None = None
    ask: Ask | None = None
    profiles: dict[str, Profile] = {}

    @property
    def entry(self) -> ModelEntry:
        """The model as it is registered."""
        return ModelEntry(
            name=self.name,
            source=self.hub,
            revision=self.revision,
            aliases=(self.hub, *self.aliases),
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


class Refusal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models that people will ask for and that are not served.

    Attributes:
        names: Their names.
        reason: Why, and what to take instead.
    """

    names: tuple[str, ...]
    reason: str


class Family(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A family of models: what one YAML file holds.

    Attributes:
        family: Its name, also that of the file.
        models: Its models.
        refused: Models that are not served.
        prompts: Prompts of models that name none of their own.
        instruction: Prompt with an instruction, of models that name none of their own.
        ask: What models are asked that do not say it themselves.
    """

    family: str
    models: tuple[Member, ...]
    refused: tuple[Refusal, ...] = ()
    prompts: dict[str, str] = {}
    instruction: str | None = None
    ask: Ask | None = None

    def advice(self, member: Member) -> Advice:
        """What the authors say of one of the models."""
        return Advice(
            family=self.family,
            prompts=self.prompts if member.prompts is None else member.prompts,
            instruction=member.instruction or self.instruction,
            ask=member.ask or self.ask,
        )


@cache
def known_models(folder: Path = BUILT_IN) -> dict[str, ModelEntry]:
    """Models of all families in a folder, by every name that reaches them.

    Raises:
        ModelLoadFailed: A file is not a family, or two models share a name.
        MissingDependency: PyYAML is not installed.
    """
    found: dict[str, ModelEntry] = {}
    for file, family in _families(folder).items():
        for member in family.models:
            entry = member.entry
            for name in (entry.name, *entry.aliases):
                if name in found:
                    raise ModelLoadFailed(f"{file.name}: the name {name!r} is already taken")
                found[name] = entry
    return found


@cache
def advices(folder: Path = BUILT_IN) -> dict[str, Advice]:
    """What authors say of the models of all families in a folder, by name and hub id.

    Raises:
        ModelLoadFailed: A file is not a family.
        MissingDependency: PyYAML is not installed.
    """
    return {
        name: family.advice(member)
        for family in _families(folder).values()
        for member in family.models
        for name in (member.name, member.hub, *member.aliases)
    }


@cache
def refused_models(folder: Path = BUILT_IN) -> dict[str, str]:
    """Why models of the families in a folder are not served, by name.

    Raises:
        ModelLoadFailed: A file is not a family.
        MissingDependency: PyYAML is not installed.
    """
    return {
        name: refusal.reason
        for family in _families(folder).values()
        for refusal in family.refused
        for name in refusal.names
    }


@cache
def _families(folder: Path) -> dict[Path, Family]:
    return {file: _read(file) for file in sorted(folder.glob("*.yaml"))}


def _read(file: Path) -> Family:
    try:
        return msgspec.yaml.decode(file.read_bytes(), type=Family)
    except ImportError as error:
        raise MissingDependency(
            "reading the known models needs the package 'pyyaml'",
            hint="pip install 'stelae[server]'",
        ) from error
    except (msgspec.DecodeError, OSError) as error:
        raise ModelLoadFailed(f"{file} is not a family of models: {error}") from error
