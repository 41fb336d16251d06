from __future__ import annotations

import hashlib

import pytest

from stelae.errors import Unauthorized
from stelae.security.keys import KeyRing

RING = KeyRing(["first-key", "second-key"])


def test_without_keys_the_server_is_open() -> None:
    assert KeyRing().admit([]) is None
    assert KeyRing().admit([(b"authorization", b"Bearer whatever")]) is None


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer second-key"),
        (b"authorization", b"bearer second-key"),
        (b"authorization", b"BEARER   second-key "),
        (b"authorization", b"second-key"),
        (b"authorization", b" second-key "),
        (b"x-api-key", b"second-key"),
    ],
)
def test_known_key_is_let_in_and_named_by_its_hash(header: tuple[bytes, bytes]) -> None:
    expected = hashlib.sha256(b"second-key").hexdigest()[:8]
    assert RING.admit([(b"host", b"x"), header]) == expected


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer wrong")],
        [(b"authorization", b"Bearer first-key extra")],
        [(b"authorization", b"Basic first-key")],
        [(b"authorization", b"first-ke")],
        [(b"x-api-key", b"first-ke")],
        [(b"x-api-key", b"FIRST-KEY")],
        [(b"x-api-key", b"first-key\xff")],
        [(b"x-api-key", b"x" * 1_000_000)],
        [(b"authorization", b"Bearer first-key"), (b"authorization", b"Bearer first-key")],
        [(b"authorization", b"Bearer wrong"), (b"authorization", b"Bearer first-key")],
        [(b"cookie", b"first-key")],
    ],
)
def test_everything_else_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Unauthorized):
        RING.admit(headers)


def test_either_place_may_hold_the_key() -> None:
    headers = [(b"authorization", b"Bearer any"), (b"x-api-key", b"first-key")]
    assert RING.admit(headers) is not None


def test_keys_are_not_kept_in_the_clear() -> None:
    assert "first-key" not in repr(vars(RING))
