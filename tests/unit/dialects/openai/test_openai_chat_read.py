"""What OpenAI's requests for chats and completions mean."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import msgspec
import pytest

from stelae.dialects.openai.chat_read import chat_call, completion_calls
from stelae.dialects.openai.chat_routes import CHAT, COMPLETION
from stelae.dialects.openai.options import understood
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.types import (
    ChatCall,
    ImagePart,
    NamedTool,
    ReasoningPart,
    Speaker,
    Structure,
    TextPart,
    ToolUse,
)

HELLO = [{"role": "user", "content": "hello"}]
ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
NOW = {"type": "function", "function": {"name": "now"}}
PNG = b"\x89PNG\r\n\x1a\n"


def call(**fields: Any) -> ChatCall:
    body = msgspec.json.encode({"model": "m", "messages": HELLO, **fields})
    return asyncio.run(chat_call(understood(CHAT, body), Fetcher()))


def completion(**fields: Any) -> list[ChatCall]:
    body = msgspec.json.encode({"model": "m", **fields})
    return completion_calls(understood(COMPLETION, body))


def test_unknown_fields_and_nulls_are_no_fault() -> None:
    made = call(
        store=True, metadata={"a": "b"}, service_tier="auto", user="u", safety_identifier="x",
        prompt_cache_key="k", verbosity="low", request_id="r", skip_special_tokens=True,
        temperature=None, stop=None, tools=None, tool_choice=None, n=None, logit_bias=None,
    )  # fmt: skip
    assert made == call()


def test_messages_of_every_role_are_read() -> None:
    tool_call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": ""}}
    made = call(
        messages=[
            {"role": "system", "content": "s"},
            {"role": "developer", "content": [{"type": "text", "text": "d"}]},
            {"role": "user", "content": "u", "name": "Ann"},
            {"role": "assistant", "content": None, "tool_calls": [tool_call], "refusal": None},
            {"role": "tool", "tool_call_id": "c1", "content": "2"},
            {"role": "assistant", "content": "two", "reasoning_content": "1 + 1"},
        ]
    ).messages
    assert [message.role for message in made] == [
        Speaker.SYSTEM, Speaker.DEVELOPER, Speaker.USER, Speaker.ASSISTANT, Speaker.TOOL,
        Speaker.ASSISTANT,
    ]  # fmt: skip
    assert made[2].name == "Ann"
    assert (made[3].content, made[3].tool_calls[0].arguments) == ([], {})
    assert made[4].tool_call_id == "c1"
    assert made[5].content == [ReasoningPart(text="1 + 1"), TextPart(text="two")]


@pytest.mark.parametrize(
    ("told", "read"),
    [('{"a": "lo', {"raw": '{"a": "lo'}), ("[1]", {"raw": "[1]"}), ("", {}), (None, {})],
)
def test_calls_are_read_as_models_and_clients_tell_them(told: str | None, read: Any) -> None:
    tool_call = {"id": "c", "type": None, "function": {"name": "f", "arguments": told}}
    said = [*HELLO, {"role": "assistant", "content": None, "tool_calls": [tool_call]}]
    assert call(messages=said).messages[1].tool_calls == [ToolUse(id="c", name="f", arguments=read)]


def test_pictures_are_read_as_object_or_text() -> None:
    uri = "data:image/png;base64," + base64.b64encode(PNG).decode()
    parts = [
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": uri, "detail": "low"}},
        {"type": "image_url", "image_url": uri},
    ]
    (message,) = call(messages=[{"role": "user", "content": parts}]).messages
    assert message.content == [TextPart(text="what?"), ImagePart(image=PNG), ImagePart(image=PNG)]


def test_too_many_pictures_are_refused_before_any_is_read() -> None:
    parts = [{"type": "image_url", "image_url": "https://example.org/x.png"}] * 65
    with pytest.raises(InvalidInput, match="65 pictures"):
        call(messages=[{"role": "user", "content": parts}])


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "add"}}, NamedTool(name="add")),
    ],
)
def test_tool_choice_is_read(given: Any, meant: Any) -> None:
    made = call(tools=[ADD, NOW], tool_choice=given)
    assert (made.tool_choice, made.tools) == (meant, [ADD, NOW])


def test_allowed_tools_are_those_the_model_is_told_of() -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "now"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    made = call(tools=[ADD, NOW], tool_choice=choice)
    assert (made.tool_choice, made.tools) == ("required", [NOW])


def test_calls_one_after_the_other() -> None:
    assert call(tools=[ADD]).parallel_tool_calls
    assert not call(tools=[ADD], parallel_tool_calls=False).parallel_tool_calls


def test_functions_are_tools_in_their_older_form() -> None:
    made = call(
        functions=[{"name": "add"}],
        function_call={"name": "add"},
        messages=[
            *HELLO,
            {"role": "assistant", "function_call": {"name": "add", "arguments": '{"a": 1}'}},
            {"role": "function", "name": "add", "content": "2"},
        ],
    )
    assert made.tools == [{"type": "function", "function": {"name": "add"}}]
    assert made.tool_choice == NamedTool(name="add")
    (use,) = made.messages[1].tool_calls
    assert (use.name, use.arguments) == ("add", {"a": 1})
    answer = made.messages[2]
    assert (answer.role, answer.tool_call_id) == (Speaker.TOOL, use.id)


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("fields", "form"),
    [
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, Structure(json_object=True)),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "strict": True, "schema": SCHEMA},
                }
            },
            Structure(json_schema=SCHEMA),
        ),
        ({"guided_json": SCHEMA}, Structure(json_schema=SCHEMA)),
        ({"guided_json": '{"type": "string"}'}, Structure(json_schema={"type": "string"})),
        ({"guided_regex": "a+"}, Structure(regex="a+")),
        ({"guided_choice": ["a", "b"]}, Structure(choice=["a", "b"])),
        ({"guided_grammar": 'start: "a"'}, Structure(grammar='start: "a"')),
        ({"guided_json_object": True}, Structure(json_object=True)),
        ({"extra_body": {"guided_regex": "a+"}}, Structure(regex="a+")),
    ],
)
def test_form_of_the_text_is_read(fields: dict[str, Any], form: Structure | None) -> None:
    assert call(**fields).structure == form
    (made,) = completion(prompt="x", **fields)
    assert made.structure == form


@pytest.mark.parametrize(
    ("fields", "thinks", "told"),
    [
        ({}, None, {}),
        ({"enable_thinking": False}, False, {}),
        ({"extra_body": {"enable_thinking": True}}, True, {}),
        ({"reasoning_effort": "none"}, False, {"reasoning_effort": "none"}),
        ({"reasoning_effort": "low"}, True, {"reasoning_effort": "low"}),
        ({"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}, False, {}),
        ({"chat_template_kwargs": '{"thinking": true, "date": "x"}'}, True, {"date": "x"}),
        ({"chat_template_kwargs": {"date": "x"}}, None, {"date": "x"}),
    ],
)
def test_thought_and_variables_of_the_template_are_read(
    fields: dict[str, Any], thinks: bool | None, told: dict[str, Any]
) -> None:
    made = call(**fields)
    assert (made.reasoning, made.template_options) == (thinks, told)


def test_names_for_the_same_thing_are_all_known() -> None:
    assert call(max_tokens=3).sampling.max_tokens == 3
    assert call(max_tokens=3, max_completion_tokens=2).sampling.max_tokens == 2
    assert call(repeat_penalty=1.5).sampling.repetition_penalty == 1.5
    assert call(repeat_penalty=1.5, repetition_penalty=2).sampling.repetition_penalty == 2
    assert call(stop_token_ids=[1, 2]).sampling.stop_tokens == [1, 2]
    assert call(lora_name="legal").lora == "legal"
    assert call(stop="x").sampling.stop == ["x"]


@pytest.mark.parametrize("given", [0, -1])
def test_all_tokens_are_kept_in_both_spellings(given: int) -> None:
    assert call(top_k=given).sampling.top_k == 0


def test_what_stands_outside_counts_more_than_extra_body() -> None:
    made = call(top_k=3, seed=None, extra_body={"top_k": 5, "seed": 7})
    assert (made.sampling.top_k, made.sampling.seed) == (3, 7)


def test_last_message_can_be_gone_on_with() -> None:
    assert call(continue_final_message=True).continues
    assert not call().continues


@pytest.mark.parametrize(
    ("prompt", "texts", "tokens"),
    [
        ("a", ["a"], [[]]),
        (["a", "b"], ["a", "b"], [[], []]),
        ([1, 2], [None], [[1, 2]]),
        ([[1], [2, 3]], [None, None], [[1], [2, 3]]),
    ],
)
def test_prompts_are_texts_or_tokens(prompt: Any, texts: Any, tokens: Any) -> None:
    made = completion(prompt=prompt)
    assert [one.prompt for one in made] == texts
    assert [one.prompt_tokens for one in made] == tokens
    assert all(one.sampling.max_tokens == 16 for one in made)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", [1]]}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": ["a"] * 1025}, "prompt"),
        ({"prompt": [-1]}, "prompt[0]"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "n": 2, "best_of": 3}, "best_of"),
        ({"prompt": "a", "echo": True, "logprobs": 1}, "echo"),
        ({"prompt": [1, 2], "echo": True}, "echo"),
    ],
)
def test_wrong_completions_are_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        completion(**fields)
    assert caught.value.param == param


def test_best_of_may_be_what_it_is_anyway() -> None:
    assert completion(prompt="a", n=2, best_of=2, suffix="")[0].n == 2


def test_texts_of_all_prompts_are_bounded_together() -> None:
    assert len(completion(prompt=["a"] * 16, n=64)) == 16
    with pytest.raises(InvalidInput, match="17 prompts and n=64 make 1088 texts"):
        completion(prompt=["a"] * 17, n=64)
