"""A collection: what is put is found, also after changes, deletes, crashes and restarts."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stelae.collections import collection as room
from stelae.collections import graph
from stelae.collections.collection import Collection
from stelae.collections.documents import new_facts
from stelae.collections.shelf import Shelf
from stelae.errors import Conflict, InvalidInput, NotFound, ShuttingDown, StelaeError
from stelae.types import Document

WIDTH = 16
FACTS = new_facts("model", "0123", WIDTH)
Floats = np.typing.NDArray[np.float32]


def vectors(count: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float32)


def documents(count: int, first: int = 0, **tags: Any) -> list[Document]:
    return [
        Document(id=str(number), text=f"text {number}", tags={"number": number, **tags})
        for number in range(first, first + count)
    ]


def nearest(queries: Floats, among: Floats, limit: int) -> list[list[int]]:
    """By definition: the largest cosines."""
    sides = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in (queries, among)]
    order = np.argsort(-(sides[0] @ sides[1].T), axis=1, kind="stable")
    return [[int(index) for index in row] for row in order[:, :limit]]


def names(found: list[Any]) -> list[list[str]]:
    return [[hit.document.id for hit in hits] for hits in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.collection"


@pytest.fixture
def notes(path: Path) -> Iterator[Collection]:
    made = Collection(path, FACTS)
    yield made
    made.close()


def test_the_nearest_are_found_best_first_with_their_cosines(notes: Collection) -> None:
    kept, queries = vectors(300), vectors(5, seed=1)
    assert notes.put(documents(300), kept) == 300
    found = notes.search(queries, 7)
    assert names(found) == [[str(n) for n in row] for row in nearest(queries, kept, 7)]
    best = found[0][0]
    a, b = queries[0], kept[int(best.document.id)]
    assert best.score == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
    assert best.document == documents(300)[int(best.document.id)]


def test_large_collections_are_walked_and_lose_little(
    notes: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "EXACT", 100)
    kept, queries = vectors(3000), vectors(50, seed=1)
    notes.put(documents(3000), kept)
    found = names(notes.search(queries, 10))
    expected = nearest(queries, kept, 10)
    right = sum(len({str(n) for n in e} & set(f)) for e, f in zip(expected, found, strict=True))
    assert right >= 0.95 * 500


def test_a_filter_keeps_the_nearest_of_those_that_meet_it(notes: Collection) -> None:
    kept, queries = vectors(200), vectors(3, seed=1)
    notes.put(documents(200), kept)
    found = notes.search(queries, 5, {"number": {"$gte": 150}})
    expected = nearest(queries, kept[150:], 5)
    assert names(found) == [[str(150 + n) for n in row] for row in expected]
    assert notes.search(queries, 5, {"number": {"$gt": 1000}}) == [[], [], []]


def test_a_rare_filter_in_a_large_collection_loses_nothing(
    notes: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "EXACT", 1)
    kept, queries = vectors(2000), vectors(3, seed=1)
    notes.put(documents(2000), kept)
    found = notes.search(queries, 5, {"number": {"$gte": 1994}})
    assert [len(hits) for hits in found] == [5, 5, 5]


def test_a_document_put_again_takes_the_place_of_the_first(notes: Collection) -> None:
    kept = vectors(3)
    notes.put(documents(2), kept[:2])
    assert notes.put([Document(id="0", text="other")], kept[2:]) == 2
    found = notes.search(kept[2:], 3)
    assert found[0][0].document == Document(id="0", text="other")
    assert sorted(names(found)[0]) == ["0", "1"]


def test_of_one_id_twice_in_a_call_the_last_counts(notes: Collection) -> None:
    kept = vectors(2)
    both = [Document(id="a", text="first"), Document(id="a", text="last")]
    assert notes.put(both, kept) == 1
    assert [hit.document.text for hit in notes.search(kept[:1], 5)[0]] == ["last"]


def test_dropped_documents_are_not_found(notes: Collection) -> None:
    kept = vectors(20)
    notes.put(documents(20), kept)
    assert notes.drop(["3", "absent"]) == 1
    assert notes.drop([], {"number": {"$lt": 3}}) == 3
    assert sorted(map(int, names(notes.search(kept[:1], 50))[0])) == list(range(4, 20))
    assert notes.info().size == 16


def test_tags_change_without_the_vector(notes: Collection) -> None:
    kept = vectors(2)
    notes.put(documents(2), kept)
    assert notes.change(["1", "absent"], [{"seen": True}, {}]) == [True, False]
    assert names(notes.search(kept[:1], 5, {"seen": True})) == [["1"]]
    assert [d.id for d in notes.get(["1", "absent", "0", "1"])] == ["1", "0", "1"]


def test_everything_is_there_after_a_restart(path: Path) -> None:
    kept, queries = vectors(500), vectors(4, seed=1)
    first = Collection(path, FACTS)
    first.put(documents(500), kept)
    first.drop(["7"])
    expected = first.search(queries, 10)
    first.close()
    again = Collection(path)
    assert again.search(queries, 10) == expected
    assert again.info() == first_info(again, size=499)
    again.close()


def first_info(again: Collection, size: int) -> Any:
    info = again.info()
    assert (info.name, info.model, info.fingerprint, info.dimensions, info.size) == (
        "notes",
        "model",
        "0123",
        WIDTH,
        size,
    )
    return info


@pytest.mark.parametrize("harm", ["none saved", "cut", "other bytes", "old"])
def test_a_graph_that_is_lost_or_harmed_is_made_anew(path: Path, harm: str) -> None:
    kept, queries = vectors(300), vectors(4, seed=1)
    first = Collection(path, FACTS)
    first.put(documents(200), kept[:200])
    first.close()
    saved = path.with_suffix(".graph")
    match harm:
        case "none saved":
            saved.unlink()
        case "cut":
            saved.write_bytes(saved.read_bytes()[:1000])
        case "other bytes":
            saved.write_bytes(bytes(len(saved.read_bytes())))
        case _:
            second = Collection(path)
            old = saved.read_bytes()
            second.put(documents(100, 200), kept[200:])
            second.close()
            saved.write_bytes(old)
    again = Collection(path)
    there = again.info().size
    expected = nearest(queries, kept[:there], 5)
    assert names(again.search(queries, 5)) == [[str(n) for n in row] for row in expected]
    again.close()


def test_a_server_that_dies_loses_nothing_that_was_kept(path: Path) -> None:
    """Without ``close``: what a killed process leaves behind."""
    kept = vectors(50)
    killed = Collection(path, FACTS)
    killed.put(documents(50), kept)
    copy = path.with_name("copy.collection")
    for ending in ("", "-wal"):
        part = path.with_name(path.name + ending)
        copy.with_name(copy.name + ending).write_bytes(part.read_bytes())
    again = Collection(copy)
    assert names(again.search(kept[:3], 1)) == [["0"], ["1"], ["2"]]
    again.close()
    killed.close()


def test_empty_positions_are_closed_when_they_outnumber_documents(
    notes: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_EMPTY", 10)
    for seed in range(20):
        kept = vectors(10, seed)
        notes.put(documents(10), kept)
        assert names(notes.search(kept, 1)) == [[str(n)] for n in range(10)]
    assert notes._documents.rows <= 30
    assert notes.info().size == 10


def test_many_threads_read_while_one_writes(notes: Collection) -> None:
    kept = vectors(400)
    notes.put(documents(100), kept[:100])
    wrong: list[Any] = []

    def read() -> None:
        for number in range(50):
            hits = notes.search(kept[number : number + 1], 1)[0]
            if hits[0].document.id != str(number):
                wrong.append(hits)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for start in range(100, 400, 10):
        notes.put(documents(10, start), kept[start : start + 10])
    for reader in readers:
        reader.join()
    assert wrong == []


def test_vectors_of_another_model_are_refused(notes: Collection) -> None:
    notes.check("0123", WIDTH)
    with pytest.raises(Conflict, match="holds vectors of model"):
        notes.check("4567", WIDTH)
    with pytest.raises(Conflict):
        notes.check("0123", WIDTH + 1)


# -- the shelf -----------------------------------------------------------------------------------


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path / "collections", 1 << 30)
    yield made
    made.close()


def test_a_collection_is_made_once_and_found_again(shelf: Shelf) -> None:
    made = shelf.made("a.b-c_1", FACTS)
    assert shelf.made("a.b-c_1", FACTS) is made
    assert shelf.get("a.b-c_1") is made
    assert [info.name for info in shelf.infos()] == ["a.b-c_1"]
    assert shelf.delete("a.b-c_1").size == 0
    assert list(shelf.folder.glob("a*")) == []
    with pytest.raises(NotFound):
        shelf.get("a.b-c_1")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a b", "-a", "a" * 65, "é", "a\x00"]
)
def test_names_that_could_lead_elsewhere_are_refused(shelf: Shelf, name: str) -> None:
    with pytest.raises(InvalidInput):
        shelf.made(name, FACTS)
    with pytest.raises(NotFound):
        shelf.get(name)


def test_a_folder_serves_one_server(shelf: Shelf) -> None:
    shelf.made("a", FACTS)
    other = Shelf(shelf.folder, 1 << 30)
    with pytest.raises(Conflict, match="another server"):
        other.get("a")
    other.close()


def test_a_full_folder_takes_nothing_more(shelf: Shelf) -> None:
    shelf.made("a", FACTS).put(documents(100), vectors(100))
    shelf.most_bytes = 1000
    with pytest.raises(Conflict, match=r"store\.bytes"):
        shelf.made("a", FACTS)


def test_a_file_that_is_no_collection_is_told_by_name(shelf: Shelf) -> None:
    shelf.folder.mkdir()
    (shelf.folder / "bad.collection").write_bytes(b"not a database" * 1000)
    with pytest.raises(StelaeError, match="'bad' cannot be used"):
        shelf.get("bad")
    shelf.made("good", FACTS)
    empty = sqlite3.connect(shelf.folder / "empty.collection")
    empty.execute("CREATE TABLE other (a)")
    empty.close()
    with pytest.raises(StelaeError, match="'empty' cannot be used"):
        shelf.get("empty")


def test_a_closed_shelf_says_that_the_server_stops(tmp_path: Path) -> None:
    closed = Shelf(tmp_path / "collections", 1 << 30)
    closed.close()
    with pytest.raises(ShuttingDown):
        closed.get("a")
