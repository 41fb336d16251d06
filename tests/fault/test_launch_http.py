"""Launches over HTTP that make no sense, that meet, or whose workers die."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from live import live

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLACE = "/stelae/v1/launches"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        live(placement="process") as server,
        httpx.AsyncClient(base_url=server.url, timeout=30.0) as client,
    ):
        yield client


async def launch(http: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await http.post(PLACE, json={"model": "fake", "wait": True, **body})


async def encode(http: httpx.AsyncClient, model: str, text: str = "a") -> httpx.Response:
    body = {"model": model, "items": [{"text": text}]}
    return await http.post("/stelae/v1/encode", json=body)


def error(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json()["error"])


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"path": "/etc"}, 400, "no checkpoint"),
        ({"path": "/etc/passwd"}, 400, "path"),
        ({"path": "../../etc"}, 400, "path"),
        ({"path": "/etc/../\0"}, 400, "path"),
        ({"path": "file:///etc/passwd"}, 400, "path"),
        ({"path": "http://169.254.169.254/latest/"}, 400, "path"),
        ({"model": "http://127.0.0.1/x"}, 404, "no model"),
        ({"model": "../../etc"}, 404, "no model"),
        ({"model": "a" * 10_000}, 404, "no model"),
        ({"model": ""}, 404, "no model"),
        ({"model": 7}, 400, "model"),
        ({"environment": {"LD_PRELOAD": "/x.so"}}, 400, "LD_PRELOAD"),
        ({"environment": {"PYTHONPATH": "/x"}}, 400, "PYTHONPATH"),
        ({"environment": {"PATH": "/x"}}, 400, "PATH"),
        ({"environment": {f"A{i}": "x" for i in range(1000)}}, 400, "1000 variables"),
        ({"environment": ["A=1"]}, 400, "environment"),
        ({"command": "rm -rf /"}, 400, "command"),
        ({"virtual_env_packages": ["evil"]}, 400, "virtual_env_packages"),
        ({"trust_remote_code": True}, 400, "trust_remote_code"),
        ({"replicas": 10**9}, 400, "replicas"),
        ({"replicas": 10**30}, 400, "replicas"),
        ({"replicas": 0}, 400, "replicas"),
        ({"replicas": -1}, 400, "replicas"),
        ({"replicas": True}, 400, "replicas"),
        ({"calls": -1}, 400, "calls"),
        ({"max_tokens": -5}, 400, "max_tokens"),
        ({"gpus": [[0, 0]]}, 400, "gpus"),
        ({"gpus": [[-1]]}, 400, "gpus"),
        ({"gpus": [[1000]]}, 400, "gpus"),
        ({"model": "bge-small-en-v1.5", "size": -7}, 400, "size"),
        ({"model": "bge-small-en-v1.5", "format": "exe"}, 400, "pytorch"),
        ({"engine": "vroom"}, 400, "encoder"),
        ({"kind": "llm"}, 400, "embedding"),
        ({"kind": "teapot"}, 400, "kind"),
        ({"uid": ""}, 400, "uid"),
        ({"uid": "x" * 101}, 400, "uid"),
        ({"uid": "x-rep7"}, 400, "uid"),
        ({"uid": "\u540d\u5b57"}, 400, "ASCII"),
        ({"uid": "a\r\nb"}, 400, "ASCII"),
        ({"uid": "alias-of-nothing/../x"}, 400, "ASCII"),
        ({"uid": "minilm"}, 409, "minilm"),
        ({"loras": {"a b": "/x"}}, 400, "loras"),
        ({"loras": {"a": ""}}, 400, "loras"),
    ],
)
async def test_a_launch_that_makes_no_sense_is_refused(
    http: httpx.AsyncClient, body: dict[str, Any], status: int, said: str
) -> None:
    answer = await launch(http, **{"uid": "mine", **body})
    assert answer.status_code == status, answer.text
    assert said in error(answer)["message"]
    assert (await http.get(PLACE)).json() == {"launches": []}
    assert (await encode(http, "mine")).status_code == 404


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b'{"model": "\\ud800"}', b"\xff"])
async def test_a_body_that_is_no_launch_is_refused(http: httpx.AsyncClient, data: bytes) -> None:
    answer = await http.post(PLACE, content=data, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert error(answer)["code"] == "invalid_input"


async def test_of_ten_launches_of_one_uid_at_once_one_wins(http: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(launch(http, uid="mine") for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert (await encode(http, "mine")).status_code == 200
    assert (await http.delete(f"{PLACE}/mine")).status_code == 200
    assert (await encode(http, "mine")).status_code == 404


async def test_a_uid_may_have_slashes_and_dots(http: httpx.AsyncClient) -> None:
    made = await launch(http, uid="org/name-1.5", replicas=1)
    assert made.json()["uid"] == "org/name-1.5"
    place = f"{PLACE}/org/name-1.5"
    assert (await http.get(place)).json()["stage"] == "ready"
    assert len((await http.get(f"{place}/replicas")).json()["replicas"]) == 1
    assert (await http.post(f"{place}/cancel")).status_code == 409
    assert (await http.delete(place)).json()["uid"] == "org/name-1.5"
    assert (await http.get(place)).status_code == 404


async def test_a_model_that_is_terminated_while_it_loads_leaves_nothing(
    http: httpx.AsyncClient,
) -> None:
    begun = await launch(http, uid="mine", wait=False)
    assert begun.json()["stage"] in {"pending", "loading"}
    assert (await http.delete(f"{PLACE}/mine")).status_code == 200
    assert (await http.get(PLACE)).json() == {"launches": []}


async def test_too_many_calls_at_once_are_refused_with_429(http: httpx.AsyncClient) -> None:
    await launch(http, uid="mine", calls=1)
    held = asyncio.create_task(encode(http, "mine", "!sleep 0.5"))

    async def busy() -> bool:
        info = (await http.get(f"{PLACE}/mine")).json()
        return bool(info["replicas"][0]["in_flight"])

    while not await busy():
        assert not held.done()
    refused = await encode(http, "mine")
    assert refused.status_code == 429
    assert "Rate limit reached" in error(refused)["message"]
    assert (await held).status_code == 200
    assert (await encode(http, "mine")).status_code == 200
    await http.delete(f"{PLACE}/mine")


async def test_of_two_replicas_one_may_die(http: httpx.AsyncClient) -> None:
    made = (await launch(http, uid="mine", replicas=2)).json()
    pids = [replica["pid"] for replica in made["replicas"]]
    assert len(set(pids)) == 2
    calls = [asyncio.create_task(encode(http, "mine", f"text {i}")) for i in range(20)]
    os.kill(pids[0], signal.SIGKILL)
    assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200}

    async def mended() -> bool:
        told = (await http.get(f"{PLACE}/mine")).json()["replicas"]
        return [r["state"] for r in told] == ["ready", "ready"] and told[0]["restarts"] == 1

    while not await mended():
        assert (await encode(http, "mine")).status_code == 200
    await http.delete(f"{PLACE}/mine")


async def test_replicas_are_added_and_removed_over_http(http: httpx.AsyncClient) -> None:
    await launch(http, uid="mine")
    assert (await http.post(f"{PLACE}/mine/replicas")).json()["number"] == 1
    wrong = await http.post(f"{PLACE}/mine/replicas", json={"gpus": [1000]})
    assert wrong.status_code == 400
    assert (await http.delete(f"{PLACE}/mine/replicas/5")).status_code == 404
    assert (await http.delete(f"{PLACE}/mine/replicas/0")).json() == {"remaining": 1}
    assert (await encode(http, "mine")).status_code == 200
    assert (await http.delete(f"{PLACE}/mine/replicas/1")).json() == {"remaining": 0}
    assert (await http.get(f"{PLACE}/mine")).status_code == 404


async def test_values_of_variables_are_not_told(http: httpx.AsyncClient) -> None:
    made = await launch(http, uid="mine", wait=False, environment={"HF_TOKEN": "hf_secret"})
    assert made.json()["call"]["environment"] == {"HF_TOKEN": "***"}
    assert "hf_secret" not in (await http.get(PLACE)).text
    await http.delete(f"{PLACE}/mine")


async def test_a_launch_keeps_nobody_from_being_ready(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{")
    failed = await launch(http, uid="mine", model=str(tmp_path))
    assert failed.status_code == 500
    assert (await http.get(f"{PLACE}/mine")).json()["stage"] == "failed"
    assert (await http.get("/readyz")).status_code == 200
