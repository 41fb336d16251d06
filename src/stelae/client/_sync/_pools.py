# Generated from src/stelae/client/_async/_pools.py by tools/unasync.py: do not edit.
"""Workers and pools of them, as a part of the client."""

from __future__ import annotations

from functools import partial

from stelae.client import _pools
from stelae.client._sync._backend import Backend
from stelae.client._sync._crew import Crew
from stelae.client._sync._sender import Sender
from stelae.client._retry import Deadline
from stelae.errors import PoolNotFound
from stelae.types import LEASE_SECONDS, Capacity, Pool, PoolSpec


class Pools:
    """What a client can ask about workers, and do with pools."""

    _sender: Sender
    _backend: Backend

    def capacity(self, gpu: str | None = None, *, timeout: float | None = None) -> Capacity:
        """Workers and models at this moment.

        Args:
            gpu: Count only workers of this kind of machine.
            timeout: Seconds to wait; the client's own if not given.
        """
        seen = self._sender.ask(self._backend.capacity, timeout)
        return _pools.of_kind(seen, gpu)

    def wait_for_capacity(
        self,
        gpu: str,
        *,
        model: str | None = None,
        timeout: float = 300.0,
        poll_interval: float = 5.0,
    ) -> Capacity:
        """Wait until a worker of a kind of machine is there.

        Args:
            gpu: The kind.
            model: A model to load on it meanwhile.
            timeout: Seconds to wait at most.
            poll_interval: Seconds between two looks.

        Raises:
            Provisioning: None came in time.
        """
        limit = Deadline.after(timeout)
        if model is not None:
            self._sender.ask(
                lambda left: self._backend.load(model, None, None, left), timeout
            )
        while not (seen := self.capacity(gpu)).workers:
            if not limit.allows(poll_interval):
                raise _pools.none_came(gpu, timeout)
            with Crew() as crew:
                crew.pause(poll_interval)
        return seen

    def create_pool(
        self,
        name: str | PoolSpec,
        gpus: dict[str, int] | None = None,
        *,
        ttl_seconds: float = LEASE_SECONDS,
        timeout: float | None = None,
    ) -> Pool:
        """Make a pool of workers, or change and renew the one of that name.

        Calls with ``gpu="NAME/KIND"`` are answered by it. A pool that is neither used nor
        renewed for its time is forgotten.

        Args:
            name: Its name; capitals make no difference. Or all that can be said of it.
            gpus: Workers wanted, by kind of machine; none for any.
            ttl_seconds: Seconds that it lives unused.
            timeout: Seconds to wait; the client's own if not given.

        Raises:
            InvalidInput: The name or a number is out of bounds.
        """
        spec = name if isinstance(name, PoolSpec) else _pools.spec_of(name, gpus, ttl_seconds)
        return self._sender.ask(partial(self._backend.create_pool, spec), timeout)

    def get_pool(self, name: str, *, timeout: float | None = None) -> Pool | None:
        """A pool as it stands; ``None`` if there is none of that name."""
        try:
            return self._sender.ask(partial(self._backend.pool, name), timeout)
        except PoolNotFound:
            return None

    def renew_pool(self, name: str, *, timeout: float | None = None) -> Pool:
        """Begin the lease of a pool anew.

        Raises:
            PoolNotFound: There is none of that name.
        """
        return self._sender.ask(partial(self._backend.renew_pool, name), timeout)

    def delete_pool(self, name: str, *, timeout: float | None = None) -> bool:
        """Forget a pool; ``False`` if there is none of that name."""
        try:
            self._sender.ask(partial(self._backend.delete_pool, name), timeout)
        except PoolNotFound:
            return False
        return True
