from __future__ import annotations

import pytest
from starlette.requests import Request

from stelae.dialects.base import About, address_of


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ((), ""),
        (("grpc://127.0.0.1:1",), ""),
        (
            ("grpc://127.0.0.1:1", "https://127.0.0.1:2", "http://127.0.0.1:3"),
            "https://127.0.0.1:2",
        ),
    ],
)
def test_url_is_the_first_that_speaks_http(listen: tuple[str, ...], url: str) -> None:
    assert About(version="1", pid=1, started=0.0, listen=listen).url == url


@pytest.mark.parametrize(
    ("host", "public", "address"),
    [
        ("localhost:8080", "", "http://localhost:8080"),
        ("[::1]:80", "", "http://[::1]:80"),
        ("models.example", "", "http://models.example"),
        ("models.example", "https://a.example/b/", "https://a.example/b"),
        ("x/health?", "", "http://127.0.0.1:1"),
        ("[", "", "http://127.0.0.1:1"),
        ("user@host", "", "http://127.0.0.1:1"),
        ("", "", "http://127.0.0.1:1"),
    ],
)
def test_address_is_the_public_one_or_the_one_asked(host: str, public: str, address: str) -> None:
    about = About(
        version="1", pid=1, started=0.0, listen=("http://127.0.0.1:1",), public_url=public
    )
    request = Request({"type": "http", "scheme": "http", "headers": [(b"host", host.encode())]})
    assert address_of(request, about) == address
