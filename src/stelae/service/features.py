"""Vectors that were made before: a bounded memory of them, by the content they are of.

A vector is remembered under a digest of everything that decides it: the fingerprint of the
model, the options of the call, and the item's content; and of who asked, so that nobody
can learn from the time of an answer what others sent.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from msgspec.structs import replace

from stelae.types import EmbeddingDtype, EncodeCall, EncodeResult, Item, Matrix, OutputType, Usage
from stelae.wire.arrays import pack

OVERHEAD = 300
"""Assumed bytes that an entry takes beside its vector."""

OFFLOAD_BYTES = 1 << 20
"""Digests of more than this are made in a thread."""

Run = Callable[[EncodeCall], Awaitable[EncodeResult]]


@dataclass(frozen=True, slots=True)
class Feature:
    """What is remembered of one item.

    Attributes:
        vector: Shape ``(D,)``.
        tokens: Tokens that it took.
        truncated: Whether it was cut.
    """

    vector: Matrix
    tokens: int
    truncated: bool

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.vector.nbytes + OVERHEAD


class Features:
    """Remembers dense vectors, the least recently used of which go first.

    Attributes:
        bytes: What they take.

    Args:
        most_bytes: What they may take; 0 remembers nothing.
    """

    def __init__(self, most_bytes: int = 0) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[bytes, Feature] = OrderedDict()
        self.bytes = 0

    def keep(self, call: EncodeCall) -> bool:
        """Whether rows of the answer to a call are remembered."""
        return self._most > 0 and _plain(call)

    async def encode(
        self, call: EncodeCall, fingerprint: str, tenant: str | None, run: Run
    ) -> EncodeResult:
        """Answer a call, running only those of its items that are not remembered.

        Args:
            call: As it would be run.
            fingerprint: Of the model that would run it.
            tenant: Who asks; ``None`` where nobody is told apart.
            run: Runs a call.
        """
        if not self.keep(call):
            return await run(call)
        size = sum(map(_size, call.items))
        context = _context(call, fingerprint, tenant)
        if size > OFFLOAD_BYTES:
            keys = await asyncio.to_thread(_keys, call.items, context)
        else:
            keys = _keys(call.items, context)
        known = {key: found for key in keys if (found := self._recall(key)) is not None}
        first = {key: index for index, key in reversed(list(enumerate(keys))) if key not in known}
        wanted = sorted(first.values())
        if len(wanted) == len(keys):
            result = await run(call)
            self._remember(keys, result)
            return result
        if not wanted:
            rows = [known[key] for key in keys]
            return _answer(call.model, fingerprint, rows, len(rows))
        part = await run(replace(call, items=[call.items[index] for index in wanted]))
        self._remember([keys[index] for index in wanted], part)
        place = {keys[index]: row for row, index in enumerate(wanted)}
        return _joined(part, keys, known, place)

    def _recall(self, key: bytes) -> Feature | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def _remember(self, keys: Sequence[bytes], result: EncodeResult) -> None:
        if result.dense is None:
            return
        for row, key in enumerate(keys):
            if row in result.errors or key in self._kept:
                continue
            feature = _feature(result, row)
            self._kept[key] = feature
            self.bytes += feature.bytes
        while self.bytes > self._most:
            self.bytes -= self._kept.popitem(last=False)[1].bytes


def _plain(call: EncodeCall) -> bool:
    """Whether each row of the answer depends on its item alone."""
    floats = call.format in (EmbeddingDtype.FLOAT32, EmbeddingDtype.FLOAT16)
    dense = tuple(call.kinds) == (OutputType.DENSE,) and call.muvera is None
    return floats and dense and call.lora is None


def _size(item: Item) -> int:
    files = len(item.image or b"") + len(item.audio or b"")
    return files + (0 if item.pixels is None else item.pixels.nbytes)


def _context(call: EncodeCall, fingerprint: str, tenant: str | None) -> bytes:
    options = replace(call, items=[], gpu=None)
    return msgspec.msgpack.encode((fingerprint, tenant, options))


def _keys(items: Sequence[Item], context: bytes) -> list[bytes]:
    start = hashlib.blake2b(context, digest_size=32)
    keys: list[bytes] = []
    for item in items:
        one = start.copy()
        one.update(pack(item))
        keys.append(one.digest())
    return keys


def _feature(result: EncodeResult, row: int) -> Feature:
    assert result.dense is not None  # noqa: S101 - for the type checker; the caller looked
    # Its own bytes: a view would keep the whole answer in memory.
    vector = result.dense[row].copy()
    return Feature(vector, int(result.tokens[row]), bool(result.truncated[row]))


def _answer(model: str, fingerprint: str, rows: Sequence[Feature], remembered: int) -> EncodeResult:
    tokens = np.array([row.tokens for row in rows], np.int32)
    return EncodeResult(
        model=model,
        fingerprint=fingerprint,
        dense=np.stack([row.vector for row in rows]),
        tokens=tokens,
        truncated=np.array([row.truncated for row in rows], bool),
        usage=Usage(tokens=int(tokens.sum()), remembered=remembered),
    )


def _joined(
    part: EncodeResult,
    keys: Sequence[bytes],
    known: dict[bytes, Feature],
    place: dict[bytes, int],
) -> EncodeResult:
    """What was run and what was remembered, in the order asked."""
    rows = [known.get(key) or _feature(part, place[key]) for key in keys]
    whole = _answer(part.model, part.fingerprint, rows, len(rows) - len(place))
    errors = {
        index: part.errors[place[key]]
        for index, key in enumerate(keys)
        if key in place and place[key] in part.errors
    }
    return replace(whole, errors=errors, timing=part.timing)
