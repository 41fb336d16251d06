"""A store that is in use, full, broken or nowhere: said each time, and work goes on after it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fix_house import house

from stelae.errors import Conflict, QueueFull, StelaeError
from stelae.service import store as store_module
from stelae.service import works as works_module
from stelae.service.inference import Caller, Inference
from stelae.service.store import PIECE, Store, Work
from stelae.service.works import Kind, Works


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be waited for long."""
    monkeypatch.setattr(store_module, "BUSY_SECONDS", 0.01)
    monkeypatch.setattr(works_module, "AGAIN_SECONDS", 0.01)


def other(folder: Path) -> sqlite3.Connection:
    """Another program, which writes."""
    connection = sqlite3.connect(folder / "store.sqlite", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def bounded(store: Store) -> None:
    """Let the disk be full at the size that the database has."""
    with store._open() as database:
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")


def close(work: Work, store: Store) -> dict[str, Any]:
    del store
    return {"closed": work.done}


async def same(unit: bytes, inference: Inference, caller: Caller) -> tuple[bytes, bool]:
    await asyncio.sleep(0)
    return unit, True


KIND = Kind("same", "same", same, close)


async def over(works: Works, name: str) -> Work:
    async with asyncio.timeout(30):
        while True:
            work = await works.find("same", name)
            if work.state in ("done", "failed", "cancelled"):
                return work
            await asyncio.sleep(0.005)


def test_a_store_in_use_by_another_program_is_busy_for_a_while(tmp_path: Path) -> None:
    store = Store(tmp_path)
    work = store.begin("same", "same", {}, [b"a"])
    writing = other(tmp_path)
    with pytest.raises(QueueFull, match="in use") as caught:
        store.settle(work.id, 0, b"b", ok=True)
    assert caught.value.retry_after
    assert store.work(work.id).done == 0, "reading is not held up"
    writing.rollback()
    store.settle(work.id, 0, b"b", ok=True)
    assert store.work(work.id).done == 1
    store.close()


def test_a_full_disk_is_said_and_nothing_of_what_did_not_fit_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = store.put("a", "batch", [b"a"])
    bounded(store)
    with pytest.raises(Conflict, match="no room on the disk"):
        store.put("b", "batch", [bytes(1_000_000)])
    with pytest.raises(Conflict, match="no room on the disk"):
        store.begin("same", "same", {}, [bytes(1000)] * 1000)
    assert [file.id for file in store.files()] == [kept.id]
    assert store.works("same") == []
    store.drop(kept.id)
    store.close()


def pieces(folder: Path) -> int:
    reading = sqlite3.connect(folder / "store.sqlite")
    (count,) = reading.execute("SELECT COUNT(*) FROM pieces").fetchone()
    reading.close()
    return int(count)


def test_nothing_stays_of_a_file_that_came_in_part(tmp_path: Path) -> None:
    def cut() -> Iterator[bytes]:
        yield bytes(2 * PIECE)
        raise ValueError("the caller left")

    store = Store(tmp_path)
    with pytest.raises(ValueError, match="left"):
        store.put("a", "batch", cut())
    assert pieces(tmp_path) == 0
    with store._open() as database:  # what a server leaves that is killed meanwhile
        database.execute("INSERT INTO pieces VALUES ('gone', 0, x'00')")
    store.close()
    again = Store(tmp_path)
    assert again.files() == []
    assert pieces(tmp_path) == 0
    again.close()


@pytest.mark.parametrize("place", [0, 4096])
def test_a_broken_database_is_said_each_time(place: int, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("a", "batch", [bytes(100_000)])
    store.close()
    with (tmp_path / "store.sqlite").open("r+b") as file:
        file.seek(place)
        file.write(b"\xa5" * 4096 * 8)
    broken = Store(tmp_path)
    for _ in range(2):
        with pytest.raises(StelaeError, match="cannot be used"):
            broken.files()
    broken.close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(StelaeError, match=r"cannot be used.*store\.folder names another"):
            Store(tmp_path / "file" / "folder").files()


async def test_work_waits_for_a_store_that_is_busy(tmp_path: Path) -> None:
    loop, busy = asyncio.get_running_loop(), asyncio.Event()

    class Watched(Store):
        """Tells when it was busy."""

        def settle(self, *args: Any, **more: Any) -> None:
            try:
                super().settle(*args, **more)
            except QueueFull:
                loop.call_soon_threadsafe(busy.set)
                raise

    locks: list[sqlite3.Connection] = []

    async def locking(unit: bytes, inference: Inference, caller: Caller) -> tuple[bytes, bool]:
        if not locks:
            locks.append(other(tmp_path))
        return await same(unit, inference, caller)

    async with house() as rooms:
        works = Works(Watched(tmp_path), rooms.inference, [Kind("same", "same", locking, close)])
        work = await works.begin("same", {}, [b"a", b"b"])
        await asyncio.wait_for(busy.wait(), 10)
        locks[0].rollback()
        ended = await over(works, work.id)
        assert (ended.state, ended.done, ended.facts["closed"]) == ("done", 2, 2)
        await works.stop()


async def test_work_that_finds_the_disk_full_fails_and_says_so(tmp_path: Path) -> None:
    async def large(unit: bytes, inference: Inference, caller: Caller) -> tuple[bytes, bool]:
        bounded(store)
        return bytes(1_000_000), True

    async with house() as rooms:
        store = Store(tmp_path)
        works = Works(store, rooms.inference, [Kind("same", "same", large, close)])
        work = await works.begin("same", {}, [b"a", b"b"])
        ended = await over(works, work.id)
        assert (ended.state, ended.done) == ("failed", 0)
        assert "no room on the disk" in ended.facts["error"]
        await works.stop()


async def test_work_goes_on_once_another_server_has_left_the_store(tmp_path: Path) -> None:
    first = Store(tmp_path)
    work = first.begin("same", "same", {}, [b"a"])
    async with house() as rooms:
        works = Works(Store(tmp_path), rooms.inference, [KIND])
        await works.start()
        with pytest.raises(Conflict, match="another server"):
            await works.find("same", work.id)
        first.close()
        assert (await over(works, work.id)).state == "done"
        await works.stop()
