"""Adapters through a server and its worker: asked for by name over HTTP."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fix_adapters import asked, engine_with
from live import Live, live
from tiny.adapters import write_adapter

from stelae import AsyncClient
from stelae.errors import InvalidInput, LoraLoading
from stelae.service.inference import Caller
from stelae.types import EncodeCall, Item

TEXTS = ["a river", "the stone", "long text " * 30]


@asynccontextmanager
async def serving(zoo: Path, loras: dict[str, Path], **more: Any) -> AsyncIterator[Live]:
    """A server of a small BERT with adapters, in a worker process."""
    named = {name: str(folder) for name, folder in loras.items()}
    model = {"source": str(zoo / "bert-mean"), "dtype": "float32", "loras": named, **more}
    async with live(models={"m": model}, placement="process") as server:
        yield server


async def test_adapters_are_asked_for_by_name(zoo: Path, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("one", "two")}
    for folder in folders.values():
        write_adapter(folder, zoo / "bert-mean")
    engine = engine_with(zoo / "bert-mean", folders)
    async with (
        serving(zoo, folders, max_loras=1) as server,
        AsyncClient(server.url, model="m") as client,
    ):
        for name in (None, "one", "two", "one"):
            expected = asked(
                engine, EncodeCall(model="m", items=list(map(as_item, TEXTS)), lora=name)
            )
            made = await client.encode(TEXTS, lora=name)
            np.testing.assert_allclose(made.dense, expected.dense, rtol=0, atol=1e-5)
            assert made.fingerprint == expected.fingerprint
        with pytest.raises(InvalidInput, match="it has one, two"):
            await client.score("a", TEXTS, lora=str(folders["one"]))


async def test_the_wire_has_adapters_too(zoo: Path, tmp_path: Path) -> None:
    write_adapter(tmp_path / "one", zoo / "bert-mean")
    async with (
        serving(zoo, {"one": tmp_path / "one"}) as server,
        httpx.AsyncClient(base_url=server.url, timeout=30) as http,
    ):
        body = {"model": "m", "items": [{"text": "a"}], "lora": "one"}
        assert (await http.post("/stelae/v1/encode", json=body)).status_code == 200
        answer = await http.post("/stelae/v1/encode", json={**body, "lora": "three"})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "lora")
        model = (await http.get("/stelae/v1/models/m")).json()
        assert model["loras"] == ["one"]


async def test_a_load_that_hangs_holds_nobody_else_up(zoo: Path, tmp_path: Path) -> None:
    write_adapter(tmp_path / "stuck", zoo / "bert-mean")
    config = tmp_path / "stuck" / "adapter_config.json"
    async with serving(zoo, {"stuck": config.parent}) as server:
        encode, caller = server.house.inference.encode, Caller(request_id="t", load_wait=0.1)
        await encode(EncodeCall(model="m", items=[as_item("a")]), Caller(request_id="load"))
        stuck = EncodeCall(model="m", items=[as_item("a")], lora="stuck")
        with leased(config):
            for _ in range(2):
                with pytest.raises(LoraLoading):
                    await encode(stuck, caller)
                made = await encode(EncodeCall(model="m", items=[as_item("b")]), caller)
                assert made.dense is not None


@contextmanager
def leased(file: Path) -> Iterator[None]:
    """Let whoever opens a file wait: a plain one, as on a disk that is far away and gone.

    Linux holds an opener up until the lease is given back, and tells its holder by a signal.
    """
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    descriptor = os.open(file, os.O_RDWR)
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    try:
        yield
    finally:
        os.close(descriptor)
        signal.signal(signal.SIGIO, before)


def as_item(text: str) -> Item:
    """A text as an item."""
    return Item(text=text)
