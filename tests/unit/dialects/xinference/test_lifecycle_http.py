"""Launches that take their time, over HTTP: what is told meanwhile, and how they end early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fix_house import Gate, house
from fix_replicas import until

from stelae.config import Settings
from stelae.server.app import build_app

BODY = {"model_name": "fake", "model_type": "embedding", "model_uid": "org/mine"}


@asynccontextmanager
async def serving(gate: Gate | None = None, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with house(gate) as made:
        edge = build_app(Settings(**settings), made, listen=["http://127.0.0.1:9997"]).edge
        transport = httpx.ASGITransport(edge)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9997") as http:
            yield http


async def test_a_model_that_is_being_launched_is_told_of_and_cannot_be_had_yet() -> None:
    gate = Gate()
    async with serving(gate) as http:
        answer = await http.post("/v1/models", params={"wait_ready": "False"}, json=BODY)
        assert (answer.status_code, answer.json()) == (200, {"model_uid": "org/mine"})
        await until(lambda: len(gate.launches) == 1)
        described = await http.get("/v1/models/org/mine")
        assert (described.status_code, described.headers["retry-after"]) == (503, "30")
        progress = (await http.get("/v1/models/org/mine/progress")).json()
        assert (progress["stage"], progress["progress"] < 1) == ("loading", True)
        assert [r["replica_model_uid"] for r in progress["replicas"]] == ["org/mine-rep0"]
        (instance,) = (await http.get("/v1/models/instances")).json()
        assert (instance["model_uid"], instance["status"]) == ("org/mine", "LOADING")
        gate.open()
        await until_ready(http, "org/mine")
        assert (await http.get("/v1/models/org/mine")).json()["id"] == "org/mine"


async def until_ready(http: httpx.AsyncClient, uid: str) -> None:
    async with asyncio.timeout(20):
        while (await http.get(f"/v1/models/{uid}/progress")).json()["progress"] < 1:  # noqa: ASYNC110  # what is asked has no event to wait for
            await asyncio.sleep(0.005)


async def test_a_reload_is_accepted_at_once_and_told_of_until_it_is_over() -> None:
    gate, path = Gate(held=False), "/v1/models/org/mine/reload"
    async with serving(gate) as http:
        await http.post("/v1/models", json=BODY)
        gate.shut()
        for _ in range(2):  # a second one changes nothing
            answer = await http.post(path, json={"model_config": {}})
            assert (answer.status_code, answer.json()["status"]) == (202, "draining")
        await until(lambda: len(gate.launches) == 2)
        assert (await http.get(path)).json() == {
            "model_uid": "org/mine", "status": "loading", "error": None,
        }  # fmt: skip
        gate.open()
        async with asyncio.timeout(20):
            while (await http.get(path)).json()["status"] != "ready":  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.005)
        assert len(gate.launches) == 2


async def test_a_model_that_is_being_launched_is_not_loaded_anew() -> None:
    gate = Gate()
    async with serving(gate) as http:
        await http.post("/v1/models", params={"wait_ready": "False"}, json=BODY)
        answer = await http.post("/v1/models/org/mine/reload", json={})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


async def test_who_waits_for_a_launch_that_is_cancelled_is_told_so() -> None:
    gate = Gate()
    async with serving(gate) as http:
        waiting = asyncio.create_task(http.post("/v1/models", json=BODY))
        await until(lambda: len(gate.launches) == 1)
        cancelled = await http.post("/v1/models/org/mine/cancel")
        assert (cancelled.status_code, cancelled.content) == (200, b"null")
        told = await waiting
        assert told.status_code == 499
        assert "cancelled" in told.json()["detail"]
        assert (await http.get("/v1/models/org/mine")).status_code == 404
        assert (await http.get("/v1/models/instances")).json() == []


async def test_a_model_may_be_terminated_while_it_loads() -> None:
    gate = Gate()
    async with serving(gate) as http:
        waiting = asyncio.create_task(http.post("/v1/models", json=BODY))
        await until(lambda: len(gate.launches) == 1)
        gone = await http.delete("/v1/models/org/mine")
        assert (gone.status_code, gone.content) == (200, b"null")
        assert (await waiting).status_code == 499


async def test_of_two_launches_of_one_uid_one_is_told_that_it_is_taken() -> None:
    gate = Gate()
    async with serving(gate) as http:
        first = asyncio.create_task(http.post("/v1/models", json=BODY))
        await until(lambda: len(gate.launches) == 1)
        second = await http.post("/v1/models", json=BODY)
        assert second.status_code == 400
        assert second.json()["error"]["details"]["code"] == "conflict"
        gate.open()
        assert (await first).json() == {"model_uid": "org/mine"}


async def test_a_model_that_cannot_be_loaded_is_not_there_and_it_is_told_why() -> None:
    body = {**BODY, "model_name": "broken", "model_type": None}
    async with serving() as http:
        failed = await http.post("/v1/models", json={**body, "model_type": "embedding"})
        assert failed.status_code >= 400
        reason = failed.json()["detail"]
        assert reason
        assert (await http.get("/v1/models/org/mine")).json()["detail"] == reason
        assert (await http.get("/v1/models/instances")).json() == []
        again = await http.post("/v1/models", json=BODY)
        assert again.status_code == 200


@pytest.mark.parametrize("uid", ["org/mine", "org%2Fmine"])
async def test_uids_with_slashes_are_reached_however_they_are_written(uid: str) -> None:
    async with serving() as http:
        await http.post("/v1/models", json=BODY)
        for start in ("", "http://127.0.0.1:9997/", "http://127.0.0.1:9997//"):
            told = await http.get(f"{start}/v1/models/{uid}")
            assert told.json()["model_uid"] == "org/mine"
        (replica,) = (await http.get(f"/v1/models/{uid}/replicas")).json()
        assert replica["replica_model_uid"] == "org/mine-rep0"


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"n_gpu": 99}, "n_gpu"),
        ({"replica": 65}, "replica"),
        ({"replica_config": []}, "replica_config"),
        ({"replica_config": [{"devices": [{}]}] * 65}, "replica_config"),
    ],
)
async def test_replicas_that_cannot_be_added_are_refused_by_name(
    asked: dict[str, Any], param: str
) -> None:
    async with serving() as http:
        await http.post("/v1/models", json=BODY)
        told = await http.post("/v1/models/org/mine/replicas", json=asked)
        assert (told.status_code, told.json()["error"]["param"]) == (400, param)
        assert len((await http.get("/v1/models/org/mine/replicas")).json()) == 1


async def test_replicas_beyond_those_of_one_model_are_refused_before_any_is_added() -> None:
    async with serving() as http:
        await http.post("/v1/models", json=BODY)
        told = await http.post("/v1/models/org/mine/replicas", json={"replica": 64})
        assert (told.status_code, told.json()["error"]["param"]) == (400, "replica")
        assert told.json()["detail"].startswith("replica: model 'org/mine' has 1 of them")
        assert "at most 64 in all" in told.json()["detail"]
        assert len((await http.get("/v1/models/org/mine/replicas")).json()) == 1


@pytest.mark.parametrize("name", ["max_model_len", "context_length", "n_ctx", "max_tokens"])
async def test_a_longest_input_is_refused_by_the_name_it_was_sent_under(name: str) -> None:
    async with serving() as http:
        told = (await http.post("/v1/models", json={**BODY, name: 10**6})).json()
        assert told["error"]["param"] == name
        assert told["detail"].startswith(f"{name}=1000000")


async def test_a_uid_that_no_model_can_have_is_told_how_long_one_may_be() -> None:
    async with serving() as http:
        for uid in ("a b", "x" * 101):
            told = (await http.post("/v1/models", json={**BODY, "model_uid": uid})).json()
            assert told["error"]["param"] == "model_uid"
            assert "100" in told["detail"]
            assert "128" not in told["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/models/nope/cancel"),
        ("POST", "/v1/models/org/mine/cancel"),
        ("POST", "/v1/models/nope/replicas"),
        ("GET", "/v1/models/nope/replicas"),
        ("DELETE", "/v1/autostart/models/nope"),
    ],
)
async def test_a_uid_is_refused_by_the_name_that_callers_know(method: str, path: str) -> None:
    async with serving() as http:
        await http.post("/v1/models", json=BODY)
        told = (await http.request(method, path)).json()
        assert told["error"]["param"] == "model_uid"
        assert told["detail"].startswith("model_uid='")
        own = (await http.post("/stelae/v1/launches/nope/cancel")).json()
        assert own["error"]["param"] == "uid"
        assert own["detail"].startswith("uid='nope'")


async def test_words_of_the_protocol_win_over_uids() -> None:
    async with serving() as http:
        for word in ("instances", "prompts", "families", "vllm-supported"):
            told = await http.get(f"/v1/models/{word}")
            assert told.status_code == 200
            assert "id" not in told.json()


async def test_the_registry_is_changed_by_people_alone() -> None:
    async with serving() as http:
        told = await http.post("/v1/models/update_type", json={"model_type": "llm"})
        assert (told.status_code, told.json()["data"]["model_type"]) == (200, "LLM")
        wrong = await http.post("/v1/models/update_type", json={"model_type": "poem"})
        assert wrong.status_code == 400
        body = {"model_path": "/models/a", "model_family": "a"}
        refused = await http.post("/v1/models/llm/auto-register", json=body)
        assert refused.status_code == 403


async def test_a_server_with_keys_tells_only_that_it_has_some() -> None:
    async with serving(api_keys=["sesame"]) as http:
        assert (await http.get("/v1/cluster/auth")).json() == {"auth": True}
        for path in ("/v1/models/vllm-supported", "/v1/admin/setup/status", "/status"):
            assert (await http.get(path)).status_code == 200
        for path in ("/v1/models", "/v1/workers", "/v1/models/families", "/v1/autostart/models"):
            assert (await http.get(path)).status_code == 401
        wrong = await http.post("/token", json={"username": "a", "password": "b"})
        assert (wrong.status_code, bool(wrong.json()["detail"])) == (401, True)
        token = await http.post("/token", json={"username": "a", "password": "sesame"})
        again = {"refresh_token": token.json()["refresh_token"]}
        assert (await http.post("/v1/auth/refresh", json=again)).json() == token.json()
        shown = {"Authorization": f"Bearer {token.json()['access_token']}"}
        assert (await http.get("/v1/models", headers=shown)).status_code == 200
        assert (await http.post("/v1/auth/refresh", json={})).status_code == 400


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'"a"', b"null", b'{"model_name": {"a": 1}}', b"\xff"]
)
async def test_bodies_that_are_none_are_refused(body: bytes) -> None:
    async with serving() as http:
        for path in ("/v1/models", "/v1/models/instance", "/v1/model_registrations/LLM"):
            told = await http.post(path, content=body)
            assert told.status_code == 400
            assert isinstance(told.json()["detail"], str)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/models/LLM/no-such-model/versions", "model_name='no-such-model'"),
        ("/v1/engines/LLM/no-such-model", "model_name='no-such-model'"),
        ("/v1/model_registrations/LLM/no-such-model", "model_name='no-such-model'"),
        ("/v1/models/poem/qwen3/versions", "model_type='poem'"),
    ],
)
async def test_models_that_there_are_not_are_missed_by_the_name_of_the_field(
    path: str, said: str
) -> None:
    async with serving() as http:
        answer = await http.get(path)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, said.split("=")[0])
        assert answer.json()["detail"].startswith(said)


@pytest.mark.parametrize(("size", "shown"), [(9, "9"), (9.5, "9.5"), ("9_5", "'9_5'")])
async def test_a_size_that_there_is_not_is_told_as_it_was_given(
    size: float | str, shown: str
) -> None:
    async with serving() as http:
        body = {"model_name": "qwen3", "model_size_in_billions": size}
        told = (await http.post("/v1/models", json=body)).json()
        assert told["detail"].startswith(f"model_size_in_billions={shown}: ")
        assert "0.6, 1.7, 4, 8" in told["detail"]
