from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from stelae.catalog.adapters import Adapters
from stelae.engines.text import adapters
from stelae.engines.text.adapters import Shelf
from stelae.errors import InvalidInput, LoraFailed, LoraLoading, ModelLoadFailed


@dataclass(frozen=True)
class Book:
    """An adapter that is nothing but its source."""

    digest: str


def taken(shelf: Shelf[Book], name: str) -> Book:
    """An adapter, waited for."""
    try:
        return shelf.take(name)
    except LoraLoading:
        assert shelf.wait(name, 10.0)
        return shelf.take(name)


def shelf_of(most: int, *names: str) -> tuple[Shelf[Book], list[str]]:
    """A shelf, and the list of what it loads."""
    read: list[str] = []

    def load(source: str) -> Book:
        read.append(source)
        if source == "torn":
            raise ModelLoadFailed("the file is torn", hint="fetch it again")
        if source == "odd":
            raise ValueError("no number")
        return Book(source)

    return Shelf("m", Adapters(sources={n: n for n in names}, most=most), load), read


def test_the_first_call_begins_the_load_and_is_told_to_come_back() -> None:
    shelf, read = shelf_of(2, "a")
    with pytest.raises(LoraLoading, match="adapter 'a' of model 'm'") as caught:
        shelf.take("a")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after < 1
    assert shelf.wait("a", 10.0)
    assert shelf.take("a") == Book("a")
    assert read == ["a"]


def test_a_load_under_way_is_not_begun_again_and_holds_no_other_up() -> None:
    gate, read = threading.Event(), []

    def load(source: str) -> Book:
        read.append(source)
        if source == "a":
            assert gate.wait(10.0)
        return Book(source)

    shelf = Shelf("m", Adapters(sources={"a": "a", "b": "b"}), load)
    for _ in range(3):
        with pytest.raises(LoraLoading):
            shelf.take("a")
    assert taken(shelf, "b") == Book("b")
    gate.set()
    assert taken(shelf, "a") == Book("a")
    assert sorted(read) == ["a", "b"]


def test_the_longest_unused_goes_and_is_loaded_anew_when_asked_for() -> None:
    shelf, read = shelf_of(2, "a", "b", "c")
    taken(shelf, "a")
    taken(shelf, "b")
    taken(shelf, "a")
    taken(shelf, "c")
    assert shelf.held == ("a", "c")
    taken(shelf, "b")
    assert shelf.held == ("c", "b")
    assert read == ["a", "b", "c", "b"]


def test_what_waits_for_its_call_does_not_go_for_another() -> None:
    shelf, read = shelf_of(1, "a", "b")
    for name in ("a", "b"):
        with pytest.raises(LoraLoading):
            shelf.take(name)
    assert shelf.wait("a", 10.0)
    with pytest.raises(LoraLoading):
        shelf.take("b")
    assert (shelf.held, read) == (("a",), ["a"])
    assert shelf.take("a") == Book("a")
    assert taken(shelf, "b") == Book("b")
    assert (shelf.held, read) == (("b",), ["a", "b"])


def test_nothing_is_kept_for_ever_for_a_call_that_does_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adapters, "RESERVED", 0.0)
    shelf, _ = shelf_of(1, "a", "b")
    with pytest.raises(LoraLoading):
        shelf.take("a")
    assert shelf.wait("a", 10.0)
    assert taken(shelf, "b") == Book("b")
    assert shelf.held == ("b",)


def test_only_registered_names_are_looked_at() -> None:
    shelf, read = shelf_of(2, "a", "b")
    with pytest.raises(InvalidInput, match="it has a, b"):
        shelf.take("../a")
    assert read == []


@pytest.mark.parametrize(("name", "reason"), [("torn", "the file is torn"), ("odd", "no number")])
def test_a_failed_load_says_why_to_all_who_ask(name: str, reason: str) -> None:
    shelf, read = shelf_of(2, name)
    for _ in range(2):
        with pytest.raises(LoraFailed, match=reason):
            taken(shelf, name)
    assert read == [name]


def test_nothing_is_held_after_closing() -> None:
    shelf, _ = shelf_of(2, "a")
    taken(shelf, "a")
    shelf.close()
    assert shelf.held == ()
