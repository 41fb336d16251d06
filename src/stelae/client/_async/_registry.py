"""What can be launched, and what of it is here, as a part of the client."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from stelae.client import _registry
from stelae.client._async._backend import AsyncBackend
from stelae.client._async._sender import AsyncSender
from stelae.types import CachedModel, Card, EngineFit, ModelKind, Registration


class AsyncRegistry:
    """What a client can ask about models that are not up."""

    _sender: AsyncSender
    _backend: AsyncBackend

    async def cards(
        self, kind: ModelKind | None = None, *, timeout: float | None = None
    ) -> list[Card]:
        """The models that can be launched by name: well-known ones, and those that users added.

        Args:
            kind: Only those for ``llm``, ``embedding``, ``rerank``, ``extract``, ``image`` or
                ``audio``.
            timeout: Seconds to wait; the client's own if not given.
        """
        return await self._sender.ask(partial(self._backend.cards, kind), timeout)

    async def card(self, name: str, *, timeout: float | None = None) -> Card:
        """The facts of a model that can be launched, and its variants.

        Raises:
            ModelNotFound: There is none of that name.
        """
        return await self._sender.ask(partial(self._backend.card, name), timeout)

    async def registrations(
        self, kind: ModelKind | None = None, *, timeout: float | None = None
    ) -> list[Registration]:
        """What users registered, the oldest first; see ``cards``."""
        return await self._sender.ask(partial(self._backend.registrations, kind), timeout)

    async def register_model(
        self,
        registration: Registration | Mapping[str, Any],
        *,
        persist: bool = True,
        timeout: float | None = None,
    ) -> Card:
        """Make a model known by a name of its own; the request is sent once.

        Args:
            registration: The model: a ``Registration``, or a dict with its fields.
            persist: Whether a restart of the server leaves it.
            timeout: Seconds to wait; the client's own if not given.

        Returns:
            Its card.

        Raises:
            InvalidInput: It makes no sense, or a folder in it is no checkpoint.
            Conflict: The name is taken.

        Example:
            >>> async with AsyncClient() as client:
            ...     weights = [{"source": "sentence-transformers/all-MiniLM-L6-v2"}]
            ...     asked = {"name": "notes", "kind": "embedding", "weights": weights}
            ...     card = await client.register_model(asked, persist=False)
            ...     gone = await client.unregister_model("notes")
            >>> card.builtin, gone.name
            (False, 'notes')
        """
        given = _registry.registration(registration)
        return await self._sender.once(partial(self._backend.register, given, persist), timeout)

    async def unregister_model(self, name: str, *, timeout: float | None = None) -> Registration:
        """Take a registration back; models that were launched of it go on.

        Returns:
            What it said.

        Raises:
            ModelNotFound: Nobody registered that name.
            Forbidden: It is a well-known model.
        """
        return await self._sender.ask(partial(self._backend.unregister, name), timeout)

    async def engines(self, name: str, *, timeout: float | None = None) -> list[EngineFit]:
        """Which engines serve which variants of a model, and why not the others.

        Raises:
            ModelNotFound: There is none of that name.
        """
        return await self._sender.ask(partial(self._backend.engines, name), timeout)

    async def cached_models(
        self, name: str | None = None, *, timeout: float | None = None
    ) -> list[CachedModel]:
        """Models whose files are on the server's disk.

        Args:
            name: Only those of one model, or hub id.
            timeout: Seconds to wait; the client's own if not given.
        """
        return await self._sender.ask(partial(self._backend.cached, name), timeout)

    async def remove_cached(self, version: str, *, timeout: float | None = None) -> CachedModel:
        """Remove the files of a model, and nothing beside them.

        Args:
            version: Its ``version``, as ``cached_models`` tells it.
            timeout: Seconds to wait; the client's own if not given.

        Returns:
            What was removed.

        Raises:
            NotFound: There is nothing of that version.
            Conflict: A model that is loaded uses them.
        """
        return await self._sender.ask(partial(self._backend.uncache, version), timeout)
