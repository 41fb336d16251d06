from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from certificate import Pair, expire, make

from stelae.errors import InvalidInput
from stelae.security.tls import Tls, load


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make(tmp_path)


def refusal(certificate: Path | None, key: Path | None) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        load(certificate, key)
    return caught.value


def test_nothing_is_loaded_where_nothing_is_set() -> None:
    assert load(None, None) is None


def test_pair_is_loaded_and_never_shown(pair: Pair) -> None:
    tls = load(*pair)
    assert isinstance(tls, Tls)
    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls.key == pair.key.read_bytes()
    assert "PRIVATE" not in repr(tls)


def test_one_file_may_hold_both(pair: Pair, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
    assert load(both, None) is not None


def test_key_alone_is_refused(pair: Pair) -> None:
    assert refusal(None, pair.key).param == "tls.certificate"


def test_missing_files_are_named(pair: Pair, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.pem"
    assert "nowhere.pem' cannot be read: No such file" in refusal(nowhere, pair.key).message
    error = refusal(pair.certificate, nowhere)
    assert error.param == "tls.key"
    assert "nowhere.pem' cannot be read: No such file" in error.message


def test_key_of_another_certificate_is_refused(pair: Pair, tmp_path: Path) -> None:
    other = make(tmp_path, "other")
    error = refusal(pair.certificate, other.key)
    assert "other.key' is not the key of tls.certificate" in error.message


@pytest.mark.parametrize("content", [b"", b"no PEM", b"\x00\xff" * 100])
def test_files_that_are_no_pem_are_refused(pair: Pair, tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_bytes(content)
    assert "cannot be used" in refusal(broken, pair.key).message
    assert "cannot be used" in refusal(pair.certificate, broken).message


def test_certificate_without_its_key_is_refused(pair: Pair) -> None:
    assert "cannot be used" in refusal(pair.certificate, None).message


def test_key_with_a_password_is_refused_instead_of_asked_for(tmp_path: Path) -> None:
    error = refusal(*make(tmp_path, password="open sesame"))
    assert "has a password" in error.message


def test_expired_certificate_is_refused(tmp_path: Path) -> None:
    error = refusal(*expire(make(tmp_path)))
    assert "certificate has expired" in error.message
    assert error.hint is not None
