"""CLIP's client.

All of its work is written once, for an event loop. ``aencode`` and its kin run in the caller's own
loop; ``encode`` and its kin hand the work to one loop in a thread that all clients share, and
their caller's thread meanwhile does what only it should do: it reads the generator that makes the
content, and calls the callbacks. So a generator may use what belongs to its thread (a database's
cursor), a slow one holds up no answer, and it works as well where a loop runs already, as in a
notebook. Each call has a connection of its own, which is gone when the call returns: there is
nothing to close.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Unpack

from stelae.client._progress import shown
from stelae.clip import profiling, verbs
from stelae.clip.answers import Response
from stelae.clip.callers import AsyncCaller, SyncCaller
from stelae.clip.calls import Call, Options
from stelae.clip.carriers import Address, way_to
from stelae.clip.exchange import Caller, exchange
from stelae.clip.profiling import Profile
from stelae.clip.results import Results
from stelae.errors import InvalidInput

TOKEN = "CLIP_AUTH_TOKEN"  # noqa: S105  # the name of a variable
"""Environment variable with the token of callers who give none."""

Content = Iterable[Any]


class Client:
    """A client for CLIP models on a server.

    Args:
        server: ``SCHEME://HOST:PORT``, where the scheme is ``grpc``, ``http``, ``ws`` or
            ``websocket``, or with TLS ``grpcs``, ``https``, ``wss`` or ``websockets``.
        credential: ``{"Authorization": token}`` for servers that ask for one; the variable
            ``CLIP_AUTH_TOKEN`` of the environment gives it otherwise.

    Raises:
        InvalidInput: The address cannot be read.
    """

    def __init__(self, server: str, credential: Mapping[str, str] | None = None) -> None:
        self._address = Address.parsed(server)
        given = {} if credential is None else credential
        if not isinstance(given, Mapping):
            raise InvalidInput(
                f"credential: a mapping was expected, not a {type(given).__name__}",
                param="credential",
                hint="give {'Authorization': token}",
            )
        self._token = given.get("Authorization") or os.environ.get(TOKEN)

    def __repr__(self) -> str:
        return f"Client({self._address.url!r})"

    def encode(self, content: Content, **options: Unpack[Options]) -> Any:
        """Encode texts and pictures.

        A string with the ending of a kind of picture, a web address and a data URI of a picture
        mean a picture; other strings are sentences. Pictures may also be given as ``pathlib.Path``,
        bytes, pixels or Pillow images. They are read when their turn comes.

        Args:
            content: Strings and pictures, or documents; ours or docarray's. A generator is read as
                far as requests can be sent.
            options: See ``Options``.

        Returns:
            For strings, vectors of shape ``(N, D)``, float32, in their order. For documents, an
            array of them, each with its ``embedding``. A document that failed, where ``on_error``
            let the call go on, has a row of NaN or no embedding. ``None`` for callers with
            ``on_done`` or ``on_always``.

        Raises:
            InvalidInput: An element is no text, picture or document, or cannot be read.
            StelaeError: The server could not do it; documents that failed are named.
        """
        return self._run(*verbs.encoding(content, options))

    async def aencode(
        self, content: Content | AsyncIterable[Any], **options: Unpack[Options]
    ) -> Any:
        """``encode`` for an event loop; ``content`` may be asynchronous too."""
        return await self._arun(*verbs.encoding(content, options))

    def index(self, content: Content, **options: Unpack[Options]) -> Any:
        """Encode texts and pictures and have the server keep them.

        Args:
            content: As for ``encode``.
            options: See ``Options``.

        Returns:
            An array of documents with their embeddings; ``None`` for callers with ``on_done`` or
            ``on_always``.

        Raises:
            StelaeError: As of ``encode``.
        """
        return self._run(*verbs.indexing(content, options))

    async def aindex(
        self, content: Content | AsyncIterable[Any], **options: Unpack[Options]
    ) -> Any:
        """``index`` for an event loop."""
        return await self._arun(*verbs.indexing(content, options))

    def search(self, content: Content, *, limit: int = 10, **options: Unpack[Options]) -> Any:
        """Find what the server keeps that is nearest.

        Args:
            content: Queries, as for ``encode``.
            limit: Most matches of each.
            options: See ``Options``.

        Returns:
            An array of documents with their ``matches``, nearest first, whose
            ``scores["cosine"]`` is the distance. ``None`` for callers with ``on_done`` or
            ``on_always``.

        Raises:
            StelaeError: As of ``encode``.
        """
        return self._run(*verbs.searching(content, limit, options))

    async def asearch(
        self,
        content: Content | AsyncIterable[Any],
        *,
        limit: int = 10,
        **options: Unpack[Options],
    ) -> Any:
        """``search`` for an event loop."""
        return await self._arun(*verbs.searching(content, limit, options))

    def rank(self, docs: Content, *, source: str = "matches", **options: Unpack[Options]) -> Any:
        """Put the matches of documents into the order in which they fit.

        Args:
            docs: Documents with matches, texts for a picture or pictures for a text.
            source: ``matches``, or ``chunks`` to rank those.
            options: See ``Options``.

        Returns:
            An array of the documents, with the best match first. ``scores["clip_score"]`` of a
            match is its share of 1 among all, ``scores["clip_score_cosine"]`` its cosine. ``None``
            for callers with ``on_done`` or ``on_always``.

        Raises:
            InvalidInput: A document has no matches.
            StelaeError: As of ``encode``.
        """
        return self._run(*verbs.ranking(docs, source, options))

    async def arank(
        self,
        docs: Content | AsyncIterable[Any],
        *,
        source: str = "matches",
        **options: Unpack[Options],
    ) -> Any:
        """``rank`` for an event loop."""
        return await self._arun(*verbs.ranking(docs, source, options))

    def profile(self, content: str = "") -> Profile:
        """Measure one request, and print where its time went.

        Args:
            content: A sentence, or where a picture is; empty for a request that encodes nothing.

        Returns:
            Milliseconds of each part: ``Roundtrip`` is ``Client-server network`` and ``Server``,
            which is ``Gateway-CLIP network`` and ``CLIP model``.

        Raises:
            StelaeError: The server could not do it.
        """
        found: list[Response] = []
        call, results = verbs.profiling(content, found.append)
        started = time.perf_counter()
        self._run(call, results)
        profile = profiling.profile_of(time.perf_counter() - started, found[0])
        profiling.show(profile)
        return profile

    def _run(self, call: Call, results: Results) -> Any:
        if isinstance(call.content, AsyncIterable):
            raise InvalidInput(
                f"{call.verb}() reads no asynchronous iterable", hint=f"use a{call.verb}()"
            )
        caller = SyncCaller(call)
        return caller.wait(self._done(call, results, caller))

    async def _arun(self, call: Call, results: Results) -> Any:
        return await self._done(call, results, AsyncCaller(call))

    async def _done(self, call: Call, results: Results, caller: Caller) -> Any:
        if call.total == 0:
            return results.all()
        way = way_to(self._address, self._token, call.prefetch)
        with shown(call.progress, call.verb, call.total) as advance:
            async with way as carrier:
                await exchange(call, carrier, caller, results, advance)
        return results.all()
