"""What OpenAI's client must find, written with the client itself; see ``contract/driver.py``.

Each function is one row of the compatibility table: its docstring is what the row says. The
first address is of an open server, the second of one that wants a key and lets workers die.
"""

from __future__ import annotations

import base64
import contextlib
import json
import struct
import time
import urllib.request
import zlib
from collections.abc import Iterator
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

ECHO, TOLD, TINY, VECTORS, JUDGE = "org/echo", "told", "tiny", "vectors", "judge"
SMALL, SEEING = "small", "seeing"
PAINTER, DIFFUSING = "painter", "diffusing"
KEY, MORTAL = "sesame", "mortal"

HELLO: list[Any] = [{"role": "user", "content": "the river flows to the sea"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
ARGUMENTS = '{"city": "Paris, Île-de-France"}'


class Skip(Exception):
    """The client of this version does not have it."""


@contextlib.contextmanager
def client(url: str, **more: Any) -> Iterator[OpenAI]:
    options = {"api_key": "any", "max_retries": 0, **more}
    with OpenAI(base_url=f"{url}/v1", **options) as made:
        yield made


def said(*pieces: dict[str, Any]) -> list[Any]:
    """A conversation at whose end the model tells these pieces."""
    return [{"role": "user", "content": json.dumps(pieces)}]


def call(name: str, arguments: str, index: int = 0) -> list[dict[str, Any]]:
    """The pieces of a call of a tool."""
    half = len(arguments) // 2
    first = {"index": index, "id": f"call_{index}", "name": name, "arguments": arguments[:half]}
    return [{"tool": first}, {"tool": {"index": index, "arguments": arguments[half:]}}]


def raised(kind: type[Exception], ask: Any) -> Any:
    try:
        ask()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was expected")


def check_chat(url: str, locked: str) -> None:
    """A chat: its text, why it ends, its tokens"""
    with client(url) as c:
        made = c.chat.completions.create(model=ECHO, messages=HELLO)
    assert (made.object, made.model) == ("chat.completion", ECHO)
    assert made.id.startswith("chatcmpl-")
    (choice,) = made.choices
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert choice.message.content == "the river flows to the sea"
    assert choice.message.tool_calls is None
    assert (made.usage.prompt_tokens, made.usage.total_tokens) == (6, 12)
    assert made.usage.prompt_tokens_details.cached_tokens == 0
    assert made.usage.completion_tokens_details.reasoning_tokens == 0


def check_chat_stream(url: str, locked: str) -> None:
    """A chat in events, with `include_usage` and without"""
    with client(url) as c:
        for told in (True, False):
            stream = c.chat.completions.create(
                model=ECHO, messages=HELLO, stream=True, stream_options={"include_usage": told}
            )
            chunks = list(stream)
            texts = [x.choices[0].delta.content or "" for x in chunks if x.choices]
            assert "".join(texts) == "the river flows to the sea"
            assert chunks[0].choices[0].delta.role == "assistant"
            assert len({chunk.id for chunk in chunks}) == 1
            assert [x.usage.total_tokens for x in chunks if x.usage] == [12] * told
            ends = [x.choices[0].finish_reason for x in chunks if x.choices]
            assert ends[-1] == "stop"
            assert set(ends[:-1]) == {None}


def check_roles_and_parts(url: str, locked: str) -> None:
    """Roles `system`, `developer`, `user`, `assistant`, `tool`; contents as text, parts, null"""
    used = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[Any] = [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": [{"type": "text", "text": "d"}]},
        {"role": "user", "content": "u", "name": "Ann"},
        {"role": "assistant", "content": None, "tool_calls": [used]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "an answer"}]},
    ]
    with client(url) as c:
        made = c.chat.completions.create(model=ECHO, messages=messages)
    assert made.choices[0].message.content == "an answer"


def check_tool_calls(url: str, locked: str) -> None:
    """Calls of tools are fields: one, several, with text before; `finish_reason` says so"""
    pieces = [{"text": "I look."}, *call("get_weather", ARGUMENTS), *call("now", "{}", 1)]
    with client(url) as c:
        made = c.chat.completions.create(model=TOLD, messages=said(*pieces), tools=[WEATHER])
    (choice,) = made.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "I look.")
    first, second = choice.message.tool_calls
    assert (first.type, first.id, first.function.name) == ("function", "call_0", "get_weather")
    assert json.loads(first.function.arguments) == {"city": "Paris, Île-de-France"}
    assert (second.function.name, second.function.arguments) == ("now", "{}")


def check_tool_calls_in_events(url: str, locked: str) -> None:
    """Calls of tools in events, put together by the client's own helper"""
    pieces = [*call("get_weather", ARGUMENTS), *call("now", "{}", 1)]
    with client(url) as c:
        helper = getattr(c.chat.completions, "stream", None) or c.beta.chat.completions.stream
        with helper(model=TOLD, messages=said(*pieces), tools=[WEATHER]) as stream:
            kinds = {event.type for event in stream}
            made = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    (choice,) = made.choices
    assert choice.finish_reason == "tool_calls"
    told = [(use.function.name, use.function.arguments) for use in choice.message.tool_calls]
    assert told == [("get_weather", ARGUMENTS), ("now", "{}")]


def check_tool_choice(url: str, locked: str) -> None:
    """`tool_choice`: auto, none, required, a name, allowed tools; a tool that is not there"""
    name = {"type": "function", "function": {"name": "get_weather"}}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [name]}}
    with client(url) as c:
        for choice in ("auto", "none", "required", name, allowed):
            made = c.chat.completions.create(
                model=ECHO,
                messages=HELLO,
                tools=[WEATHER],
                tool_choice=choice,
                parallel_tool_calls=False,
            )
            assert made.choices
        wrong: Any = {"type": "function", "function": {"name": "nothing"}}
        error = raised(
            openai.BadRequestError,
            lambda: c.chat.completions.create(
                model=ECHO, messages=HELLO, tools=[WEATHER], tool_choice=wrong
            ),
        )
    assert error.param == "tool_choice"


def check_forced_tool(url: str, locked: str) -> None:
    """`tool_choice` required and named is kept by a model that knows no better"""
    name: Any = {"type": "function", "function": {"name": "get_weather"}}
    short = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"enum": ["Rome", "Oslo"]}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
    with client(url) as c:
        for choice in ("required", name):
            made = c.chat.completions.create(
                model=TINY, messages=HELLO, tools=[short], tool_choice=choice, max_tokens=200
            )
            use = made.choices[0].message.tool_calls[0]
            assert use.function.name == "get_weather"
            assert json.loads(use.function.arguments)["city"] in ("Rome", "Oslo")


def check_functions(url: str, locked: str) -> None:
    """`functions` and `function_call`, the older form of tools, in both ways"""
    function = {"name": "get_weather", "parameters": {"type": "object"}}
    messages = said(*call("get_weather", ARGUMENTS))
    with client(url) as c:
        made = c.chat.completions.create(
            model=TOLD, messages=messages, functions=[function], function_call="auto"
        )
        (choice,) = made.choices
        assert choice.finish_reason == "function_call"
        assert choice.message.function_call.arguments == ARGUMENTS
        again = c.chat.completions.create(
            model=ECHO,
            functions=[function],
            messages=[
                *HELLO,
                choice.message,
                {"role": "function", "name": "get_weather", "content": "it rains"},
            ],
        )
        assert again.choices[0].message.content == "it rains"
        stream = c.chat.completions.create(
            model=TOLD, messages=messages, functions=[function], stream=True
        )
        deltas = [chunk.choices[0].delta.function_call for chunk in stream]
    told = [delta for delta in deltas if delta is not None]
    assert told[0].name == "get_weather"
    assert "".join(delta.arguments for delta in told) == ARGUMENTS


def check_reasoning(url: str, locked: str) -> None:
    """`reasoning_content` beside the text, whole and in events; `reasoning_effort` is taken"""
    messages = said({"reasoning": "Two and "}, {"reasoning": "two."}, {"text": "Four."})
    with client(url) as c:
        made = c.chat.completions.create(model=TOLD, messages=messages, reasoning_effort="low")
        message: Any = made.choices[0].message
        assert (message.reasoning_content, message.content) == ("Two and two.", "Four.")
        stream = c.chat.completions.create(model=TOLD, messages=messages, stream=True)
        deltas: list[Any] = [chunk.choices[0].delta for chunk in stream]
    thought = [getattr(delta, "reasoning_content", None) or "" for delta in deltas]
    assert "".join(thought) == "Two and two."
    assert "".join(delta.content or "" for delta in deltas) == "Four."


class Point(BaseModel):
    """What a text holds."""

    x: int
    on: bool


def check_structured(url: str, locked: str) -> None:
    """`response_format`: `parse` with a pydantic model; `json_schema` and `json_object`"""
    schema = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}
    form: Any = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    with client(url) as c:
        helper = getattr(c.chat.completions, "parse", None) or c.beta.chat.completions.parse
        made = helper(model=TINY, messages=HELLO, response_format=Point, max_tokens=200, seed=1)
        assert isinstance(made.choices[0].message.parsed, Point)
        one = c.chat.completions.create(
            model=TINY, messages=HELLO, response_format=form, max_tokens=200, seed=1
        )
        assert json.loads(one.choices[0].message.content)["a"] in (1, 2)
        free = c.chat.completions.create(
            model=TOLD,
            messages=said({"text": '{"a": 1}'}),
            response_format={"type": "json_object"},
        )
        assert json.loads(free.choices[0].message.content) == {"a": 1}


def check_guided(url: str, locked: str) -> None:
    """`extra_body`: `guided_choice`, `guided_regex`, `guided_json`, `top_k`, `min_p` and others"""
    schema = {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 2}
    forms: list[tuple[dict[str, Any], Any]] = [
        ({"guided_choice": ["yes", "no"]}, lambda text: text in ("yes", "no")),
        ({"guided_regex": "[0-9]{3}"}, lambda text: len(text) == 3 and text.isdigit()),
        ({"guided_json": schema}, lambda text: len(json.loads(text)) == 2),
    ]
    with client(url) as c:
        for form, fits in forms:
            made = c.chat.completions.create(
                model=TINY,
                messages=HELLO,
                max_tokens=60,
                extra_body={**form, "top_k": 20, "min_p": 0.01, "repetition_penalty": 1.1},
            )
            assert fits(made.choices[0].message.content), made
        c.chat.completions.create(
            model=ECHO,
            messages=HELLO,
            extra_body={
                "chat_template_kwargs": {"enable_thinking": False},
                "skip_special_tokens": True,
                "extra_body": {"guided_choice": None},
            },
        )


def check_sampling(url: str, locked: str) -> None:
    """`temperature`, `top_p`, penalties, `seed`, `stop`, `logit_bias`, `n`, longest texts"""
    with client(url) as c:

        def ask(**more: Any) -> Any:
            return c.chat.completions.create(model=TINY, messages=HELLO, max_tokens=8, **more)

        one, two = (ask(seed=7, top_p=0.9, presence_penalty=0.5).choices[0] for _ in range(2))
        assert one.message.content == two.message.content
        greedy = ask(temperature=0).choices[0].message.content
        cut = ask(temperature=0, stop=[greedy[2:4]]).choices[0]
        assert (cut.message.content, cut.finish_reason) == (greedy[:2], "stop")
        short = ask(temperature=0, max_completion_tokens=2)
        assert (short.usage.completion_tokens, short.choices[0].finish_reason) == (2, "length")
        several = ask(n=3, seed=1)
        assert [choice.index for choice in several.choices] == [0, 1, 2]
        banned = ask(temperature=0, logprobs=True).choices[0].logprobs.content[0]
        assert banned.logprob <= 0
        assert ask(logit_bias={"5": 100, "6": -100}).choices


def check_logprobs(url: str, locked: str) -> None:
    """`logprobs` and `top_logprobs` of chats and completions"""
    with client(url) as c:
        asked: dict[str, Any] = {"model": TINY, "temperature": 0, "max_tokens": 4}
        chat = c.chat.completions.create(**asked, messages=HELLO, logprobs=True, top_logprobs=2)
        told = chat.choices[0].logprobs.content
        assert len(told) == 4
        assert all(len(token.top_logprobs) == 2 for token in told)
        assert all(token.logprob == token.top_logprobs[0].logprob for token in told)
        made = c.completions.create(**asked, prompt="the river", logprobs=3).choices[0]
        assert len(made.logprobs.tokens) == len(made.logprobs.token_logprobs) == 4
        assert "".join(made.logprobs.tokens) == made.text
        assert made.logprobs.text_offset[0] == 0


def check_completions(url: str, locked: str) -> None:
    """Completions: texts, several at once, in events, with `echo`"""
    with client(url) as c:
        made = c.completions.create(model=ECHO, prompt=["a b", "c d e"], n=2)
        assert [(x.index, x.text) for x in made.choices] == [
            (0, "a b"), (1, "a b"), (2, "c d e"), (3, "c d e"),
        ]  # fmt: skip
        assert made.usage.prompt_tokens == 5
        echoed = c.completions.create(model=ECHO, prompt=["a b", "c"], echo=True)
        assert [choice.text for choice in echoed.choices] == ["a ba b", "cc"]
        stream = c.completions.create(model=ECHO, prompt=["a b", "c"], stream=True, echo=True)
        texts = ["", ""]
        for chunk in stream:
            texts[chunk.choices[0].index] += chunk.choices[0].text
        assert texts == ["a ba b", "cc"]


def check_prompts_of_tokens(url: str, locked: str) -> None:
    """Completions of token ids, one prompt or several, as of their texts"""
    asked: dict[str, Any] = {"model": TINY, "temperature": 0, "max_tokens": 5}
    with client(url) as c:
        one = c.completions.create(**asked, prompt=[5, 6, 7]).choices[0].text
        two = c.completions.create(**asked, prompt=[[5, 6, 7], [8, 9]])
        assert two.choices[0].text == one
        assert two.usage.prompt_tokens == 5
        error = raised(
            openai.BadRequestError, lambda: c.completions.create(**asked, prompt=[10**8])
        )
    assert error.param == "prompt"


def png(width: int, height: int) -> str:
    """A picture in red, as a data URI."""
    return "data:image/png;base64," + base64.b64encode(red(width, height)).decode()


def red(width: int, height: int) -> bytes:
    """A picture in red, as a PNG file."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows)
    return file + chunk(b"IEND", b"")


def check_pictures(url: str, locked: str) -> None:
    """Pictures as data URIs, in chats and in responses; addresses that may not be fetched"""
    asked: dict[str, Any] = {"model": SEEING, "temperature": 0}
    with client(url) as c:
        used = []
        for uri in (png(56, 56), png(112, 112)):
            parts: Any = [
                {"type": "image_url", "image_url": {"url": uri, "detail": "auto"}},
                {"type": "text", "text": "What is this?"},
            ]
            messages: Any = [{"role": "user", "content": parts}]
            chat = c.chat.completions.create(**asked, messages=messages, max_tokens=6)
            steps: Any = [
                {"type": "input_image", "image_url": uri, "detail": "auto"},
                {"type": "input_text", "text": "What is this?"},
            ]
            response = c.responses.create(
                **asked, input=[{"role": "user", "content": steps}], max_output_tokens=6
            )
            assert response.output_text == chat.choices[0].message.content
            assert response.usage.input_tokens == chat.usage.prompt_tokens
            used.append(chat.usage.prompt_tokens)
        assert used[0] < used[1]
        parts[0]["image_url"]["url"] = "https://example.org/x.png"
        error = raised(
            openai.BadRequestError,
            lambda: c.chat.completions.create(**asked, messages=messages),
        )
    assert error.param == "messages[0].content[0].image_url"


def check_cached_tokens(url: str, locked: str) -> None:
    """A conversation that is read again tells how much of it was still there"""
    long: list[Any] = [{"role": "user", "content": "the river flows to the sea " * 12}]
    with client(url) as c:
        first, again = (
            c.chat.completions.create(model=TINY, messages=long, max_tokens=2).usage
            for _ in range(2)
        )
    assert first.prompt_tokens == again.prompt_tokens
    assert 0 < again.prompt_tokens_details.cached_tokens < again.prompt_tokens


def check_response(url: str, locked: str) -> None:
    """`responses.create`: text, thought and calls as steps; its tokens"""
    pieces = [{"reasoning": "Hm."}, {"text": "I look."}, *call("get_weather", ARGUMENTS)]
    with client(url) as c:
        made = c.responses.create(
            model=TOLD, input=said(*pieces), instructions="Be brief.", tools=[flat(WEATHER)]
        )
        plain = c.responses.create(model=ECHO, input="the river", max_output_tokens=1)
    thought, message, use = made.output
    assert thought.content[0].text == "Hm."
    assert (message.type, made.output_text) == ("message", "I look.")
    assert (use.name, use.arguments, use.call_id) == ("get_weather", ARGUMENTS, "call_0")
    assert (made.status, made.usage.input_tokens) == ("completed", 7)
    assert (plain.status, plain.output_text) == ("incomplete", "the")
    assert plain.incomplete_details.reason == "max_output_tokens"


def flat(tool: dict[str, Any]) -> Any:
    """A tool in the form of responses."""
    return {"type": "function", "strict": False, **tool["function"]}


def check_response_events(url: str, locked: str) -> None:
    """`responses.stream`: every event in its order, put together by the client"""
    pieces = [{"reasoning": "Hm."}, {"text": "I "}, {"text": "look."}, *call("f", "{}")]
    with client(url) as c, c.responses.stream(model=TOLD, input=said(*pieces)) as stream:
        events = list(stream)
        made = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    names = [event.type.removeprefix("response.") for event in events]
    assert names[:2] == ["created", "in_progress"]
    assert names[-1] == "completed"
    for name in ("output_item", "content_part"):
        assert names.count(f"{name}.added") == names.count(f"{name}.done")
    assert made.output_text == "I look."
    assert [item.type for item in made.output] == ["reasoning", "message", "function_call"]


def check_response_parse(url: str, locked: str) -> None:
    """`responses.parse` with a pydantic model"""
    with client(url) as c:
        made = c.responses.parse(
            model=TINY, input="the river", text_format=Point, max_output_tokens=200
        )
    assert isinstance(made.output_parsed, Point)


def check_kept_responses(url: str, locked: str) -> None:
    """`previous_response_id`; `retrieve`, `input_items`, `cancel` and `delete` of what is kept"""
    with client(url) as c:
        first = c.responses.create(model=TOLD, input=said(*call("f", "{}")))
        answer: Any = {"type": "function_call_output", "call_id": "call_0", "output": "done it"}
        second = c.responses.create(
            model=ECHO, input=[answer], previous_response_id=first.id, metadata={"a": "b"}
        )
        assert second.output_text == "done it"
        assert c.responses.retrieve(second.id) == second
        (item,) = list(c.responses.input_items.list(second.id))
        assert (item.type, item.output) == ("function_call_output", "done it")
        raised(openai.ConflictError, lambda: c.responses.cancel(second.id))
        c.responses.delete(second.id)
        raised(openai.NotFoundError, lambda: c.responses.retrieve(second.id))


def check_input_tokens(url: str, locked: str) -> None:
    """`responses.input_tokens.count`"""
    with client(url) as c:
        counted = c.responses.input_tokens.count(model=ECHO, input="one two three")
    assert counted.input_tokens == 3


def check_embeddings(url: str, locked: str) -> None:
    """Embeddings of texts and token ids, as numbers and as base64"""
    with client(url) as c:
        as_bytes = c.embeddings.create(model=VECTORS, input=["a", "b"])
        as_numbers = c.embeddings.create(model=VECTORS, input="a", encoding_format="float")
        of_tokens = c.embeddings.create(model=SMALL, input=[[11, 12], [13]])
    assert [item.index for item in as_bytes.data] == [0, 1]
    both = zip(as_bytes.data[0].embedding, as_numbers.data[0].embedding, strict=True)
    assert all(abs(one - other) < 1e-6 for one, other in both)
    assert len(of_tokens.data) == 2


def check_models(url: str, locked: str) -> None:
    """`models.list` and `models.retrieve`, names with a slash among them"""
    with client(url) as c:
        names = {model.id for model in c.models.list()}
        assert {ECHO, TOLD, VECTORS} <= names
        one: Any = c.models.retrieve(ECHO)
        assert (one.id, one.object, one.tasks) == (ECHO, "model", ["extract", "chat"])
        raised(openai.NotFoundError, lambda: c.models.retrieve("nobody"))


def check_batches(url: str, locked: str) -> None:
    """`files` and `batches` over chats, completions, responses and embeddings"""
    bodies = {
        "/v1/chat/completions": {"model": ECHO, "messages": HELLO},
        "/v1/completions": {"model": ECHO, "prompt": "a"},
        "/v1/responses": {"model": ECHO, "input": "a"},
        "/v1/embeddings": {"model": VECTORS, "input": "a"},
    }
    with client(url) as c:
        for endpoint, body in bodies.items():
            line = {"custom_id": "x", "method": "POST", "url": endpoint, "body": body}
            data = json.dumps(line).encode()
            file = c.files.create(file=("f.jsonl", data), purpose="batch")
            batch = c.batches.create(
                input_file_id=file.id, endpoint=endpoint, completion_window="24h"
            )
            end = time.monotonic() + 60
            while batch.status != "completed" and time.monotonic() < end:
                batch = c.batches.retrieve(batch.id)
            (row,) = c.files.content(batch.output_file_id).content.splitlines()
            assert json.loads(row)["response"]["status_code"] == 200


def check_moderations(url: str, locked: str) -> None:
    """`moderations`, by a classifier that is here"""
    with client(url) as c:
        made = c.moderations.create(input=["a", "b"], model=JUDGE)
    assert len(made.results) == 2
    assert 0 <= made.results[0].category_scores.violence <= 1


def size_of(picture: Any) -> tuple[int, int]:
    """Width and height of a picture in an answer."""
    file = base64.b64decode(picture.b64_json)
    assert file[:4] == b"\x89PNG"
    return struct.unpack(">II", file[16:24])


def fetched(address: str) -> bytes:
    with urllib.request.urlopen(address) as answer:  # noqa: S310  # of this server
        return answer.read()


def check_images(url: str, locked: str) -> None:
    """`images.generate`: sizes, `n`, seeds; in the answer and by an address without a key"""
    with client(url) as c:
        asked: dict[str, Any] = {"model": PAINTER, "prompt": "a red fox"}
        made = c.images.generate(**asked, n=2, size="32x16", extra_body={"seed": 7})
        assert [size_of(picture) for picture in made.data] == [(32, 16), (32, 16)]
        assert [picture.seed for picture in made.data] == [7, 8]
        for picture in made.data:
            assert fetched(picture.url) == base64.b64decode(picture.b64_json)
        assert (made.size, made.output_format, made.usage.input_tokens) == ("32x16", "png", 3)
        (picture,) = c.images.generate(**asked, response_format="url", quality="high").data
        assert picture.b64_json is None
        (picture,) = c.images.generate(**asked, response_format="b64_json").data
        assert picture.url is None
        (picture,) = c.images.generate(**asked, output_format="webp", size="auto").data
        assert base64.b64decode(picture.b64_json)[8:12] == b"WEBP"


def check_image_edits(url: str, locked: str) -> None:
    """`images.edit`: a picture, several, a mask; `images.create_variation` without a model"""
    with client(url) as c:
        for picture in (red(64, 64), [red(64, 64), red(64, 64)], ("fox.png", red(64, 64))):
            for mask in ({}, {"mask": red(64, 64)}):
                made = c.images.edit(image=picture, prompt="a fox", model=PAINTER, n=1, **mask)
                assert size_of(made.data[0]) == (64, 64)
        made = c.images.create_variation(image=red(32, 32), n=2, response_format="b64_json")
        assert [size_of(picture) for picture in made.data] == [(32, 32), (32, 32)]


def check_image_events(url: str, locked: str) -> None:
    """`images` with `stream`: an event for each step, then the picture; failures raise"""
    with client(url) as c:
        asked: dict[str, Any] = {"model": PAINTER, "prompt": "a fox", "stream": True}
        for kind, stream in (
            ("image_generation", c.images.generate(**asked, partial_images=1)),
            ("image_edit", c.images.edit(**asked, image=red(32, 32))),
        ):
            *steps, last = list(stream)
            assert [(event.type, event.step) for event in steps] == [
                (f"{kind}.step", step) for step in (1, 2, 3)
            ]
            assert last.type == f"{kind}.completed"
            assert size_of(last) == ((64, 64) if kind == "image_generation" else (32, 32))
            assert last.usage.total_tokens == 2
        stream = c.images.generate(model=PAINTER, prompt="a !late fox", stream=True)
        error = raised(openai.APIError, lambda: list(stream))
    assert "told to fail late" in error.message


def check_images_of_a_pipeline(url: str, locked: str) -> None:
    """`images` of a Stable Diffusion pipeline: the same seed makes the same picture"""
    with client(url) as c:
        asked: dict[str, Any] = {"model": DIFFUSING, "prompt": "a fox", "size": "64x64"}
        options = {"seed": 3, "num_inference_steps": 4, "negative_prompt": "a dog"}
        one, two = (c.images.generate(**asked, extra_body=options).data[0] for _ in range(2))
        assert one.b64_json == two.b64_json
        made = c.images.edit(**asked, image=red(64, 64), mask=red(64, 64), extra_body=options)
        assert size_of(made.data[0]) == (64, 64)
        assert made.data[0].b64_json != one.b64_json
        wrong = raised(openai.BadRequestError, lambda: c.images.generate(**asked | {"size": "9x9"}))
    assert wrong.param == "size"
    assert "such as 64x64" in wrong.message


def check_images_refused(url: str, locked: str) -> None:
    """Images that cannot be made are refused with 400 and named: prompts, sizes, formats, files"""
    asked: dict[str, Any] = {"model": PAINTER, "prompt": "a fox"}
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "word " * 100}, "prompt"),
        ({"size": "large"}, "size"),
        ({"size": "63x64"}, "size"),
        ({"n": 0}, "n"),
        ({"output_format": "gif"}, "output_format"),
        ({"response_format": "disk"}, "response_format"),
        ({"background": "transparent"}, "background"),
        ({"model": VECTORS}, "model"),
    ]
    with client(url) as c:
        for wrong, param in wrongs:
            error = raised(
                openai.BadRequestError,
                lambda wrong=wrong: c.images.generate(**asked | wrong),
            )
            assert error.param == param
        for file in (b"", b"<svg/>", b"%PDF-1.7", red(64, 64)[:40]):
            raised(openai.BadRequestError, lambda file=file: c.images.edit(image=file, **asked))
        error = raised(
            openai.BadRequestError,
            lambda: c.images.edit(image=red(64, 64), mask=red(32, 32), **asked),
        )
    assert error.param == "mask"


def check_unused_fields(url: str, locked: str) -> None:
    """`store`, `metadata`, `service_tier`, `user` and unknown fields are no fault"""
    with client(url) as c:
        made = c.chat.completions.create(
            model=ECHO,
            messages=HELLO,
            store=True,
            metadata={"a": "b"},
            service_tier="auto",
            user="ann",
            extra_body={"safety_identifier": "x", "of_tomorrow": {"a": 1}},
        )
    assert made.choices


def check_refused(url: str, locked: str) -> None:
    """What is wrong is refused with 400 and named: roles, tools, numbers, pictures, parts"""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    bad: dict[str, dict[str, Any]] = {
        "messages": {"messages": []},
        "messages[0].role": {"messages": [{"role": "wizard", "content": "x"}]},
        "messages[0]": {"messages": [{"role": "tool", "tool_call_id": "?", "content": "x"}]},
        "messages[0].content[0]": {
            "messages": [{"role": "user", "content": [{"type": "input_audio"}]}]
        },
        "max_tokens": {"max_tokens": 0},
        "temperature": {"temperature": -1},
        "n": {"n": 65},
        "response_format": {"response_format": {"type": "xml"}},
        "audio": {"audio": {"voice": "x", "format": "wav"}},
    }
    with client(url) as c:
        for param, fields in bad.items():
            asked: dict[str, Any] = {"model": ECHO, "messages": HELLO, "stream": True, **fields}
            error = raised(
                openai.BadRequestError, lambda asked=asked: c.chat.completions.create(**asked)
            )
            assert error.param == param, (param, error)
            assert error.body["message"]
        seeing: Any = [{"role": "user", "content": [picture]}]
        error = raised(
            openai.BadRequestError, lambda: c.chat.completions.create(model=TINY, messages=seeing)
        )
        assert error.param == "messages"


def check_too_long(url: str, locked: str) -> None:
    """A conversation that is too long has the code `context_length_exceeded`"""
    with client(url) as c:
        long: list[Any] = [{"role": "user", "content": "sea " * 5000}]
        error = raised(
            openai.BadRequestError,
            lambda: c.chat.completions.create(model=TINY, messages=long, stream=True),
        )
    assert error.code == "context_length_exceeded"


def check_wrong_model(url: str, locked: str) -> None:
    """Models that are not there, or cannot do it"""
    with client(url) as c:
        raised(
            openai.NotFoundError,
            lambda: c.chat.completions.create(model="nobody", messages=HELLO),
        )
        raised(
            openai.BadRequestError,
            lambda: c.chat.completions.create(model=VECTORS, messages=HELLO),
        )
        raised(openai.BadRequestError, lambda: c.embeddings.create(model=ECHO, input="x"))


def check_errors_read_by_all(url: str, locked: str) -> None:
    """Bodies of errors hold `error` and, for clients that look for it, `detail`"""
    with client(url) as c:
        error = raised(
            openai.NotFoundError,
            lambda: c.chat.completions.create(model="nobody", messages=HELLO),
        )
    told = error.response.json()
    assert isinstance(told["detail"], str)
    assert told["error"]["message"] == told["detail"]


def check_key(url: str, locked: str) -> None:
    """A wrong key is refused; the right one is taken"""
    with client(locked) as c:
        raised(openai.AuthenticationError, c.models.list)
    with client(locked, api_key=KEY) as c:
        assert MORTAL in {model.id for model in c.models.list()}


def check_timeout(url: str, locked: str) -> None:
    """The time that the client gives for an answer, `X-Request-Timeout-Ms`, ends it"""
    messages: list[Any] = [{"role": "user", "content": "!wait"}]
    with client(url) as c:
        error = raised(
            openai.APIStatusError,
            lambda: c.chat.completions.create(
                model=ECHO, messages=messages, extra_headers={"X-Request-Timeout-Ms": "200"}
            ),
        )
    assert error.status_code == 504


def check_failure_in_a_stream(url: str, locked: str) -> None:
    """A model that fails in mid-stream raises `APIError` after what was said; no clean end"""
    messages: list[Any] = [{"role": "user", "content": "one two !fail"}]
    with client(url) as c:
        stream = c.chat.completions.create(model=ECHO, messages=messages, stream=True)
        told: list[str] = []

        def read() -> None:
            told.extend(chunk.choices[0].delta.content or "" for chunk in stream)

        error = raised(openai.APIError, read)
    assert "told to fail" in error.message
    assert "".join(told) == "one two"


def check_dead_worker(url: str, locked: str) -> None:
    """A worker that is killed in mid-stream raises `APIError`; the next chat is answered"""
    with client(locked, api_key=KEY) as c:
        for ask in (
            lambda: c.chat.completions.create(
                model=MORTAL, messages=[{"role": "user", "content": "one !die"}], stream=True
            ),
            lambda: c.responses.create(model=MORTAL, input="one !die", stream=True),
        ):
            raised(openai.APIError, lambda ask=ask: list(ask()))
    with client(locked, api_key=KEY, max_retries=5) as c:
        made = c.chat.completions.create(model=MORTAL, messages=HELLO)
    assert made.choices[0].message.content == "the river flows to the sea"


def check_leaving(url: str, locked: str) -> None:
    """A stream that the client closes ends the work on it"""
    messages: list[Any] = [{"role": "user", "content": "!more"}]
    with client(url) as c:
        stream = c.chat.completions.create(model=ECHO, messages=messages, stream=True)
        next(iter(stream))
        stream.close()
        end = time.monotonic() + 30
        while c.models.retrieve(ECHO).model_dump()["in_flight"] and time.monotonic() < end:
            pass
        assert c.models.retrieve(ECHO).model_dump()["in_flight"] == 0


def check_raw(url: str, locked: str) -> None:
    """`with_raw_response`: the name of the request in `x-request-id`"""
    with client(url) as c:
        raw = c.chat.completions.with_raw_response.create(model=ECHO, messages=HELLO)
    assert raw.headers["x-request-id"]
    assert raw.parse().choices


async def check_async(url: str, locked: str) -> None:
    """The asynchronous client: chats, streams, responses, lists"""
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as c:
        made = await c.chat.completions.create(model=ECHO, messages=HELLO)
        assert made.choices[0].message.content == "the river flows to the sea"
        stream = await c.chat.completions.create(model=ECHO, messages=HELLO, stream=True)
        texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(texts) == "the river flows to the sea"
        kept = await c.responses.create(model=ECHO, input="x")
        assert (await c.responses.retrieve(kept.id)).output_text == "x"
        assert [model.id async for model in c.models.list()]
        made = await c.images.generate(model=PAINTER, prompt="a fox", size="16x16")
        assert size_of(made.data[0]) == (16, 16)
