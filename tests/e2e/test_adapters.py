"""Adapters through a server and its worker: asked for by name over HTTP."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
        httpx.AsyncClient(base_url=server.url) as http,
    ):
        body = {"model": "m", "items": [{"text": "a"}], "lora": "one"}
        assert (await http.post("/stelae/v1/encode", json=body)).status_code == 200
        answer = await http.post("/stelae/v1/encode", json={**body, "lora": "three"})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "lora")
        model = (await http.get("/stelae/v1/models/m")).json()
        assert model["loras"] == ["one"]


async def test_a_load_that_hangs_holds_nobody_else_up(zoo: Path, tmp_path: Path) -> None:
    write_adapter(tmp_path / "stuck", zoo / "bert-mean")
    pipe = tmp_path / "stuck" / "adapter_config.json"
    pipe.unlink()
    os.mkfifo(pipe)  # reading it waits until someone writes
    async with serving(zoo, {"stuck": pipe.parent}) as server:
        encode, caller = server.house.inference.encode, Caller(request_id="t", load_wait=0.1)
        await encode(EncodeCall(model="m", items=[as_item("a")]), Caller(request_id="load"))
        stuck = EncodeCall(model="m", items=[as_item("a")], lora="stuck")
        for _ in range(2):
            with pytest.raises(LoraLoading):
                await encode(stuck, caller)
            assert (await encode(EncodeCall(model="m", items=[as_item("b")]), caller)).dense.shape


def as_item(text: str) -> Item:
    """A text as an item."""
    return Item(text=text)
