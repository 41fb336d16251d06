"""What the real client of Ollama asks of a server; each check is a row of the page.

Runs in the environment of that client, without anything of ours but the server's address. The
model ``told`` writes what the last message says as JSON pieces, and echoes other texts.
"""

from __future__ import annotations

import base64
import datetime
import json
import math
import sys
from pathlib import Path
from typing import Any

import ollama
from ollama import AsyncClient, Client, ResponseError
from pydantic import BaseModel

sys.path.insert(0, str(Path(__file__).parents[3] / "tools" / "tiny" / "chat"))

from prompts import GET_WEATHER, PROMPTS

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)

CALL = [
    {"reasoning": "two numbers, "},
    {"reasoning": "so add them"},
    {"text": "Let me see."},
    {"tool": {"index": 0, "id": "c0", "name": "add", "arguments": '{"a": 1,'}},
    {"tool": {"index": 0, "arguments": ' "b": 2}'}},
    {"tool": {"index": 1, "id": "c1", "name": "add", "arguments": '{"a": 3, "b": 4}'}},
]
"""What the model is told to write: a thought, words and two calls."""


STEADY = {"temperature": 0}


class City(BaseModel):
    """A form that an answer must have."""

    name: str
    people: int


def user(text: str) -> list[dict[str, Any]]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b: The second.
    """
    return a + b


class Skip(Exception):
    """The client of this version does not have it."""


class Place(str):
    """Address of the server.

    Attributes:
        locked: That of another, which wants a key and runs its models in processes.
    """

    locked: str

    def __new__(cls, url: str, locked: str) -> Place:
        made = super().__new__(cls, url)
        made.locked = locked
        return made


def opened(url: Place) -> Client:
    """A client with a key for the server that wants one."""
    return Client(url.locked, headers={"Authorization": "Bearer sesame"})


def raised(call: Any) -> ResponseError:
    """The error that a call ends with."""
    try:
        call()
    except ResponseError as error:
        return error
    raise AssertionError("nothing was raised")


def check_chat(url: str) -> None:
    """`chat` answers whole, with why it ends, tokens and durations"""
    made = Client(url).chat("told", user("one two three"))
    assert made.message.role == "assistant"
    assert made.message.content == "one two three"
    assert (made.model, made.done, made.done_reason) == ("told", True, "stop")
    assert (made.prompt_eval_count, made.eval_count) == (3, 3)
    assert made.total_duration >= made.eval_duration > 0
    assert made.prompt_eval_duration > 0
    assert datetime.datetime.fromisoformat(made.created_at.replace("Z", "+00:00"))
    assert made["message"]["content"] == "one two three"


def check_chat_stream(url: str) -> None:
    """`chat` in a stream: pieces as they are made, the last one `done`"""
    parts = list(Client(url).chat("told", user("one two three"), stream=True))
    assert [part.message.content for part in parts] == ["one", " two", " three", ""]
    assert [part.done for part in parts] == [False, False, False, True]
    assert parts[-1].done_reason == "stop"
    assert parts[-1].eval_count == 3


def check_names(url: str) -> None:
    """Names with `:latest` and with `hf.co` before them; the name is told back as it was asked"""
    c = Client(url)
    assert c.chat("told:latest", user("hi")).model == "told:latest"
    assert c.chat("hf.co/org/told", user("hi")).message.content == "hi"


def check_options(url: str) -> None:
    """`options`: the length, and those that mean nothing here are passed over"""
    how = {"num_predict": 1, "num_ctx": 4096, "mirostat": 2, "stop": ["x"], "temperature": 0}
    made = Client(url).chat("told", user("one two"), options=how, keep_alive="5m")
    assert (made.message.content, made.done_reason) == ("one", "length")
    error = raised(lambda: Client(url).chat("told", user("hi"), options={"top_p": 7}))
    assert error.status_code == 400
    assert "top_p" in error.error


def check_tools(url: str) -> None:
    """Tools as Python functions; calls come back with their arguments, and results are matched"""
    c = Client(url)
    asked = user(json.dumps(CALL))
    made = c.chat("told", asked, tools=[add])
    calls = made.message.tool_calls
    assert [call.function.name for call in calls] == ["add", "add"]
    assert [add(**call.function.arguments) for call in calls] == [3, 7]
    assert made.message.content == "Let me see."
    results = [
        {"role": "tool", "tool_name": call.function.name, "content": "3 and 7"} for call in calls
    ]
    assert c.chat("told", [*asked, made.message, *results], tools=[add]).message.content == (
        "3 and 7"
    )


def check_tools_stream(url: str) -> None:
    """Calls of tools in a stream: each whole, in a part of its own"""
    parts = list(Client(url).chat("told", user(json.dumps(CALL)), tools=[add], stream=True))
    calling = [part.message.tool_calls for part in parts if part.message.tool_calls]
    assert [len(calls) for calls in calling] == [1, 1]
    assert calling[1][0].function.arguments == {"a": 3, "b": 4}
    assert "".join(part.message.thinking or "" for part in parts) == "two numbers, so add them"
    assert parts[-1].done_reason == "stop"


def check_stray_result(url: str) -> None:
    """The result of a tool that nobody called is refused"""
    stray = {"role": "tool", "tool_name": "add", "content": "3"}
    error = raised(lambda: Client(url).chat("told", [*user("hi"), stray]))
    assert error.status_code == 400
    assert "answers no call" in error.error


def check_thinking(url: str) -> None:
    """`think`: thoughts stand apart from what is said, and go back in the next request"""
    c = Client(url)
    made = c.chat("told", user(json.dumps(CALL)), think=True)
    assert made.message.thinking == "two numbers, so add them"
    again = c.chat("told", [*user("hi"), made.message, *user("go on")], think="low")
    assert again.message.content == "go on"
    made = c.generate("told", json.dumps(CALL[:3]), think=True)
    assert (made.thinking, made.response) == ("two numbers, so add them", "Let me see.")
    assert raised(lambda: c.chat("told", user("hi"), think="deep")).status_code == 400


def check_format(url: str) -> None:
    """`format`: JSON, and the schema of a pydantic class whose instance comes back"""
    c = Client(url)
    written = json.dumps([{"text": City(name="Ulm", people=126329).model_dump_json()}])
    made = c.chat("told", user(written), format=City.model_json_schema())
    assert City.model_validate_json(made.message.content) == City(name="Ulm", people=126329)
    assert json.loads(c.generate("told", written, format="json").response)["name"] == "Ulm"


def check_logprobs(url: str) -> None:
    """`logprobs` and `top_logprobs`"""
    made = Client(url).chat(
        "tiny",
        user("the river"),
        logprobs=True,
        top_logprobs=2,
        options={"num_predict": 3, "temperature": 0},
    )
    assert len(made.logprobs) == 3
    for token in made.logprobs:
        assert token.logprob <= 0
        assert token.top_logprobs[0].logprob == token.logprob
        assert len(token.top_logprobs) == 2


def check_same_text(url: str) -> None:
    """A checkpoint of the zoo writes the same whole and in a stream"""
    how = {"temperature": 0, "num_predict": 8}
    c = Client(url)
    whole = c.chat("tiny", user("the river flows"), options=how)
    parts = c.chat("tiny", user("the river flows"), options=how, stream=True)
    assert "".join(part.message.content for part in parts) == whole.message.content
    assert whole.eval_count == 8


def check_trained_words(url: str) -> None:
    """A small trained model answers its documented prompts word for word, whole and in a stream"""
    c = Client(url)
    spoken = [prompt for prompt in PROMPTS if not prompt.tool]
    assert len(spoken) > 3
    for prompt in spoken:
        made = c.chat("talker", user(prompt.user), options=STEADY)
        assert made.message.content == prompt.text, made.message.content
        parts = c.chat("talker", user(prompt.user), options=STEADY, stream=True)
        assert "".join(part.message.content for part in parts) == prompt.text


def check_trained_tools(url: str) -> None:
    """It calls its documented tools with their arguments, and tells in words what they say"""
    c = Client(url)
    calling = [prompt for prompt in PROMPTS if prompt.tool]
    assert {prompt.tool for prompt in calling} >= {"get_weather", "add", "uber_ride"}
    for prompt in calling:
        asked, tools = user(prompt.user), list(prompt.tools)
        made = c.chat("talker", asked, tools=tools, options=STEADY)
        (call,) = made.message.tool_calls
        assert call.function.name == prompt.tool
        assert call.function.arguments == prompt.arguments
        parts = list(c.chat("talker", asked, tools=tools, options=STEADY, stream=True))
        (told,) = [part.message.tool_calls for part in parts if part.message.tool_calls]
        assert told[0].function.arguments == prompt.arguments
        if prompt.told:
            result = {"role": "tool", "tool_name": prompt.tool, "content": prompt.result}
            said = c.chat("talker", [*asked, made.message, result], tools=tools, options=STEADY)
            assert said.message.content == prompt.told, said.message.content


def check_trained_forms(url: str) -> None:
    """It thinks where it is asked to, and keeps to a schema that its words would not fit"""
    c = Client(url)
    asked = user("What is the capital of France?")
    assert c.chat("talker", asked, think=True, options=STEADY).message.thinking
    assert not c.chat("talker", asked, think=False, options=STEADY).message.thinking
    form = {
        "type": "object",
        "properties": {"city": {"enum": ["Rome", "Oslo"]}},
        "required": ["city"],
        "additionalProperties": False,
    }
    made = c.chat("talker", asked, format=form, options={**STEADY, "num_predict": 64})
    assert json.loads(made.message.content)["city"] in ("Rome", "Oslo")
    shown = c.show("talker")
    assert set(shown.capabilities) == {"completion", "tools", "thinking"}
    told = c.chat("talker", user("What is the weather in Paris?"), tools=[GET_WEATHER], think=True)
    assert told.message.tool_calls or told.message.content


def check_images(url: str) -> None:
    """Pictures as bytes and base64; a model for texts refuses them, and what is no picture too"""
    c = Client(url)
    for image in (PNG, base64.b64encode(PNG).decode()):
        said = [{"role": "user", "content": "what?", "images": [image]}]
        assert c.chat("told", said).message.content == "what?"
        error = raised(lambda said=said: c.chat("tiny", said))
        assert error.status_code == 400
    assert c.generate("told", "what?", images=[PNG]).response == "what?"


def check_seeing(url: str) -> None:
    """A model that sees reads pictures: more of the prompt, and another answer"""
    c = Client(url)
    assert "vision" in c.show("seeing").capabilities
    how = {**STEADY, "num_predict": 4}
    said = [{"role": "user", "content": "what?"}]
    blind = c.chat("seeing", said, options=how)
    seen = c.chat("seeing", [{**said[0], "images": [PNG]}], options=how)
    assert seen.prompt_eval_count > blind.prompt_eval_count
    assert seen.eval_count == 4
    broken = [{**said[0], "images": [b"no picture"]}]
    assert raised(lambda: c.chat("seeing", broken, options=how)).status_code == 400


def check_generate(url: str) -> None:
    """`generate`: whole and in a stream, with a system prompt, raw, and with a template"""
    c = Client(url)
    made = c.generate("told", "one two", system="be kind")
    assert (made.response, made.done_reason) == ("one two", "stop")
    assert made.eval_count == 2
    parts = list(c.generate("told", "one two", stream=True))
    assert [part.response for part in parts] == ["one", " two", ""]
    assert c.generate("told", "as it is", raw=True).response == "as it is"
    filled = c.generate("told", "P", system="S", template="{{ .System }} then {{ .Prompt }}")
    assert filled.response == "S then P"


def check_refusals(url: str) -> None:
    """What cannot be honoured is refused by its name: suffix, old contexts, other templates"""
    c = Client(url)
    for name, value in {"suffix": "x", "context": [1], "template": "{{ range .X }}"}.items():
        error = raised(lambda name=name, value=value: c.generate("told", "hi", **{name: value}))
        assert error.status_code == 400
        assert name in error.error


def check_load(url: str) -> None:
    """Nothing said loads a model, and with `keep_alive=0` unloads it; `ps` tells"""
    c = Client(url)
    assert c.generate("spare").done_reason == "load"
    (spare,) = [model for model in c.ps().models if model.model == "spare"]
    assert spare.expires_at > datetime.datetime.now(datetime.UTC)
    assert spare.size >= 0
    assert spare.context_length > 0
    assert c.chat("spare", keep_alive=0).done_reason == "unload"
    assert "spare" not in [model.model for model in c.ps().models]


def check_embed(url: str) -> None:
    """`embed`: one text or several, unit length, fewer dimensions"""
    c = Client(url)
    made = c.embed("vectors", "one text")
    (vector,) = made.embeddings
    assert math.isclose(math.fsum(x * x for x in vector), 1.0, rel_tol=1e-4)
    several = c.embed("vectors", ["another", "one text"])
    assert several.embeddings[1] == vector
    assert several.prompt_eval_count > made.prompt_eval_count > 0
    assert c.embed("vectors", []).embeddings == []
    assert c.embeddings("vectors", "one text").embedding == vector
    assert len(c.embed("nested", "one text", dimensions=16).embeddings[0]) == 16


def check_embed_long(url: str) -> None:
    """`embed` of a text that is too long: cut, or refused with `truncate=False`"""
    c = Client(url)
    long = "word " * 2000
    assert len(c.embed("vectors", long).embeddings) == 1
    error = raised(lambda: c.embed("vectors", long, truncate=False))
    assert error.status_code == 400


def check_list(url: str) -> None:
    """`list` and `show`: details, sizes and what each model can do"""
    c = Client(url)
    found = {model.model: model for model in c.list().models}
    assert {"told", "tiny", "vectors"} <= found.keys()
    assert len(found["tiny"].digest) == 64
    assert found["tiny"].modified_at <= datetime.datetime.now(datetime.UTC)
    assert found["tiny"].details.family == "qwen3"
    shown = c.show("tiny")
    assert {"completion", "tools"} <= set(shown.capabilities)
    assert shown.modelinfo["general.architecture"] == "qwen3"
    assert shown.modelinfo["qwen3.context_length"] > 0
    assert c.show("vectors").capabilities == ["embedding"]


def check_unknown(url: str) -> None:
    """A model that is not here: 404, whole and in a stream"""
    c = Client(url)
    for call in (
        lambda: c.chat("none", user("hi")),
        lambda: list(c.chat("none", user("hi"), stream=True)),
        lambda: c.generate("none", "hi"),
        lambda: c.embed("none", "hi"),
        lambda: c.show("none"),
    ):
        error = raised(call)
        assert error.status_code == 404
        assert "none" in error.error


def check_task(url: str) -> None:
    """A model for vectors does not chat, and one for chats makes no vectors"""
    c = Client(url)
    assert raised(lambda: c.chat("vectors", user("hi"))).status_code == 400
    assert raised(lambda: c.embed("told", "hi")).status_code == 400


def check_failure(url: str) -> None:
    """A failure before the first piece is a status; in the middle, an error instead of an end"""
    c = Client(url)
    error = raised(lambda: c.chat("told", user("!fail")))
    assert error.status_code == 500
    assert "told to fail" in error.error
    heard = []
    stream = c.chat("told", user("one two !fail"), stream=True)
    error = raised(lambda: heard.extend(part.message.content for part in stream))
    assert "told to fail" in error.error


def check_death(url: Place) -> None:
    """A worker killed in the middle of a stream ends it with an error; the next is served"""
    c = opened(url)
    heard = []
    stream = c.chat("mortal", user("one two !die"), stream=True)
    error = raised(lambda: heard.extend(part for part in stream))
    assert not any(part.done for part in heard)
    assert "mortal" in error.error or "worker" in error.error
    assert c.chat("mortal", user("still here")).message.content == "still here"


def check_leaving(url: str) -> None:
    """A stream that is left early; the next request is served"""
    c = Client(url)
    stream = c.chat("told", user("!more"), stream=True)
    assert next(stream).message.content == "!more"
    stream.close()
    assert c.chat("told", user("hi")).message.content == "hi"


def check_pull(url: str) -> None:
    """`pull`: progress in bytes up to `success`, then the model is served"""
    c = Client(url)
    parts = list(c.pull("org/tiny-chat", stream=True))
    assert parts[0].status == "pulling manifest"
    assert parts[-1].status == "success"
    fetched = [part for part in parts if part.digest]
    assert fetched[-1].completed == fetched[-1].total > 10_000
    assert [part.completed for part in fetched] == sorted(part.completed for part in fetched)
    assert c.pull("org/tiny-chat").status == "success"
    assert c.show("org/tiny-chat").details.family == "qwen3"
    made = c.generate("hf.co/org/tiny-chat:latest", "the", options={"num_predict": 2})
    assert made.eval_count == 2


def check_pull_unknown(url: str) -> None:
    """`pull` of what is not there: an error, in a stream too"""
    c = Client(url)
    assert raised(lambda: c.pull("no such model")).status_code == 404
    assert raised(lambda: c.pull("/etc")).status_code == 404
    assert raised(lambda: c.pull("org/absent")).status_code == 404
    error = raised(lambda: list(c.pull("org/absent", stream=True)))
    assert "org/absent" in error.error


def check_forbidden(url: str) -> None:
    """`delete`, `copy`, `create` and `push` are refused by name"""
    c = Client(url)
    for call in (
        lambda: c.delete("told"),
        lambda: c.copy("told", "other"),
        lambda: c.create("mine", from_="told"),
        lambda: c.push("told"),
    ):
        error = raised(call)
        assert error.status_code == 403
        assert "not served" in error.error


def check_bad_input(url: str) -> None:
    """What is no request: unknown roles, types that are none, paths that are none"""
    c = Client(url)
    assert raised(lambda: c.chat("told", [{"role": "wizard", "content": "x"}])).status_code == 400
    how = {"num_predict": "many"}
    assert raised(lambda: c.generate("told", "hi", options=how)).status_code == 400
    assert raised(lambda: c._request_raw("GET", "/api/nowhere")).status_code == 404
    error = raised(lambda: c._request_raw("POST", "/api/chat", content=b"{"))
    assert (error.status_code, type(error.error)) == (400, str)


def check_key(url: Place) -> None:
    """A server with keys wants one, and says so in this protocol's words"""
    error = raised(lambda: Client(url.locked).list())
    assert (error.status_code, type(error.error)) == (401, str)
    assert opened(url).list().models


async def check_async(url: str) -> None:
    """The asynchronous client: chat, streams, vectors, errors, leaving early"""
    c = AsyncClient(url)
    assert (await c.chat("told", user("one two"))).message.content == "one two"
    parts = [p async for p in await c.chat("told", user(json.dumps(CALL)), stream=True)]
    assert sum(len(p.message.tool_calls or []) for p in parts) == 2
    assert len((await c.embed("vectors", ["a", "b"])).embeddings) == 2
    assert (await c.generate("told", "hi")).response == "hi"
    assert "told" in [model.model for model in (await c.list()).models]
    stream = await c.chat("told", user("!more"), stream=True)
    await anext(stream)
    await stream.aclose()
    fault = ""
    try:
        async for _ in await c.chat("told", user("one !fail"), stream=True):
            pass
    except ollama.ResponseError as error:
        fault = error.error
    assert "told to fail" in fault
