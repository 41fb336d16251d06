"""What waits: one entry per item, and the slot of the call it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar


@dataclass(slots=True, eq=False)
class Slot:
    """An admitted call, as the queue sees it.

    Attributes:
        estimate: Tokens held against the queue's bound until the call is released.
        arrived: Clock reading at admission, in seconds.
        deadline: Clock reading after which the answer is worth nothing.
        urgent: Goes before everything that is not.
        pushed: Tokens of its entries so far; later entries of a long call wait longer.
        alive: False once the call was answered, refused or left.
    """

    estimate: int
    arrived: float
    deadline: float | None = None
    urgent: bool = False
    pushed: int = field(default=0, init=False)
    alive: bool = field(default=True, init=False)


S = TypeVar("S", bound=Slot)


@dataclass(slots=True, eq=False)
class Entry(Generic[S]):
    """One prepared item on its way to the device.

    Attributes:
        slot: The call it belongs to.
        index: Position of the item in the call.
        features: What the engine's ``run`` takes.
        cost: Work it means, in tokens; at least 1.
    """

    slot: S
    index: int
    features: Any
    cost: int


@dataclass(slots=True)
class Batch(Generic[S]):
    """What one step of the queue gives out.

    Attributes:
        entries: To be run together, in order.
        late: Entries whose deadline passed while they waited; never run.
        cost: Work of ``entries`` in tokens.
        longest: Work of the largest of them.
    """

    entries: list[Entry[S]] = field(default_factory=list)
    late: list[Entry[S]] = field(default_factory=list)
    cost: int = 0
    longest: int = 0
