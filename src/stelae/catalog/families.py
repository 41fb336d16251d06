"""Well-known models by short name: one YAML file per family, hub ids and facts."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from stelae.catalog.entry import ModelEntry
from stelae.errors import MissingDependency, ModelLoadFailed

BUILT_IN = Path(__file__).parent / "families"


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model of a family.

    Attributes:
        name: Short name.
        hub: Hub id; reaches the model too.
        revision: Commit to take; ``None`` is the main branch.
        aliases: Further names.
        matryoshka: Widths that its authors say it was trained to be cut to.
        max_tokens: Longest input, where the authors advise less than the
            checkpoint allows.
    """

    name: str
    hub: str
    revision: str | None = None
    aliases: tuple[str, ...] = ()
    matryoshka: tuple[int, ...] = ()
    max_tokens: int | None = None

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
        )


class Family(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A family of models: what one YAML file holds."""

    family: str
    models: tuple[Member, ...]


@cache
def known_models(folder: Path = BUILT_IN) -> dict[str, ModelEntry]:
    """Models of all families in a folder, by every name that reaches them.

    Raises:
        ModelLoadFailed: A file is not a family, or two models share a name.
        MissingDependency: PyYAML is not installed.
    """
    found: dict[str, ModelEntry] = {}
    for file in sorted(folder.glob("*.yaml")):
        for member in _read(file).models:
            entry = member.entry
            for name in (entry.name, *entry.aliases):
                if name in found:
                    raise ModelLoadFailed(f"{file.name}: the name {name!r} is already taken")
                found[name] = entry
    return found


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
