"""Names to models: the embedded one, what people add, and known families."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from threading import Lock

from msgspec.structs import replace

from stelae.catalog.adapters import Adapters
from stelae.catalog.checkpoint import read_spec
from stelae.catalog.entry import (
    DEFAULT,
    EMBEDDED,
    LONGEST_NAME,
    ModelEntry,
    check_loras,
    check_name,
    is_local,
    is_name,
    name_of,
    refuse_place,
)
from stelae.catalog.families import (
    BUILT_IN,
    advices,
    cards,
    known_models,
    listed,
    refused_models,
)
from stelae.catalog.family import Advice
from stelae.catalog.files import Json
from stelae.catalog.hub import HubOptions, is_hub_id
from stelae.catalog.hub_cache import cache_folder, is_cached
from stelae.catalog.hub_progress import Progress
from stelae.catalog.placing import placed
from stelae.catalog.profiles import PLAIN, SEPARATORS, check_profiles, profile_of
from stelae.catalog.registered import card_of, check_registration, entry_of
from stelae.catalog.spec import ModelSpec, Source
from stelae.catalog.variants import Wish, choose
from stelae.catalog.weighing import Weight, outline, weigh
from stelae.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    MissingDependency,
    ModelLoadFailed,
    ModelNotFound,
    StelaeError,
)
from stelae.types import Card, ModelKind, Profile, Registration


class Catalog:
    """All models that can be asked for by name.

    The embedded model is always among them, unless another takes its name. Safe to
    use from several threads.

    Args:
        entries: Models to register.
        hub: How to reach the model hub.
        families: Folder with the YAML files of well-known models.
    """

    def __init__(
        self,
        entries: Iterable[ModelEntry] = (),
        *,
        hub: HubOptions | None = None,
        families: Path = BUILT_IN,
    ) -> None:
        self._hub = hub or HubOptions()
        self._families = families
        self._entries: dict[str, ModelEntry] = {}
        self._names: dict[str, str] = {}
        self._specs: dict[str, ModelSpec] = {}
        self._registrations: dict[str, Registration] = {}
        self._launched: dict[str, ModelEntry | None] = {}
        self._lock = Lock()
        for entry in entries:
            self.register(entry)
        if DEFAULT.name not in self._names:
            free = tuple(alias for alias in DEFAULT.aliases if alias not in self._names)
            self.register(replace(DEFAULT, aliases=free))

    def adapters(self, entry: ModelEntry) -> Adapters:
        """The adapters of a model, and how to come by them."""
        return Adapters(sources=entry.loras, most=entry.max_loras, hub=self._hub)

    def weigh(self, entry: ModelEntry) -> Weight:
        """What a model's checkpoint weighs; see ``weighing.weigh``."""
        return weigh(entry, self._hub)

    def outline(self, entry: ModelEntry) -> tuple[Weight, Json]:
        """What it weighs, and what its ``config.json`` says; see ``weighing.outline``."""
        return outline(entry, self._hub)

    def names(self) -> list[str]:
        """Names of the registered models, in order of registration."""
        return list(self._entries)

    def entry(self, name: str) -> ModelEntry:
        """The model that a name means.

        Args:
            name: A registered name or alias, or a name or hub id of a known family.

        Raises:
            ModelNotFound: There is none; the hint has the nearest names.
        """
        found = self._found(name)
        if found is None:
            raise self._unknown(name)
        return found

    def resolve(self, name: str) -> tuple[ModelEntry, Profile | None]:
        """The model that a name means, and the options that it means to be asked with.

        Args:
            name: As for ``entry``; or one of these, ``:`` or ``@``, and the name of one of
                the model's profiles. The name of a model counts before a profile's.

        Raises:
            ModelNotFound: There is no such model.
            InvalidInput: The model has no such profile.
        """
        found = self._found(name)
        if found is not None:
            return found, profile_of(found)
        for place in _separators(name):
            if (found := self._found(name[:place])) is not None:
                return found, profile_of(found, name[place + 1 :] or PLAIN)
        raise self._unknown(name)

    @property
    def hub(self) -> HubOptions:
        """How the hub is reached."""
        return self._hub

    def card(self, name: str) -> Card | None:
        """The facts of a well-known or registered model by its name, if it is one."""
        own = self._registrations.get(name)
        return cards(self._families).get(name) if own is None else card_of(own)

    def cards(self, kind: ModelKind | None = None) -> list[Card]:
        """The facts of all well-known and registered models of a kind, or of all, by name."""
        own = [card_of(each) for each in self.registrations() if kind in {None, each.kind}]
        return sorted([*listed(kind, self._families), *own], key=lambda card: card.name.casefold())

    def registrations(self) -> list[Registration]:
        """What users registered, the oldest first."""
        return list(self._registrations.values())

    def registration(self, name: str) -> Registration | None:
        """What a user registered under a name, if anybody did."""
        return self._registrations.get(name)

    def add_registration(self, registration: Registration) -> None:
        """Make a model known to all who ask for it by name.

        Raises:
            InvalidInput: The document makes no sense; see ``check_registration``.
            Conflict: The name means another model.
        """
        check_registration(registration)
        name = registration.name
        with self._lock:
            if self._means_something(name):
                raise Conflict(f"name={name!r} means a model already; choose another", param="name")
            self._registrations[name] = registration

    def _means_something(self, name: str) -> bool:
        """Whether a name reaches a model, by itself or with one of its profiles."""
        with suppress(ModelNotFound, InvalidInput):
            self.resolve(name)
            return True
        return False

    def remove_registration(self, name: str) -> Registration:
        """Forget what a user registered; models that were launched of it stay.

        Raises:
            ModelNotFound: Nobody registered that name.
            Forbidden: It is a well-known model.
        """
        with self._lock:
            own = self._registrations.pop(name, None)
            if own is None:
                raise self._unregistered(name)
            usual = _defined(own)
            if self._launched.get(name) == usual:
                self._launched[name] = None
            if self._entries.get(name) == usual:
                self._drop(name)
        return own

    def variant(self, name: str, wish: Wish) -> ModelEntry:
        """The model that a name means, in the variant that is asked for.

        What is launched under the name counts as if it were not. A model that is registered
        under the name of a well-known one, and has other weights, stands in for all its
        variants.

        Args:
            name: As for ``entry``.
            wish: The format, size and quantisation.

        Raises:
            ModelNotFound: There is no such model.
            InvalidInput: There is no such variant; the message has those that there are.
        """
        entry, card = self._beneath(self.entry(name)), self.card(name)
        if not wish:
            return entry
        if card is None:
            raise InvalidInput(
                f"model={name[:LONGEST_NAME]!r} is served as it is: it has no variants to choose "
                "a format, size or quantization of",
                param="model",
            )
        chosen = choose(card.name, card.variants, wish)
        weights = {v.chosen(q).hub for v in card.variants for q in v.quantizations}
        if entry.source not in weights or (entry.source, entry.files) == (chosen.hub, chosen.files):
            return entry
        if (own := self._registrations.get(card.name)) is not None:
            return entry_of(own, chosen)
        return replace(
            known_models(self._families)[card.name],
            aliases=(),
            source=chosen.hub,
            revision=chosen.revision,
            files=chosen.files,
        )

    def _found(self, name: str) -> ModelEntry | None:
        found = self._names.get(name)
        if found is not None:
            return self._entries[found]
        if (own := self._registrations.get(name)) is not None:
            return _defined(own)
        known = known_models(self._families).get(name)
        return None if known is None else self._registered(known) or self._beside(known)

    def _beneath(self, entry: ModelEntry) -> ModelEntry:
        """What an entry's name means when nothing is launched under it."""
        if entry.name not in self._launched:
            return entry
        if (before := self._launched[entry.name]) is not None:
            return before
        own = self._registrations.get(entry.name)
        return known_models(self._families).get(entry.name, entry) if own is None else _defined(own)

    def _registered(self, known: ModelEntry) -> ModelEntry | None:
        """The registered model with a well-known model's weights, if there is one."""
        owners = [self._names.get(name) for name in (known.name, *known.aliases)]
        entries = [self._entries[owner] for owner in owners if owner is not None]
        weights = (known.source, known.files)
        return next((entry for entry in entries if (entry.source, entry.files) == weights), None)

    def _beside(self, known: ModelEntry) -> ModelEntry:
        """A well-known model under those of its names that no other model has."""
        free = [name for name in (known.name, *known.aliases) if name not in self._names]
        return replace(known, name=free[0], aliases=tuple(free[1:]))

    def register(self, entry: ModelEntry) -> ModelEntry:
        """Add a model, or replace the one of that name.

        The embedded model gives up an alias that another model asks for.

        Raises:
            Conflict: One of the names belongs to another model.
            InvalidInput: One of them cannot be a name, or an adapter's cannot; or a
                profile makes no sense.
        """
        for name in (entry.name, *entry.aliases):
            check_name(name)
        check_loras(entry)
        check_profiles(entry)
        with self._lock:
            for name in (entry.name, *entry.aliases):
                self._check_free(name, entry)
            taken = {n: owner for n, owner in self._names.items() if owner != entry.name}
            self._names = taken | dict.fromkeys((entry.name, *entry.aliases), entry.name)
            self._entries[entry.name] = entry
            self._specs.pop(entry.name, None)
        return entry

    def cover(self, entry: ModelEntry) -> None:
        """Register a model for as long as it is launched, in place of the one of that name.

        Raises:
            StelaeError: As for ``register``.
        """
        before = self._entries.get(entry.name)
        self.register(entry)
        self._launched.setdefault(entry.name, before)

    def uncover(self, name: str) -> None:
        """Take a launched model out; the one that it stood in for comes back."""
        self.forget(name)
        before = self._launched.pop(name, None)
        if before is not None:
            self.register(before)

    def owner(self, name: str) -> str | None:
        """The registered model that a name or an alias belongs to, if there is one."""
        return self._names.get(name)

    def forget(self, name: str) -> None:
        """Take a registered model out, under all its names; unknown names are let be."""
        with self._lock:
            self._drop(name)

    def _drop(self, name: str) -> None:
        self._names = {n: owner for n, owner in self._names.items() if owner != name}
        self._entries.pop(name, None)
        self._specs.pop(name, None)

    def _check_free(self, name: str, entry: ModelEntry) -> None:
        owner = self._names.get(name, entry.name)
        if owner == entry.name:
            return
        lent = name != owner == DEFAULT.name and self._entries[owner].source == EMBEDDED
        if not lent:
            raise Conflict(
                f"the name {name!r} already means the model {owner!r}; choose another name"
            )

    def register_argument(self, text: str) -> ModelEntry:
        """Register what a person wrote on the command line.

        Args:
            text: A known name, a folder, a GGUF file or a hub id, the last perhaps with
                ``@revision``; before each of them ``name=`` may stand. What is a
                folder as a whole is that folder, whatever its name looks like.

        Returns:
            The model; a known one is returned as it is.

        Raises:
            ModelNotFound: It is none of these.
            Conflict: The name belongs to another model.
            InvalidInput: The name before ``=`` cannot be one.
        """
        if is_local(text):
            return self._register_folder("", text)
        name, source = _named(text)
        if is_local(source):
            return self._register_folder(name, source)
        if (known := self._found(source)) is not None:
            entry = known if not name else replace(known, name=name, aliases=())
            return entry if self._entries.get(entry.name) == entry else self.register(entry)
        refuse_place(source)
        entry = self.on_hub(source)
        return self.register(replace(entry, name=name) if name else entry)

    def on_hub(self, text: str) -> ModelEntry:
        """A model of the hub by its id, perhaps with ``@revision``; it is not registered.

        Raises:
            ModelNotFound: That is none, or one that is known not to be served.
        """
        repo, _, revision = text.partition("@")
        if not is_hub_id(repo) or text in refused_models(self._families):
            raise self._unknown(text)
        return ModelEntry(name=repo, source=repo, revision=revision or None)

    def _register_folder(self, name: str, source: str) -> ModelEntry:
        folder = Path(source).expanduser().absolute()
        entry = ModelEntry(name=name or name_of(folder), source=str(folder))
        other = None if name else self._entries.get(entry.name)
        if other is not None and other.source == entry.source:
            return other
        if other is not None and other.source != EMBEDDED:
            raise Conflict(
                f"the folder {source!r} would be named {entry.name!r}, which already means "
                f"{other.source!r}; give it a name of its own: NAME={source}"
            )
        return self.register(entry)

    def spec(self, name: str, progress: Progress | None = None) -> ModelSpec:
        """What a model is, from its checkpoint; may fetch it from the hub first.

        Blocks while it reads or fetches. A checkpoint from the hub is read once, a
        folder each time.

        Args:
            name: As for ``entry``. A model of a family is registered by it.
            progress: Told of the bytes that come in from the hub.

        Raises:
            ModelNotFound: No such name, folder or hub id.
            UnsupportedCheckpoint: Part of the checkpoint is not implemented.
            ModelLoadFailed: The checkpoint is broken, or the hub does not answer.
            MissingDependency: The package with the embedded model is not installed.
        """
        entry = self.entry(name)
        spec = self.read(entry, progress)
        self.keep(entry, spec)
        return spec

    def read(self, entry: ModelEntry, progress: Progress | None = None) -> ModelSpec:
        """What a model is, as ``spec`` tells it; nothing is registered."""
        known = self._specs.get(entry.name)
        if known is not None:
            return known
        folder, source = placed(entry, self._hub, progress)
        return read_spec(folder, entry, source, self._advice(entry, source))

    def here(self, entry: ModelEntry) -> ModelSpec | None:
        """What a model is, if its whole checkpoint is on this machine; nothing is fetched."""
        folder = cache_folder(self._hub)
        if is_hub_id(entry.source) and (folder is None or not is_cached(folder, entry.source)):
            return None
        try:
            here, source = placed(entry, replace(self._hub, offline=True))
            return read_spec(here, entry, source, self._advice(entry, source))
        except (InvalidInput, MissingDependency, ModelLoadFailed, ModelNotFound):
            return None

    def unread(self, source: str) -> None:
        """Forget what the models of a hub id are: their files are there no longer."""
        with self._lock:
            gone = [name for name, spec in self._specs.items() if spec.source.location == source]
            for name in gone:
                del self._specs[name]

    def keep(self, entry: ModelEntry, spec: ModelSpec) -> None:
        """Note what a model is: it is registered if it was not, and read no more from the hub."""
        if entry.name not in self._entries:
            self.register(entry)
        with self._lock:
            if spec.source.kind == "hub" and self._entries[entry.name] == entry:
                self._specs[entry.name] = spec

    def _advice(self, entry: ModelEntry, source: Source) -> Advice | None:
        """What is known of a model by its hub id, or of a folder by the name it is given."""
        if source.kind == "embedded":
            return None
        known = advices(self._families)
        return known.get(entry.source if source.kind == "hub" else entry.name)

    def _unregistered(self, name: str) -> StelaeError:
        if name in cards(self._families):
            return Forbidden(
                f"name={name!r} is a well-known model; those that users registered can be removed",
                param="name",
            )
        return ModelNotFound(
            f"name={name[:LONGEST_NAME]!r}: nobody registered a model of that name", param="name"
        )

    def _unknown(self, name: str) -> ModelNotFound:
        short = name[:LONGEST_NAME]
        if (reason := refused_models(self._families).get(name)) is not None:
            return ModelNotFound(f"model={short!r} is not served: {reason}", param="model")
        names = (*known_models(self._families), *self._names, *self._registrations)
        known = {n.casefold(): n for n in names if ("/" in n) == ("/" in short)}
        near = [known[n] for n in get_close_matches(short.casefold(), known, n=3, cutoff=0.6)]
        return ModelNotFound(
            f"model={short!r}: no model of that name is known here",
            param="model",
            hint=f"did you mean {' or '.join(map(repr, near))}?" if near else _other_ways(short),
            details={"nearest": near},
        )


def _defined(registration: Registration) -> ModelEntry:
    """A registered model in the variant that is usual."""
    usual = choose(registration.name, card_of(registration).variants, Wish())
    return entry_of(registration, usual)


def _separators(name: str) -> list[int]:
    """Where the name of a profile may begin, the last place first."""
    longest = 2 * LONGEST_NAME + 1
    return [i for i in reversed(range(1, min(len(name), longest))) if name[i] in SEPARATORS]


def _named(text: str) -> tuple[str, str]:
    """What stands before the first ``=``, if it is meant as a name, and what is named."""
    name, given, source = text.partition("=")
    return (name, source) if given and (is_name(name) or is_local(source)) else ("", text)


def _other_ways(name: str) -> str:
    if is_hub_id(name):
        return f"to serve it from the hub: stelae serve {name}"
    return "`stelae models` lists the models of a server; `stelae serve NAME=FOLDER` adds one"
