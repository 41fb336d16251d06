"""What Anthropic's client must find, written with the client itself; see ``driver.py``.

Each function is one row of the compatibility table: its docstring is what the row says. The
model ``told`` writes what the last message says as JSON pieces, and echoes other texts; ``tiny``
is a small checkpoint, and ``talker`` a trained one. The second server wants a key, takes one call
at a time and small bodies, and runs its model in a process of its own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import struct
import uuid
import zlib
from collections.abc import Iterator
from typing import Any, Literal

import anthropic
from anthropic import Anthropic, AsyncAnthropic

KEY = "sesame"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
ADD = {
    "name": "add",
    "description": "Add two numbers.",
    "input_schema": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
}
COLD = {"temperature": 0}
"""Sent beside what the client has arguments for: its newest version has none for the numbers."""

WORDS = "the river flows to the sea"


class Skip(Exception):
    """The client of this version does not have it."""


@contextlib.contextmanager
def client(url: str, **more: Any) -> Iterator[Anthropic]:
    options = {"base_url": f"{url}/anthropic", "api_key": "any", "max_retries": 0, **more}
    with Anthropic(**options) as made:
        yield made


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def asked(content: Any = WORDS, model: str = "told", **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 1100, "messages": user(content), **more}


def told(*pieces: dict[str, Any]) -> str:
    """What to say to the model, to hear these pieces."""
    return json.dumps(pieces)


def calling(number: int, a: int, b: int) -> list[dict[str, Any]]:
    """The pieces of a call of ``add``."""
    first = {"index": number, "id": f"c{number}", "name": "add", "arguments": f'{{"a": {a},'}
    return [{"tool": first}, {"tool": {"index": number, "arguments": f' "b": {b}}}'}}]


CALLS = told({"text": "Let me see."}, *calling(0, 1, 2), *calling(1, 3, 4))
THOUGHT = told({"reasoning": "Two and "}, {"reasoning": "two."}, {"text": "4"})


def raised(call: Any, kind: type[Exception] = anthropic.APIStatusError) -> Any:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was expected")


def told_type(error: Any) -> str:
    """The type of an error, as its body tells it."""
    return error.body["error"]["type"]


# -- messages --------------------------------------------------------------------------------


def check_create(url: str, locked: str) -> None:
    """`messages.create` answers with a message: blocks, why it ends, tokens, the request's id"""
    with client(url) as c:
        made = c.messages.create(**asked())
    assert (made.type, made.role, made.model) == ("message", "assistant", "told")
    assert made.id.startswith("msg_")
    assert [block.type for block in made.content] == ["text"]
    assert made.content[0].text == WORDS
    assert (made.stop_reason, made.stop_sequence) == ("end_turn", None)
    assert (made.usage.input_tokens, made.usage.output_tokens) == (6, 6)
    assert made._request_id


def check_base_urls(url: str, locked: str) -> None:
    """The address of the server itself is a base URL as good as the one with `/anthropic`"""
    for base in (url, f"{url}/", f"{url}/anthropic", f"{url}/anthropic/"):
        with client(url, base_url=base) as c:
            assert c.messages.create(**asked()).content[0].text == WORDS


def check_contents(url: str, locked: str) -> None:
    """Contents and system prompts as texts and as blocks, with `cache_control`"""
    cached = {"cache_control": {"type": "ephemeral"}}
    block = {"type": "text", "text": WORDS, **cached}
    with client(url) as c:
        for system in ("Be brief.", [{"type": "text", "text": "Be brief.", **cached}]):
            made = c.messages.create(**asked([block], system=system))
            assert made.content[0].text == WORDS
        document = {"type": "text", "media_type": "text/plain", "data": WORDS}
        made = c.messages.create(**asked([{"type": "document", "source": document}]))
    assert made.content[0].text == WORDS


def check_prefill(url: str, locked: str) -> None:
    """A last message of the assistant is gone on with"""
    begun = [*user("Say it."), {"role": "assistant", "content": "The river"}]
    with client(url) as c:
        more = {"model": "tiny", "extra_body": COLD, "max_tokens": 4}
        made = c.messages.create(**{**asked(), **more, "messages": begun})
        fresh = c.messages.create(**{**asked(), **more, "messages": begun[:1]})
        counted = [
            c.messages.count_tokens(model="tiny", messages=messages).input_tokens
            for messages in (begun[:1], begun)
        ]
    assert made.content[0].text != fresh.content[0].text
    assert counted[0] < counted[1]


def check_sampling(url: str, locked: str) -> None:
    """`temperature`, `top_p` and `top_k`: the likeliest tokens are the same each time"""
    with client(url) as c:
        said = set()
        for how in ({"temperature": 0}, {"top_k": 1}, {"top_p": 0}):
            made = c.messages.create(**asked(model="tiny", max_tokens=8), extra_body=how)
            said.add(made.content[0].text)
            assert made.stop_reason == "max_tokens"
            assert made.usage.output_tokens == 8
    assert len(said) == 1


def check_stop_sequences(url: str, locked: str) -> None:
    """`stop_sequences`: the one that ended the answer is told, and not shown"""
    with client(url) as c:
        made = c.messages.create(**asked("one two three", stop_sequences=["x", "three"]))
        assert (made.stop_reason, made.stop_sequence) == ("stop_sequence", "three")
        assert made.content[0].text.strip() == "one two"
        with c.messages.stream(**asked("one two three", stop_sequences=["three"])) as stream:
            final = stream.get_final_message()
        assert (final.stop_reason, final.stop_sequence) == ("stop_sequence", "three")
        long = asked(model="tiny", max_tokens=40, extra_body=COLD)
        whole = c.messages.create(**long).content[0].text
        stop = whole[len(whole) // 2 :][:3]
        cut = c.messages.create(**long, stop_sequences=[stop])
    assert cut.stop_sequence == stop
    assert cut.content[0].text == whole[: whole.index(stop)]


def check_room(url: str, locked: str) -> None:
    """More `max_tokens` than the model has room for: it writes as far as it reads, and says so"""
    with client(url) as c:
        made = c.messages.create(**asked("sea " * 200, "tiny", max_tokens=32000), timeout=60)
    assert made.stop_reason in ("model_context_window_exceeded", "end_turn")


# -- streams ---------------------------------------------------------------------------------


def check_events(url: str, locked: str) -> None:
    """`create(stream=True)`: events in their order, with the tokens read in the first"""
    with client(url) as c:
        events = list(c.messages.create(**asked("one two"), stream=True))
    kinds = [event.type for event in events]
    deltas = ["content_block_delta"] * 2
    assert kinds == [
        "message_start", "content_block_start", *deltas, "content_block_stop", "message_delta",
        "message_stop",
    ]  # fmt: skip
    start, end = events[0].message, events[-2]
    assert (start.content, start.stop_reason, start.usage.input_tokens) == ([], None, 2)
    assert (end.delta.stop_reason, end.usage.output_tokens) == ("end_turn", 2)
    assert [event.delta.text for event in events[2:4]] == ["one", " two"]


def check_stream_helper(url: str, locked: str) -> None:
    """`messages.stream`: its texts and its final message, the same as `create`"""
    with client(url) as c:
        ask = asked(model="tiny", extra_body=COLD, max_tokens=12)
        with c.messages.stream(**ask) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        whole = c.messages.create(**ask)
    assert text == final.content[0].text == whole.content[0].text
    assert final.stop_reason == whole.stop_reason
    assert final.usage.output_tokens == whole.usage.output_tokens == 12


def check_signs_of_life(url: str, locked: str) -> None:
    """`ping` events, and each event's name in its data"""
    with client(url) as c:
        made = c.messages.with_raw_response.create(**asked(), stream=True)
        assert made.headers["content-type"].startswith("text/event-stream")
        lines = made.http_response.read().decode().split("\n\n")
    events = [line.split("\n") for line in lines if line]
    assert ["event: ping", 'data: {"type":"ping"}'] in events
    for name, data in events:
        assert json.loads(data.removeprefix("data: "))["type"] == name.removeprefix("event: ")


async def check_async(url: str, locked: str) -> None:
    """The asynchronous client: 20 messages at once keep apart, whole and streamed"""
    async with AsyncAnthropic(base_url=url, api_key="any", max_retries=0) as c:

        async def ask(number: int) -> str:
            if number % 2:
                made = await c.messages.create(**asked(f"number {number}"))
                return made.content[0].text
            async with c.messages.stream(**asked(f"number {number}")) as stream:
                return "".join([text async for text in stream.text_stream])

        said = await asyncio.gather(*(ask(number) for number in range(20)))
    assert said == [f"number {number}" for number in range(20)]


# -- tools and thought -----------------------------------------------------------------------


def check_tools(url: str, locked: str) -> None:
    """Calls of tools as `tool_use` blocks, several in one message"""
    with client(url) as c:
        made = c.messages.create(**asked(CALLS, tools=[ADD]))
    assert made.stop_reason == "tool_use"
    assert [block.type for block in made.content] == ["text", "tool_use", "tool_use"]
    assert [block.input for block in made.content[1:]] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert [(block.name, block.id) for block in made.content[1:]] == [("add", "c0"), ("add", "c1")]


def check_streamed_tools(url: str, locked: str) -> None:
    """Calls of tools in a stream: arguments in pieces, put together by the client"""
    with client(url) as c, c.messages.stream(**asked(CALLS, tools=[ADD])) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        final = stream.get_final_message()
    assert pieces == ['{"a": 1,', ' "b": 2}', '{"a": 3,', ' "b": 4}']
    assert [block.input for block in final.content[1:]] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert final.stop_reason == "tool_use"


def check_results(url: str, locked: str) -> None:
    """Results of tools, as texts and blocks, in order, with what the user says after them"""
    with client(url) as c:
        ask = asked(CALLS, tools=[ADD])
        made = c.messages.create(**ask)
        results: list[dict[str, Any]] = [
            {"type": "tool_result", "tool_use_id": "c0", "content": "3"},
            {
                "type": "tool_result",
                "tool_use_id": "c1",
                "content": [{"type": "text", "text": "7"}],
            },
        ]
        talk = [*ask["messages"], {"role": "assistant", "content": made.content}]
        again = {**ask, "messages": [*talk, {"role": "user", "content": results}]}
        assert c.messages.create(**again).content[0].text == "7"
        results[1]["is_error"] = True
        assert c.messages.create(**again).content[0].text == "Error: 7"
        results.append({"type": "text", "text": "and now?"})
        assert c.messages.create(**again).content[0].text == "and now?"


def check_choices(url: str, locked: str) -> None:
    """`tool_choice` auto, any, none and a tool; arguments fit the schema whatever is said"""
    strict = {**ADD, "input_schema": {**ADD["input_schema"], "additionalProperties": False}}
    with client(url) as c:
        for choice in ({"type": "any"}, {"type": "tool", "name": "add"}):
            made = c.messages.create(**asked("Hello", "talker", tools=[strict], tool_choice=choice))
            (use,) = made.content
            assert (use.type, use.name, made.stop_reason) == ("tool_use", "add", "tool_use")
            assert sorted(use.input) == ["a", "b"]
            assert all(isinstance(value, int) for value in use.input.values())
        for choice in ({"type": "auto", "disable_parallel_tool_use": True}, {"type": "none"}):
            made = c.messages.create(**asked(tools=[ADD], tool_choice=choice))
            assert made.content[0].text == WORDS
        wrong = asked(tools=[ADD], tool_choice={"type": "tool", "name": "sub"})
        error = raised(lambda: c.messages.create(**wrong), anthropic.BadRequestError)
    assert "sub" in str(error)


def check_tool_runner(url: str, locked: str) -> None:
    """The client's `tool_runner` calls a function and comes back with its result"""
    try:
        from anthropic import beta_tool
    except ImportError as error:
        raise Skip("no tool_runner") from error

    @beta_tool
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    with client(url) as c:
        runner = c.beta.messages.tool_runner(**asked(told(*calling(0, 20, 22))), tools=[add])
        last = runner.until_done()
    assert last.content[0].text == "42"


def check_thinking(url: str, locked: str) -> None:
    """`thinking`: thoughts as blocks of their own, taken back in the next request"""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    with client(url) as c:
        ask = asked(THOUGHT, thinking=thinking)
        made = c.messages.create(**ask)
        assert [block.type for block in made.content] == ["thinking", "text"]
        assert made.content[0].thinking == "Two and two."
        with c.messages.stream(**ask) as stream:
            thoughts = [event.thinking for event in stream if event.type == "thinking"]
            final = stream.get_final_message()
        assert thoughts == ["Two and ", "two."]
        assert final.content[0].signature
        assert [block.type for block in final.content] == ["thinking", "text"]
        talk = [*ask["messages"], {"role": "assistant", "content": final.content}, *user("more")]
        assert c.messages.create(**{**ask, "messages": talk}).content[0].text == "more"


def check_trained_thought(url: str, locked: str) -> None:
    """A model that was trained to think does where it is asked to, and only there"""
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}, **COLD}
    with client(url) as c:
        loud = c.messages.create(**asked("Hello", "talker"), extra_body=thinking)
        quiet = c.messages.create(**asked("Hello", "talker"), extra_body=COLD)
    assert [block.type for block in loud.content] == ["thinking", "text"]
    assert [block.type for block in quiet.content] == ["text"]
    assert loud.usage.output_tokens > quiet.usage.output_tokens


def check_no_thinking(url: str, locked: str) -> None:
    """Without `thinking`, or with `disabled`, no block of thought comes, whatever the model does"""
    with client(url) as c:
        for more in ({}, {"thinking": {"type": "disabled"}}):
            made = c.messages.create(**asked(THOUGHT, **more))
            assert [block.type for block in made.content] == ["text"]
            with c.messages.stream(**asked(THOUGHT, **more)) as stream:
                assert [block.type for block in stream.get_final_message().content] == ["text"]


def check_structured(url: str, locked: str) -> None:
    """`output_config` and `messages.parse`: the answer fits a schema, as an object of a class"""
    from pydantic import BaseModel

    class City(BaseModel):
        name: Literal["Ur", "Uruk"]
        people: Literal[40, 65]

    with client(url) as c:
        if not hasattr(c.messages, "parse"):
            raise Skip("no parse")
        made = c.messages.parse(**asked("Hello", "talker"), output_format=City)
        assert made.parsed_output == City(**json.loads(made.content[0].text))
        form = {"type": "json_schema", "schema": {"enum": [[1, 2], [3]]}}
        more = {"output_config": {"format": form}}
        made = c.messages.create(**asked("Hello", "talker"), extra_body=more)
    assert json.loads(made.content[0].text) in ([1, 2], [3])


def image(side: int) -> dict[str, Any]:
    """A block with a red picture."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff\0\0" * side) * side)
    file = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b"")):
        file += struct.pack(">I", len(data)) + kind + data
        file += struct.pack(">I", zlib.crc32(kind + data))
    data = base64.b64encode(file).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    return {"type": "image", "source": source}


def check_pictures(url: str, locked: str) -> None:
    """`image` blocks of users and in results of tools, for a model that sees"""
    words = {"type": "text", "text": "What is this?"}
    look = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    with client(url) as c:
        used = []
        for side in (56, 112):
            made = c.messages.create(**asked([image(side), words], "seeing", max_tokens=4))
            assert made.usage.output_tokens == 4
            used.append(made.usage.input_tokens + (made.usage.cache_read_input_tokens or 0))
            shown = {"type": "tool_result", "tool_use_id": "t1", "content": [image(side)]}
            talk = [
                *user("Look."),
                {"role": "assistant", "content": [look]},
                {"role": "user", "content": [shown, words]},
            ]
            counted = c.messages.count_tokens(model="seeing", messages=talk)
            used.append(counted.input_tokens)
    assert used[0] < used[2]
    assert used[1] < used[3]


def check_images(url: str, locked: str) -> None:
    """Pictures for a model that does not see, and pictures that may not be fetched, are refused"""
    inline = {"type": "base64", "media_type": "image/png", "data": PNG}
    with client(url) as c:
        away = {"type": "url", "url": "http://169.254.169.254/x.png"}
        for source, model in ((inline, "tiny"), (away, "tiny"), (away, "seeing")):
            ask = asked([{"type": "image", "source": source}], model)
            error = raised(lambda ask=ask: c.messages.create(**ask), anthropic.BadRequestError)
            assert told_type(error) == "invalid_request_error"


# -- tokens and models -----------------------------------------------------------------------


def check_count_tokens(url: str, locked: str) -> None:
    """`count_tokens`, with system prompt and tools, is what `create` reads"""
    with client(url) as c:
        ask = {"model": "tiny", "messages": user(WORDS), "system": "Be brief.", "tools": [ADD]}
        counted = c.messages.count_tokens(**ask).input_tokens
        bare = c.messages.count_tokens(model="tiny", messages=user(WORDS)).input_tokens
        for _ in range(2):
            used = c.messages.create(**ask, max_tokens=1).usage
            assert used.input_tokens + (used.cache_read_input_tokens or 0) == counted
        with c.messages.stream(**ask, max_tokens=1) as stream:
            first = next(iter(stream)).message.usage
        assert first.input_tokens + (first.cache_read_input_tokens or 0) == counted
    assert bare < counted


def check_models(url: str, locked: str) -> None:
    """`models.list` with all pages, in both directions; models that do not chat are left out"""
    with client(url) as c:
        names = [model.id for model in c.models.list(limit=2)]
        assert set(names) == {"told", "tiny", "talker", "seeing", "org/echo"}
        page = c.models.list(limit=1, before_id=names[-1])
        assert [model.id for model in page.data] == names[-2:-1]
        assert page.has_more
        error = raised(lambda: c.models.list(after_id="nobody"))
    assert error.status_code == 400


def check_model(url: str, locked: str) -> None:
    """`models.retrieve`, of names with slashes too; an unknown one is not found"""
    for base in (url, f"{url}/anthropic"):
        with client(url, base_url=base) as c:
            for name in ("told", "org/echo"):
                model = c.models.retrieve(name)
                assert (model.id, model.type, model.created_at.tzinfo is None) == (
                    name, "model", False,
                )  # fmt: skip
            raised(lambda c=c: c.models.retrieve("nobody"), anthropic.NotFoundError)


def check_shared_path(url: str, locked: str) -> None:
    """`GET /v1/models`, which other protocols have too, answers this client in its own form"""
    with client(url, base_url=url) as c:
        page = c.models.list()
    assert page.has_more is False
    assert (page.first_id, page.last_id) == (page.data[0].id, page.data[-1].id)


# -- headers ---------------------------------------------------------------------------------


def check_versions(url: str, locked: str) -> None:
    """Any `anthropic-version`, beta headers, and the paths of `client.beta`"""
    with client(url, default_headers={"anthropic-version": "2099-01-01"}) as c:
        assert c.messages.create(**asked()).content[0].text == WORDS
        made = c.beta.messages.create(**asked(), betas=["context-1m-2025-08-07"])
        assert made.content[0].text == WORDS
        with c.beta.messages.stream(**asked()) as stream:
            assert "".join(stream.text_stream) == WORDS
        counted = c.beta.messages.count_tokens(model="told", messages=user(WORDS))
    assert counted.input_tokens == 6


def check_keys(url: str, locked: str) -> None:
    """Keys as `api_key`, as `auth_token`, as `Authorization` and as `x-api-key`; others are 401"""
    shown = (
        {"api_key": KEY},
        {"api_key": None, "auth_token": KEY},
        {"api_key": KEY, "default_headers": {"X-Api-Key": KEY}},
    )
    for way in shown:
        with client(locked, **way) as c:
            assert c.messages.create(**asked(model="mortal")).content[0].text == WORDS
    with client(locked, api_key="wrong") as c:
        for call in (lambda: c.messages.create(**asked(model="mortal")), c.models.list):
            error = raised(call, anthropic.AuthenticationError)
            assert told_type(error) == "authentication_error"
            assert error.request_id


def check_agents(url: str, locked: str) -> None:
    """What coding agents send: many tools, cached blocks, metadata, edits of the context"""
    cached = {"cache_control": {"type": "ephemeral"}}
    system = [{"type": "text", "text": "You write code.", **cached}]
    tools: list[dict[str, Any]] = [{**ADD, "name": f"tool_{i}"} for i in range(60)]
    tools[-1] |= cached
    with client(url) as c:
        made = c.beta.messages.create(
            **asked([{"type": "text", "text": WORDS, **cached}], system=system, tools=tools),
            metadata={"user_id": "user_1_account_2"},
            betas=["claude-code-20250219", "interleaved-thinking-2025-05-14"],
            extra_body={
                "context_management": {"edits": [{"type": "clear_thinking_20251015"}]},
                "thinking": {"type": "adaptive"},
                "output_config": {"effort": "high"},
            },
        )
    assert made.content[0].text == WORDS


# -- errors ----------------------------------------------------------------------------------

BAD: dict[str, dict[str, Any]] = {
    "no messages": {"messages": []},
    "unknown role": {"messages": [{"role": "wizard", "content": "x"}]},
    "empty content": {"messages": user([])},
    "unknown block": {"messages": user([{"type": "video"}])},
    "result of nobody": {
        "messages": user([{"type": "tool_result", "tool_use_id": "x", "content": "y"}])
    },
    "no max_tokens": {"max_tokens": 0},
    "fewer than none": {"max_tokens": -1},
    "no number": {"max_tokens": "many"},
    "hot": {"temperature": 1.5},
    "small budget": {"thinking": {"type": "enabled", "budget_tokens": 1000}},
    "server tool": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
}


def check_bad_requests(url: str, locked: str) -> None:
    """What is wrong with a request is said by name: `BadRequestError`, before a stream begins"""
    with client(url) as c:
        for name, wrong in BAD.items():
            for stream in (False, True):
                body = {**asked(), **wrong, "stream": stream}
                error = raised(
                    lambda body=body: c.post("/v1/messages", body=body, cast_to=object),
                    anthropic.BadRequestError,
                )
                assert told_type(error) == "invalid_request_error", name
                assert error.body["error"]["message"], name


def check_too_long(url: str, locked: str) -> None:
    """A conversation that is too long, in the words that agents look for"""
    with client(url) as c:
        ask = asked("sea " * 900, "tiny")
        error = raised(lambda: c.messages.create(**ask), anthropic.BadRequestError)
    assert error.body["error"]["message"].startswith("prompt is too long: ")


def check_error_types(url: str, locked: str) -> None:
    """404, 413, 500 and 504 with their types, for unknown models and paths, bodies, models, time"""
    soon = {"x-request-timeout-ms": "50"}
    with client(url) as c, client(locked, api_key=KEY) as small:
        found = {
            kind: raised(call)
            for kind, call in {
                (404, "not_found_error"): lambda: c.messages.create(**asked(model="nobody")),
                (405, "invalid_request_error"): lambda: c.get("/v1/messages", cast_to=object),
                (413, "request_too_large"): lambda: small.messages.create(**asked("x" * 50_000)),
                (500, "api_error"): lambda: c.messages.create(**asked("!fail")),
                (504, "timeout_error"): lambda: c.messages.create(
                    **asked("!wait"), extra_headers=soon
                ),
            }.items()
        }
        lost = raised(lambda: c.get("/v1/nowhere", cast_to=object), anthropic.NotFoundError)
    for (status, kind), error in found.items():
        assert (error.status_code, told_type(error)) == (status, kind)
    assert told_type(lost) == "not_found_error"


def check_foreign_pages(url: str, locked: str) -> None:
    """Pages of others in a browser are refused with `PermissionDeniedError`"""
    with client(url, default_headers={"origin": "https://evil.example"}) as c:
        error = raised(lambda: c.messages.create(**asked()), anthropic.PermissionDeniedError)
    assert told_type(error) == "permission_error"


def check_overload(url: str, locked: str) -> None:
    """529 `overloaded_error` while the server is full; the client asks again by itself"""
    with client(locked, api_key=KEY) as c:
        stream = c.messages.create(**asked("!more", "mortal"), stream=True)
        next(iter(stream))
        error = raised(lambda: c.messages.create(**asked(model="mortal")))
        assert (error.status_code, told_type(error)) == (529, "overloaded_error")
        stream.close()
        patient = c.with_options(max_retries=8)
        assert patient.messages.create(**asked(model="mortal")).content[0].text == WORDS


def check_leaving(url: str, locked: str) -> None:
    """Who leaves in mid-stream ends the work: the one place of the server is free again"""
    with client(locked, api_key=KEY) as c:
        for _ in range(3):
            with c.with_options(max_retries=8).messages.stream(**asked("!more", "mortal")) as s:
                for event in s:
                    if event.type == "text":
                        break
        patient = c.with_options(max_retries=8)
        assert patient.messages.create(**asked(model="mortal")).content[0].text == WORDS


def check_failure_in_a_stream(url: str, locked: str) -> None:
    """A failure in mid-stream is raised with its type, after what was said before it"""
    said: list[str] = []

    def read(text: str, **more: Any) -> None:
        with client(url) as c, c.messages.stream(**asked(text), **more) as stream:
            said.extend(stream.text_stream)

    assert told_type(raised(lambda: read("one two !fail"))) == "api_error"
    assert "".join(said) == "one two"
    soon = {"x-request-timeout-ms": "400"}
    error = raised(lambda: read("one !wait", extra_headers=soon))
    assert told_type(error) == "timeout_error"


def check_dead_worker(url: str, locked: str) -> None:
    """A worker killed in mid-stream is raised too, no end of an answer; then the next one works"""
    kinds: list[str] = []
    said = f"one {uuid.uuid4().hex} !die"  # what ended two workers is refused

    def read() -> None:
        with client(locked, api_key=KEY) as c:
            for event in c.messages.create(**asked(said, "mortal"), stream=True):
                kinds.append(event.type)

    error = raised(read)
    assert told_type(error) == "api_error"
    assert "message_stop" not in kinds
    with client(locked, api_key=KEY, max_retries=8) as c:
        assert c.messages.create(**asked(model="mortal")).content[0].text == WORDS
