"""Launched models: a name, a variant and options, brought up and taken down by whoever asks."""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass, field

from msgspec.structs import replace

from stelae.catalog.entry import ModelEntry, is_local
from stelae.catalog.variants import Wish
from stelae.errors import ModelNotFound
from stelae.service.deployments import Deployments
from stelae.types import (
    ComputeDtype,
    LaunchCall,
    LaunchInfo,
    ModelState,
    ReplicaInfo,
    Stage,
)

DRAIN_SECONDS = 25.0
"""Time that calls of a model have to finish when it is taken down."""

_STAGES = {
    ModelState.AVAILABLE: Stage.PENDING,
    ModelState.LOADING: Stage.LOADING,
    ModelState.READY: Stage.READY,
    ModelState.STOPPING: Stage.PENDING,
    ModelState.FAILED: Stage.FAILED,
}


@dataclass(slots=True)
class Launch:
    """A launched model.

    Attributes:
        call: What was asked, with the name that it came to.
        created: Unix time.
    """

    call: LaunchCall
    created: float = field(default_factory=time.time)


class Launches:
    """Launches by uid; a launched model is an entry of the catalog like any other.

    Launching registers the entry and begins to load it; a call for it would do the same.
    """

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments
        self._launches: dict[str, Launch] = {}

    async def launch(self, call: LaunchCall) -> LaunchInfo:
        """Begin to serve a model; returns as soon as that is under way.

        Raises:
            ModelNotFound: There is no such model.
            InvalidInput: It has no such variant, or an option makes no sense.
            Conflict: The uid is taken.
        """
        rooms = self._deployments
        entry = self._entry(call)
        rooms.catalog.register(entry)
        self._launches[entry.name] = Launch(replace(call, uid=entry.name))
        rooms.begin(entry.name)
        return self.info(entry.name)

    async def ready(self, uid: str) -> LaunchInfo:
        """Wait until a launched model answers.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
            StelaeError: It cannot be loaded, and why.
        """
        self._launched(uid)
        await self._deployments.load(uid)
        return self.info(uid)

    def all(self) -> list[LaunchInfo]:
        """Every launched model, the oldest first."""
        return [self.info(uid) for uid in self._launches]

    def info(self, uid: str) -> LaunchInfo:
        """How far a launch is.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
        """
        launch, rooms = self._launched(uid), self._deployments
        error, stage = rooms.standing(uid).error, _STAGES[rooms.state(uid)]
        return LaunchInfo(
            uid=uid,
            call=launch.call,
            stage=stage,
            progress=1.0 if stage is Stage.READY else 0.0,
            replicas=tuple(
                ReplicaInfo(number=number, state=replica.state, memory_bytes=replica.memory_bytes)
                for number, replica in enumerate(rooms.controller.replicas(uid))
            ),
            created=launch.created,
            error=None if error is None else error.info,
        )

    async def terminate(self, uid: str) -> None:
        """Take a launched model down and forget it; its accepted calls are answered first.

        Raises:
            ModelNotFound: Nothing was launched under that uid.
        """
        self._launched(uid)
        await self._deployments.unload(uid, DRAIN_SECONDS)
        self._deployments.catalog.forget(uid)
        del self._launches[uid]

    def _launched(self, uid: str) -> Launch:
        if (launch := self._launches.get(uid)) is None:
            raise ModelNotFound(f"model_uid={uid[:128]!r}: no model of that uid was launched")
        return launch

    def _entry(self, call: LaunchCall) -> ModelEntry:
        catalog = self._deployments.catalog
        wish = Wish(format=call.format, size=call.size, quantization=call.quantization)
        if is_local(call.model):
            known = ModelEntry(name=call.model, source=call.model)
        else:
            known = catalog.variant(call.model, wish)
        entry = replace(
            known,
            name=call.uid or self._free(call.model),
            aliases=(),
            model=known.name,
            engine=call.engine or known.engine,
            dtype=call.dtype or ComputeDtype.AUTO,
            replicas=call.replicas,
            gpus=call.gpus,
            calls=call.calls,
            loras={**known.loras, **call.loras},
            max_tokens=call.max_tokens or known.max_tokens,
            cache_tokens=call.cache_tokens,
            batch_tokens=call.batch_tokens or known.batch_tokens,
            thinking=call.thinking,
            environment=call.environment,
            pinned=call.pinned,
            idle_seconds=call.idle_seconds,
        )
        return entry if call.path is None else replace(entry, source=call.path, revision=None)

    def _free(self, name: str) -> str:
        """The name itself, or with a few letters after it where it is taken."""
        if name not in self._launches:
            return name
        letters = string.ascii_lowercase + string.digits
        return f"{name}-{''.join(secrets.choice(letters) for _ in range(8))}"
