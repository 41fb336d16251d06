"""What handles of language models find; see ``driver.py`` and ``either.py``.

The models echo what they are told, or write the pieces that the last message has as JSON.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from checks_embedding import picture
from either import Place, Skip, Spoken, fresh

__all__ = ["Place", "Skip"]

TOOL = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Current weather",
        "parameters": {"type": "object", "properties": {"days": {"type": "int"}}},
    },
}
"""With a type that JSON Schema does not have."""


def said(text: str) -> list[dict[str, Any]]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def pieces(*told: dict[str, Any]) -> list[dict[str, Any]]:
    """A conversation at which the model writes these pieces."""
    return said(json.dumps(told))


async def talker(c: Spoken) -> Spoken:
    """The handle of a model that talks."""
    return await c.get_model("glm4-chat")


async def check_chat(place: Place) -> None:
    """A conversation is gone on with, whole: id, model, message, finish, usage"""
    async with place.client() as c:
        model = await talker(c)
        assert "ChatModelHandle" in type(model.inner).__name__
        answer = await model.chat(said("the largest animal"), generate_config={"max_tokens": 1024})
        assert (answer["object"], answer["model"]) == ("chat.completion", "glm4-chat")
        assert answer["id"].startswith("chatcmpl")
        (choice,) = answer["choices"]
        assert choice["message"]["role"] == "assistant"
        assert "the largest animal" in choice["message"]["content"]
        assert choice["finish_reason"] == "stop"
        used = answer["usage"]
        assert used["total_tokens"] == used["prompt_tokens"] + used["completion_tokens"] > 0


async def check_chat_stream(place: Place) -> None:
    """The same in pieces: one id, the role first, the finish last, the usage if asked for"""
    async with place.client() as c:
        model = await talker(c)
        config = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = await model.chat(said("one two three"), generate_config=config)
        assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
        assert len({chunk["id"] for chunk in chunks}) == 1
        choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
        assert choices[0]["delta"]["role"] == "assistant"
        text = "".join(choice["delta"].get("content") or "" for choice in choices)
        assert "one two three" in text
        assert choices[-1]["finish_reason"] == "stop"
        assert chunks[-1]["usage"]["completion_tokens"] > 0


async def check_chat_tools(place: Place) -> None:
    """Tools are called, whole and in pieces, with real usage, whatever types their schema has"""
    async with place.client() as c:
        model = await talker(c)
        call = {"tool": {"index": 0, "id": "c0", "name": "get_current_weather"}}
        more = {"tool": {"index": 0, "arguments": '{"days": 2}'}}
        answer = await model.chat(pieces(call, more), [TOOL])
        (choice,) = answer["choices"]
        (made,) = choice["message"]["tool_calls"]
        assert (made["type"], made["function"]["name"]) == ("function", "get_current_weather")
        assert json.loads(made["function"]["arguments"]) == {"days": 2}
        assert choice["finish_reason"] == "tool_calls"
        assert answer["usage"]["total_tokens"] > 0
        chunks = await model.chat(pieces(call, more), [TOOL], generate_config={"stream": True})
        deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
        parts = [part for delta in deltas for part in delta.get("tool_calls") or []]
        assert "".join(part["function"].get("arguments") or "" for part in parts) == '{"days": 2}'
        history = [
            *said("weather?"),
            {"role": "assistant", "content": None, "tool_calls": [made]},
            {"role": "tool", "tool_call_id": made["id"], "content": "sunny"},
        ]
        assert (await model.chat(history, tools=[]))["choices"][0]["finish_reason"] == "stop"


async def check_thinking(place: Place) -> None:
    """`enable_thinking` reaches the template, and thoughts come apart as `reasoning_content`"""
    async with place.client() as c:
        model = await talker(c)
        told = pieces({"reasoning": "hm"}, {"text": "yes"})
        config = {"chat_template_kwargs": '{"a": 1}'}
        options = {}
        if model.takes("chat", "enable_thinking"):
            options = {"enable_thinking": False}
        answer = await model.chat(told, generate_config=config, **options)
        message = answer["choices"][0]["message"]
        assert (message["content"], message["reasoning_content"]) == ("yes", "hm")
        config = {"stream": True, "chat_template_kwargs": {"enable_thinking": True}}
        chunks = await model.chat(told, generate_config=config)
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
        assert "hm" in [delta.get("reasoning_content") for delta in deltas]


async def check_generate_config(place: Place) -> None:
    """Every option of `generate_config` is heeded or means nothing; `null` is the default"""
    config: dict[str, Any] = {
        "max_tokens": 64,
        "max_completion_tokens": None,
        "temperature": 0.8,
        "top_p": 0.95,
        "top_k": 40,
        "min_p": 0.0,
        "stop": ["#"],
        "stop_token_ids": [1],
        "presence_penalty": 0.0,
        "frequency_penalty": 0.1,
        "repetition_penalty": 1.1,
        "repeat_penalty": 1.1,
        "seed": 7,
        "n": 2,
        "logprobs": False,
        "top_logprobs": 0,
        "logit_bias": {"3": -1},
        "user": "me",
        "request_id": fresh("request"),
        "response_format": {"type": "text"},
        "stream": False,
        "stream_options": None,
        "stream_interval": 2,
        "guided_decoding_backend": "outlines",
        "guided_whitespace_pattern": None,
        "skip_special_tokens": True,
        "parallel_tool_calls": True,
        "tool_choice": None,
        "lora_name": None,
        "extra_body": {"enable_thinking": False},
        "ignore_eos": False,
    }
    async with place.client() as c:
        model = await talker(c)
        answer = await model.chat(said("hello"), generate_config=config)
        assert [choice["index"] for choice in answer["choices"]] == [0, 1]
        answer = await model.chat(said("hello"), generate_config=dict.fromkeys(config))
        assert "hello" in answer["choices"][0]["message"]["content"]
        answer = await model.chat(said("hello"), generate_config={"top_k": -1, "stop": None})
        assert "hello" in answer["choices"][0]["message"]["content"]


async def check_generate(place: Place) -> None:
    """A text is gone on with, whole and in pieces; `echo` tells it again"""
    async with place.client() as c:
        model = await talker(c)
        config = {"max_tokens": 32, "echo": True}
        answer = await model.generate("Once upon", generate_config=config)
        assert (answer["object"], answer["model"]) == ("text_completion", "glm4-chat")
        assert answer["choices"][0]["text"].startswith("Once upon")
        assert answer["usage"]["completion_tokens"] > 0
        chunks = await model.generate("Once upon", {"stream": True, "max_tokens": 32})
        assert {chunk["object"] for chunk in chunks} == {"text_completion"}
        assert "Once" in "".join(c["choices"][0]["text"] for c in chunks if c["choices"])


async def check_vision(place: Place) -> None:
    """Pictures stand in messages, as data URIs; videos are refused"""
    coded = b64encode(picture()).decode()
    shown = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{coded}"}}
    talk = [{"role": "user", "content": [{"type": "text", "text": "what is it"}, shown]}]
    async with place.client() as c:
        model = await c.get_model("qwen2-vl-instruct")
        answer = await model.chat(talk)
        assert "what is it" in answer["choices"][0]["message"]["content"]
        video = {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}}
        call = model.chat([{"role": "user", "content": [video]}])
        await place.raised(call, "Failed to generate chat completion, detail: ", "video_url")


async def check_writing_faults(place: Place) -> None:
    """What is wrong with a call is told in a sentence before anything streams"""
    async with place.client() as c:
        model = await talker(c)
        start = "Failed to generate chat completion, detail: "
        await place.raised(model.chat([]), start, "messages")
        config = {"stream": True, "temperature": -1}
        await place.raised(model.chat(said("a"), generate_config=config), start, "temperature")
        call = model.generate("a", {"max_tokens": 0})
        await place.raised(call, "Failed to generate completion, detail: ", "max_tokens")
        uid = await c.launch_model(model_name="glm4-chat", model_uid=fresh())
        gone = await c.get_model(uid)
        await c.terminate_model(uid)
        await place.raised(gone.chat(said("a")), start, uid)
    status, body = place.ask("/v1/chat/completions", "POST", {"messages": said("a")})
    assert (status, body["error"]["param"]) == (400, "model")
    assert "model" in body["detail"]
