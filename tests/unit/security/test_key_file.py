"""Keys in a file, and the ring that follows it."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stelae.errors import InvalidInput, NotFound, Unauthorized
from stelae.security.key_file import KeyFile
from stelae.security.keys import KeyRing


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "state" / "keys.json")


def lets_in(ring: KeyRing, key: str) -> bool:
    try:
        ring.admit([(b"authorization", f"Bearer {key}".encode())])
    except Unauthorized:
        return False
    return True


def test_a_key_is_kept_as_its_hash_for_its_owner_alone(file: KeyFile) -> None:
    key, stored = file.create("laptop")
    assert stored.digest == hashlib.sha256(key.encode()).hexdigest()
    assert stored.id == stored.digest[:8]
    assert file.stored() == [stored]
    assert key not in file.path.read_text()
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_keys_have_256_bits_and_differ(file: KeyFile) -> None:
    keys = {file.create(f"{number}")[0] for number in range(20)}
    assert len(keys) == 20
    for key in keys:
        start, _, letters = key.partition("_")
        assert (start, len(letters)) == ("stelae", 43)
        assert letters.isalnum()


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101, "laptop"])
def test_names_are_short_words_of_one_key(file: KeyFile, name: str) -> None:
    file.create("laptop")
    with pytest.raises(InvalidInput, match="name="):
        file.create(name)


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_key_is_revoked_by_either_of_its_names(file: KeyFile, by: str) -> None:
    _, kept = file.create("kept")
    _, gone = file.create("gone")
    assert file.revoke(getattr(gone, by)) == gone
    assert file.stored() == [kept]
    with pytest.raises(NotFound):
        file.revoke("gone")


def test_keys_made_at_once_are_all_kept(file: KeyFile) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(file.create, map(str, range(24))))
    assert {key.name for key in file.stored()} == set(map(str, range(24)))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b'{"keys": [{"id": "x"}]}', b'{"keys": [], "more": 1}']
)
def test_a_broken_file_is_refused(file: KeyFile, content: bytes) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(content)
    with pytest.raises(InvalidInput, match="cannot be read"):
        KeyRing((), file)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_may_write_is_refused(file: KeyFile, mode: int) -> None:
    file.create("laptop")
    file.path.chmod(mode)
    with pytest.raises(InvalidInput, match="other users"):
        file.stored()


def test_a_ring_follows_its_file(file: KeyFile) -> None:
    ring = KeyRing(["fixed"], file)
    key, stored = file.create("laptop")
    assert lets_in(ring, key)
    file.revoke(stored.id)
    assert not lets_in(ring, key)
    assert lets_in(ring, "fixed")


def test_the_first_key_closes_an_open_ring(file: KeyFile) -> None:
    ring = KeyRing((), file)
    assert not ring
    key, _ = file.create("laptop")
    assert ring
    assert ring.admit([(b"x-api-key", key.encode())]) == file.stored()[0].id
    assert not lets_in(ring, "other")


def test_a_closed_ring_never_opens_again_by_itself(file: KeyFile) -> None:
    told: list[str] = []
    ring = KeyRing((), file, told.append)
    key, _ = file.create("laptop")
    assert lets_in(ring, key)
    file.path.write_text("broken")
    assert lets_in(ring, key)  # as it was before
    assert len(told) == 1
    file.path.unlink()
    assert ring
    assert not lets_in(ring, key)


def test_a_file_without_keys_lets_nobody_in(file: KeyFile) -> None:
    _, stored = file.create("laptop")
    file.revoke(stored.id)
    assert KeyRing((), file)
    assert not lets_in(KeyRing((), file), "")
