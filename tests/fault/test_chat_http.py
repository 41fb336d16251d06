"""Chats over HTTP with models in worker processes: real weights, and a worker that is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio
from live import Live, live
from openai import AsyncOpenAI

from stelae.cluster.process import ProcessReplica

pytestmark = pytest.mark.slow

HELLO: list[Any] = [{"role": "user", "content": "the river flows to the sea"}]


@pytest_asyncio.fixture
async def server(zoo: Path) -> AsyncIterator[Live]:
    models = {
        "echo": {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"},
        "tiny": {"source": str(zoo / "llama-chat"), "dtype": "float32"},
    }
    async with live(models=models, placement="process") as made:
        yield made


@pytest_asyncio.fixture
async def client(server: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as opened:
        yield opened


async def test_model_in_a_worker_writes_the_same_whole_and_in_events(client: AsyncOpenAI) -> None:
    asked: dict[str, Any] = {"model": "tiny", "messages": HELLO, "temperature": 0}
    whole = await client.chat.completions.create(**asked, max_tokens=20)
    stream = await client.chat.completions.create(**asked, max_tokens=20, stream=True)
    parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(parts) == whole.choices[0].message.content
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 20


async def test_worker_killed_in_mid_stream_is_an_error_and_the_next_chat_is_answered(
    client: AsyncOpenAI, server: Live
) -> None:
    said: list[Any] = [{"role": "user", "content": "one two !wait"}]
    stream = await client.chat.completions.create(model="echo", messages=said, stream=True)
    texts: list[str] = []

    async def read() -> None:
        async for chunk in stream:
            texts.extend(choice.delta.content or "" for choice in chunk.choices)
            if texts[-1] == " two":
                replica = server.house.fleet._deployments.replica("echo")
                assert isinstance(replica, ProcessReplica)
                assert replica._link is not None
                os.kill(replica._link.pid, signal.SIGKILL)

    with pytest.raises(openai.APIError, match="not whole") as caught:
        await read()
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["code"] == "worker_died"
    again = await client.chat.completions.create(model="echo", messages=HELLO)
    assert again.choices[0].message.content == "the river flows to the sea"
