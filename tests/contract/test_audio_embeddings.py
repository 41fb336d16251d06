"""Vectors of recordings as Xinference's client asks for them: those of the native protocol."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import pytest_asyncio
from fix_sound import recorded, tone
from live import live

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

SOUND = recorded(tone(1.0, 48_000), 48_000, "flac")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(zoo: Path) -> AsyncIterator[httpx.AsyncClient]:
    models = {
        "clap": {"source": str(zoo / "clap"), "dtype": "float32"},
        "texts": {"source": "embedded", "engine": "fake"},
    }
    async with (
        live(models=models) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
    ):
        yield client


async def test_vector_is_that_of_the_native_protocol(http: httpx.AsyncClient) -> None:
    files = {"file": ("file", SOUND, "application/octet-stream")}
    made = (await http.post("/v1/audio/embeddings", data={"model": "clap"}, files=files)).json()
    items = [{"audio": b64encode(SOUND).decode()}]
    body = {"model": "clap", "items": items, "outputs": ["dense"]}
    native = (await http.post("/stelae/v1/encode", json=body)).json()
    assert (made["object"], made["model"]) == ("embedding", "clap")
    assert made["dimensions"] == len(made["embedding"])
    np.testing.assert_allclose(made["embedding"], native["dense"][0], rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": "texts"}, "file"),
        ({"model": "clap", "dimensions": "3"}, "dimensions"),
        ({"model": "clap", "dimensions": "many"}, "dimensions"),
        ({}, "model"),
    ],
)
async def test_what_is_wrong_is_named(
    http: httpx.AsyncClient, fields: dict[str, str], param: str
) -> None:
    answer = await http.post("/v1/audio/embeddings", data=fields, files={"file": SOUND})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
