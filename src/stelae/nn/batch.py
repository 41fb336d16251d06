"""Many texts on one token axis: no padding anywhere.

``T`` tokens of ``B`` sequences lie end to end, shortest sequence first.
Sequences of equal length are neighbours and form a group, on which attention
runs as one dense call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring sequences of equal length.

    Attributes:
        start: First token of the first sequence.
        count: Number of sequences.
        length: Tokens in each.
        seen: Tokens in each that others see, from its start; the rest only look.
    """

    start: int
    count: int
    length: int
    seen: int

    @property
    def stop(self) -> int:
        """First token after the group."""
        return self.start + self.count * self.length


@dataclass(frozen=True)
class TokenBatch:
    """Packed token ids and where each sequence lies.

    Attributes:
        ids: Token ids, shape ``(T,)``.
        positions: Position of each token in its sequence from 0, shape ``(T,)``.
        lengths: Tokens of each packed sequence, shape ``(B,)``.
        starts: First token of each packed sequence, shape ``(B,)``.
        seen: Tokens of each packed sequence that others see, shape ``(B,)``.
        skips: Tokens at the start of each sequence that pooling leaves out, shape
            ``(B,)``; ``None`` when there are none.
        order: Packed index to the caller's index, shape ``(B,)``.
        sizes: ``lengths``, ``seen`` and ``starts`` where they need not be fetched from a device.
        types: Segment of each token (0 first text, 1 second), shape ``(T,)``; ``None``
            when all are 0.
    """

    ids: Tensor
    positions: Tensor
    lengths: Tensor
    starts: Tensor
    seen: Tensor
    skips: Tensor | None
    order: NDArray[np.intp]
    sizes: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    types: Tensor | None = None

    @property
    def size(self) -> int:
        """Number of sequences, ``B``."""
        return len(self.order)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Runs of equal length of which equally many tokens are seen."""
        return _groups(*self.sizes)

    @cached_property
    def bounds(self) -> Tensor:
        """First token of each packed sequence, and the end of the last; ``(B + 1,)``, int32."""
        return functional.pad(self.lengths.cumsum(0, dtype=torch.int32), (1, 0))

    @cached_property
    def segments(self) -> Tensor:
        """Packed sequence that each token belongs to, shape ``(T,)``."""
        return torch.repeat_interleave(
            torch.arange(self.size, device=self.ids.device), self.lengths, output_size=len(self.ids)
        )

    def restore(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Put rows of packed sequences into the caller's order."""
        back = np.empty_like(rows)
        back[self.order] = rows
        return back


def pack(
    sequences: Sequence[Ids],
    skips: Sequence[int] = (),
    device: torch.device | str = "cpu",
    seconds: Sequence[int] = (),
    seen: Sequence[int] = (),
) -> TokenBatch:
    """Lay sequences end to end, shortest first.

    Args:
        sequences: Token ids of each text, none empty.
        skips: Tokens at the start of each text that pooling leaves out.
        device: Where the tensors go.
        seconds: First token of the second text in each sequence of a pair; its length
            (or more) where there is none.
        seen: Tokens of each sequence that others see; all if nothing is given.
    """
    # Lists are sorted without giving the interpreter away, for which arrays are too few.
    counts = list(map(len, sequences))
    order = sorted(range(len(counts)), key=_shortest(counts, seen))
    lengths = np.array([counts[i] for i in order], np.int64)
    visible = np.array([seen[i] for i in order], np.int64) if seen else lengths
    starts = lengths.cumsum() - lengths
    ids = np.concatenate([sequences[i] for i in order], dtype=np.int64)
    positions = np.arange(len(ids)) - starts.repeat(lengths)
    where = placed([ids, positions, lengths, starts, visible], torch.device(device))
    return TokenBatch(
        ids=where[0],
        positions=where[1],
        lengths=where[2],
        starts=where[3],
        seen=where[4],
        skips=torch.tensor([skips[i] for i in order], device=device) if any(skips) else None,
        order=np.array(order, np.intp),
        sizes=(lengths, visible, starts),
        types=_types(positions, lengths, [seconds[i] for i in order], device) if seconds else None,
    )


def _shortest(lengths: Sequence[int], seen: Sequence[int]) -> Callable[[int], Any]:
    """What sequences are sorted by: their lengths, and how many tokens are seen of equal ones."""
    return list(zip(lengths, seen, strict=True)).__getitem__ if seen else lengths.__getitem__


def placed(rows: Sequence[NDArray[Any]], device: torch.device) -> list[Tensor]:
    """Numbers on a device; elsewhere than on the CPU in one transfer.

    To a GPU they go from pinned memory, and the caller does not wait for that: what is then run
    on the same stream does.

    Args:
        rows: Each of any length.
        device: Where they go.
    """
    if device.type == "cpu":
        return [torch.from_numpy(row) for row in rows]
    whole = torch.from_numpy(np.concatenate(rows))
    if device.type == "cuda":
        whole = whole.pin_memory()
    moved = whole.to(device, non_blocking=True)
    return list(torch.split(moved, [len(row) for row in rows]))


def _types(
    positions: NDArray[np.int64],
    lengths: NDArray[np.int64],
    seconds: Sequence[int],
    device: torch.device | str,
) -> Tensor:
    types = positions >= np.repeat(np.asarray(seconds, np.int64), lengths)
    return torch.from_numpy(types.astype(np.int64)).to(device)


def _groups(
    lengths: NDArray[np.int64], seen: NDArray[np.int64], starts: NDArray[np.int64]
) -> tuple[Group, ...]:
    new = np.flatnonzero((np.diff(lengths) != 0) | (np.diff(seen) != 0)) + 1
    firsts = np.concatenate(([0], new))
    counts = np.diff(firsts, append=len(lengths))
    return tuple(
        Group(int(starts[first]), int(count), int(lengths[first]), int(seen[first]))
        for first, count in zip(firsts, counts, strict=True)
        if lengths[first]
    )
