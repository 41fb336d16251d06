"""How many pixels one call may have, however small its files are."""

from __future__ import annotations

import struct

import msgspec
import numpy as np

from stelae.catalog.catalog import Catalog
from stelae.engines.encoder.tokenizer import NoTokenizer
from stelae.engines.text.encode import EncodeJob
from stelae.engines.text.features import DENSE, Features
from stelae.engines.text.intake import Intake
from stelae.engines.text.pictures import Allowance
from stelae.types import EncodeCall, Item, Modality, OutputType, Role


def png(width: int, height: int) -> bytes:
    """The start of a file, which says how large the picture is."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\2\0\0\0"


class Counted:
    """Reads pictures as one token each."""

    tokens = 1

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
