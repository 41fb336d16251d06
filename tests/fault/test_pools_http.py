"""Pools and capacity over HTTP, with the headers and bodies of SIE's SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from live import live

pytestmark = pytest.mark.asyncio(loop_scope="module")

SDK = {"X-SIE-SDK-Version": "0.10.1", "Content-Type": "application/msgpack"}
BODY = msgspec.msgpack.encode({"items": [{"text": "hello"}]})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    cluster = {"profile": "l4-spot", "machine_profiles": ["a100-40gb"]}
    async with (
        live(cluster=cluster) as server,
        httpx.AsyncClient(base_url=server.url, headers=SDK) as client,
    ):
        yield client


async def create(http: httpx.AsyncClient, **body: Any) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return await http.post("/v1/pools", content=json.dumps(body), headers=headers)


async def encode(http: httpx.AsyncClient, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await http.post("/v1/encode/fake", content=BODY, headers=named)


def detail(answer: httpx.Response) -> dict[str, Any]:
    said = answer.json()["detail"]
    assert answer.headers["x-sie-error-code"] == said["code"]
    assert isinstance(said["message"], str)
    return dict(said)


async def test_a_pool_lives_from_its_making_to_its_deletion(http: httpx.AsyncClient) -> None:
    made = await create(http, name="Eval-1", gpus={"l4-spot": 2}, bundle="default")
    assert made.status_code == 201
    assert made.headers["x-sie-server-version"] == "0.10.1"
    pool = made.json()
    assert (pool["name"], pool["spec"]["gpus"]) == ("Eval-1", {"l4-spot": 2})
    assert pool["status"]["state"] == "active"
    assert [w["gpu"] for w in pool["status"]["assigned_workers"]] == ["l4-spot"]
    assert (await http.get("/v1/pools/eval-1")).json() == pool
    renewed = await http.post("/v1/pools/EVAL-1/renew")
    assert renewed.status_code == 200
    assert renewed.json()["status"]["last_renewed"] >= pool["status"]["last_renewed"]
    names = [each["name"] for each in (await http.get("/v1/pools")).json()["pools"]]
    assert names[0] == "default"
    assert "Eval-1" in names
    assert (await http.delete("/v1/pools/eval-1")).status_code == 200
    for answer in (
        await http.get("/v1/pools/eval-1"),
        await http.delete("/v1/pools/eval-1"),
        await http.post("/v1/pools/eval-1/renew"),
    ):
        assert (answer.status_code, detail(answer)["code"]) == (404, "POOL_NOT_FOUND")


async def test_a_name_alone_makes_a_pool(http: httpx.AsyncClient) -> None:
    made = await create(http, name="bare")
    assert (made.status_code, made.json()["status"]["state"]) == (201, "active")


async def test_the_default_pool_is_there_and_stays(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/pools/default")).json()["status"]["state"] == "active"
    refused = await http.delete("/v1/pools/default")
    assert (refused.status_code, detail(refused)["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\x81\xa4name\xa1p", b"{}", b'{"name": 1}', b'{"name": ""}',
        b'{"name": "a/b"}', b'{"name": "p", "gpus": ["l4"]}', b'{"name": "p", "gpus": {"l4": "x"}}',
        b'{"name": "p", "gpus": {"l4": -1}}', b'{"name": "p", "gpus": {"l4": 1e400}}',
        b'{"name": "p", "ttl_seconds": 1e300}', b'{"name": "p", "ttl_seconds": NaN}',
        b'{"name": "\\ud800"}',
    ],
)  # fmt: skip
async def test_a_body_that_makes_no_pool_is_refused(body: bytes, http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/pools", content=body, headers={"Content-Type": "text/plain"})
    assert (answer.status_code, detail(answer)["code"]) == (400, "INVALID_INPUT")


async def test_calls_find_their_machine(http: httpx.AsyncClient) -> None:
    await create(http, name="mine", gpus={"l4-spot": 1})
    for place in (
        {"X_SIE_MACHINE_PROFILE": "L4"},
        {"X_SIE_MACHINE_PROFILE": "l4-spot", "X_SIE_Pool": "MINE"},
        {"X_SIE_MACHINE_PROFILE": "mine/l4-spot"},
        {"X_SIE_Pool": "default"},
    ):
        assert (await encode(http, **place)).status_code == 200


async def test_a_call_for_an_unknown_pool_is_told_so(http: httpx.AsyncClient) -> None:
    answer = await encode(http, X_SIE_Pool="none")
    assert (answer.status_code, detail(answer)["code"]) == (404, "POOL_NOT_FOUND")


async def test_a_machine_that_is_not_configured_is_refused_for_good(
    http: httpx.AsyncClient,
) -> None:
    answer = await encode(http, X_SIE_MACHINE_PROFILE="h100")
    said = detail(answer)
    assert (answer.status_code, said["code"]) == (400, "INVALID_INPUT")
    assert (said["requested_profile"], said["worker_identity"]) == ("h100", "worker-0/l4-spot")
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(("version", "status"), [("0.3.4", 202), ("0.6.5", 503), ("unknown", 503)])
async def test_a_machine_that_is_not_here_is_being_provided(
    version: str, status: int, http: httpx.AsyncClient
) -> None:
    place = {"X_SIE_MACHINE_PROFILE": "a100-40gb", "X_SIE_SDK_Version": version}
    answer = await encode(http, **place)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "5")
    if status == 202:
        assert answer.json()["gpu"] == "a100-40gb"
    else:
        assert (detail(answer)["code"], detail(answer)["gpu"]) == ("PROVISIONING", "a100-40gb")


@pytest.mark.parametrize(
    ("version", "kind"),
    [("0.1.10", "router"), ("0.2.0", "router"), ("0.3.0", "gateway"), ("0.10.1", "gateway")],
)
async def test_health_is_of_the_kind_that_the_sdk_looks_for(
    version: str, kind: str, http: httpx.AsyncClient
) -> None:
    answer = await http.get("/health", headers={"X-SIE-SDK-Version": version})
    assert (answer.status_code, answer.json()["type"]) == (200, kind)


async def test_health_tells_of_one_worker(http: httpx.AsyncClient) -> None:
    health = (await http.get("/health")).json()
    assert (health["status"], health["cluster"]["worker_count"]) == ("healthy", 1)
    assert health["configured_gpu_types"] == ["l4-spot", "a100-40gb"]
    assert health["live_gpu_types"] == ["l4-spot"]
    (worker,) = health["workers"]
    assert (worker["gpu"], worker["healthy"]) == ("l4-spot", True)
    assert worker["url"].startswith("http://127.0.0.1:")
    assert "fake" in [model["name"] for model in health["models"]]


async def test_a_server_that_accepts_any_profile_serves_any() -> None:
    async with (
        live(cluster={"accept_any_profile": True}) as server,
        httpx.AsyncClient(base_url=server.url, headers=SDK) as client,
    ):
        assert (await encode(client, X_SIE_MACHINE_PROFILE="h100")).status_code == 200
