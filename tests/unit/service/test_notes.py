"""Notes: kept for one caller, found by it alone, forgotten when old or crowded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stelae.errors import NotFound
from stelae.service.notes import Notes
from stelae.service.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.close()


def test_note_is_found_by_its_caller_alone(store: Store) -> None:
    notes = Notes(store, "response")
    notes.keep("ann", "r1", b"hers")
    assert notes.get("ann", "r1") == b"hers"
    for other in (lambda: notes.get("bob", "r1"), lambda: notes.drop("bob", "r1")):
        with pytest.raises(NotFound, match="no response 'r1' here"):
            other()
    assert notes.get("ann", "r1") == b"hers"


def test_note_of_another_kind_is_not_found(store: Store) -> None:
    Notes(store, "response").keep("ann", "r1", b"x")
    with pytest.raises(NotFound):
        Notes(store, "chat").get("ann", "r1")


def test_dropped_note_is_gone(store: Store) -> None:
    notes = Notes(store, "response")
    notes.keep("", "r1", b"x")
    notes.drop("", "r1")
    with pytest.raises(NotFound):
        notes.get("", "r1")


def test_notes_outlive_the_server(store: Store, tmp_path: Path) -> None:
    Notes(store, "response").keep("", "r1", b"x")
    store.close()
    again = Store(tmp_path)
    assert Notes(again, "response").get("", "r1") == b"x"
    again.close()


def test_oldest_notes_of_the_same_caller_give_way(store: Store) -> None:
    notes = Notes(store, "response", most=20)
    notes.keep("bob", "b", b"x")
    for number in range(21):
        notes.keep("ann", f"r{number}", b"x")
    for gone in ("r0", "r1"):
        with pytest.raises(NotFound):
            notes.get("ann", gone)
    assert {notes.get("ann", f"r{number}") for number in range(2, 21)} == {b"x"}
    assert notes.get("bob", "b") == b"x"


def test_notes_of_one_caller_have_a_size(store: Store) -> None:
    notes = Notes(store, "response", most_bytes=10)
    notes.keep("ann", "r1", b"123456")
    notes.keep("ann", "r2", b"123456")
    with pytest.raises(NotFound):
        notes.get("ann", "r1")
    assert notes.get("ann", "r2") == b"123456"


def test_old_notes_are_not_found(store: Store) -> None:
    notes = Notes(store, "response")
    notes.keep("", "r1", b"x")
    store.keep_seconds = -1.0
    with pytest.raises(NotFound, match="days old"):
        notes.get("", "r1")
