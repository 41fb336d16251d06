"""Models that can be launched by name: well-known ones, and those that users register."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec

from stelae.catalog.chat_template import check_language
from stelae.catalog.entry import ModelEntry
from stelae.catalog.hub_cache import cache_folder, cached_repos, remove
from stelae.catalog.registered import check_places
from stelae.catalog.shelf import Found, shelf
from stelae.catalog.spec import ModelSpec
from stelae.catalog.variants import Wish
from stelae.engines.fitting import fits
from stelae.errors import Conflict, Forbidden, ModelNotFound, NotFound, StelaeError
from stelae.service.deployments import Deployments, Standing
from stelae.service.keepsakes import AGAIN_SECONDS, LOOKS, Keepsakes
from stelae.service.store import Store
from stelae.telemetry.log import get
from stelae.types import (
    CachedModel,
    Card,
    EngineFit,
    ModelKind,
    ModelState,
    Registration,
    Variant,
)

log = get()

MOST = 1_000
"""Registrations that a server takes."""

IDLE = (ModelState.AVAILABLE, ModelState.FAILED)
"""States of models that read no files."""

SHOWN = 128
"""Characters of a name that a message repeats."""

_DECODER = msgspec.json.Decoder(Registration)


class Registry:
    """Tells of the models that can be launched, and takes further ones.

    Args:
        deployments: Has the catalog, and knows what is served.
        store: Keeps registrations that outlive the server.
    """

    def __init__(self, deployments: Deployments, store: Store) -> None:
        self._deployments = deployments
        self._catalog = deployments.catalog
        self._kept = Keepsakes(store, "registration")
        self._lasting: set[str] = set()
        self._changing = asyncio.Lock()
        self._taken_up = False
        self._waiting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up the registrations that were kept; nobody waits for a store that is in use."""
        if not await self.take_up():
            self._waiting = asyncio.create_task(self._wait(), name="registry-wait")

    async def stop(self) -> None:
        """Wait for the store no longer."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.gather(self._waiting, return_exceptions=True)

    async def _wait(self) -> None:
        for _ in range(LOOKS):
            await asyncio.sleep(AGAIN_SECONDS)
            if await self.take_up():
                return

    async def take_up(self) -> bool:
        """Take up what was kept, once; what cannot be is logged and left out.

        Returns:
            Whether that is done, as far as it can be: not while another server uses the store.
        """
        async with self._changing:
            if self._taken_up:
                return True
            if (kept := await self._kept.read()) is None:
                return False
            self._taken_up = True
            for name, data in kept:
                self._lasting.add(name)
                try:
                    self._catalog.add_registration(_DECODER.decode(data))
                except (msgspec.DecodeError, StelaeError) as error:
                    log.warning("registration_left_out", model=name, error=str(error))
        return True

    # -- what there is -----------------------------------------------------------------------

    def cards(self, kind: ModelKind | None = None) -> list[Card]:
        """All models of a kind, or of all kinds, by name; ``builtin`` tells the two apart."""
        return self._catalog.cards(kind)

    def card(self, name: str, kind: ModelKind | None = None) -> Card:
        """The facts of a model.

        Args:
            name: Its name, or an alias of a well-known one.
            kind: What it must be for.

        Raises:
            ModelNotFound: There is none of that name and kind.
        """
        card = self._catalog.card(name)
        if card is None or kind not in {None, card.kind}:
            what = "model" if kind is None else f"model of the kind {kind!r}"
            raise ModelNotFound(
                f"name={name[:SHOWN]!r}: no {what} of that name is known here", param="name"
            )
        return card

    def registrations(self, kind: ModelKind | None = None) -> list[Registration]:
        """What users registered, of a kind or of all, the oldest first."""
        return [each for each in self._catalog.registrations() if kind in {None, each.kind}]

    def registration(self, name: str) -> Registration:
        """What a user registered.

        Raises:
            ModelNotFound: Nobody registered that name.
        """
        if (found := self._catalog.registration(name)) is None:
            raise ModelNotFound(
                f"name={name[:SHOWN]!r}: nobody registered a model of that name", param="name"
            )
        return found

    # -- changes -----------------------------------------------------------------------------

    async def register(self, registration: Registration, *, persist: bool = True) -> Card:
        """Make a model known by a name of its own.

        Args:
            registration: The model.
            persist: Whether it outlives the server.

        Raises:
            InvalidInput: The document makes no sense, a folder in it is no checkpoint, or its
                chat template is none.
            Forbidden: Callers may not change what the server knows.
            Conflict: The name is taken, or there are too many.
            StelaeError: It cannot be kept; then it is not registered.
        """
        self._check_open()
        async with self._changing:
            if len(self._catalog.registrations()) >= MOST:
                raise Conflict(f"{MOST} models are registered, and no more are taken")
            self._catalog.add_registration(registration)
            try:
                await asyncio.to_thread(check_places, registration)
                await asyncio.to_thread(check_language, registration.chat_template)
                if persist:
                    data = msgspec.json.encode(registration)
                    await asyncio.to_thread(self._kept.keep, registration.name, data)
                    self._lasting.add(registration.name)
            except StelaeError:
                self._catalog.remove_registration(registration.name)
                raise
        log.info("model_registered", model=registration.name, persist=persist)
        return self.card(registration.name)

    async def unregister(self, name: str, kind: ModelKind | None = None) -> Registration:
        """Take a registration back; models that were launched of it go on.

        Args:
            name: Its name.
            kind: What it must be for.

        Raises:
            ModelNotFound: Nobody registered that name.
            Forbidden: It is a well-known model, or callers may not change what the server knows.
            StelaeError: It cannot be forgotten.
        """
        self._check_open()
        async with self._changing:
            if kind is not None:
                self.card(name, kind)
            if name in self._lasting and self._catalog.registration(name) is not None:
                await asyncio.to_thread(self._kept.drop, name)
                self._lasting.discard(name)
            gone = self._catalog.remove_registration(name)
        log.info("model_unregistered", model=name)
        return gone

    # -- engines and files -------------------------------------------------------------------

    async def engines(self, name: str, kind: ModelKind | None = None) -> list[EngineFit]:
        """What each engine makes of a model, those that serve most people first.

        Args:
            name: Its name, or an alias of a well-known one.
            kind: What it must be for.

        Raises:
            ModelNotFound: There is none of that name and kind.
        """
        card = self.card(name, kind)
        return await asyncio.to_thread(self._engines, card)

    def _engines(self, card: Card) -> list[EngineFit]:
        return fits(card, dict(self._here(card)))

    def _here(self, card: Card) -> Iterator[tuple[Variant, ModelSpec]]:
        """Those variants whose files are on this machine, and what these say."""
        for variant in card.variants:
            wish = Wish(
                format=variant.format,
                size=variant.size,
                quantization=variant.quantizations[0],
            )
            spec = self._catalog.here(self._catalog.variant(card.name, wish))
            if spec is not None:
                yield variant, spec

    async def cached(self, name: str | None = None) -> list[CachedModel]:
        """Models whose files are in the cache of the hub.

        Args:
            name: The model, or a hub id; all if ``None``.

        Raises:
            StelaeError: The cache cannot be read.
        """
        return [
            model for model, _ in await self._shelf() if name in {None, model.model, model.source}
        ]

    async def uncache(self, version: str) -> CachedModel:
        """Remove the files of a model from the cache of the hub, and nothing beside them.

        Args:
            version: Its ``version`` as ``cached`` tells it.

        Returns:
            What was removed.

        Raises:
            NotFound: There is nothing of that version.
            Conflict: A model that is loaded uses them.
            Forbidden: Callers may not change what the server knows.
            StelaeError: They cannot be removed.
        """
        self._check_open()
        async with self._changing:
            for model, repo in await self._shelf():
                if model.version == version:
                    self._check_unused(model.source)
                    await asyncio.to_thread(remove, repo, model.files)
                    self._catalog.unread(model.source)
                    log.info("model_uncached", model=model.version, bytes=model.bytes)
                    return model
        raise NotFound(
            f"version={version[:SHOWN]!r}: no files of that version are in the cache",
            param="version",
            hint="the list of cached models has the versions that there are",
        )

    def _check_open(self) -> None:
        """Refuse changes where callers are to use what the server knows, and nothing else.

        Raises:
            Forbidden: It is so.
        """
        if not self._deployments.defaults.anywhere:
            raise Forbidden(
                "callers may use the models that this server knows by name, and add or remove none",
                hint="launch.sources = 'any' in the configuration lets them do that",
            )

    async def _shelf(self) -> list[Found]:
        folder = cache_folder(self._catalog.hub)
        if folder is None:
            return []
        repos = await asyncio.to_thread(cached_repos, folder)
        return await asyncio.to_thread(shelf, self.cards(), repos)

    def _check_unused(self, source: str) -> None:
        """Refuse to take files from a model that is loaded, or being fetched.

        Raises:
            Conflict: There is one.
        """
        for name in self._catalog.names():
            entry, state = self._catalog.entry(name), self._deployments.state(name)
            if state not in IDLE and source in _sources(entry, self._deployments.standing(name)):
                raise Conflict(
                    f"{source} cannot be removed: model {name!r} is {state}",
                    hint="unload or terminate it first",
                )


def _sources(entry: ModelEntry, standing: Standing) -> set[str]:
    """Hub ids whose files a model reads."""
    beside = () if standing.spec is None else standing.spec.source.beside
    loras = (source.partition("@")[0] for source in entry.loras.values())
    return {entry.source, *beside, *loras}
