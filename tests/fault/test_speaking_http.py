"""Models that read aloud over HTTP: sound, typed errors, and callers who leave."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from fix_speech import heard, samples, speaking, vits_says
from live import live

from stelae.audio.decode import decode

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

SPEECH = "/v1/audio/speech"
TEXT = "The king gave orders. It was done."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(zoo: Path) -> AsyncIterator[httpx.AsyncClient]:
    names = ("vits", "vits-voices", "bark")
    models = {name: {"source": str(zoo / name), "dtype": "float32"} for name in names}
    async with (
        live(models=models) as server,
        # S501: no TLS here; without verify=False each client reads all certificates, for 40 ms.
        httpx.AsyncClient(base_url=server.url, timeout=60, verify=False) as client,  # noqa: S501
    ):
        yield client


async def say(http: httpx.AsyncClient, model: str = "vits", **options: Any) -> httpx.Response:
    body = {"model": model, "input": TEXT, "response_format": "pcm", "seed": 3, **options}
    return await http.post(SPEECH, json=body)


async def test_sound_is_that_of_the_library(http: httpx.AsyncClient, zoo: Path) -> None:
    answer = await say(http)
    assert answer.status_code == 200, answer.text
    expected = vits_says(zoo / "vits", ["The king gave orders.", "It was done."], 3)
    np.testing.assert_allclose(samples(answer.content), expected, atol=2 / 65535)


async def test_voice_and_format_are_those_asked_for(http: httpx.AsyncClient, zoo: Path) -> None:
    answer = await say(http, "bark", voice="announcer", response_format="flac")
    assert answer.headers["content-type"] == "audio/flac"
    async with speaking(zoo / "bark") as engine:
        expected = await heard(engine, TEXT, voice="announcer", seed=3)
    np.testing.assert_allclose(decode(answer.content, 24_000), expected, atol=2 / 65535)


@pytest.mark.parametrize(
    ("model", "options", "param"),
    [
        ("vits", {"voice": "alloy"}, "voice"),
        ("vits-voices", {"voice": "3"}, "voice"),
        ("vits", {"input": "7 €"}, "input"),
        ("vits", {"input": "..."}, "input"),
        ("bark", {"input": "a 😀"}, "input"),
        ("vits", {"language": "klingon"}, "language"),
        ("vits", {"speed": 9}, "speed"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(
    http: httpx.AsyncClient, model: str, options: dict[str, Any], param: str
) -> None:
    answer = await say(http, model, **options)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


async def test_caller_who_leaves_holds_up_nobody(http: httpx.AsyncClient) -> None:
    long = {"model": "vits", "input": "A word. " * 4000, "response_format": "pcm", "seed": 1}
    async with http.stream("POST", SPEECH, json=long) as answer:
        assert answer.status_code == 200
        assert await anext(answer.aiter_bytes())
    assert (await say(http)).status_code == 200
