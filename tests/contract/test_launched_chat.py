"""What a launch, or the configuration, says of a model's conversations, with a trained model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from live import live
from repo import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOURCE = str(ROOT / "tests" / "data" / "chat")
FRANCE = (
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    "{# the user's own {{ messages }} are not looked at #}"
)
"""A template that always asks the same."""

PLAIN = {"source": SOURCE, "dtype": "float32"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    models = {
        "curt": {**PLAIN, "stops": ["of China"]},
        "french": {**PLAIN, "chat_template": FRANCE},
        "thoughtful": {**PLAIN, "stops": ["</think>"], "thinking": True},
    }
    async with (
        live(models=models) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60.0) as client,
    ):
        yield client


async def answer(http: httpx.AsyncClient, model: str, **more: Any) -> dict[str, Any]:
    """What a model says of the capital of China."""
    said = [{"role": "user", "content": "What is the capital of China?"}]
    body = {"model": model, "messages": said, "temperature": 0, "max_tokens": 60, **more}
    choice = (await http.post("/v1/chat/completions", json=body)).json()["choices"][0]
    return {"finish_reason": choice["finish_reason"], **choice["message"]}


async def test_it_reasons_as_its_launch_says_where_calls_do_not(http: httpx.AsyncClient) -> None:
    launch = {"model": SOURCE, "uid": "thinker", "thinking": True, "kind": "llm", "wait": True}
    made = await http.post("/stelae/v1/launches", json=launch)
    assert made.json()["stage"] == "ready"
    asked = await answer(http, "thinker")
    assert asked["reasoning_content"] == "The user asks for the capital of China."
    assert asked["content"] == "The capital of China is Beijing."
    told = await answer(http, "thinker", chat_template_kwargs={"enable_thinking": False})
    assert not told.get("reasoning_content")
    assert told["content"] == "The capital of China is Beijing."


async def test_it_stops_at_the_texts_of_its_configuration(http: httpx.AsyncClient) -> None:
    asked = await answer(http, "curt")
    assert (asked["content"].strip(), asked["finish_reason"]) == ("The capital", "stop")
    further = await answer(http, "curt", stop=["capital"])
    assert further["content"].strip() == "The"


async def test_a_stop_that_is_a_token_ends_the_text_as_its_own_end(http: httpx.AsyncClient) -> None:
    asked = await answer(http, "thoughtful")
    assert (asked["content"] or "", asked["finish_reason"]) == ("", "stop")
    assert "capital of China" in asked["reasoning_content"]


async def test_its_template_is_that_of_its_configuration(http: httpx.AsyncClient) -> None:
    assert (await answer(http, "french"))["content"] == "The capital of France is Paris."
