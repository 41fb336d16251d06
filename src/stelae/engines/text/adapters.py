"""Adapters by name: loaded when first asked for, the longest unused let go."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from stelae.catalog.adapters import Adapters
from stelae.engines.base import Job, Prepared
from stelae.engines.text.features import Adapted, Features, Output
from stelae.errors import InvalidInput, LoraFailed, LoraLoading, StelaeError, from_info

SOON = 0.2
"""Seconds after which a call may try again; small adapters load in less."""

RESERVED = 2.0
"""Seconds for which a loaded adapter is kept for the call that asked for it."""

REMEMBERED = 10.0
"""Seconds for which a failed load answers calls before it is tried again."""

A = TypeVar("A", bound=Adapted)
Res = TypeVar("Res", covariant=True)


class Library(Protocol):
    """What an engine knows of a model's adapters."""

    def take(self, name: str) -> Adapted:
        """A loaded adapter.

        Raises:
            InvalidInput: There is none of that name.
            LoraLoading: It is being loaded, from now on.
            LoraFailed: It cannot be loaded, and why.
        """
        ...

    def close(self) -> None:
        """Let all go."""
        ...


class NoAdapters:
    """Of a model that runs without adapters.

    Args:
        reason: Why.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def take(self, name: str) -> Adapted:
        """Refuse any name."""
        raise InvalidInput(f"lora={name!r}: {self._reason}; leave it out", param="lora")

    def close(self) -> None:
        """There is nothing to let go."""


@dataclass(slots=True)
class _Failure:
    """A load that failed, and when on the monotonic clock."""

    error: LoraFailed
    at: float


@dataclass(slots=True)
class _State(Generic[A]):
    """What is in memory, and what is not yet, or cannot be.

    Attributes:
        loaded: Adapters, the longest unused first.
        reserved: Until when those are kept that nobody has taken yet.
        loading: Names of those to come.
        failed: Why others are not here.
    """

    loaded: OrderedDict[str, A] = field(default_factory=OrderedDict)
    reserved: dict[str, float] = field(default_factory=dict)
    loading: set[str] = field(default_factory=set)
    failed: dict[str, _Failure] = field(default_factory=dict)

    def busy(self) -> int:
        """Places that are taken by what loads, or waits for its call."""
        return len(self.loading) + len(self._kept())

    def put(self, name: str, adapter: A, most: int) -> None:
        """Take an adapter in, and let go of the longest unused of too many."""
        self.loaded[name] = adapter
        self.reserved[name] = time.monotonic() + RESERVED
        for other in [other for other in self.loaded if other not in self._kept()]:
            if len(self.loaded) > most:
                del self.loaded[other]

    def _kept(self) -> dict[str, float]:
        now = time.monotonic()
        self.reserved = {name: end for name, end in self.reserved.items() if end > now}
        return self.reserved


class Shelf(Generic[A]):
    """Holds the adapters used last; each is loaded in a thread of its own.

    A call that has taken an adapter keeps it, whatever goes from the shelf meanwhile. An
    adapter that was loaded and not taken yet does not go for another: else two calls on a
    shelf of one place could take it from each other for ever.

    Args:
        model: Name of the model, for messages.
        adapters: Which there are, and how many may be held.
        load: Reads one from its source; blocks.
    """

    def __init__(self, model: str, adapters: Adapters, load: Callable[[str], A]) -> None:
        self._model, self._adapters, self._load = model, adapters, load
        self._state: _State[A] = _State()
        self._changed = threading.Condition()

    def take(self, name: str) -> A:
        """A loaded adapter, which is now the one used last.

        Raises:
            InvalidInput: There is none of that name.
            LoraLoading: It is being loaded, or will be when there is a place.
            LoraFailed: It cannot be loaded, and why.
        """
        if name not in self._adapters.sources:
            known = ", ".join(self._adapters.sources) or "none"
            raise InvalidInput(
                f"lora={name!r}: model {self._model!r} has no such adapter; it has {known}",
                param="lora",
            )
        with self._changed:
            if (found := self._state.loaded.get(name)) is not None:
                self._state.loaded.move_to_end(name)
                self._state.reserved.pop(name, None)
                return found
            self._begin(name)
        raise LoraLoading(
            f"adapter {name!r} of model {self._model!r} is still loading",
            param="lora",
            retry_after=SOON,
        )

    def wait(self, name: str, timeout: float) -> bool:
        """Wait until a load has ended, well or not; False if time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: name not in self._state.loading, timeout)

    @property
    def held(self) -> tuple[str, ...]:
        """Names of those in memory, the longest unused first."""
        with self._changed:
            return tuple(self._state.loaded)

    def close(self) -> None:
        """Let all go; what still loads is dropped when it has."""
        with self._changed:
            self._state = _State()

    def _begin(self, name: str) -> None:
        state = self._state
        if (failure := state.failed.get(name)) is not None:
            if time.monotonic() - failure.at < REMEMBERED:
                raise from_info(failure.error.info)
            del state.failed[name]
        if name not in state.loading and state.busy() < self._adapters.most:
            state.loading.add(name)
            work = threading.Thread(
                target=self._bring, args=(name, state), name="stelae-adapter", daemon=True
            )
            work.start()

    def _bring(self, name: str, state: _State[A]) -> None:
        try:
            found: A | LoraFailed = self._load(self._adapters.sources[name])
        except Exception as error:  # whatever a file makes the readers raise is its callers' answer
            found = self._failed(name, error)
        with self._changed:
            state.loading.discard(name)
            if isinstance(found, LoraFailed):
                state.failed[name] = _Failure(found, time.monotonic())
            else:
                state.put(name, found, self._adapters.most)
            self._changed.notify_all()

    def _failed(self, name: str, error: Exception) -> LoraFailed:
        reason, hint = f"{type(error).__name__}: {error}", None
        if isinstance(error, StelaeError):
            reason, hint = error.message, error.hint
        return LoraFailed(
            f"adapter {name!r} of model {self._model!r} cannot be loaded: {reason}",
            param="lora",
            hint=hint,
        )


class AdaptedJob(Generic[Res]):
    """A call whose texts run with an adapter.

    Args:
        job: The call as it would be without.
        adapter: The adapter.
    """

    def __init__(self, job: Job[Features, Output, Res], adapter: Adapted) -> None:
        self._job, self._adapter = job, adapter

    @property
    def size(self) -> int:
        return self._job.size

    @property
    def estimate(self) -> int:
        return self._job.estimate

    @property
    def light(self) -> bool:
        return self._job.light

    def prepare(self, start: int, stop: int) -> list[Prepared[Features]]:
        entries = list(self._job.prepare(start, stop))
        for entry in entries:
            if entry.features is not None:
                entry.features = replace(entry.features, lora=self._adapter)
        return entries

    def finish(
        self, prepared: Sequence[Prepared[Features]], rows: Sequence[Output | StelaeError]
    ) -> Res:
        return self._job.finish(prepared, rows)
