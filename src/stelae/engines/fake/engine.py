"""Vectors from a hash of the text; a latch to hold the device, words that break it."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions, Prepared
from stelae.errors import EngineFailed, InputTooLong, InvalidInput, StelaeError
from stelae.types import EncodeCall, EncodeResult, Item, Truncate, Usage

Row = NDArray[np.float32]


class FakeEngine:
    """Answers at once with ``dimensions`` numbers drawn from the SHA-256 of the text.

    A token is a word. Special texts: ``"!fail"`` fails its batch, ``"!die"`` ends
    the process, ``"!bad"`` is refused in ``prepare``, ``"!sleep 0.5"`` holds the
    device for that long.

    Attributes:
        seen: Texts in the order in which the device saw them.
        batches: Number of entries of each batch run.
        entered: Set once a batch has reached the device.
    """

    def __init__(self, dimensions: int = 8, max_tokens: int = 256, *, held: bool = False) -> None:
        self.dimensions = dimensions
        self.max_tokens = max_tokens
        self.seen: list[str] = []
        self.batches: list[int] = []
        self.entered = threading.Event()
        self.closed = False
        self._latch = threading.Event()
        if not held:
            self._latch.set()

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(fingerprint="fake", dtype="float32", device="cpu")

    def release(self) -> None:
        """Let the device run (when made with ``held=True``)."""
        self._latch.set()

    def open(self, call: EncodeCall) -> FakeJob:
        return FakeJob(self, call)

    def run(self, batch: Sequence[str]) -> list[Row]:
        self.entered.set()
        self._latch.wait()
        self.seen.extend(batch)
        self.batches.append(len(batch))
        for text in batch:
            if text.startswith("!sleep "):
                time.sleep(float(text.split()[1]))
        if "!die" in batch:
            os.kill(os.getpid(), signal.SIGKILL)
        if "!fail" in batch:
            raise EngineFailed("the fake engine was told to fail")
        return [vector(text, self.dimensions) for text in batch]

    def close(self) -> None:
        self.closed = True


class FakeJob:
    """One entry per item of a call.

    Args:
        engine: Its limits and width count.
        call: What is asked.
    """

    def __init__(self, engine: FakeEngine, call: EncodeCall) -> None:
        self._engine, self._call = engine, call

    @property
    def size(self) -> int:
        return len(self._call.items)

    @property
    def estimate(self) -> int:
        return sum(1 + len(item.text or "") // 4 for item in self._call.items)

    @property
    def light(self) -> bool:
        return self.size <= 16

    def prepare(self, start: int, stop: int) -> list[Prepared[str]]:
        return [self._prepare_one(item) for item in self._call.items[start:stop]]

    def _prepare_one(self, item: Item) -> Prepared[str]:
        if item.text is None or item.text == "!bad":
            return Prepared(None, error=InvalidInput("the fake engine was told to refuse this"))
        words, most = item.text.split() or [""], self._engine.max_tokens
        cut = len(words) > most
        if cut and self._call.truncate is Truncate.ERROR:
            return Prepared(None, error=InputTooLong(f"{len(words)} words, at most {most}"))
        kept = words[-most:] if self._call.truncate is Truncate.START else words[:most]
        return Prepared(" ".join(kept), cost=len(kept), tokens=len(kept), truncated=cut)

    def finish(
        self, prepared: Sequence[Prepared[str]], rows: Sequence[Row | StelaeError]
    ) -> EncodeResult:
        nothing = np.full(self._engine.dimensions, np.nan, np.float32)
        tokens = np.array([p.tokens for p in prepared], np.int32)
        return EncodeResult(
            model=self._call.model,
            fingerprint="fake",
            dense=np.stack([nothing if isinstance(r, StelaeError) else r for r in rows]),
            tokens=tokens,
            truncated=np.array([p.truncated for p in prepared], np.bool_),
            errors={i: r.info for i, r in enumerate(rows) if isinstance(r, StelaeError)},
            usage=Usage(tokens=int(tokens.sum())),
        )


def vector(text: str, dimensions: int = 8) -> Row:
    """The fake vector of a text: unit length, the same everywhere."""
    seed = int.from_bytes(
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "little"
    )
    row = np.random.default_rng(seed).standard_normal(dimensions).astype(np.float32)
    return np.asarray(row / np.linalg.norm(row), dtype=np.float32)


def load(spec: ModelSpec, options: EngineOptions) -> FakeEngine:
    """Load the fake engine; takes its width and length from the spec."""
    del options
    return FakeEngine(dimensions=spec.dimensions, max_tokens=spec.max_tokens)
