"""What can be asked of models: one coroutine per task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from stelae.catalog.entry import ModelEntry
from stelae.cluster.replica import Replica
from stelae.errors import DeadlineExceeded
from stelae.service.adapters import answered, check_lora, streamed
from stelae.service.admission import Admission
from stelae.service.chatting import bare_chat, check_chat
from stelae.service.checks import AnyCall, bare, check_encode, check_extract, check_score
from stelae.service.deployments import Deployments
from stelae.service.extracting import filled_in
from stelae.service.features import Features
from stelae.service.filling import filled
from stelae.service.health import Health
from stelae.service.manners import mannered
from stelae.service.media import check_image, check_speech, check_transcribe
from stelae.service.pools import Pools
from stelae.types import (
    ChatCall,
    Delta,
    EncodeCall,
    EncodeResult,
    ExtractCall,
    ExtractResult,
    ImageCall,
    ImagePiece,
    ScoreCall,
    ScoreResult,
    SpeechCall,
    SpeechPiece,
    Task,
    TranscribeCall,
    TranscribePiece,
)

T = TypeVar("T")
AnyStreamCall = TypeVar("AnyStreamCall", ChatCall, ImageCall, TranscribeCall, SpeechCall)
Placed = EncodeCall | ScoreCall | ExtractCall | ChatCall | ImageCall | TranscribeCall | SpeechCall
Place = tuple[str | None, str | None]
"""A pool and a machine profile, by name."""

Answer = Coroutine[Any, Any, T]
"""What is waited for to have a result."""

MANY = 10_000
"""Items from which on looking at each of them would keep other calls waiting."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks.

    Attributes:
        request_id: Names the request in logs.
        key_id: Which API key was shown, if any.
        timeout: Seconds after which the answer is worth nothing to the caller.
        load_wait: Seconds to wait for a model that is loading; ``None`` for as long as the
            server does, or ``timeout``.
        pool: The pool that should answer, by name.
        machine: The machine profile that should answer.
    """

    request_id: str
    key_id: str | None = None
    timeout: float | None = None
    load_wait: float | None = None
    pool: str | None = None
    machine: str | None = None


class Inference:
    """Answers calls: checks, admits, finds the replica, runs."""

    def __init__(
        self,
        deployments: Deployments,
        admission: Admission,
        health: Health,
        pools: Pools,
        features: Features | None = None,
    ) -> None:
        self._deployments = deployments
        self._admission = admission
        self._health = health
        self._pools = pools
        self._features = features or Features()

    def encode(self, call: EncodeCall, caller: Caller) -> Answer[EncodeResult]:
        """Represent the items of a call.

        A model that is not loaded is loaded first. Cancelling drops what of the
        call has not run yet.

        Raises:
            InvalidInput: The call is wrong as a whole.
            ModelNotFound: No such model.
            PoolNotFound: No such pool.
            Provisioning: The machine asked for is not here now.
            ModelNotReady: The model did not load in the time given.
            QueueFull: Too much is under way; try again after ``retry_after``.
            DeadlineExceeded: The time given has passed.
            StelaeError: The model cannot be loaded, or failed.
        """
        return self._run(Task.ENCODE, call, check_encode, caller)

    def score(self, call: ScoreCall, caller: Caller) -> Answer[ScoreResult]:
        """Say how well the documents of a call fit its query.

        Raises:
            StelaeError: As for ``encode``.
        """
        return self._run(Task.SCORE, call, check_score, caller)

    def extract(self, call: ExtractCall, caller: Caller) -> Answer[ExtractResult]:
        """Find what the items of a call hold.

        Raises:
            StelaeError: As for ``encode``.
        """
        return self._run(Task.EXTRACT, call, check_extract, caller)

    def chat(self, call: ChatCall, caller: Caller) -> AsyncGenerator[list[Delta]]:
        """Go on with a conversation.

        The place that the call takes is held until the iterator ends or is closed, and
        closing it ends the work.

        Args:
            call: What is asked.
            caller: Who asks; ``timeout`` is for the whole answer.

        Returns:
            The pieces as they are made. Only the last has ``usage``; an answer that ends
            otherwise ends with an error.

        Raises:
            InvalidInput: The call cannot be answered by any model, or not by this one.
            StelaeError: It failed, perhaps after some pieces.
        """
        return self._stream(Task.CHAT, call, check_chat, caller)

    def image(self, call: ImageCall, caller: Caller) -> AsyncGenerator[list[ImagePiece]]:
        """Make pictures; tells of each step.

        Returns:
            The pieces as they are made, as for ``chat``.

        Raises:
            StelaeError: As for ``chat``.
        """
        return self._stream(Task.IMAGE, call, check_image, caller)

    def transcribe(
        self, call: TranscribeCall, caller: Caller
    ) -> AsyncGenerator[list[TranscribePiece]]:
        """Write down what is said in a recording, segment by segment.

        Returns:
            The pieces as they are made, as for ``chat``.

        Raises:
            StelaeError: As for ``chat``.
        """
        return self._stream(Task.TRANSCRIBE, call, check_transcribe, caller)

    def speak(self, call: SpeechCall, caller: Caller) -> AsyncGenerator[list[SpeechPiece]]:
        """Read a text aloud.

        Returns:
            The pieces as they are made, as for ``chat``.

        Raises:
            StelaeError: As for ``chat``.
        """
        return self._stream(Task.SPEAK, call, check_speech, caller)

    async def _stream(
        self,
        task: Task,
        call: AnyStreamCall,
        check: Callable[[AnyStreamCall], int],
        caller: Caller,
    ) -> AsyncGenerator[list[Any]]:
        entry, _ = self._deployments.catalog.resolve(call.model)
        size = check(call)
        if isinstance(call, ChatCall | ImageCall):
            check_lora(entry, call)
        self._pools.admit(*_place(call, caller))
        asked = _bare_stream(call, entry, caller)
        deadline = None if caller.timeout is None else time.monotonic() + caller.timeout
        with self._admission.admit(size), self._deployments.using(entry):
            replica = await self._deployments.serving(entry.name, task, _patience(caller))
            answer = streamed(replica, asked, _left(deadline), _patience(caller))
            async with aclosing(answer) as made:
                async for pieces in made:
                    self._health.answered(replica)
                    yield pieces

    async def _run(
        self, task: Task, call: AnyCall, check: Callable[[AnyCall], int], caller: Caller
    ) -> Any:
        entry, profile = self._deployments.catalog.resolve(call.model)
        param = "documents" if isinstance(call, ScoreCall) else "items"
        self._admission.check_items(len(getattr(call, param) or ()), param)
        call = filled(call, profile)
        many = len(call.documents if isinstance(call, ScoreCall) else call.items) > MANY
        size = await asyncio.to_thread(check, call) if many else check(call)
        self._pools.admit(*_place(call, caller))
        check_lora(entry, call)
        deadline = None if caller.timeout is None else time.monotonic() + caller.timeout
        with self._admission.admit(size), self._deployments.using(entry):
            replica = self._deployments.ready(entry.name, task)
            if replica is None:
                replica = await self._deployments.serving(entry.name, task, _patience(caller))
            result = await self._answered(replica, bare(call, entry.name), caller, deadline)
        self._health.answered(replica)
        return _of(result, replica)

    def _answered(
        self, replica: Replica, call: AnyCall, caller: Caller, deadline: float | None
    ) -> Awaitable[Any]:
        if type(call) is EncodeCall and not self._features.keep(call):
            return answered(replica, call, _left(deadline), _patience(caller))
        return self._made(replica, call, caller, deadline)

    async def _made(
        self, replica: Replica, call: AnyCall, caller: Caller, deadline: float | None
    ) -> Any:
        """An answer of which a part may be there already, or which takes several calls."""

        async def run(call: Any) -> Any:
            return await answered(replica, call, _left(deadline), _patience(caller))

        def talk(call: ChatCall) -> AsyncGenerator[list[Delta]]:
            asked = bare_chat(call, call.model, caller.key_id)
            return streamed(replica, asked, _left(deadline), _patience(caller))

        if isinstance(call, ExtractCall) and replica.deployment.spec.generation is not None:
            fingerprint = "" if replica.info is None else replica.info.fingerprint
            return await filled_in(call, fingerprint, talk)
        if isinstance(call, EncodeCall) and replica.info is not None:
            fingerprint = replica.info.fingerprint
            return await self._features.encode(call, fingerprint, caller.key_id, run)
        return await run(call)


def _of(result: Any, replica: Replica) -> Any:
    """A result with the number of the replica that made it, where it tells that."""
    number = replica.deployment.number
    return (
        replace(result, replica=number) if number and isinstance(result, EncodeResult) else result
    )


def _bare_stream(call: Any, entry: ModelEntry, caller: Caller) -> Any:
    """A call that is answered in pieces, as workers need it."""
    if isinstance(call, ChatCall):
        return bare_chat(mannered(call, entry), entry.name, caller.key_id)
    return replace(call, model=entry.name, gpu=None)


def _place(call: Placed, caller: Caller) -> Place:
    """The pool and the machine profile that should answer."""
    if call.gpu is None:
        return caller.pool, caller.machine
    pool, _, machine = call.gpu.rpartition("/")
    return pool or None, machine or None


def _patience(caller: Caller) -> float | None:
    """Seconds to wait for the model."""
    timeout, wait = caller.timeout, caller.load_wait
    if timeout is None or wait is None:
        return wait if timeout is None else timeout
    return min(timeout, wait)


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("the time given passed before the model was ready")
    return left
