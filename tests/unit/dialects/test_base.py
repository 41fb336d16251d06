from __future__ import annotations

import pytest

from stelae.dialects.base import About


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
