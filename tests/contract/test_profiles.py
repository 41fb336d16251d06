"""Profiles over HTTP: in the native protocol, in SIE's and in OpenAI's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from live import FAKE, live
from typer.testing import CliRunner

from stelae.cli.app import app
from stelae.client import AsyncClient
from stelae.config import MuveraSettings, ProfileSettings, load_settings
from stelae.engines.fake.engine import vector
from stelae.errors import InvalidInput
from stelae.server.app import build_catalog
from stelae.types import Muvera, Profile

PROFILES: dict[str, Any] = {
    "small": {"dtype": "int8"},
    "terms": {"extends": "small", "outputs": ["sparse"], "dtype": "float16"},
    "search": {"query_template": "q: {text}", "doc_template": "d: {text}"},
    "law": {"lora": "law"},
}
MODEL = FAKE | {"aliases": ["org/fake"], "loras": {"law": "law"}, "profiles": PROFILES}
JSON = {"Accept": "application/json"}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        live(models={"fake": MODEL}) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        yield client


async def native(http: httpx.AsyncClient, model: str, **fields: Any) -> dict[str, Any]:
    body = {"model": model, "items": [{"text": "a"}], **fields}
    answer = await http.post("/stelae/v1/encode", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def sie(http: httpx.AsyncClient, model: str, **params: Any) -> dict[str, Any]:
    body = {"items": [{"text": "a"}], "params": params}
    answer = await http.post(f"/v1/encode/{model}", json=body, headers=JSON)
    assert answer.status_code == 200, answer.text
    item: dict[str, Any] = answer.json()["items"][0]
    return item


async def test_native_call_is_answered_as_the_profile_says(http: httpx.AsyncClient) -> None:
    found = await native(http, "fake:small")
    assert found["model"] == "fake"
    assert all(isinstance(code, int) for code in found["dense"][0])
    terms = await native(http, "org/fake@terms")
    assert ("dense" in terms, "sparse" in terms) == (False, True)


async def test_what_a_native_caller_says_counts_more(http: httpx.AsyncClient) -> None:
    found = await native(http, "fake:small", dtype="float32")
    np.testing.assert_array_equal(np.float32(found["dense"]), [vector("a", 384)])
    found = await native(http, "fake:terms", outputs=["dense"])
    assert ("dense" in found, "sparse" in found) == (True, False)


async def test_templates_and_adapters_change_what_is_run(http: httpx.AsyncClient) -> None:
    for model, fields, text in (
        ("fake:search", {"role": "query"}, "q: a"),
        ("fake:search", {}, "d: a"),
        ("fake:search", {"prompt": ""}, "a"),
        ("fake:law", {}, "law a"),
    ):
        found = await native(http, model, **fields)
        np.testing.assert_array_equal(np.float32(found["dense"]), [vector(text, 384)])


@pytest.mark.parametrize("way", ["fake:small", "fake@small", "org/fake:small"])
async def test_sie_names_profiles_in_the_path(http: httpx.AsyncClient, way: str) -> None:
    dense = (await sie(http, way))["dense"]
    assert (dense["dtype"], dense["dims"]) == ("int8", 384)


async def test_sie_names_profiles_in_the_options(http: httpx.AsyncClient) -> None:
    found = await sie(http, "fake", options={"profile": "terms"})
    assert set(found) == {"sparse"}
    assert found["sparse"]["dtype"] == "float16"


async def test_precedence_in_sie_is_that_of_its_contract(http: httpx.AsyncClient) -> None:
    found = await sie(http, "fake:terms", output_types=["dense"])
    assert set(found) == {"sparse"}
    found = await sie(http, "fake:terms", options={"output_types": ["dense"]})
    assert set(found) == {"dense"}
    found = await sie(http, "fake:small", output_dtype="float32")
    assert found["dense"]["dtype"] == "float32"
    found = await sie(http, "fake:small", options={"output_dtype": "uint8"})
    assert found["dense"]["dtype"] == "uint8"


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint8", "binary", "ubinary"])
async def test_sie_names_the_format_of_what_it_sends(http: httpx.AsyncClient, dtype: str) -> None:
    found = await sie(http, "fake", output_dtype=dtype, output_types=["dense", "multivector"])
    told = {found["dense"]["dtype"], found["multivector"]["dtype"]}
    assert told == {"binary" if "binary" in dtype else dtype}


async def test_unknown_profile_is_a_bad_request_that_names_those_there_are(
    http: httpx.AsyncClient,
) -> None:
    known = "it has default, small, terms, search, law"
    asked = {"items": [{"text": "a"}], "params": {"options": {"profile": "none"}}}
    answer = await http.post("/v1/encode/fake", json=asked, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["detail"]["code"] == "INVALID_INPUT"
    assert known in answer.json()["detail"]["message"]
    body = {"model": "fake:none", "items": [{"text": "a"}]}
    answer = await http.post("/stelae/v1/encode", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_input")
    assert known in answer.json()["error"]["message"]


async def test_openai_gets_plain_numbers_from_every_profile(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/embeddings", json={"model": "fake:small", "input": "a"})
    [row] = answer.json()["data"]
    np.testing.assert_array_equal(np.float32(row["embedding"]), vector("a", 384))


async def test_native_models_tell_what_their_profiles_come_to(http: httpx.AsyncClient) -> None:
    listed = (await http.get("/stelae/v1/models")).json()["models"]
    assert [model["name"] for model in listed] == ["fake", "all-MiniLM-L6-v2"]
    assert list(listed[0]["profiles"]) == list(PROFILES)
    assert listed[0]["profiles"]["terms"] == {"outputs": ["sparse"], "dtype": "float16"}
    assert (await http.get("/stelae/v1/models/fake:terms")).json()["name"] == "fake"


async def test_a_model_is_loaded_by_the_name_of_a_profile(http: httpx.AsyncClient) -> None:
    for verb, state in (("load", "ready"), ("unload", "available")):
        answer = (await http.post(f"/stelae/v1/models/fake:small/{verb}")).json()
        assert (answer["name"], answer["state"]) == ("fake", state)


async def test_sie_lists_profiles_as_models_too(http: httpx.AsyncClient) -> None:
    headers = {"X-SIE-SDK-Version": "0.10.1"}
    found = (await http.get("/v1/models", headers=headers)).json()
    listed = {model["name"]: model for model in found["models"]}
    assert list(listed)[:3] == ["fake", "fake:small", "fake:terms"]
    assert listed["fake"]["profiles"] == {
        "default": {"is_default": True},
        **{name: {"is_default": False} for name in PROFILES},
    }
    assert listed["fake:terms"]["outputs"] == ["sparse"]
    assert listed["fake:terms"]["aliases"] == ["org/fake:terms"]
    assert [model["id"] for model in found["data"]] == ["fake", "all-MiniLM-L6-v2"]
    one = (await http.get("/v1/models/fake@terms", headers=headers)).json()
    assert (one["name"], one["id"], one["outputs"]) == ("fake:terms", "fake:terms", ["sparse"])


async def test_client_asks_with_profiles(http: httpx.AsyncClient) -> None:
    async with AsyncClient(str(http.base_url), model="fake:small") as client:
        many = await client.encode(["a", "b"])
        assert many.dense.dtype == np.int8
        plain = await client.encode(["a"], dtype="float32")
        np.testing.assert_array_equal(plain.dense, [vector("a", 384)])
        terms = await client.encode(["a"], model="fake:terms")
        assert len(terms.sparse) == 1
        assert list((await client.model("fake")).profiles) == list(PROFILES)


async def test_a_migrated_model_is_served(zoo: Path, tmp_path: Path) -> None:
    model = {
        "sie_id": "org/tiny",
        "weights_path": str(zoo / "bert-mean"),
        "profiles": {"small": {"adapter_options": {"runtime": {"output_dtype": "int8"}}}},
    }
    (tmp_path / "tiny.yaml").write_text(json.dumps(model))
    file = tmp_path / "stelae.yml"
    ended = CliRunner().invoke(app, ["migrate", "sie", str(tmp_path), "-o", str(file)])
    assert ended.exit_code == 0, ended.output
    settings = load_settings(file).model_dump()
    async with (
        live(models=settings["models"]) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as http,
    ):
        plain = np.float32((await sie(http, "org/tiny"))["dense"]["values"])
        small = (await sie(http, "org/tiny:small"))["dense"]
    codes, step = np.float32(small["values"]), np.abs(plain).max() / 127
    assert small["dtype"] == "int8"
    np.testing.assert_allclose(codes * step, plain, rtol=0, atol=0.51 * step)


def test_settings_of_profiles_are_those_of_profiles() -> None:
    assert tuple(ProfileSettings.model_fields) == Profile.__struct_fields__
    assert MuveraSettings().model_dump() == msgspec.to_builtins(Muvera())


def test_profiles_are_checked_when_the_server_starts() -> None:
    deep = {"a": {}, "b": {"extends": "a"}, "c": {"extends": "b"}}
    settings = load_settings(models={"m": FAKE | {"profiles": deep}})
    with pytest.raises(InvalidInput, match=r"profiles\.c\.extends='b'"):
        build_catalog(settings)
