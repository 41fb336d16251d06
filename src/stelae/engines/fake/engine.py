"""Vectors from a hash of the text; a latch to hold the device, words that break it."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions, Prepared
from stelae.errors import (
    EngineFailed,
    InputTooLong,
    InvalidInput,
    LoraFailed,
    LoraLoading,
    StelaeError,
)
from stelae.types import (
    EncodeCall,
    EncodeResult,
    Entity,
    ExtractCall,
    Extraction,
    ExtractResult,
    Item,
    OutputType,
    Ragged,
    ScoreCall,
    ScoreResult,
    Sparse,
    Truncate,
    Usage,
)
from stelae.vectors.quantize import quantize

Row = NDArray[np.float32]

TERMS = 1000
"""Size of the vocabulary that sparse representations are made of."""

MOST_SEEN = 100_000
"""Texts, and batches, that are remembered for tests to look at: the latest."""

TOKEN_DIMENSIONS = 4
"""Width of token vectors."""


class FakeEngine:
    """Answers at once with ``dimensions`` numbers drawn from the SHA-256 of the text.

    A token is a word, and a picture is one word: its own hash. Sparse and multi-vector
    representations have one entry per word, ``terms`` and ``token_vectors``; a score is
    the ``overlap`` of the words; what it finds are ``capitals``. Special texts: ``"!fail"``
    fails its batch, ``"!die"`` ends the process, ``"!bad"`` is refused in ``prepare``,
    ``"!sleep 0.5"`` holds the device for that long. Adapters stand before every text;
    special sources: ``"!loading"`` never loads, ``"!fail"`` cannot be loaded.

    Attributes:
        seen: Texts in the order in which the device saw them, the latest.
        batches: Number of entries of each batch run, the latest.
        entered: Set once a batch has reached the device.
    """

    def __init__(self, dimensions: int = 8, max_tokens: int = 256, *, held: bool = False) -> None:
        self.dimensions = dimensions
        self.max_tokens = max_tokens
        self.adapters: Mapping[str, str] = {}
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

    def open(
        self, call: EncodeCall | ScoreCall | ExtractCall
    ) -> FakeJob | FakeScoreJob | FakeExtractJob:
        match call:
            case EncodeCall():
                return FakeJob(self, self._adapted(call))
            case ScoreCall():
                self._adapter(call.lora)
                return FakeScoreJob(self, call)
            case ExtractCall():
                return FakeExtractJob(self, call)

    def _adapted(self, call: EncodeCall) -> EncodeCall:
        """With an adapter, its source stands before every text."""
        if (source := self._adapter(call.lora)) is None:
            return call
        items = [
            replace(item, text=f"{source} {text_of(item)}", image=None, pixels=None)
            for item in call.items
        ]
        return replace(call, items=items)

    def _adapter(self, name: str | None) -> str | None:
        """Source of an adapter, which may say how its load goes."""
        source = None if name is None else self.adapters.get(name)
        if name is not None and source is None:
            raise InvalidInput(f"lora={name!r}: the fake engine has no such adapter", param="lora")
        if source == "!loading":
            raise LoraLoading(f"adapter {name!r} never loads", param="lora", retry_after=0.01)
        if source == "!fail":
            raise LoraFailed(f"adapter {name!r} was told to fail", param="lora")
        return source

    def run(self, batch: Sequence[str]) -> list[Row]:
        self.entered.set()
        self._latch.wait()
        self.seen.extend(batch)
        self.batches.append(len(batch))
        del self.seen[:-MOST_SEEN], self.batches[:-MOST_SEEN]
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


class Entries:
    """One entry per item.

    Args:
        engine: Its limits and width count.
        items: What is to be run.
        truncate: What to do with long ones.
    """

    def __init__(self, engine: FakeEngine, items: Sequence[Item], truncate: Truncate) -> None:
        self._engine, self._items, self._truncate = engine, items, truncate

    @property
    def size(self) -> int:
        return len(self._items)

    @property
    def estimate(self) -> int:
        return sum(1 + len(item.text or "") // 4 for item in self._items)

    @property
    def light(self) -> bool:
        return self.size <= 16

    def prepare(self, start: int, stop: int) -> list[Prepared[str]]:
        return [self._prepare_one(item) for item in self._items[start:stop]]

    def _prepare_one(self, item: Item) -> Prepared[str]:
        text = text_of(item)
        if text is None or text == "!bad":
            return Prepared(None, error=InvalidInput("the fake engine was told to refuse this"))
        words, most = text.split() or [""], self._engine.max_tokens
        cut = len(words) > most
        if cut and self._truncate is Truncate.ERROR:
            return Prepared(None, error=InputTooLong(f"{len(words)} words, at most {most}"))
        kept = words[-most:] if self._truncate is Truncate.START else words[:most]
        return Prepared(" ".join(kept), cost=len(kept), tokens=len(kept), truncated=cut)


class FakeJob(Entries):
    """Items to whatever is asked for."""

    def __init__(self, engine: FakeEngine, call: EncodeCall) -> None:
        super().__init__(engine, call.items, call.truncate)
        self._call = call

    def finish(
        self, prepared: Sequence[Prepared[str]], rows: Sequence[Row | StelaeError]
    ) -> EncodeResult:
        texts = _good(prepared, rows)
        columns: dict[str, Any] = {}
        for output in self._call.kinds:
            columns |= COLUMNS[output](texts, self._call, self._engine.dimensions)
        return EncodeResult(model=self._call.model, **columns, **_facts(prepared, rows))


class FakeScoreJob(Entries):
    """Documents to scores."""

    def __init__(self, engine: FakeEngine, call: ScoreCall) -> None:
        super().__init__(engine, call.documents, call.truncate)
        self._call = call
        self._query = text_of(call.query)

    def finish(
        self, prepared: Sequence[Prepared[str]], rows: Sequence[Row | StelaeError]
    ) -> ScoreResult:
        if self._query is None or self._query == "!bad":
            raise InvalidInput("the fake engine was told to refuse this", param="query")
        scores = [
            np.nan if text is None else overlap(self._query, text) for text in _good(prepared, rows)
        ]
        return ScoreResult(
            model=self._call.model, scores=np.array(scores, np.float32), **_facts(prepared, rows)
        )


class FakeExtractJob(Entries):
    """Items to their capital words."""

    def __init__(self, engine: FakeEngine, call: ExtractCall) -> None:
        super().__init__(engine, call.items, call.truncate)
        self._call = call

    def finish(
        self, prepared: Sequence[Prepared[str]], rows: Sequence[Row | StelaeError]
    ) -> ExtractResult:
        label = next(iter(self._call.labels), "name")
        good = zip(self._call.items, _good(prepared, rows), strict=True)
        return ExtractResult(
            model=self._call.model,
            items=tuple(
                Extraction() if text is None else capitals(text_of(item) or "", label)
                for item, text in good
            ),
            **_facts(prepared, rows),
        )


def _good(prepared: Sequence[Prepared[str]], rows: Sequence[Row | StelaeError]) -> list[str | None]:
    """The texts that were run, ``None`` for those that failed."""
    return [
        None if isinstance(row, StelaeError) else p.features
        for p, row in zip(prepared, rows, strict=True)
    ]


def _facts(prepared: Sequence[Prepared[str]], rows: Sequence[Row | StelaeError]) -> dict[str, Any]:
    tokens = np.array([p.tokens for p in prepared], np.int32)
    return {
        "fingerprint": "fake",
        "tokens": tokens,
        "truncated": np.array([p.truncated for p in prepared], np.bool_),
        "errors": {i: r.info for i, r in enumerate(rows) if isinstance(r, StelaeError)},
        "usage": Usage(tokens=int(tokens.sum())),
    }


Texts = Sequence[str | None]


def _dense(texts: Texts, call: EncodeCall, dimensions: int) -> dict[str, Any]:
    nothing = np.full(dimensions, np.nan, np.float32)
    rows = np.stack([nothing if text is None else vector(text, dimensions) for text in texts])
    dense, quantization = quantize(rows, call.format)
    return {"dense": dense, "quantization": quantization}


def _sparse(texts: Texts, call: EncodeCall, dimensions: int) -> dict[str, Any]:
    del dimensions
    found = [{} if text is None else terms(text) for text in texts]
    dtype = np.float16 if call.format.value == "float16" else np.float32
    return {
        "sparse": Sparse(
            indices=np.array([term for item in found for term in item], np.int32),
            values=np.array([weight for item in found for weight in item.values()], dtype),
            offsets=np.cumsum([0, *map(len, found)], dtype=np.int64),
        )
    }


def _multivector(texts: Texts, call: EncodeCall, dimensions: int) -> dict[str, Any]:
    del dimensions
    nothing = np.empty((0, TOKEN_DIMENSIONS), np.float32)
    found = [nothing if text is None else token_vectors(text) for text in texts]
    values, quantization = quantize(
        np.concatenate(found), call.format, output=OutputType.MULTIVECTOR
    )
    offsets = np.cumsum([0, *map(len, found)], dtype=np.int64)
    return {"multivector": Ragged(values=values, offsets=offsets, quantization=quantization)}


COLUMNS: dict[OutputType, Callable[[Texts, EncodeCall, int], dict[str, Any]]] = {
    OutputType.DENSE: _dense,
    OutputType.SPARSE: _sparse,
    OutputType.MULTIVECTOR: _multivector,
}


def text_of(item: Item) -> str | None:
    """The text that an item is treated as; a picture is a word of its own."""
    if item.image is not None:
        return "image-" + hashlib.sha256(item.image).hexdigest()
    if item.pixels is not None:
        return "pixels-" + hashlib.sha256(item.pixels.tobytes()).hexdigest()
    return item.text


def vector(text: str, dimensions: int = 8) -> Row:
    """The fake vector of a text: unit length, the same everywhere."""
    seed = int.from_bytes(
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "little"
    )
    row = np.random.default_rng(seed).standard_normal(dimensions).astype(np.float32)
    return np.asarray(row / np.linalg.norm(row), dtype=np.float32)


def terms(text: str) -> dict[int, float]:
    """The fake terms of a text, ascending: how often each of its words stands there."""
    counts: dict[int, float] = {}
    for word in text.split():
        term = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little") % TERMS
        counts[term] = counts.get(term, 0.0) + 1.0
    return dict(sorted(counts.items()))


def token_vectors(text: str) -> NDArray[np.float32]:
    """The fake token vectors of a text: one per word, and one for no words."""
    return np.stack([vector(word, TOKEN_DIMENSIONS) for word in text.split() or [""]])


def overlap(query: str, document: str) -> float:
    """The fake score: the share of the query's words that the document has."""
    asked = set(query.split())
    return len(asked & set(document.split())) / max(1, len(asked))


def capitals(text: str, label: str) -> Extraction:
    """The fake names of a text: its words with a capital letter."""
    found = re.finditer(r"\S+", text)
    return Extraction(
        entities=tuple(
            Entity(text=word[0], label=label, score=1.0, start=word.start(), end=word.end())
            for word in found
            if word[0][0].isupper()
        )
    )


def load(spec: ModelSpec, options: EngineOptions) -> FakeEngine:
    """Load the fake engine; takes its width and length from the spec."""
    engine = FakeEngine(dimensions=spec.dimensions, max_tokens=spec.max_tokens)
    engine.adapters = options.adapters.sources
    return engine
