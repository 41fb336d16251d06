"""How many pixels one call may have, however small its files are."""

from __future__ import annotations

import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest

from stelae.catalog.catalog import Catalog
from stelae.engines.text.encode import EncodeJob
from stelae.engines.text.features import DENSE, Features
from stelae.engines.text.intake import Intake
from stelae.engines.text.media import read_all
from stelae.engines.text.pictures import Allowance, Space
from stelae.engines.text.tokenizer import NoTokenizer
from stelae.errors import InvalidInput
from stelae.types import EncodeCall, Item, Modality, OutputType, Role


def png(width: int, height: int) -> bytes:
    """The start of a file, which says how large the picture is."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\2\0\0\0"


class Counted:
    """Reads pictures as one token each."""

    tokens, together = 1, False

    def read(
        self, item: Item, outputs: tuple[OutputType, ...] = DENSE, role: Role | None = None
    ) -> Features:
        return Features(np.zeros(1, np.int32), outputs=outputs, role=role)


def test_small_files_of_huge_pictures_are_refused_once_they_are_too_many() -> None:
    spec = msgspec.structs.replace(Catalog().spec("default"), inputs=(Modality.IMAGE,))
    items = [Item(image=png(8000, 7999)) for _ in range(60)]
    job = EncodeJob(EncodeCall(model="m", items=items), Intake(spec, NoTokenizer(), Counted()), "")
    entries = [*job.prepare(0, 20), *job.prepare(20, 60)]
    assert [entry.error is None for entry in entries] == [True] * 8 + [False] * 52
    assert "over 512 million pixels; send fewer at a time" in str(entries[8].error)


def test_arrays_count_as_files_do() -> None:
    allowance = Allowance(pixels=11)
    assert allowance.refusal(Item(pixels=np.zeros((2, 3, 3), np.uint8))) is None
    assert allowance.refusal(Item(pixels=np.zeros((1, 5), np.uint8))) is None
    assert allowance.refusal(Item(pixels=np.zeros((1, 1), np.uint8))) is not None


def test_what_is_no_picture_is_left_to_who_reads_it() -> None:
    allowance = Allowance(pixels=0)
    assert allowance.refusal(Item(image=b"no picture")) is None
    assert allowance.refusal(Item(pixels=np.zeros(3, np.uint8))) is None


def test_picture_that_is_refused_by_itself_takes_nothing_from_the_others() -> None:
    allowance = Allowance()
    assert allowance.refusal(Item(image=png(2**31 - 1, 2**31 - 1))) is None
    assert allowance.refusal(Item(image=png(8000, 7999))) is None


class Numbered(Counted):
    """Reads pictures as their height, in several threads; those of no width are refused."""

    together = True

    def read(
        self, item: Item, outputs: tuple[OutputType, ...] = DENSE, role: Role | None = None
    ) -> Features | InvalidInput:
        assert item.pixels is not None
        height, width = item.pixels.shape
        return Features(np.full(1, height, np.int32)) if width else InvalidInput(f"of {height}")


def test_pictures_that_are_read_together_come_in_order() -> None:
    items = [Item(pixels=np.zeros((n, n % 3), np.uint8)) for n in range(200)]
    found = read_all(Numbered(), items, DENSE, None)
    heights = [int(f.ids[0]) if isinstance(f, Features) else str(f) for f in found]
    assert heights == [n if n % 3 else f"of {n}" for n in range(200)]


def test_open_pictures_fit_the_space_or_are_alone() -> None:
    space, lock = Space(pixels=10), threading.Lock()
    opened: list[int] = []
    seen: list[list[int]] = []

    def read(pixels: int) -> None:
        with space.taken(pixels):
            with lock:
                opened.append(pixels)
                seen.append(list(opened))
            with lock:
                opened.remove(pixels)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(read, [4, 20, 3, 7, 1, 10, 0, 5] * 50))
    assert len(seen) == 400
    assert all(sum(now) <= 10 or sum(now) == max(now) for now in seen)


def test_picture_that_fails_gives_its_space_back() -> None:
    space = Space(pixels=10)
    with pytest.raises(InvalidInput), space.taken(10):
        raise InvalidInput("broken")
    with space.taken(10):
        pass
