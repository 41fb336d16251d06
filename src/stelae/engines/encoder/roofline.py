"""Measures what an encoder reaches of the multiply rate of one thread."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import torch

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineOptions, Prepared
from stelae.engines.encoder.engine import load
from stelae.engines.encoder.watch import ATTENTION, LINEARS, NORMS, Shape, Watch
from stelae.engines.roofline import Part, Roofline
from stelae.engines.text.engine import TextEngine
from stelae.errors import InvalidInput, UnsupportedTask
from stelae.nn.layers.linear import Linear
from stelae.types import EncodeCall, Item

ROWS = 1024
"""Tokens in the multiplies that are the limit."""

TOKENS = 4096
"""Tokens in one batch, if the texts have so many."""

ROUNDS = 3
"""At least, after a first one that is not counted."""

REPEATS = 3
"""Multiplies of one shape in a round."""

clock = time.process_time
"""CPU time of this process, a tokenizer's threads included: its neighbours do not count."""


@dataclass(slots=True)
class Sums:
    """What all rounds took together, in seconds.

    Attributes:
        tokens: Tokens that ran.
        flop: Arithmetic of the linear layers.
        limit: Time of that arithmetic, done by bare multiplies.
        tokenising: From texts to token ids.
        run: From token ids to rows.
        finish: From rows to results.
        watched: Parts of ``run``, by name, timed in runs of their own.
        rerun: Time of these runs.
    """

    tokens: int = 0
    flop: int = 0
    limit: float = 0.0
    tokenising: float = 0.0
    run: float = 0.0
    finish: float = 0.0
    watched: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    rerun: float = 0.0

    @property
    def whole(self) -> float:
        """All of the time that results take."""
        return self.tokenising + self.run + self.finish


def measure(
    spec: ModelSpec, options: EngineOptions, texts: Sequence[str], seconds: float
) -> Roofline:
    """Run a model and bare multiplies in turn; see ``stelae.engines.roofline``.

    Raises:
        InvalidInput: None of the texts can be run.
        UnsupportedTask: The model multiplies nothing.
    """
    before = torch.get_num_threads()
    engine = load(spec, options)
    try:
        info = engine.info
        sums = _rounds(engine, getattr(torch, info.dtype), texts, seconds)
    finally:
        engine.close()
        torch.set_num_threads(before)
    if not sums.flop:
        raise UnsupportedTask(
            f"model '{spec.name}' has no linear layers, so the multiply rate is no limit to it",
            param="model",
        )
    return roofline_of(sums, info.dtype, info.fingerprint)


def _rounds(engine: TextEngine, dtype: torch.dtype, texts: Sequence[str], seconds: float) -> Sums:
    sums, bare = Sums(), Multiplies(dtype)
    calls = cycle(list(calls_of(engine, texts)))
    _round(engine, next(calls), bare, Sums())
    end, done = time.perf_counter() + seconds, 0
    while done < ROUNDS or time.perf_counter() < end:
        _round(engine, next(calls), bare, sums)
        done += 1
    return sums


def calls_of(engine: TextEngine, texts: Sequence[str]) -> Iterator[EncodeCall]:
    """The texts that can be run, in calls of ``TOKENS`` tokens each.

    Raises:
        InvalidInput: There are none.
    """
    items: list[Item] = []
    tokens = calls = 0
    for item in (Item(text=text) for text in texts):
        (ready,) = _prepare(engine, EncodeCall(model=engine.spec.name, items=[item]))
        if ready.features is None:
            continue
        items.append(item)
        tokens += ready.tokens
        if tokens >= TOKENS:
            yield EncodeCall(model=engine.spec.name, items=items)
            items, tokens, calls = [], 0, calls + 1
    if items and not calls:
        yield EncodeCall(model=engine.spec.name, items=items)
    elif not calls:
        raise InvalidInput(f"none of the {len(texts)} texts can be run", param="texts")


def _prepare(engine: TextEngine, call: EncodeCall) -> Sequence[Prepared[Any]]:
    job = engine.open(call)
    return job.prepare(0, job.size)


def _round(engine: TextEngine, call: EncodeCall, bare: Multiplies, sums: Sums) -> None:
    times = [clock()]
    job = engine.open(call)
    ready = job.prepare(0, job.size)
    times.append(clock())
    features = [one.features for one in ready if one.features is not None]
    rows = engine.run(features)
    times.append(clock())
    job.finish(ready, rows)
    times.append(clock())
    with Watch(clock) as watch:
        engine.run(features)
    sums.tokens += sum(one.tokens for one in ready)
    sums.tokenising += times[1] - times[0]
    sums.run += times[2] - times[1]
    sums.finish += times[3] - times[2]
    sums.rerun += clock() - times[3]
    for name, spent in watch.spent.items():
        sums.watched[name] += spent
    sums.flop += flop_of(watch.products)
    sums.limit += sum(rows * bare.seconds(shape) for shape, rows in watch.products.items())


def flop_of(products: Counter[Shape]) -> int:
    """Arithmetic of products, by inputs and outputs of the layer, with their numbers of rows."""
    return sum(2 * rows * inputs * outputs for (inputs, outputs), rows in products.items())


class Multiplies:
    """Linear layers alone, laid out as those of a model are.

    Args:
        dtype: Number format.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._made: dict[Shape, tuple[Linear, torch.Tensor]] = {}

    @torch.inference_mode()
    def seconds(self, shape: Shape) -> float:
        """Time of one of ``ROWS`` rows, by the mean of a few."""
        layer, x = self._made.get(shape) or self._make(shape)
        started = clock()
        for _ in range(REPEATS):
            layer(x)
        return (clock() - started) / (REPEATS * ROWS)

    def _make(self, shape: Shape) -> tuple[Linear, torch.Tensor]:
        inputs, outputs = shape
        layer = Linear(inputs, outputs, bias=False).to(self._dtype)
        layer.weight.normal_(std=0.02)
        layer.prepack()
        made = self._made[shape] = layer, torch.randn(ROWS, inputs).to(self._dtype)
        layer(made[1])
        return made


def roofline_of(sums: Sums, dtype: str, fingerprint: str) -> Roofline:
    """Rates and shares of what was measured."""
    spent = sums.watched[LINEARS] / sums.rerun * sums.run
    return Roofline(
        dtype=dtype,
        fingerprint=fingerprint,
        rows=ROWS,
        gflop_per_s=sums.flop / sums.limit / 1e9,
        flop_per_token=sums.flop / sums.tokens,
        limit_tokens_per_s=sums.tokens / sums.limit,
        tokens_per_s=sums.tokens / sums.whole,
        fraction=sums.limit / sums.whole,
        linears_fraction=sums.limit / spent,
        parts=parts_of(sums),
    )


def parts_of(sums: Sums) -> tuple[Part, ...]:
    """Where the time goes; the shares add up to 1."""
    model = sums.run / sums.whole
    layers = {name: sums.watched[name] / sums.rerun for name in (LINEARS, ATTENTION, NORMS)}
    layers["glue"] = 1 - sum(layers.values())
    inner = tuple(Part(name=name, share=model * share) for name, share in layers.items())
    return (
        Part(name="tokenising", share=sums.tokenising / sums.whole),
        Part(name="model", share=model, parts=inner),
        Part(name="putting results together", share=sums.finish / sums.whole),
    )
