"""Registrations, engines and the hub's cache over HTTP, with what people should not send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from live import live

pytestmark = pytest.mark.asyncio(loop_scope="module")

V1 = "/stelae/v1"
MINE = {
    "name": "mine",
    "kind": "llm",
    "weights": [{"source": "org/repo", "size": 7}],
    "abilities": ["chat"],
    "languages": ["en"],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    cache = tmp_path_factory.mktemp("cache")
    async with (
        live(hub={"cache": str(cache)}) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        yield client


async def test_model_is_registered_shown_and_taken_back(http: httpx.AsyncClient) -> None:
    made = await http.post(f"{V1}/registrations", json=MINE)
    assert made.status_code == 200
    card = made.json()
    assert (card["name"], card["builtin"], card["variants"][0]["hub"]) == (
        "mine",
        False,
        "org/repo",
    )
    assert (await http.get(f"{V1}/cards/mine")).json() == card
    listed = (await http.get(f"{V1}/cards", params={"kind": "llm"})).json()["cards"]
    assert card in listed
    own = (await http.get(f"{V1}/registrations")).json()["registrations"]
    assert [each["name"] for each in own] == ["mine"]
    assert (await http.get(f"{V1}/registrations/mine")).json() == own[0]
    again = await http.post(f"{V1}/registrations", json=MINE)
    assert again.status_code == 409
    assert (await http.delete(f"{V1}/registrations/mine")).json() == own[0]
    assert (await http.get(f"{V1}/cards/mine")).status_code == 404
    assert (await http.delete(f"{V1}/registrations/mine")).status_code == 404


async def test_registry_speaks_msgpack(http: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}
    body = msgspec.msgpack.encode(MINE | {"name": "packed", "persist": False})
    made = await http.post(f"{V1}/registrations", content=body, headers=headers)
    assert msgspec.msgpack.decode(made.content)["name"] == "packed"
    assert (await http.delete(f"{V1}/registrations/packed")).status_code == 200


async def test_engines_say_what_they_serve_and_why_not_the_rest(http: httpx.AsyncClient) -> None:
    found = (await http.get(f"{V1}/engines/BAAI/bge-m3")).json()
    assert found["error"]["code"] == "model_not_found"
    told = (await http.get(f"{V1}/engines/bge-m3", params={"kind": "embedding"})).json()
    engines = {fit["engine"]: fit for fit in told["engines"]}
    assert engines["encoder"]["variants"][0]["hub"] == "BAAI/bge-m3"
    assert engines["clap"]["reason"]
    assert (await http.get(f"{V1}/engines/bge-m3", params={"kind": "llm"})).status_code == 404


async def test_cache_is_listed_and_only_what_is_listed_is_removed(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{V1}/cached")).json() == {"models": []}
    for version in ("x", "..%2f..%2fetc", "%2e%2e/etc/passwd", "models--a--b", "a%00b", "~"):
        answer = await http.delete(f"{V1}/cached/{version}")
        assert answer.status_code == 404, version


async def test_well_known_models_are_not_removed(http: httpx.AsyncClient) -> None:
    assert (await http.delete(f"{V1}/registrations/bge-m3")).status_code == 403


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"name": "../../etc"}, "name"),
        ({"name": "..%2fetc"}, "name"),
        ({"name": "C:\\x"}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"name": "line\nbreak"}, "name"),
        ({"name": "\uff0e\uff0e\uff0fetc"}, "name"),
        ({"name": "x" * 10_240}, "name"),
        ({"name": ""}, "name"),
        ({"name": "-model"}, "name"),
        ({"name": None}, "name"),
        ({"kind": "video"}, "kind"),
        ({"kind": "LLM"}, "kind"),
        ({"weights": []}, "weights"),
        ({"weights": [{"source": "/etc"}]}, "weights[0].source"),
        ({"weights": [{"source": "/etc/passwd"}]}, "weights[0].source"),
        ({"weights": [{"source": "/proc/self/root"}]}, "weights[0].source"),
        ({"weights": [{"source": "/dev/zero"}]}, "weights[0].source"),
        ({"weights": [{"source": "/srv/../etc"}]}, "weights[0].source"),
        ({"weights": [{"source": "\\\\host\\share"}]}, "weights[0].source"),
        ({"weights": [{"source": "http://169.254.169.254/latest"}]}, "weights[0].source"),
        ({"weights": [{"source": "file:///etc"}]}, "weights[0].source"),
        ({"weights": [{"source": "org/repo", "size": -1}]}, "weights[0].size"),
        ({"weights": [{"source": "org/repo", "revision": "--upload-pack=x"}]},
         "weights[0].revision"),
        ({"weights": [{"source": "org/repo", "command": "rm"}]}, "weights[0].command"),
        ({"environment": {"LD_PRELOAD": "x.so"}}, "environment"),
        ({"packages": ["evil"]}, "packages"),
        ({"context": True}, "context"),
        ({"persist": "yes"}, "persist"),
    ],
)  # fmt: skip
async def test_documents_that_make_no_sense_are_refused_by_field(
    http: httpx.AsyncClient, changes: dict[str, Any], param: str
) -> None:
    answer = await http.post(f"{V1}/registrations", json=MINE | changes)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"] == param
    assert len(error["message"]) < 500
    assert (await http.get(f"{V1}/registrations")).json()["registrations"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"name": "a"}',
        b'{"name": "\\ud800", "kind": "llm", "weights": [{"source": "a/b"}]}',
        b'{"name": "a", "kind": "llm", "weights": [{"source": "a/b"}], "extra": '
        + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        b'{"name": "a", "kind": "llm", "weights": [{"source": "a/b"}], "extra": '
        + b'{"a":' * 100 + b"1" + b"}" * 101,
        b'{"name": "a", "kind": "llm", "weights": [{"source": "a/b"}], "description": "'
        + b"x" * (2 << 20) + b'"}',
        b'{"name": "a", "kind": "llm", "weights": [{"source": "a/b", "size": 1e400}]}',
        b'{"name": "a", "kind": "llm", "weights": [{"source": "a/b", "size": NaN}]}',
        b'{"name": "a", "kind": "llm", "weights": [{"source": "a/b"}], "context": '
        + b"9" * 100_000 + b"}",
        b"\xff\xfe",
    ],
    ids=["empty", "cut", "null", "list", "lacking", "surrogate", "deeper", "deep", "long", "huge",
         "nan", "digits", "bytes"],
)  # fmt: skip
async def test_bodies_that_are_no_document_are_refused(
    http: httpx.AsyncClient, body: bytes
) -> None:
    answer = await http.post(
        f"{V1}/registrations", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400, answer.text[:500]
    assert (await http.get(f"{V1}/registrations")).json()["registrations"] == []


async def test_values_that_json_lacks_are_refused(http: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/msgpack"}
    for value in (msgspec.msgpack.Ext(5, b"x"), b"bytes", {1: 2}, 2**64 - 1):
        body = msgspec.msgpack.encode(MINE | {"extra": {"own": value}, "persist": False})
        answer = await http.post(f"{V1}/registrations", content=body, headers=headers)
        taken = isinstance(value, int)
        assert answer.status_code == (200 if taken else 400), value
    told = await http.get(f"{V1}/registrations", headers={"Accept": "application/msgpack"})
    (own,) = msgspec.msgpack.decode(told.content)["registrations"]
    assert own["extra"] == {"own": 2**64 - 1}
    assert (await http.delete(f"{V1}/registrations/mine")).status_code == 200


async def test_registration_is_there_after_a_restart(tmp_path: Path) -> None:
    store = {"folder": str(tmp_path / "store")}
    async with live(store=store) as server, httpx.AsyncClient(base_url=server.url) as first:
        assert (await first.post(f"{V1}/registrations", json=MINE)).status_code == 200
        passing = MINE | {"name": "passing", "persist": False}
        assert (await first.post(f"{V1}/registrations", json=passing)).status_code == 200
    async with live(store=store) as server, httpx.AsyncClient(base_url=server.url) as second:
        own = (await second.get(f"{V1}/registrations")).json()["registrations"]
        assert [each["name"] for each in own] == ["mine"]


async def test_server_that_is_closed_to_other_models_changes_none() -> None:
    async with (
        live(launch={"sources": "known"}) as server,
        httpx.AsyncClient(base_url=server.url) as closed,
    ):
        for method, path in (
            ("POST", "registrations"),
            ("DELETE", "registrations/mine"),
            ("DELETE", "cached/bge-m3--pytorch--none"),
        ):
            body = MINE if method == "POST" else None
            answer = await closed.request(method, f"{V1}/{path}", json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        assert (await closed.get(f"{V1}/cards/bge-m3")).status_code == 200
