"""Names to models: the embedded one, what people register, and known families."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from threading import Lock

from msgspec.structs import replace

from stelae.catalog.checkpoint import read_spec
from stelae.catalog.embedded import PACKAGE, embedded_folder
from stelae.catalog.entry import DEFAULT, EMBEDDED, ModelEntry
from stelae.catalog.hub import HubOptions, fetch
from stelae.catalog.hub_progress import Progress
from stelae.catalog.spec import ModelSpec, Source
from stelae.errors import Conflict, ModelNotFound


class Catalog:
    """All models that can be asked for by name.

    Args:
        entries: Models to register besides the embedded one.
        hub: How to reach the model hub.
    """

    def __init__(
        self, entries: Iterable[ModelEntry] = (), *, hub: HubOptions | None = None
    ) -> None:
        self._hub = hub or HubOptions()
        self._entries: dict[str, ModelEntry] = {}
        self._names: dict[str, str] = {}
        self._specs: dict[str, ModelSpec] = {}
        self._lock = Lock()
        for entry in (*entries, DEFAULT):
            if entry.name not in self._entries:
                self.register(entry)

    def names(self) -> list[str]:
        """Names of the registered models, in order of registration."""
        return list(self._entries)

    def entry(self, name: str) -> ModelEntry:
        """The model of a name or alias.

        Raises:
            ModelNotFound: There is none; the message has the nearest names.
        """
        found = self._names.get(name)
        if found is None:
            raise _unknown(name, self._names)
        return self._entries[found]

    def register(self, entry: ModelEntry) -> ModelEntry:
        """Add a model, or replace the one of that name.

        Raises:
            Conflict: One of its names belongs to another model.
        """
        with self._lock:
            for name in (entry.name, *entry.aliases):
                owner = self._names.get(name, entry.name)
                if owner != entry.name:
                    raise Conflict(f"the name {name!r} already means the model {owner!r}")
            self._entries[entry.name] = entry
            self._names |= dict.fromkeys((entry.name, *entry.aliases), entry.name)
            self._specs.pop(entry.name, None)
        return entry

    def register_argument(self, text: str) -> ModelEntry:
        """Register what a person wrote on the command line.

        Args:
            text: A known name, a folder, a hub id, or ``name=`` before one of them.

        Raises:
            ModelNotFound: It is none of these.
        """
        name, _, source = text.rpartition("=")
        if source in self._names and not name:
            return self.entry(source)
        folder = Path(source).expanduser()
        if folder.is_dir():
            return self.register(ModelEntry(name=name or folder.resolve().name, source=str(folder)))
        if source in self._names:
            return self.register(_renamed(self.entry(source), name))
        raise _unknown(source, self._names)

    def spec(self, name: str, progress: Progress | None = None) -> ModelSpec:
        """What a model is, from its checkpoint; may fetch it from the hub first.

        Raises:
            ModelNotFound: No such name, folder or hub id.
            UnsupportedCheckpoint: Part of the checkpoint is not implemented.
            ModelLoadFailed: The checkpoint is broken.
        """
        entry = self.entry(name)
        with self._lock:
            known = self._specs.get(entry.name)
        if known is not None:
            return known
        spec = read_spec(*self._place(entry, progress))
        with self._lock:
            self._specs[entry.name] = spec
        return spec

    def _place(
        self, entry: ModelEntry, progress: Progress | None
    ) -> tuple[Path, ModelEntry, Source]:
        if entry.source == EMBEDDED:
            return embedded_folder(), entry, Source(kind="embedded", location=PACKAGE)
        folder = Path(entry.source).expanduser()
        if folder.is_dir() or folder.is_absolute():
            return folder, entry, Source(kind="folder", location=entry.source)
        snapshot = fetch(entry.source, entry.revision, self._hub, progress)
        source = Source(kind="hub", location=entry.source, revision=snapshot.revision)
        return snapshot.folder, entry, source


def _renamed(entry: ModelEntry, name: str) -> ModelEntry:
    return replace(entry, name=name, aliases=())


def _unknown(name: str, known: Iterable[str]) -> ModelNotFound:
    near = get_close_matches(name, list(known), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "see `stelae models`"
    return ModelNotFound(f"model={name!r}: no such model here", param="model", hint=hint)
