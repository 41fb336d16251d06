"""Models that can be launched by name: well-known ones, and those that users register."""

from __future__ import annotations

import asyncio

import msgspec

from stelae.catalog.registered import check_places
from stelae.errors import Conflict, ModelNotFound, StelaeError
from stelae.service.deployments import Deployments
from stelae.service.keepsakes import Keepsakes
from stelae.service.store import Store
from stelae.telemetry.log import get
from stelae.types import CachedModel, Card, EngineFit, ModelKind, Registration

log = get()

MOST = 1_000
"""Registrations that a server takes."""

DRAIN_SECONDS = 25.0
"""Time that calls of a model have to finish when its registration is taken back."""

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
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Take up the registrations that were kept; what cannot be is logged and left out."""
        try:
            kept = await asyncio.to_thread(self._kept.all)
        except StelaeError as error:  # no reason not to answer other calls
            log.warning("registrations_unread", error=str(error))
            return
        for name, data in kept:
            try:
                self._catalog.add_registration(_DECODER.decode(data))
            except (msgspec.DecodeError, StelaeError) as error:
                log.warning("registration_left_out", model=name, error=str(error))

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
                f"name={name[:128]!r}: no {what} of that name is known here", param="name"
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
                f"name={name[:128]!r}: nobody registered a model of that name", param="name"
            )
        return found

    # -- changes -----------------------------------------------------------------------------

    async def register(self, registration: Registration, *, persist: bool = True) -> Card:
        """Make a model known by a name of its own.

        Args:
            registration: The model.
            persist: Whether it outlives the server.

        Raises:
            InvalidInput: The document makes no sense, or a folder in it is no checkpoint.
            Conflict: The name is taken, or there are too many.
            StelaeError: It cannot be kept; then it is not registered.
        """
        async with self._changing:
            if len(self._catalog.registrations()) >= MOST:
                raise Conflict(f"{MOST} models are registered, and no more are taken")
            self._catalog.add_registration(registration)
            try:
                await asyncio.to_thread(check_places, registration)
                if persist:
                    data = msgspec.json.encode(registration)
                    await asyncio.to_thread(self._kept.keep, registration.name, data)
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
            Forbidden: It is a well-known model.
            StelaeError: It cannot be forgotten.
        """
        async with self._changing:
            if kind is not None:
                self.card(name, kind)
            if self._catalog.registration(name) is not None:
                await asyncio.to_thread(self._kept.drop, name)
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
        raise NotImplementedError

    async def cached(self, name: str | None = None) -> list[CachedModel]:
        """Models whose files are in the cache of the hub.

        Args:
            name: The model, or a hub id; all if ``None``.

        Raises:
            StelaeError: The cache cannot be read.
        """
        raise NotImplementedError

    async def uncache(self, version: str) -> CachedModel:
        """Remove the files of a model from the cache of the hub, and nothing beside them.

        Args:
            version: Its ``version`` as ``cached`` tells it.

        Returns:
            What was removed.

        Raises:
            NotFound: There is nothing of that version.
            Conflict: A model that is loaded uses them.
            StelaeError: They cannot be removed.
        """
        raise NotImplementedError
