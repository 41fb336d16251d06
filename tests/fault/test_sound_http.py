"""Bad recordings over HTTP: a typed error at every door, and life goes on for the others."""

from __future__ import annotations

import asyncio
import zipfile
from base64 import b64encode
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from fix_sound import filmed, recorded, tone, wave_file
from live import live

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

GOOD = recorded(tone(0.5, 16_000), 16_000, "wav")
FLAC = recorded(tone(0.5, 16_000), 16_000, "flac")
NOT_A_NUMBER = np.full(800, np.nan, np.float32).tobytes()


def packed() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("speech.wav", GOOD)
    return file.getvalue()


def forty_hours() -> bytes:
    """A small file whose header says that it lasts so long; see RFC 9639, section 8.2."""
    high, low = divmod(40 * 3600 * 16_000, 2**32)
    return FLAC[:21] + bytes([FLAC[21] & 0xF0 | high]) + low.to_bytes(4, "big") + FLAC[26:]


BAD = {
    "nothing": b"",
    "a letter": b"R",
    "a page": b"<html></html>",
    "a list of songs": b"#EXTM3U\nhttp://127.0.0.1/\n",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "an archive": packed(),
    "no channels": wave_file(bytes(1000), channels=0),
    "all channels": wave_file(bytes(1000), channels=65_535),
    "no rate": wave_file(bytes(1000), rate=0),
    "a high rate": wave_file(bytes(1000), rate=4_000_000_000),
    "no samples": wave_file(b""),
    "no numbers": wave_file(NOT_A_NUMBER, bits=32, kind=3),
    "tag without end": b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(10_000),
    "only the beginning": FLAC[:60],
    "forty hours": forty_hours(),
    "a film without sound": filmed(None, 48_000),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(zoo: Path) -> AsyncIterator[httpx.AsyncClient]:
    models = {
        "ears": {"source": str(zoo / "whisper"), "dtype": "float32"},
        "clap": {"source": str(zoo / "clap"), "dtype": "float32"},
    }
    async with (
        live(models=models) as server,
        # S501: no TLS here; without verify=False each client reads all certificates, for 40 ms.
        httpx.AsyncClient(base_url=server.url, timeout=60, verify=False) as client,  # noqa: S501
    ):
        yield client


async def written(http: httpx.AsyncClient, data: bytes, **asked: Any) -> httpx.Response:
    files = {"file": ("said.wav", data)}
    return await http.post("/v1/audio/transcriptions", data={"model": "ears"} | asked, files=files)


async def native(http: httpx.AsyncClient, data: bytes) -> httpx.Response:
    body = {"model": "ears", "audio": b64encode(data).decode(), "temperatures": [0]}
    return await http.post("/stelae/v1/transcribe", json=body)


async def placed(http: httpx.AsyncClient, data: bytes) -> httpx.Response:
    files = {"file": ("said.wav", data)}
    return await http.post("/v1/audio/embeddings", data={"model": "clap"}, files=files)


async def events(http: httpx.AsyncClient, data: bytes) -> httpx.Response:
    return await written(http, data, stream="true")


DOORS = {"written": written, "events": events, "native": native, "placed": placed}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
@pytest.mark.parametrize("door", DOORS)
async def test_bad_recording_is_the_callers_fault(
    http: httpx.AsyncClient, door: str, data: bytes
) -> None:
    answer = await DOORS[door](http, data)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == "invalid_input"
    assert error["param"] == ("audio" if door == "native" else "file")
    assert len(error["message"]) > 20


async def test_good_recordings_are_answered_among_bad_ones(http: httpx.AsyncClient) -> None:
    alone = await written(http, GOOD)
    assert alone.status_code == 200, alone.text
    mixed: list[bytes] = [data for bad in BAD.values() for data in (bad, GOOD)]
    answers = await asyncio.gather(*(native(http, data) for data in mixed))
    assert {answer.status_code for answer in answers[::2]} == {400}
    good = [answer.text for answer in answers[1::2]]
    assert len(set(good)) == 1
    assert '"usage"' in good[0]
