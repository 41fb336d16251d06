from __future__ import annotations

import pytest

from stelae.errors import Forbidden
from stelae.security.browsers import BrowserGuard
from stelae.security.keys import KeyRing

OPEN, KEYED = KeyRing(), KeyRing(["key"])
LOOPBACK = ["http://127.0.0.1:8080", "http://[::1]:9997"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"127.0.0.1:8080")],
        [(b"host", b"localhost")],
        [(b"host", b"[::1]:9997")],
        [(b"host", b"LOCALHOST:1"), (b"origin", b"http://localhost:3000")],
        [(b"host", b"127.0.0.1"), (b"origin", b"http://127.0.0.1:8080")],
    ],
)
def test_requests_for_this_machine_pass(headers: list[tuple[bytes, bytes]]) -> None:
    BrowserGuard(LOOPBACK, OPEN).admit(headers)


FOREIGN = [
    [(b"host", b"evil.example")],
    [(b"host", b"127.0.0.1.evil.example:8080")],
    [(b"host", b"localhost@evil.example")],
    [(b"host", b"127.0.0.1"), (b"origin", b"https://evil.example")],
    [(b"host", b"127.0.0.1"), (b"origin", b"null")],
    [(b"host", b"127.0.0.1"), (b"origin", b"")],
    [(b"host", b"")],
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_requests_of_foreign_pages_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Forbidden, match="is not this machine"):
        BrowserGuard(LOOPBACK, OPEN).admit(headers)


@pytest.mark.parametrize("headers", FOREIGN)
def test_keys_or_an_open_address_settle_it_otherwise(headers: list[tuple[bytes, bytes]]) -> None:
    BrowserGuard(LOOPBACK, KEYED).admit(headers)
    BrowserGuard([*LOOPBACK, "http://0.0.0.0:80"], OPEN).admit(headers)


@pytest.mark.parametrize("origin", [b"http://evil.example", b"null", b"", b"http://box:81"])
def test_sockets_of_foreign_pages_are_refused_wherever_the_server_listens(origin: bytes) -> None:
    headers = [(b"host", b"box:80"), (b"origin", origin)]
    with pytest.raises(Forbidden, match="Origin"):
        BrowserGuard(["http://0.0.0.0:80"], OPEN).admit_socket(headers)
    BrowserGuard(["http://0.0.0.0:80"], KEYED).admit_socket(headers)


@pytest.mark.parametrize("headers", FOREIGN[:4])
def test_sockets_are_refused_where_requests_are(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Forbidden):
        BrowserGuard(LOOPBACK, OPEN).admit_socket(headers)


def test_sockets_of_programs_and_of_the_servers_own_pages_pass() -> None:
    guard = BrowserGuard(["http://0.0.0.0:80"], OPEN)
    guard.admit_socket([(b"host", b"box:80")])
    guard.admit_socket([(b"host", b"box:80"), (b"origin", b"http://box:80")])
