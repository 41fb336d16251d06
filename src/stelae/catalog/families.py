"""Well-known models by short name: one YAML file per family, hub ids and facts."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from stelae.catalog.entry import ModelEntry
from stelae.catalog.family import Advice, Family
from stelae.errors import MissingDependency, ModelLoadFailed
from stelae.types import Card, ModelKind

BUILT_IN = Path(__file__).parent / "families"

TABLE = Path(__file__).parent / "families.jsonl"
"""All built-in families, one a line, written from their files by ``tools/families.py``.

Many YAML files take a tenth of a second to read, and a package that not every install has.
"""


@cache
def known_models(folder: Path = BUILT_IN) -> dict[str, ModelEntry]:
    """Models of all families in a folder, by every name that reaches them.

    A model is reached by its name, its aliases and its hub id; another size of it, as its
    authors stored it, by its hub id.

    Raises:
        ModelLoadFailed: A file is not a family, or two models share a name.
        MissingDependency: PyYAML is not installed.
    """
    found: dict[str, ModelEntry] = {}
    for family in families(folder):
        for member in family.models:
            entry = member.entry
            for name in (entry.name, *entry.aliases):
                if name in found:
                    raise ModelLoadFailed(f"{family.family}: the name {name!r} is already taken")
                found[name] = entry
    for family in families(folder):
        for member in family.models:
            for entry in member.sizes:
                found.setdefault(entry.name, entry)
    return found


@cache
def advices(folder: Path = BUILT_IN) -> dict[str, Advice]:
    """What authors say of the models of all families in a folder, by name and hub id.

    Raises:
        ModelLoadFailed: A file is not a family.
        MissingDependency: PyYAML is not installed.
    """
    found: dict[str, Advice] = {}
    for family in families(folder):
        for member in family.models:
            advice = family.advice(member)
            names = (member.name, *member.aliases, *(v.hub for v in member.variants))
            found |= {name: advice for name in names if name not in found}
    return found


@cache
def cards(folder: Path = BUILT_IN) -> dict[str, Card]:
    """The facts of all models in a folder, by name and alias.

    Raises:
        ModelLoadFailed: A file is not a family.
        MissingDependency: PyYAML is not installed.
    """
    listed = [family.card(member) for family in families(folder) for member in family.models]
    return {name: card for card in listed for name in (card.name, *card.aliases)}


def listed(kind: ModelKind | None = None, folder: Path = BUILT_IN) -> list[Card]:
    """The facts of all models of a kind, or of all, sorted by name in any case.

    Raises:
        ModelLoadFailed: A file is not a family.
        MissingDependency: PyYAML is not installed.
    """
    found = {card.name: card for card in cards(folder).values() if kind in {None, card.kind}}
    return [found[name] for name in sorted(found, key=str.casefold)]


@cache
def refused_models(folder: Path = BUILT_IN) -> dict[str, str]:
    """Why models of the families in a folder are not served, by name.

    Raises:
        ModelLoadFailed: A file is not a family.
        MissingDependency: PyYAML is not installed.
    """
    return {
        name: refusal.reason
        for family in families(folder)
        for refusal in family.refused
        for name in refusal.names
    }


@cache
def families(folder: Path = BUILT_IN) -> tuple[Family, ...]:
    """All families in a folder, in the order of their files.

    Raises:
        ModelLoadFailed: A file is not a family.
        MissingDependency: PyYAML is not installed.
    """
    if folder == BUILT_IN:
        return tuple(msgspec.json.Decoder(Family).decode_lines(TABLE.read_bytes()))
    return read_families(folder)


def read_families(folder: Path) -> tuple[Family, ...]:
    """The families of all YAML files in a folder.

    Raises:
        ModelLoadFailed: A file is not a family.
        MissingDependency: PyYAML is not installed.
    """
    return tuple(_read(file) for file in sorted(folder.glob("*.yaml")))


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
