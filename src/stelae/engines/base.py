"""The seam between the scheduler and whatever computes: values and protocols."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import msgspec

from stelae.catalog.adapters import Adapters
from stelae.catalog.spec import ModelSpec
from stelae.errors import StelaeError
from stelae.types import Card, ComputeDtype, Task

C = TypeVar("C", contravariant=True)
F = TypeVar("F")
R = TypeVar("R")
In = TypeVar("In", contravariant=True)
Res = TypeVar("Res", covariant=True)
P = TypeVar("P")


EVERYWHERE = frozenset({ComputeDtype.AUTO, ComputeDtype.FLOAT32, ComputeDtype.BFLOAT16})
"""Number formats that every engine has."""


class Device(StrEnum):
    """Kinds of device a replica can live on."""

    CPU = "cpu"
    CUDA = "cuda"
    METAL = "mps"


class WeightFormat(StrEnum):
    """File formats of weights."""

    SAFETENSORS = "safetensors"
    TORCH = "torch"
    GGUF = "gguf"
    OPENVINO = "openvino"


@dataclass(slots=True)
class Prepared(Generic[F]):
    """One item, ready for the device.

    Attributes:
        features: What the device needs; ``None`` when ``error`` or ``row`` is set.
        cost: Work it means, in tokens (or patches); never less than 1.
        tokens: Tokens that will run.
        truncated: Whether the item was cut.
        error: Why the item cannot run; its neighbours are unharmed.
        row: Its row, if nothing needs to run for it.
    """

    features: F | None
    cost: int = 1
    tokens: int = 0
    truncated: bool = False
    error: StelaeError | None = None
    row: Any = None


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to load a model.

    Attributes:
        dtype: Number format to compute in; ``auto`` takes the fastest faithful one.
        device: Where to run; ``None`` takes the best there is.
        threads: CPU threads; ``None`` takes all cores.
        deterministic: Whether each text runs alone, so that its numbers are the same
            bit for bit whatever else is asked at the time; slower for short texts.
        adapters: Those that calls may name; loaded when they first do.
        cache_tokens: Tokens whose keys and values a model that writes keeps at once, of all
            texts under way; none of them can be longer.
    """

    dtype: ComputeDtype = ComputeDtype.AUTO
    device: Device | None = None
    threads: int | None = None
    deterministic: bool = False
    adapters: Adapters = Adapters()
    cache_tokens: int = 32_768


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a loaded engine says of itself.

    Attributes:
        fingerprint: Identifies weights, pooling, normalisation, prompts and dtype.
        dtype: Number format it computes in.
        device: Where it runs.
        notes: Choices made while loading and why, for people.
    """

    fingerprint: str
    dtype: str
    device: str
    notes: tuple[str, ...] = ()


class Job(Protocol[F, In, Res]):
    """One call on its way through an engine.

    ``prepare`` is called for all its entries, a few at a time and in order, by one
    thread at a time; then ``finish``, once.
    """

    @property
    def size(self) -> int:
        """Entries that it brings to the device."""
        ...

    @property
    def estimate(self) -> int:
        """A cheap guess of its cost before it is prepared; at least 1 per entry."""
        ...

    @property
    def light(self) -> bool:
        """Whether preparing takes well under a millisecond, so that nobody need wait for it."""
        ...

    def prepare(self, start: int, stop: int) -> Sequence[Prepared[F]]:
        """Features of the entries ``start`` to ``stop`` (or to the last), in order.

        Raises:
            StelaeError: The call as a whole cannot be run.
        """
        ...

    def finish(self, prepared: Sequence[Prepared[F]], rows: Sequence[In | StelaeError]) -> Res:
        """Put the rows of all entries together; failed ones arrive as errors.

        The rows are the job's own from here on: it may let go of them as it copies.
        """
        ...


class BatchEngine(Protocol[C, F, R, Res]):
    """A loaded model that answers in batches.

    ``open`` may be called, and jobs prepared and finished, in several threads at
    once; ``run`` runs in one thread only, always the same, unless the engine is ``Wide``.
    """

    @property
    def info(self) -> EngineInfo:
        """What is loaded, and how."""
        ...

    def open(self, call: C) -> Job[F, R, Res]:
        """Take a call; quick, whatever its size.

        Raises:
            InvalidInput: The call as a whole cannot be run.
        """
        ...

    def run(self, batch: Sequence[F]) -> Sequence[R]:
        """Compute one row per entry, in order; the only code on the device."""
        ...

    def close(self) -> None:
        """Free what the engine holds."""
        ...


@runtime_checkable
class Wide(Protocol):
    """A batch engine that several threads may run at once.

    Attributes:
        lanes: How many of them take what waits; one more may take what is short. 0 if nothing
            may run beside anything.
        cores: Processors that they share.
    """

    lanes: int
    cores: int

    def spread(self, threads: int) -> None:
        """Let ``run`` use so many threads when it is next called by the calling thread."""
        ...


class StreamStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of a stream engine since it was loaded.

    Attributes:
        steps: Times that the model ran; growth shows that the device works.
        sequences: Texts that were part of a step, counted in each.
        tokens: Tokens that ran.
        seconds: Time that the steps took.
    """

    steps: int = 0
    sequences: int = 0
    tokens: int = 0
    seconds: float = 0.0


@runtime_checkable
class StreamEngine(Protocol[C, P]):
    """A loaded model that answers piece by piece: of a text, of pictures, of sound.

    ``stream`` is called on one event loop; what computes has a thread of its own. Pieces are
    made a bounded number ahead of who takes them. Closing the iterator ends the work
    within one step of the model.
    """

    @property
    def info(self) -> EngineInfo:
        """What is loaded, and how."""
        ...

    @property
    def stats(self) -> StreamStats:
        """Its counters."""
        ...

    def stream(self, call: C) -> AsyncGenerator[list[P]]:
        """Answer a call: lists of the pieces made since the last, in order.

        The last piece of the last list, and only that, has ``usage``.

        Raises:
            InvalidInput: The call cannot be run.
            InputTooLong: What is given, or with it what is wanted, is longer than the model reads.
            EngineFailed: The model failed.
        """
        ...

    async def aclose(self) -> None:
        """End what is under way with ``ShuttingDown`` and free what the engine holds."""
        ...


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package an engine needs and the extra that installs it."""

    module: str
    extra: str


def _accept_all(model: ModelSpec | Card) -> str | None:
    del model
    return None


def needs_ability(card: Card, abilities: Iterable[str], otherwise: str) -> str | None:
    """What an engine says of a model before its files are here: nothing if it can one of these."""
    return None if {*card.abilities} & {*abilities} else otherwise


@dataclass(frozen=True, slots=True)
class EngineManifest:
    """Import-light card of an engine.

    Attributes:
        name: Name in options and in ``stelae models``.
        tasks: Tasks it serves.
        formats: Weight formats it reads.
        devices: Devices it runs on.
        load: ``module:function`` taking ``(ModelSpec, EngineOptions)``.
        needs: Packages without which it cannot load.
        preference: Higher is tried first.
        refuses: Says why a spec cannot be served, or ``None`` if it can.
        special: Whether it serves a few layouts only. That it does not serve a model
            tells nothing of the model, and is not told.
        declines: Says why a model of some facts cannot be served, before its files are here.
        packed: Formats of quantised weights that it reads beside, as variants name them.
        dtypes: Number formats that it computes in, on one device or another.
        roofline: ``module:function`` as ``stelae.engines.roofline.Measure``, if it can tell what
            a model reaches of the machine's multiply rate.
        calibrate: ``module:function`` as ``stelae.engines.calibration.Calibrate``, if it computes
            in int8 by calibration.
    """

    name: str
    tasks: frozenset[Task]
    formats: frozenset[WeightFormat]
    devices: frozenset[Device]
    load: str
    needs: tuple[Requirement, ...] = ()
    preference: int = 0
    refuses: Callable[[ModelSpec], str | None] = field(default=_accept_all)
    special: bool = False
    declines: Callable[[Card], str | None] = field(default=_accept_all)
    packed: frozenset[str] = frozenset()
    dtypes: frozenset[ComputeDtype] = EVERYWHERE
    roofline: str | None = None
    calibrate: str | None = None


AnyBatchEngine = BatchEngine[Any, Any, Any, Any]
AnyStreamEngine = StreamEngine[Any, Any]
AnyEngine = AnyBatchEngine | AnyStreamEngine
AnyJob = Job[Any, Any, Any]
