from __future__ import annotations

import pytest

from stelae.errors import Forbidden
from stelae.security.browsers import BrowserGuard

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
    BrowserGuard(LOOPBACK, open_to_all=True).admit(headers)


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
        BrowserGuard(LOOPBACK, open_to_all=True).admit(headers)


@pytest.mark.parametrize("headers", FOREIGN)
def test_keys_or_an_open_address_settle_it_otherwise(headers: list[tuple[bytes, bytes]]) -> None:
    BrowserGuard(LOOPBACK, open_to_all=False).admit(headers)
    BrowserGuard([*LOOPBACK, "http://0.0.0.0:80"], open_to_all=True).admit(headers)
