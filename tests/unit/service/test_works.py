from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fix_house import house

from stelae.errors import Conflict, EngineFailed, NotFound, QueueFull, StelaeError
from stelae.service import works
from stelae.service.inference import Caller, Inference
from stelae.service.store import PIECE, Store, Work
from stelae.service.works import Kind, Works


async def upper(unit: bytes, inference: Inference, caller: Caller) -> tuple[bytes, bool]:
    await asyncio.sleep(0)
    if unit == b"bug":
        raise ValueError("a mistake of ours")
    if unit == b"fail":
        raise EngineFailed("no")
    return unit.upper(), unit != b"bad"


def close(work: Work, store: Store) -> dict[str, Any]:
    return {"all": b"".join(store.outputs(work.id, ok=True)).decode()}


KIND = Kind("upper", "up", upper, close)


async def made(folder: Path, *kinds: Kind) -> Works:
    async with house() as rooms:
        return Works(Store(folder), rooms.inference, kinds or [KIND])


OVER = ("done", "failed", "cancelled")


async def over(works: Works, name: str, owner: str = "") -> Work:
    async with asyncio.timeout(10):
        while True:
            work = await works.find("upper", name, owner)
            if work.state in OVER:
                return work
            await asyncio.sleep(0.005)


async def test_every_unit_is_done_and_put_together_in_order(tmp_path: Path) -> None:
    doing = await made(tmp_path)
    units = [f"{n},".encode() for n in range(300)] + [b"bad"]
    work = await over(doing, (await doing.begin("upper", {"a": 1}, units)).id)
    assert (work.state, work.total, work.done, work.failed) == ("done", 301, 301, 1)
    assert work.facts == {"a": 1, "all": "".join(f"{n}," for n in range(300))}
    with pytest.raises(NotFound):
        await doing.find("other", work.id)
    await doing.stop()


@pytest.mark.parametrize("unit", [b"bug", b"fail"])
async def test_work_that_cannot_be_done_says_so_and_ends(tmp_path: Path, unit: bytes) -> None:
    doing = await made(tmp_path)
    work = await over(doing, (await doing.begin("upper", {}, [b"a", unit, b"c"])).id)
    assert work.state == "failed"
    assert work.facts["error"] in ("ValueError", "no")
    if unit == b"fail":
        assert work.facts["all"] in {"", "A", "C", "AC"}, "what was done is not lost"
        assert len(work.facts["all"]) == work.done
    assert (await doing.cancel("upper", work.id)).state == "failed"
    await doing.stop()


async def test_busy_server_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [2]

    async def busy(unit: bytes, inference: Inference, caller: Caller) -> tuple[bytes, bool]:
        left[0] -= 1
        if left[0] >= 0:
            raise QueueFull("later", retry_after=0.001)
        return await upper(unit, inference, caller)

    doing = await made(tmp_path, Kind("upper", "up", busy, close))
    work = await over(doing, (await doing.begin("upper", {}, [b"a"])).id)
    assert work.facts["all"] == "A"
    monkeypatch.setattr(works, "PATIENCE", 1)
    left[0] = 100
    work = await over(doing, (await doing.begin("upper", {}, [b"a"])).id)
    assert (work.state, work.facts["error"]) == ("failed", "later")
    await doing.stop()


async def test_cancelling_is_never_lost_however_soon(tmp_path: Path) -> None:
    doing = await made(tmp_path)
    for pause in [0.0, 0.001, 0.003] * 10:
        work = await doing.begin("upper", {}, [b"a"] * 500)
        await asyncio.sleep(pause)
        told = await doing.cancel("upper", work.id)
        ended = await over(doing, work.id)
        assert ended.state == ("cancelled" if told.state == "cancelling" else told.state)
    await doing.stop()


async def test_store_of_another_server_keeps_nobody_from_starting(tmp_path: Path) -> None:
    one, two = await made(tmp_path), await made(tmp_path)
    work = await over(one, (await one.begin("upper", {}, [b"a"])).id)
    await two.start()
    with pytest.raises(Conflict, match="another server uses the store"):
        await two.find("upper", work.id)
    await one.stop()
    assert (await two.find("upper", work.id)).facts["all"] == "A"
    await two.stop()


async def test_broken_store_says_what_is_wrong_each_time(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"no database at all" * 100)
    doing = await made(tmp_path)
    await doing.start()
    for _ in range(2):
        with pytest.raises(StelaeError, match="not a database"):
            await doing.find("upper", "x")


def test_large_files_are_kept_in_pieces(tmp_path: Path) -> None:
    store = Store(tmp_path)
    data = bytes(range(256)) * ((2 * PIECE) // 256) + b"end"
    file = store.put(
        "f", "batch", (data[n : n + 5_000_000] for n in range(0, len(data), 5_000_000))
    )
    assert file.size == store.file(file.id).size == len(data)
    assert store.data(file.id) == data
    assert store.piece(file.id, 3) is None
    store.drop(file.id)
    assert store.piece(file.id, 0) is None
    store.close()


def test_what_is_old_is_forgotten_and_what_is_too_much_refused(tmp_path: Path) -> None:
    store = Store(tmp_path, keep_seconds=0.0)
    file = store.put("f", "batch", [b"a"])
    work = store.begin("upper", "up", {}, [b"a"])
    store.put("g", "batch", [b"b"])
    with pytest.raises(NotFound):
        store.file(file.id)
    assert store.work(work.id).state == "queued", "it is not over"
    store.move(work.id, "done")
    store.put("h", "batch", [b"b"])
    with pytest.raises(NotFound):
        store.work(work.id)
    store.close()
    small = Store(tmp_path / "small", most_bytes=100_000)
    small.put("f", "batch", [bytes(200_000)])
    with pytest.raises(Conflict, match=r"store[.]bytes"):
        small.put("g", "batch", [b"a"])
    small.close()


async def test_work_is_done_for_the_key_of_its_owner_and_found_by_it_alone(tmp_path: Path) -> None:
    async def who(unit: bytes, inference: Inference, caller: Caller) -> tuple[bytes, bool]:
        return (caller.key_id or "nobody").encode(), True

    doing = await made(tmp_path, Kind("upper", "up", who, close))
    work = await doing.begin("upper", {}, [b"a"], "ann")
    for other in ("", "bob"):
        with pytest.raises(NotFound):
            await doing.find("upper", work.id, other)
        with pytest.raises(NotFound):
            await doing.cancel("upper", work.id, other)
    work = await over(doing, work.id, "ann")
    assert work.facts == {"all": "ann"}
    assert (await doing.find("upper", work.id, None)).id == work.id
    await doing.stop()


def test_stores_from_before_there_were_owners_are_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as database:
        database.executescript(
            "CREATE TABLE files (id TEXT PRIMARY KEY, name TEXT, purpose TEXT, size INTEGER,"
            " created REAL);"
            "CREATE TABLE works (id TEXT PRIMARY KEY, kind TEXT, state TEXT, created REAL,"
            " facts BLOB);"
            "INSERT INTO files VALUES ('file-1', 'f', 'batch', 0, 5.0);"
            "INSERT INTO works VALUES ('up_1', 'upper', 'queued', 5.0, '{}');"
        )
    store = Store(tmp_path)
    assert [file.id for file in store.files()] == ["file-1"]
    assert [work.id for work in store.unfinished()] == ["up_1"]
    with pytest.raises(NotFound):
        store.file("file-1", "ann")
    store.close()
    again = Store(tmp_path)
    assert [file.owner for file in again.files()] == [""]
    again.close()
