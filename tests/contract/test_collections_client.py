"""Collections through our own client, with and without ``await``, over HTTP and in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from live import Live, live

import stelae
from stelae import AsyncClient, Client
from stelae.errors import InputTooLong, InvalidInput, NotFound

TEXTS = ["The cat sat on the mat.", "Rust is a programming language.", "Bread is baked from dough."]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Live]:
    async with live() as running:
        yield running


async def test_items_are_kept_with_their_notes_and_found(server: Live) -> None:
    async with AsyncClient(server.url, model="fake") as client:
        notes = client.collection("notes")
        items = [{"id": t[:3], "text": t, "metadata": {"length": len(t)}} for t in TEXTS]
        seen: list[tuple[int, int | None]] = []
        kept = await notes.index(items, progress=lambda *told: seen.append(told), batch_size=2)
        assert (kept.ids, kept.size, seen) == (["The", "Rus", "Bre"], 3, [(2, 3), (3, 3)])
        [[best]] = await notes.search(TEXTS[1], limit=1)
        assert (best.document.id, best.document.tags) == ("Rus", {"length": 31})
        assert best.score == pytest.approx(1.0, abs=1e-6)
        two = await notes.search(TEXTS[:2], filter={"length": {"$lt": 24}})
        assert [[hit.document.id for hit in hits] for hits in two] == [["The"], ["The"]]
        assert await notes.update(["Rus", "x"], [{"a": 1}, {}]) == [True, False]
        assert [document.tags for document in await notes.documents(["Rus"])] == [{"a": 1}]
        assert await notes.delete(["The"], filter={"a": 1}) == 2
        assert (await notes.info()).size == 1
        assert [one.name for one in await client.collections()] == ["notes"]
        assert (await notes.drop()).size == 1
        with pytest.raises(NotFound, match="notes"):
            await notes.search("a")


async def test_a_stream_is_read_as_it_is_sent(server: Live) -> None:
    async with AsyncClient(server.url, model="fake") as client:
        read: list[int] = []

        async def stream() -> AsyncIterator[str]:
            for number in range(10):
                read.append(number)
                yield f"text {number}"

        told: list[int] = []
        notes = client.collection("notes")
        kept = await notes.index(stream(), batch_size=2, progress=lambda *_: told.append(len(read)))
        assert told == [2, 4, 6, 8, 10]
        assert len(set(kept.ids)) == kept.size == 10


async def test_a_failed_item_is_raised_or_returned(server: Live) -> None:
    async with AsyncClient(server.url, model="fake") as client:
        notes = client.collection("notes")
        items = ["fine", "long " * 2000, "fine too"]
        with pytest.raises(InputTooLong) as caught:
            await notes.index(items, truncate="error")
        assert caught.value.details["index"] == 1
        kept = await notes.index(items, truncate="error", errors="return")
        assert list(kept.errors) == [1]
        with pytest.raises(InvalidInput, match="no JSON"):
            await notes.index([{"text": "a", "metadata": {"a": object()}}])
        with pytest.raises(InvalidInput):
            await notes.search("a", filter={"a": {"$like": "b"}})


async def test_without_await_all_is_the_same(server: Live) -> None:
    def work() -> None:
        with Client(server.url, model="fake") as client:
            notes = client.collection("notes")
            assert notes.index(iter(TEXTS)).size == 3
            [[best]] = notes.search([TEXTS[2]], limit=1)
            assert best.document.text == TEXTS[2]
            assert notes.drop().size == 3

    await asyncio.to_thread(work)


def test_a_client_of_this_process_has_collections_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with stelae.local("all-MiniLM-L6-v2", engine="fake") as client:
        notes = client.collection("notes")
        assert notes.index(TEXTS).size == 3
        assert notes.search(TEXTS[0], limit=1)[0][0].document.text == TEXTS[0]
    assert (tmp_path / "stelae" / "collections" / "notes.collection").is_file()
