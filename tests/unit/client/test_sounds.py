"""Recordings as callers write them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stelae.audio.encode import encode
from stelae.client._items import PICTURE_SHARE, checked, sendable
from stelae.client._place import Place
from stelae.errors import InvalidInput
from stelae.types import AudioFormat, Item

PLACE = Place("items", 3)
SOUND = np.sin(np.arange(8000, dtype=np.float32) * np.float32(0.1))
KINDS = [kind for kind in AudioFormat if kind is not AudioFormat.PCM]
WAV = encode(SOUND, 8000, AudioFormat.WAV)


def sent(value: object) -> Item:
    return sendable(checked(value, PLACE)[0], PLACE)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_of_every_format_are_a_recording(kind: AudioFormat) -> None:
    file = encode(SOUND, 8000, kind)
    for value in (file, bytearray(file), memoryview(file), {"audio": file}, Item(audio=file)):
        assert sent(value) == Item(audio=file)


@pytest.mark.parametrize(
    "begin", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"",
              b"\0\0\0\x18ftypavif", b"BM"]
)  # fmt: skip
def test_other_bytes_are_a_picture(begin: bytes) -> None:
    assert sent(begin + b"...") == Item(image=begin + b"...")


def test_data_uri_of_a_recording_is_that_recording() -> None:
    uri = "data:audio/wav;base64," + base64.b64encode(WAV).decode()
    assert sent(uri) == sent({"audio": uri}) == Item(audio=WAV)
    with pytest.raises(InvalidInput, match=r"items\[3\] cannot be read: .* does not hold base64"):
        sent("data:audio/wav;base64,?")


@pytest.mark.parametrize("name", ["a.wav", "b.MP3", "c.ogg", "d.flac", "e.m4a", "f.opus"])
def test_path_is_read_when_it_is_sent(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(WAV)
    item, size = checked(path, PLACE)
    assert (item.audio, size) == (None, len(WAV) // PICTURE_SHARE)
    assert sendable(item, PLACE) == sent({"audio": path}) == Item(audio=WAV)


def test_path_of_another_name_may_be_called_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "take one"
    path.write_bytes(WAV)
    assert sent(path) == Item(image=WAV)
    assert sent({"audio": path, "id": "x"}) == Item(audio=WAV)


def test_missing_file_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"items\[3\] .*none\.wav.* cannot be read"):
        checked(tmp_path / "none.wav", PLACE)


@pytest.mark.parametrize("value", [3, "take.wav", None.__class__, SOUND])
def test_what_is_no_recording_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="has an 'audio' of type"):
        checked({"audio": value}, PLACE)
