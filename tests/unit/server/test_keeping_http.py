from __future__ import annotations

from typing import Any

import httpx
import pytest
from live import FAKE, Live, live

from stelae.config import Settings
from stelae.server.app import build_keep

LIMITS = {"memory_bytes": "600MB", "residency_seconds": 0}
"""Room for one of the models here as float32, which takes 359 MB by its files."""


def asking(server: Live) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, timeout=30)


def test_models_may_take_a_share_of_the_machine_unless_a_size_is_set() -> None:
    keep = build_keep(Settings())
    assert keep.memory_bytes is not None
    assert (keep.idle, keep.residency) == (None, 30.0)
    keep = build_keep(Settings(limits={"memory_bytes": "2GiB", "idle_seconds": 60}))  # type: ignore[arg-type]
    assert (keep.memory_bytes, keep.idle) == (2 << 30, 60.0)


async def test_models_make_way_for_each_other_over_http() -> None:
    models = {name: FAKE | {"dtype": "float32"} for name in "ab"}
    async with live(models=models, limits=LIMITS) as server, asking(server) as http:
        for name in ("a", "b", "a"):
            answer = await http.post("/v1/embeddings", json={"model": name, "input": "hi"})
            assert answer.status_code == 200
        metrics = (await http.get("/metrics")).text
    assert 'stelae_model_evictions_total{model="a",reason="memory"} 1.0' in metrics
    assert 'stelae_model_evictions_total{model="b",reason="memory"} 1.0' in metrics


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "many", "input": "hi"}),
        ("/stelae/v1/models/many/load", {}),
        ("/v1/models", {"model_uid": "x", "model_name": "many", "replica": 2}),
    ],
)
async def test_what_cannot_fit_is_told_at_once_and_not_to_come_back(
    path: str, body: dict[str, Any]
) -> None:
    models = {"many": FAKE | {"dtype": "float32", "replicas": 2}}
    async with live(models=models, limits=LIMITS) as server, asking(server) as http:
        answer = await http.post(path, json=body)
    assert answer.status_code == 503
    assert "retry-after" not in answer.headers
    assert "0.7 GB of memory" in answer.text
    assert "models may take 0.6 GB here" in answer.text
