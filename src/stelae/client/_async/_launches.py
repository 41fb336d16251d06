"""Launching models, as a part of the client."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from functools import partial
from typing import Self, Unpack

from stelae.client import _launches, _options
from stelae.client._async._backend import AsyncBackend
from stelae.client._async._crew import AsyncCrew
from stelae.client._async._sender import AsyncSender
from stelae.client._launches import LaunchOptions
from stelae.client._options import Progress
from stelae.client._progress import gauge
from stelae.client._retry import Deadline
from stelae.types import LaunchInfo, ReplicaInfo


class AsyncLaunches:
    """What a client can do with the models that a server has up."""

    _sender: AsyncSender
    _backend: AsyncBackend
    _model: str

    async def launch_model(
        self,
        model: str | os.PathLike[str],
        *,
        uid: str | None = None,
        wait: bool = True,
        progress: Progress = False,
        timeout: float | None = None,
        **options: Unpack[LaunchOptions],
    ) -> LaunchInfo:
        """Bring a model up under a name of its own.

        It stays up, also when this client has gone and when the server starts anew, until it is
        taken down. The request is sent once, whatever comes of it.

        Args:
            model: A name that the server knows, a hub id, or a folder on the server.
            uid: The name that calls then give as ``model``; the model's own if ``None``, with
                letters after it where that is taken.
            wait: Whether to wait until it answers.
            progress: ``True`` shows what has been fetched on standard error; a function is called
                with the bytes there and the bytes in all, ``None`` if not known.
            timeout: Seconds to wait; ``None`` waits as long as it takes.
            options: Its variant, where and how it runs; see ``LaunchOptions`` and ``LaunchCall``.

        Returns:
            The launch; its ``uid`` is the name.

        Raises:
            ModelNotFound: There is no such model.
            InvalidInput: It has no such variant (the message names those that it has), or an
                option makes no sense.
            Conflict: The uid is taken.
            NoCapacity: There is no room for it.
            DeadlineExceeded: It was not ready in time; it goes on loading.
            StelaeError: It cannot be loaded, and why.

        Example:
            >>> async with AsyncClient() as client:
            ...     launched = await client.launch_model("all-MiniLM-L6-v2", uid="notes")
            ...     model = await client.get_model("notes")
            ...     encoding = await model.encode("a text")
            ...     gone = await client.terminate_model("notes")
            >>> encoding.dense.shape
            (384,)
        """
        limit = Deadline.after(_options.seconds(timeout, "timeout"))
        call = _launches.launch_call(model, uid, options)
        info = await self._sender.once(partial(self._backend.launch, call), limit.left())
        if not wait:
            return info
        return await self.wait_for_model(info.uid, progress=progress, timeout=limit.left())

    async def wait_for_model(
        self, uid: str, *, progress: Progress = False, timeout: float | None = None
    ) -> LaunchInfo:
        """Wait until a launched model answers; see ``launch_model``.

        Args:
            uid: The name it is served under.
            progress: As there.
            timeout: As there.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
            Cancelled: Its launch was cancelled, or it was taken down.
            DeadlineExceeded: It was not ready in time; it goes on loading.
            StelaeError: It cannot be loaded, and why.
        """
        limit = Deadline.after(_options.seconds(timeout, "timeout"))
        pauses = _launches.pauses()
        with gauge(progress, f"fetch {uid}", "bytes") as tell:
            while True:
                info = await self.launched(uid, timeout=limit.left())
                tell(*_launches.fetched(info))
                if _launches.is_ready(info):
                    return info
                if not limit.allows(pause := next(pauses)):
                    raise _launches.late(uid, timeout)
                async with AsyncCrew() as crew:
                    await crew.pause(pause)

    async def get_model(self, uid: str, *, timeout: float | None = None) -> Self:
        """A client like this one whose calls go to one model.

        It shares the connections of this one: whichever is closed, both are.

        Args:
            uid: The name of the model: launched, or known to the server.
            timeout: Seconds to wait; the client's own if not given.

        Raises:
            ModelNotFound: There is none of that name.
        """
        info = await self._sender.ask(partial(self._backend.model, uid), timeout)
        bound = copy(self)
        bound._model = info.name
        return bound

    async def list_models(self, *, timeout: float | None = None) -> list[LaunchInfo]:
        """The models that were launched, the oldest first; ``models`` has all that are known."""
        return await self._sender.ask(self._backend.launches, timeout)

    async def launched(self, uid: str, *, timeout: float | None = None) -> LaunchInfo:
        """How far a launch is, or why it ended.

        Args:
            uid: The name it is served under.
            timeout: Seconds to wait; the client's own if not given.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
        """
        return await self._sender.ask(partial(self._backend.launched, uid), timeout)

    async def cancel_launch(self, uid: str, *, timeout: float | None = None) -> LaunchInfo:
        """Give a launch up that is not ready; what was fetched is not fetched again.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
            Conflict: It is ready.
        """
        return await self._sender.ask(partial(self._backend.cancel_launch, uid), timeout)

    async def terminate_model(self, uid: str, *, timeout: float | None = None) -> LaunchInfo:
        """Take a launched model down; what it has accepted is answered first.

        Args:
            uid: The name it is served under.
            timeout: Seconds to wait; the client's own if not given.

        Returns:
            How it stood.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
        """
        return await self._sender.ask(partial(self._backend.terminate, uid), timeout)

    async def add_replica(
        self, uid: str, *, gpus: Sequence[int] | None = None, timeout: float | None = None
    ) -> ReplicaInfo:
        """Load a launched model once more; the request is sent once.

        Args:
            uid: The name it is served under.
            gpus: GPUs of the replica; as the launch said if ``None``.
            timeout: Seconds to wait; the client's own if not given.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
            ModelNotReady: It is not loaded yet.
        """
        return await self._sender.once(partial(self._backend.add_replica, uid, gpus), timeout)

    async def remove_replica(self, uid: str, number: int, *, timeout: float | None = None) -> int:
        """Stop one replica of a launched model; without the last one it is taken down.

        Args:
            uid: The name it is served under.
            number: The replica, as ``launched`` numbers them.
            timeout: Seconds to wait; the client's own if not given.

        Returns:
            How many are left.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
            NotFound: It has no replica of that number.
        """
        return await self._sender.once(partial(self._backend.remove_replica, uid, number), timeout)
