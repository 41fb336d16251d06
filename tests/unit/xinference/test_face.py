"""Xinference's client over our connections: what it adds to, and where it is more careful."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fix_canned import canned

from stelae.client import _login
from stelae.xinference import (
    AsyncClient,
    ChatModelHandle,
    Client,
    EmbeddingModelHandle,
    ImageModelHandle,
    RESTfulClient,
    UnknownModelKind,
    XinferenceConnectionError,
    XinferenceError,
)

UP: dict[str, tuple[int, Any]] = {
    "GET /v1/models/mine": (200, {"model_type": "embedding"}),
    "POST /v1/embeddings": (200, {"object": "list", "data": []}),
}


def test_making_a_client_sends_nothing() -> None:
    with canned({}) as server:
        for client in (Client(server.url), RESTfulClient(server.url, api_key="sesame")):
            client.close()
        assert server.asked == []


def test_key_is_shown_with_every_request_and_never_told() -> None:
    with canned(UP) as server, Client(f"{server.url}/", api_key="sesame") as client:
        client.get_model("mine").close()
        handle = client.get_model("mine")
        assert isinstance(handle, EmbeddingModelHandle)
        handle.create_embedding("a")
        assert {headers["authorization"] for _, headers, _ in server.asked} == {"Bearer sesame"}
        assert "sesame" not in repr(client) + repr(handle)


def test_login_reaches_handles_that_are_there_already() -> None:
    answers = {
        **UP,
        "GET /v1/cluster/auth": (200, {"auth": True}),
        "POST /token": (200, {"access_token": "told"}),
    }
    with canned(answers) as server, Client(server.url) as client:
        handle = client.get_model("mine")
        client.login("a", "b")
        assert isinstance(handle, EmbeddingModelHandle)
        handle.create_embedding("a")
        assert server.asked[-1][1]["authorization"] == "Bearer told"
        answers["GET /v1/cluster/auth"] = (200, {"auth": False})
        before = len(server.asked)
        client.login("a", "b")
        assert len(server.asked) == before + 1


def test_key_that_was_kept_for_the_server_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with canned(UP) as server:
        _login.keep(server.url, "kept")
        for key, shown in ((None, "Bearer kept"), ("mine", "Bearer mine")):
            with Client(server.url, key) as client:
                client.describe_model("mine")
            assert server.asked[-1][1]["authorization"] == shown


def test_arguments_without_a_use_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    answers = {"POST /v1/models": (200, {"model_uid": "mine"})}
    with canned(answers, {"X-Stelae-Ignored": "n_worker"}) as server, Client(server.url) as client:
        for _ in range(2):
            client.launch_model("qwen3", n_worker=2)
    assert caplog.messages == ["/v1/models: the server has no use for n_worker"]


def test_handles_outlive_their_client() -> None:
    with canned(UP) as server:
        client = Client(server.url)
        handle = client.get_model("mine")
        client.close()
        assert isinstance(handle, EmbeddingModelHandle)
        assert handle.create_embedding("a")["data"] == []
        client.close()
        alone = EmbeddingModelHandle("mine", server.url, auth_headers={})
        assert alone.create_embedding("a")["object"] == "list"
        alone.close()


def test_errors_say_what_was_tried_and_keep_their_parts() -> None:
    refusal = {"detail": "it loads", "error": {"code": "model_not_ready", "message": "it loads"}}
    answers = {"GET /v1/models/mine": (503, refusal)}
    with canned(answers, {"retry-after": "30"}) as server, Client(server.url) as client:
        with pytest.raises(RuntimeError) as raised:
            client.describe_model("mine")
        error = raised.value
        assert isinstance(error, XinferenceError)
        assert str(error) == "Failed to get the model description, detail: it loads"
        assert (error.detail, error.status, error.code) == ("it loads", 503, "model_not_ready")
        assert error.retry_after == 30.0


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"detail": [{"loc": "a"}]}'])
def test_what_is_no_refusal_of_the_protocol_is_shown(body: bytes) -> None:
    message = r"Failed to list model, detail: .*answered 502"
    with (
        canned({"GET /v1/models": (502, body)}) as server,
        Client(server.url) as client,
        pytest.raises(XinferenceError, match=message),
    ):
        client.list_models()


def test_answers_that_are_none_are_told_from_refusals() -> None:
    answers = {
        "GET /v1/models": (200, b"<html>"),
        "POST /v1/models": (200, {"uid": "other"}),
    }
    with canned(answers) as server, Client(server.url) as client:
        with pytest.raises(XinferenceError, match="no JSON"):
            client.list_models()
        with pytest.raises(XinferenceError, match="has no 'model_uid'"):
            client.launch_model("qwen3")


def test_where_nobody_answers_two_names_fit() -> None:
    with canned({}) as server:
        url = server.url
    with Client(url) as client, pytest.raises(ConnectionError) as raised:
        client.list_models()
    assert isinstance(raised.value, XinferenceConnectionError)
    assert isinstance(raised.value, RuntimeError)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"model_type": "LLM", "model_ability": ["embed"]}, r"Unrecognized model ability: \["),
        ({"model_type": "smell"}, "Unknown model type: smell"),
    ],
)
def test_kinds_without_a_handle_are_refused(told: dict[str, Any], message: str) -> None:
    with canned({"GET /v1/models/mine": (200, told)}) as server, Client(server.url) as client:
        with pytest.raises(ValueError, match=message) as raised:
            client.get_model("mine")
        assert isinstance(raised.value, UnknownModelKind)


@pytest.mark.parametrize("url", ["localhost:9997", "ftp://localhost", "http://a:b@localhost"])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(XinferenceError):
        Client(url)


@pytest.mark.parametrize("uid", ["", "/", ".", None])
def test_uids_that_name_no_model_are_refused(uid: Any) -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(XinferenceError, match="model_uid"):
        client.terminate_model(uid)


def test_uids_with_signs_of_addresses_stay_in_one_path() -> None:
    with canned({}) as server, Client(server.url) as client:
        for uid in ("a?b=c#d", "org/model", "\u00e9t\u00e9"):
            with pytest.raises(XinferenceError):
                client.describe_model(uid)
        assert [asked for asked, _, _ in server.asked] == [
            "GET /v1/models/a%3Fb%3Dc%23d",
            "GET /v1/models/org/model",
            "GET /v1/models/%C3%A9t%C3%A9",
        ]


@pytest.mark.parametrize("form", ["bytes", "path", "text", "uri"])
def test_files_are_taken_in_every_form(form: str, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"a picture")
    given: Any = {
        "bytes": b"a picture",
        "path": file,
        "text": str(file),
        "uri": "data:image/png;base64,YSBwaWN0dXJl",
    }[form]
    with canned({"POST /v1/images/ocr": (200, "read")}) as server:
        model = ImageModelHandle("mine", server.url)
        assert model.ocr(given) == "read"
        model.close()
        assert b"\r\n\r\na picture\r\n" in server.asked[0][2]


@pytest.mark.parametrize("given", [7, "no such file.png", "data:image/png;base64,%"])
def test_what_is_no_file_is_refused_before_anything_is_sent(given: Any) -> None:
    model = ImageModelHandle("mine", "http://127.0.0.1:9")
    with pytest.raises(XinferenceError, match="image: "):
        model.ocr(given)


def test_what_json_cannot_hold_is_refused_before_anything_is_sent() -> None:
    model = EmbeddingModelHandle("mine", "http://127.0.0.1:9")
    with pytest.raises(XinferenceError, match="cannot be sent as JSON"):
        model.create_embedding(object())


def test_failure_on_the_way_ends_a_stream() -> None:
    body = b'data: {"choices": []}\n\ndata: {"error": {"message": "no room", "code": "x"}}\n\n'
    with canned({"POST /v1/chat/completions": (200, body)}) as server:
        model = ChatModelHandle("mine", server.url)
        told: Any = model.chat([], generate_config={"stream": True})
        assert next(told) == {"choices": []}
        with pytest.raises(XinferenceError, match=r"^no room$"):
            next(told)
        model.close()


def test_streams_that_are_refused_are_so_before_they_are_read() -> None:
    with canned({}) as server:
        model = ChatModelHandle("mine", server.url)
        with pytest.raises(XinferenceError, match="Failed to generate completion, detail: no POST"):
            model.generate("a", {"stream": True})
        model.close()


def test_arguments_of_the_template_must_be_an_object() -> None:
    model = ChatModelHandle("mine", "http://127.0.0.1:9")
    config = {"chat_template_kwargs": "[1]"}
    with pytest.raises(XinferenceError, match="chat_template_kwargs"):
        model.chat([], enable_thinking=True, generate_config=config)


async def test_many_calls_of_one_async_client_are_under_way_at_once() -> None:
    with canned(UP) as server:
        async with AsyncClient(server.url) as client:
            model: Any = await client.get_model("mine")
            made = await asyncio.gather(*(model.create_embedding(str(i)) for i in range(20)))
            assert len(made) == 20
        sent = [json.loads(body)["input"] for asked, _, body in server.asked if "POST" in asked]
        assert sorted(sent, key=int) == [str(i) for i in range(20)]
