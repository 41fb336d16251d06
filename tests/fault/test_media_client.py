"""Our client, and a worker that is killed while it makes pictures, listens or speaks."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import fix_media
import pytest
import pytest_asyncio
from fix_media import LISTENER, PAINTER, SPEAKER
from live import Live, live

from stelae.client import AsyncClient
from stelae.cluster.process import ProcessReplica
from stelae.errors import WorkerDied

pytestmark = pytest.mark.slow

SOUND = b"RIFF and so on"

STREAMS: dict[str, Callable[[AsyncClient, str], AsyncGenerator[Any]]] = {
    "painter": lambda client, text: client.stream_image(text, model="painter"),
    "listener": lambda client, text: client.stream_transcribe(SOUND, model="listener", prompt=text),
    "speaker": lambda client, text: client.stream_speak(text, model="speaker"),
}


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Live]:
    abilities = {"painter": PAINTER, "listener": LISTENER, "speaker": SPEAKER}
    models = {name: fix_media.settings(tmp_path, name, able) for name, able in abilities.items()}
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with live(models=models, placement="process") as made:
            yield made


async def test_worker_killed_in_the_middle_is_told_and_the_next_call_is_answered(
    server: Live,
) -> None:
    async with AsyncClient(server.url, retries=0) as client:
        for model, begin in STREAMS.items():
            pieces = begin(client, "!more a")
            await anext(pieces)
            os.kill(worker(server, model), signal.SIGKILL)
            with pytest.raises(WorkerDied, match="not whole"):
                [piece async for piece in pieces]
            assert [piece async for piece in begin(client, "a word")]


def worker(server: Live, model: str) -> int:
    """The process that holds a model."""
    replica = server.house.fleet._deployments.replica(model)
    assert isinstance(replica, ProcessReplica)
    assert replica._link is not None
    return replica._link.pid
