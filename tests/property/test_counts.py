"""What speed rests on, as counts: nothing padded, nothing done twice, few steps for a request."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from fix_engine import prepared_of
from live import live
from torch.utils._python_dispatch import TorchDispatchMode

import stelae
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.cluster import messages
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.engines.encoder.watch import Watch
from stelae.engines.fake.engine import FakeEngine
from stelae.engines.text.engine import TextEngine
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, EncodeResult, Item

LAYERS = {"bert-mean": 2, "roberta-mean": 2, "modernbert-mean": 4, "llama-mean": 2}
"""Checkpoints by how many layers they have."""

STEPS = 200
"""Calls that code of ours may make in a worker for one text more in a batch."""

CALLS = {"openai": 400, "native": 385, "sie": 510}
"""Calls that code of ours may make for one request, from its first byte to its last."""


class Operations(TorchDispatchMode):
    """Notes what torch computes, and in which shape."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[int, ...]]] = []

    def __torch_dispatch__(
        self,
        function: Any,
        types: Any,
        given: tuple[Any, ...] = (),
        named: dict[str, Any] | None = None,
    ) -> Any:
        made = function(*given, **(named or {}))
        if isinstance(made, torch.Tensor):
            self.seen.append((str(function), tuple(made.shape)))
        return made


def engine_of(folder: Path, dtype: ComputeDtype) -> TextEngine:
    spec = Catalog([ModelEntry(name="m", source=str(folder))]).spec("m")
    return load(spec, EngineOptions(dtype=dtype, device=Device.CPU, threads=1))


def operations(engine: TextEngine, texts: list[str]) -> Operations:
    """What running all texts as one batch computed."""
    call = EncodeCall(model="m", items=[Item(text=text) for text in texts])
    entries = prepared_of(engine, call)
    with Operations() as seen:
        engine.run([entry.features for entry in entries])
    return seen


OURS = str(Path(stelae.__file__).parent)
MIXED = ["the river " * n for n in (1, 30, 2, 11, 4, 19)]


@pytest.mark.parametrize("dtype", [ComputeDtype.FLOAT32, ComputeDtype.BFLOAT16])
@pytest.mark.parametrize("name", LAYERS)
def test_no_linear_layer_sees_a_token_that_was_not_sent(
    zoo: Path, name: str, dtype: ComputeDtype
) -> None:
    engine = engine_of(zoo / name, dtype)
    entries = prepared_of(engine, EncodeCall(model="m", items=[Item(text=t) for t in MIXED]))
    with Watch(time.process_time) as watch:
        engine.run([entry.features for entry in entries])
    tokens = sum(entry.cost for entry in entries)
    assert sum(watch.products.values()) >= 4 * LAYERS[name] * tokens
    assert not any(rows % tokens for rows in watch.products.values())


@pytest.mark.parametrize("name", LAYERS)
def test_no_operation_is_repeated_for_each_text(zoo: Path, name: str) -> None:
    engine = engine_of(zoo / name, ComputeDtype.FLOAT32)
    few = operations(engine, MIXED[:3])
    many = operations(engine, MIXED * 5)
    kinds = Counter(kind for kind, _ in few.seen)
    grown = Counter(kind for kind, _ in many.seen) - kinds
    assert sum(grown.values()) == 0, grown


def test_what_waits_runs_in_one_pass() -> None:
    engine = FakeEngine(held=True)
    runner = Runner(engine)
    first = runner.submit(EncodeCall(model="fake", items=[Item(text="first")]))
    assert engine.entered.wait(10)
    calls = [EncodeCall(model="fake", items=[Item(text=f"text {i}")]) for i in range(100)]
    waiting = [runner.submit(call) for call in calls]
    engine.release()
    for future in (first, *waiting):
        future.result(10)
    assert runner.stats().batches == 2
    runner.close()


def test_vectors_go_from_the_engine_to_the_socket_uncopied() -> None:
    dense = np.ones((1000, 384), np.float32)
    result = EncodeResult(
        model="m",
        fingerprint="f",
        dense=dense,
        tokens=np.ones(1000, np.int32),
        truncated=np.zeros(1000, np.bool_),
    )
    pieces = messages.write(messages.Done(1), messages.payload(result))
    shared = [p for p in pieces if np.shares_memory(np.frombuffer(p, np.uint8), dense)]
    assert [memoryview(piece).nbytes for piece in shared] == [dense.nbytes]


def asked_as(dialect: str) -> bytes:
    """A request for the vector of one text."""
    if dialect == "openai":
        return request({"model": "fake", "input": "a text", "encoding_format": "base64"})
    said: dict[str, Any] = {"items": [{"text": "a text"}]}
    if dialect == "sie":
        return request(said, "/v1/encode/fake", "msgpack")
    return request({"model": "fake"} | said, "/stelae/v1/encode", "msgpack")


@pytest.mark.parametrize("dialect", CALLS)
async def test_one_request_takes_few_steps_in_the_gateway(dialect: str) -> None:
    async with live() as server:
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))

        async def ask() -> bytes:
            writer.write(asked_as(dialect))
            return await answer(reader)

        assert re.search(b"embedding|dense", await ask())
        # The least of several: on a busy machine what is done now and then falls between two.
        steps = min([await counted(ask, 10) for _ in range(5)])
        writer.close()
    assert steps < CALLS[dialect]


def test_one_text_more_takes_few_steps_in_a_worker(zoo: Path) -> None:
    engine = engine_of(zoo / "bert-mean", ComputeDtype.FLOAT32)
    steps = []
    for count in (4, 4, 12):
        asked = [EncodeCall(model="m", items=[Item(text="the river")]) for _ in range(count)]
        with calls() as made:
            jobs = [engine.open(call) for call in asked]
            entries = [job.prepare(0, 1) for job in jobs]
            rows = engine.run([entry.features for (entry,) in entries])
            for job, entry, row in zip(jobs, entries, rows, strict=True):
                messages.write(messages.Done(1), messages.payload(job.finish(entry, [row])))
        steps.append(made())
    assert (steps[2] - steps[1]) / 8 < STEPS


async def test_requests_sent_without_waiting_are_answered_in_their_order() -> None:
    bodies: list[dict[str, Any]] = [
        {"model": "fake", "input": ["one"] * 40},
        {"model": "no-such-model", "input": "two"},
        {"model": "fake", "input": "three"},
    ]
    async with live() as server:
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"".join(map(request, bodies)))
        answers = [json.loads(await answer(reader)) for _ in bodies]
        writer.close()
    assert [len(said.get("data", ())) for said in answers] == [40, 0, 1]
    assert answers[1]["error"]["code"] == "model_not_found"


def request(body: dict[str, Any], path: str = "/v1/embeddings", form: str = "json") -> bytes:
    data = json.dumps(body).encode() if form == "json" else msgspec.msgpack.encode(body)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n"
    media = f"Content-Type: application/{form}\r\nAccept: application/{form}\r\n\r\n"
    return (head + media).encode() + data


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


async def counted(ask: Callable[[], Any], times: int) -> float:
    """Calls of functions in code of ours in this thread, for one of so many requests."""
    with calls() as made:
        for _ in range(times):
            await ask()
    return made() / times


@contextmanager
def calls() -> Iterator[Callable[[], int]]:
    """Counts calls of functions in code of ours in this thread."""
    made = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal made
        del argument
        ours = OURS in frame.f_code.co_filename
        made += ours and event in ("call", "c_call")

    sys.setprofile(count)
    try:
        yield lambda: made
    finally:
        sys.setprofile(None)
