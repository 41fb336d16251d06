from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.base import Dialect, Operation, Rooms
from stelae.errors import Conflict, InvalidInput, StelaeError
from stelae.server import listeners
from stelae.server.app import DIALECTS
from stelae.server.listeners import SHARED, bind, claims, close, settle
from stelae.server.pages import pages


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def test_port_zero_takes_a_free_port_and_tells_which() -> None:
    bound = bind(["http://127.0.0.1:0", "http://localhost:0"])
    try:
        ports = [listener.socket.getsockname()[1] for listener in bound]
        assert [listener.url for listener in bound] == [
            f"http://127.0.0.1:{ports[0]}",
            f"http://localhost:{ports[1]}",
        ]
        assert all(listener.loopback for listener in bound)
    finally:
        close(bound)


@pytest.mark.parametrize("scheme", listeners.SCHEMES)
def test_every_scheme_keeps_its_place(scheme: str) -> None:
    bound = bind([f"{scheme}://127.0.0.1:0"])
    try:
        (listener,) = bound
        assert listener.url == f"{scheme}://{listener.place}"
        assert listener.encrypted is scheme.endswith("s")
        with pytest.raises(Conflict):
            bind([f"grpc://{listener.place}"])
    finally:
        close(bound)


def test_place_has_a_name_where_clients_look_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listeners.NAMED["ollama"] == "http://127.0.0.1:11434"
    monkeypatch.setitem(listeners.NAMED, "ollama", "http://127.0.0.1:0")
    bound = bind(["ollama"])
    try:
        assert [listener.scheme for listener in bound] == ["http"]
    finally:
        close(bound)


def test_taken_default_port_is_skipped(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    other = free_port()
    defaults = (f"http://127.0.0.1:{taken}", f"http://127.0.0.1:{other}")
    monkeypatch.setattr(listeners, "DEFAULT_LISTEN", defaults)
    bound = bind(None)
    try:
        assert [listener.url for listener in bound] == [f"http://127.0.0.1:{other}"]
    finally:
        close(bound)


def test_all_default_ports_taken_is_an_error(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "DEFAULT_LISTEN", (f"http://127.0.0.1:{taken}",))
    with pytest.raises(Conflict, match="all default addresses are taken"):
        bind(None)


def test_taken_explicit_port_is_an_error_and_frees_the_others(taken: int) -> None:
    other = free_port()
    with pytest.raises(Conflict, match="another program listens there"):
        bind([f"http://127.0.0.1:{other}", f"http://127.0.0.1:{taken}"])
    socket.create_server(("127.0.0.1", other)).close()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:8080", "localhost", "ftp://127.0.0.1:1", "http://127.0.0.1",
        "http://127.0.0.1:99999", "http://127.0.0.1:x", "http://:8080", "http://127.0.0.1:1/path",
        "http://user@127.0.0.1:1", "http://127.0.0.1:1?a=b", "http://no.such.host.invalid:1", "",
    ],
)  # fmt: skip
def test_address_that_cannot_be_read_is_an_error(address: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        bind([address])
    assert caught.value.param == "listen"


def test_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(Conflict, match="this machine does not have that address"):
        bind(["http://192.0.2.1:0"])


def test_wildcard_address_is_not_loopback() -> None:
    bound = bind(["http://0.0.0.0:0"])
    try:
        assert not bound[0].loopback
    finally:
        close(bound)


async def _answer(request: Request, rooms: Rooms) -> Response:
    raise NotImplementedError


def _error(error: StelaeError, request: Request) -> Response:
    raise NotImplementedError


def dialect(name: str, *paths: str) -> Dialect:
    operations = [
        Operation(method="GET", path=path, handle=_answer, summary=path) for path in paths
    ]
    return Dialect(name, name, operations, _error)


def test_path_of_two_dialects_without_a_rule_is_an_error() -> None:
    with pytest.raises(Conflict, match="claimed by the dialects one, two"):
        settle([dialect("one", "/v1/models"), dialect("two", "/v1/models")])


def test_names_of_path_parameters_do_not_hide_a_conflict() -> None:
    with pytest.raises(Conflict):
        settle([dialect("one", "/m/{id:path}"), dialect("two", "/m/{name:path}")])


def test_rule_decides_who_answers_a_shared_path() -> None:
    both = [dialect("one", "/v1/models"), dialect("two", "/v1/models", "/two")]
    settled = settle(both, {("GET", "/v1/models"): "two"})
    assert [(c.dialect.name, c.operation.path) for c in settled] == [
        ("two", "/v1/models"),
        ("two", "/two"),
    ]


def test_dialect_that_knows_its_clients_comes_before_the_others() -> None:
    knowing = replace(dialect("two", "/v1/models", "/two"), speaks=lambda headers: "two" in headers)
    settled = settle([dialect("one", "/v1/models"), knowing])
    assert [(c.dialect.name, c.operation.path) for c in settled] == [
        ("one", "/v1/models"),
        ("two", "/two"),
    ]
    assert [c.dialect.name for c in settled[0].before] == ["two"]
    assert not settled[1].before


def test_every_shared_path_of_the_real_dialects_has_a_rule() -> None:
    all_dialects = [*DIALECTS, pages(bytes)]
    open_to_all = [dialect for dialect in all_dialects if dialect.speaks is None]
    shared = {
        key: [claim.dialect.name for claim in claimed]
        for key, claimed in claims(open_to_all)
        if len(claimed) > 1
    }
    print("shared paths:", shared or "none")  # noqa: T201  # the list is what a reader wants
    assert shared.keys() == SHARED.keys()
    assert settle(all_dialects)
