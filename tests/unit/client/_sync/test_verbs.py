# Generated from tests/unit/client/_async/test_verbs.py by tools/unasync.py: do not edit.
from __future__ import annotations

import httpx
import pytest
from unit.client._sync.fix_client import client_of
from unit.client.fix_server import URL, Server, packed

from stelae.client import Client
from stelae.errors import DeadlineExceeded, InvalidInput, ProtocolError, ServerUnreachable
from stelae.types import ComputeDtype, ModelState


def test_models_are_listed() -> None:
    with client_of(Server()) as client:
        [model] = client.models()
    assert (model.name, model.dimensions, model.state) == ("toy", 3, ModelState.READY)


def test_model_is_asked_for_by_name_or_is_the_clients_own() -> None:
    server = Server()
    with client_of(server, model="mine") as client:
        client.model()
        client.model("org/name v2?")
    paths = [request.url.raw_path.decode() for request in server.requests]
    assert paths == ["/stelae/v1/models/mine", "/stelae/v1/models/org/name%20v2%3F"]


def test_load_and_unload_name_the_model_and_the_wishes() -> None:
    server = Server()
    with client_of(server) as client:
        plain = client.load("toy")
        asked = client.load(engine="encoder", dtype=ComputeDtype.FLOAT32)
        gone = client.unload("toy")
    assert (plain.reason, plain.engine) == ("/stelae/v1/models/toy/load", "{}")
    assert asked.reason == "/stelae/v1/models/default/load"
    assert asked.engine == "{'engine': 'encoder', 'dtype': 'float32'}"
    with pytest.raises(InvalidInput, match="dtype='int3': choose one of 'auto'"):
        client.load(dtype="int3")
    assert gone.reason == "/stelae/v1/models/toy/unload"


def test_server_says_what_it_is_and_unknown_facts_are_passed_over() -> None:
    with client_of(Server()) as client:
        info = client.server()
    assert (info.version, info.uptime_s, info.listen) == ("9.9", 1.5, (URL,))


@pytest.mark.parametrize("name", ["/", "..", "a\ud800", 3])
def test_name_that_is_none_is_refused(name: str) -> None:
    with client_of(Server()) as client:
        with pytest.raises(InvalidInput, match="name="):
            client.model(name)


def test_json_answers_are_read_too() -> None:
    reply = httpx.Response(200, json={"models": [{"name": "toy", "source": "x", "novel": 1}]})
    with client_of(Server(reply)) as client:
        assert [model.name for model in client.models()] == ["toy"]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (httpx.Response(200, html="<html>hi</html>"), "text/html.*is a Stelae server"),
        (httpx.Response(200, content=b"x"), "type is 'not stated'"),
        (packed({"models": 3}), "not valid msgpack"),
        (httpx.Response(403, text="proxy says no"), "answered 403.*'proxy says no'"),
        (httpx.Response(307, headers={"location": "https://x"}), "redirects to https://x"),
        (httpx.DecodingError("bad gzip"), "garbled: bad gzip"),
    ],
    ids=["html", "untyped", "shape", "proxy", "redirect", "gzip"],
)
def test_answer_of_something_else_is_a_protocol_error(
    reply: httpx.Response | Exception, message: str
) -> None:
    with client_of(Server(reply)) as client:
        with pytest.raises(ProtocolError, match=f"(?s){message}"):
            client.models()


def test_error_without_an_id_is_read_and_the_header_says_when_to_return() -> None:
    body = {"error": {"code": "deadline_exceeded", "message": "late"}}
    reply = httpx.Response(504, json=body, headers={"retry-after": "7"})
    with client_of(Server(reply)) as client:
        with pytest.raises(DeadlineExceeded, match="late") as caught:
            client.models()
    assert (caught.value.retry_after, caught.value.details) == (7.0, {})


@pytest.mark.parametrize("fault", [httpx.ConnectTimeout("slow"), httpx.WriteError("")])
def test_broken_connection_names_the_server(fault: Exception) -> None:
    with client_of(Server(fault), retries=0) as client:
        with pytest.raises(ServerUnreachable, match=r"stelae\.test.*(10 s|WriteError)"):
            client.models()


def test_key_is_sent_and_never_shown() -> None:
    server = Server()
    transport = httpx.MockTransport(server)
    http = httpx.Client(transport=transport)
    with http, Client(URL, api_key="s3cret", http_client=http) as client:
        client.models()
        assert "s3cret" not in repr(client)
    assert server.requests[0].headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("key", ["", "two words", "line\n", "schlüssel"])
def test_key_that_is_no_header_is_refused_unseen(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Client(URL, api_key=key)
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://x",
        "http://",
        "http://user:pw@x",
        "ftp://user:pw@x",
        "http://x?a=1",
        "http://x:port",
    ],
)
def test_url_that_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="url") as caught:
        Client(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [{"timeout": 0}, {"timeout": "1"}, {"retries": -1}, {"retries": True}, {"max_in_flight": 0}],
)
def test_wrong_setting_is_refused_by_name(options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(options))):
        Client(URL, **options)


def test_closed_client_says_so() -> None:
    client = Client(URL)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.models()
    assert repr(client) == "Client('http://stelae.test:8080', model='default', closed)"


def test_http_client_of_the_caller_stays_open() -> None:
    http = httpx.Client(transport=httpx.MockTransport(Server()))
    with Client(URL, http_client=http):
        pass
    assert not http.is_closed
    http.close()


def test_path_in_the_url_is_kept() -> None:
    assert repr(Client(f"{URL}/models/")) == f"Client('{URL}/models', model='default')"
