"""Anthropic's requests as calls of the house."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from stelae.dialects.anthropic.convert import count_call, message_call, shows_thought
from stelae.dialects.anthropic.schema import Asked, MessageRequest
from stelae.errors import InvalidInput, NotFound
from stelae.security.fetch import Fetcher
from stelae.types import (
    ChatCall,
    ImagePart,
    Message,
    NamedTool,
    ReasoningPart,
    Sampling,
    Speaker,
    Structure,
    TextPart,
    ToolUse,
)

PNG = b"\x89PNG\r\n\x1a\n and more"
HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}
USED = {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}}


async def call(messages: list[Any] | None = None, **more: Any) -> ChatCall:
    body = {"model": "m", "max_tokens": 5, "messages": messages or HELLO, **more}
    return await message_call(msgspec.convert(body, MessageRequest), Fetcher())


async def heard(*messages: dict[str, Any], **more: Any) -> list[Message]:
    return (await call(list(messages), **more)).messages


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said, "cache_control": {"type": "ephemeral"}}


def result(content: Any, name: str = "t1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": content, **more}


def plain(role: Speaker, said: str) -> Message:
    return Message(role=role, content=[TextPart(text=said)])


async def test_plain_request_is_a_call() -> None:
    assert await call() == ChatCall(
        model="m",
        messages=[plain(Speaker.USER, "Hello")],
        reasoning=False,
        sampling=Sampling(max_tokens=5),
    )


async def test_numbers_and_stop_sequences_are_the_sampling() -> None:
    made = await call(temperature=0, top_p=0.5, top_k=7, stop_sequences=["END"])
    assert made.sampling == Sampling(
        max_tokens=5, temperature=0.0, top_p=0.5, top_k=7, stop=["END"]
    )
    unset = await call(temperature=None, top_p=None, top_k=None, stop_sequences=None)
    assert unset.sampling == Sampling(max_tokens=5)


@pytest.mark.parametrize("system", ["You add.", [text("You add.")]])
async def test_system_prompt_is_the_first_message(system: Any) -> None:
    made = await heard(*HELLO, system=system)
    assert made == [plain(Speaker.SYSTEM, "You add."), plain(Speaker.USER, "Hello")]


async def test_system_messages_are_folded_into_the_system_prompt() -> None:
    aside = {"role": "system", "content": "Be brief."}
    made = await heard(user(text("a")), aside, user(text("b")), system="You add.")
    assert made == [plain(Speaker.SYSTEM, "You add.\nBe brief."), Message(
        role=Speaker.USER, content=[TextPart(text="a"), TextPart(text="\nb")]
    )]  # fmt: skip


async def test_messages_of_one_speaker_are_one() -> None:
    made = await heard(user(text("a")), user(text("b")), assistant(text("c")), assistant(text("d")))
    assert [message.text for message in made] == ["a\nb", "cd"]


async def test_results_of_tools_come_before_what_the_user_says() -> None:
    second = {**USED, "id": "t2"}
    blocks = (result("1"), text("go on"), result([text("2"), text("3")], "t2"))
    made = await heard(*HELLO, assistant(text("I add."), USED, second), user(*blocks))
    assert made[1:] == [
        Message(
            role=Speaker.ASSISTANT,
            content=[TextPart(text="I add.")],
            tool_calls=[
                ToolUse(id="t1", name="add", arguments={"a": 1}),
                ToolUse(id="t2", name="add", arguments={"a": 1}),
            ],
        ),
        Message(role=Speaker.TOOL, content=[TextPart(text="1")], tool_call_id="t1"),
        Message(
            role=Speaker.TOOL,
            content=[TextPart(text="2"), TextPart(text="\n3")],
            tool_call_id="t2",
        ),
        plain(Speaker.USER, "go on"),
    ]


@pytest.mark.parametrize(("content", "said"), [("no disk", "Error: no disk"), (None, "Error: ")])
async def test_tool_that_failed_says_so(content: Any, said: str) -> None:
    failed = result(content, is_error=True)
    made = await heard(*HELLO, assistant(USED), user(failed))
    assert made[-1].text == said


async def test_result_without_content_is_empty() -> None:
    made = await heard(*HELLO, assistant(USED), user({"type": "tool_result", "tool_use_id": "t1"}))
    assert made[-1] == Message(role=Speaker.TOOL, tool_call_id="t1")


async def test_thoughts_are_kept_and_sealed_ones_passed_over() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "x"}
    sealed = {"type": "redacted_thinking", "data": "x"}
    made = await heard(*HELLO, assistant(thought, sealed, text("Hi")), *HELLO)
    assert made[1].content == [ReasoningPart(text="hm"), TextPart(text="Hi")]


async def test_last_message_of_the_assistant_is_gone_on_with() -> None:
    made = await call([*HELLO, {"role": "assistant", "content": "The answer is ("}])
    assert made.continues
    assert made.messages[-1] == plain(Speaker.ASSISTANT, "The answer is (")


@pytest.mark.parametrize("content", ["", []])
async def test_empty_last_message_of_the_assistant_is_passed_over(content: Any) -> None:
    made = await call([*HELLO, {"role": "assistant", "content": content}])
    assert not made.continues
    assert [message.role for message in made.messages] == [Speaker.USER]


async def test_pictures_are_read_in_messages_and_results() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
    image = {"type": "image", "source": source}
    made = await heard(user(text("see"), image), assistant(USED), user(result([image])))
    assert made[0].content == [TextPart(text="see"), ImagePart(image=PNG)]
    assert made[-1].images == [PNG]


async def test_documents_of_text_are_read() -> None:
    one = {"type": "text", "media_type": "text/plain", "data": "Once."}
    two = {"type": "content", "content": [text("Twice."), text("Thrice.")]}
    found = {"type": "search_result", "source": "a.txt", "title": "A", "content": [text("Four.")]}
    made = await heard(
        user(
            {"type": "document", "source": one, "title": "Tale", "context": "Old"},
            {"type": "document", "source": two},
            found,
        )
    )
    assert made[0].text == "Tale\nOld\nOnce.\nTwice.\nThrice.\nA\na.txt\nFour."


async def test_tools_are_told_in_the_form_of_the_house() -> None:
    theirs = {"type": "function", "function": {"name": "sub", "parameters": {}}}
    bare = {"type": "custom", "name": "now", "cache_control": {"type": "ephemeral"}}
    made = await call(tools=[TOOL, theirs, bare])
    told = {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}
    nothing = {"type": "object", "properties": {}}
    assert made.tools == [
        {"type": "function", "function": told},
        theirs,
        {"type": "function", "function": {"name": "now", "parameters": nothing}},
    ]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "add"}, NamedTool(name="add")),
    ],
)
async def test_choices_of_tools_are_understood(asked: Any, meant: Any) -> None:
    assert (await call(tools=[TOOL], tool_choice=asked)).tool_choice == meant


async def test_parallel_calls_can_be_switched_off() -> None:
    assert (await call(tools=[TOOL])).parallel_tool_calls
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert not (await call(tools=[TOOL], tool_choice=choice)).parallel_tool_calls


@pytest.mark.parametrize(
    ("asked", "reasoning", "shown"),
    [
        (None, False, False),
        ({"type": "disabled"}, False, False),
        ({"type": "adaptive"}, None, True),
        ({"type": "between_tools"}, None, True),
        ({"type": "enabled", "budget_tokens": 1024}, True, True),
    ],
)
async def test_thought_is_asked_for_by_thinking(asked: Any, reasoning: Any, shown: bool) -> None:
    made = await call(max_tokens=1025, thinking=asked)
    assert made.reasoning is reasoning
    body = {"model": "m", "max_tokens": 5, "messages": HELLO, "thinking": asked}
    assert shows_thought(msgspec.convert(body, MessageRequest)) is shown


@pytest.mark.parametrize(("effort", "told"), [("low", "low"), ("max", "high")])
async def test_effort_is_told_to_the_template(effort: str, told: str) -> None:
    made = await call(output_config={"effort": effort})
    assert made.template_options == {"reasoning_effort": told}


@pytest.mark.parametrize("field", ["output_config", "output_format"])
async def test_schema_is_the_form_of_the_text(field: str) -> None:
    form = {"type": "json_schema", "schema": {"type": "object"}}
    asked = {"format": form} if field == "output_config" else form
    assert (await call(**{field: asked})).structure == Structure(json_schema={"type": "object"})


async def test_fields_of_agents_are_passed_over() -> None:
    more = {
        "metadata": {"user_id": "u"},
        "service_tier": "auto",
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
        "cache_control": {"type": "ephemeral"},
        "container": None,
        "mcp_servers": [],
        "betas": ["x"],
    }
    assert await call(**more) == await call()


async def test_counting_needs_no_max_tokens() -> None:
    asked = msgspec.convert({"model": "m", "messages": HELLO, "tools": [TOOL]}, Asked)
    made = await count_call(asked, Fetcher())
    assert made.count_only
    assert (made.messages, len(made.tools)) == ([plain(Speaker.USER, "Hello")], 1)


@pytest.mark.parametrize("kind", ["create", None])
async def test_new_threads_are_plain_conversations(kind: str | None) -> None:
    assert await call(thread=kind and {"type": kind}) == await call()


async def test_clients_that_go_on_with_a_thread_are_made_to_send_it_whole() -> None:
    with pytest.raises(NotFound) as caught:
        await call(thread={"type": "continue", "previous_message_id": "msg_1"})
    assert caught.value.details == {"error_code": "thread_not_found"}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": ({"messages": []}, "messages"),
    "system alone": ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
    "many blocks": ({"messages": [user(*[{"type": "text", "text": "x"}] * 20_001)]}, "messages"),
    "empty user": ({"messages": [*HELLO, user()]}, r"messages[1].content"),
    "unknown block": ({"messages": [user({"type": "video"})]}, "messages[0].content[0]"),
    "server block": ({"messages": [*HELLO, assistant({"type": "server_tool_use"})]}, "messages[1]"),
    "no text": ({"messages": [user({"type": "text"})]}, "messages[0].content[0].text"),
    "no result": ({"messages": [*HELLO, assistant(USED)]}, "messages"),
    "result of nobody": ({"messages": [user(result("x"))]}, "tool_use_id"),
    "call by the user": ({"messages": [user(USED)]}, "messages[0].content[0]"),
    "call without id": ({"messages": [*HELLO, assistant({**USED, "id": ""})]}, "messages[1]"),
    "image of a file": (
        {"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]},
        "messages[0].content[0].source",
    ),
    "image elsewhere": (
        {"messages": [user({"type": "image", "source": {"type": "url", "url": "http://a/b"}})]},
        "messages[0].content[0].source",
    ),
    "image without source": ({"messages": [user({"type": "image"})]}, "source"),
    "pdf": (
        {"messages": [user({"type": "document", "source": {"type": "base64", "data": "x"}})]},
        "messages[0].content[0].source",
    ),
    "system image": ({"system": [{"type": "image"}]}, "system[0]"),
    "no tokens": ({"max_tokens": 0}, "max_tokens"),
    "hot": ({"temperature": 1.1}, "temperature"),
    "top_p": ({"top_p": 2}, "top_p"),
    "server tool": ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
    "tool without name": ({"tools": [{"description": "x"}]}, "tools[0]"),
    "schema": ({"tools": [{"name": "x", "input_schema": 1}]}, "tools[0]"),
    "choice": ({"tool_choice": {"type": "some"}}, "tool_choice"),
    "choice of nothing": ({"tool_choice": {"type": "tool"}}, "tool_choice"),
    "thinking": ({"thinking": {"type": "deeply"}}, "thinking.type"),
    "no budget": ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    "budget": ({"thinking": {"type": "enabled", "budget_tokens": 1023}}, "thinking.budget_tokens"),
    "large budget": (
        {"max_tokens": 1024, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        "thinking.budget_tokens",
    ),
    "servers": ({"mcp_servers": [{"type": "url", "url": "https://a", "name": "x"}]}, "mcp_servers"),
    "container": ({"container": "container_1"}, "container"),
    "form": ({"output_format": {"type": "xml"}}, "output_config.format"),
    "no schema": ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_heeded_is_refused_by_name(name: str) -> None:
    asked, param = BAD[name]
    body = {"model": "m", "max_tokens": 5, "messages": HELLO, **asked}
    with pytest.raises(InvalidInput) as caught:
        await message_call(msgspec.convert(body, MessageRequest), Fetcher())
    assert caught.value.param is not None
    assert param in caught.value.param
