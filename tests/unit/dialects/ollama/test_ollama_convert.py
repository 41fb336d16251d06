"""Ollama's requests as calls of the house."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from stelae.dialects.ollama import convert
from stelae.dialects.ollama.schema import OllamaChatRequest, OllamaGenerateRequest
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.types import ChatCall, ImagePart, ReasoningPart, Structure, TextPart

HELLO = [{"role": "user", "content": "hello"}]
ADD = {"function": {"name": "add", "arguments": {"a": 1}}}
TAKE = {"function": {"name": "take", "arguments": {}}}


def chat(messages: list[dict[str, Any]] = HELLO, **fields: Any) -> ChatCall:
    request = {"model": "m", "messages": messages, **fields}
    return convert.chat_call(msgspec.convert(request, OllamaChatRequest), "m", Fetcher())


def generate(**fields: Any) -> ChatCall:
    request = {"model": "m", **fields}
    return convert.generate_call(msgspec.convert(request, OllamaGenerateRequest), "m", Fetcher())


def test_sampling_is_that_of_the_protocol_unless_it_is_given() -> None:
    plain = chat().sampling
    assert (plain.temperature, plain.top_k, plain.top_p) == (0.8, 40, 0.9)
    assert (plain.max_tokens, plain.seed, plain.stop) == (None, None, [])


def test_options_are_those_of_the_house_by_other_names() -> None:
    options = {
        "temperature": 0, "top_k": 3, "top_p": 0.5, "min_p": 0.1, "seed": 7, "num_predict": 9,
        "stop": "END", "repeat_penalty": 1.3, "presence_penalty": 0.2, "frequency_penalty": 0.4,
    }  # fmt: skip
    how = chat(options=options).sampling
    assert (how.temperature, how.top_k, how.top_p, how.min_p) == (0, 3, 0.5, 0.1)
    assert (how.seed, how.max_tokens, how.stop) == (7, 9, ["END"])
    assert (how.repetition_penalty, how.presence_penalty, how.frequency_penalty) == (1.3, 0.2, 0.4)


def test_numbers_below_zero_mean_no_limit_and_no_seed() -> None:
    how = chat(options={"num_predict": -1, "seed": -1}).sampling
    assert (how.max_tokens, how.seed) == (None, None)


def test_options_that_mean_nothing_here_are_passed_over_and_told() -> None:
    options = {"num_ctx": 4096, "mirostat": "what", "top_k": 3}
    assert chat(options=options).sampling.top_k == 3
    assert convert.ignored(options) == ["num_ctx", "mirostat"]
    assert convert.ignored(None) == []


def test_option_that_is_none_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"options\.temperature") as caught:
        chat(options={"temperature": "hot"})
    assert caught.value.param == "options.temperature"


@pytest.mark.parametrize(
    ("form", "structure"),
    [
        (None, None),
        ("", None),
        ("json", Structure(json_object=True)),
        ({"type": "object"}, Structure(json_schema={"type": "object"})),
    ],
)
def test_format_is_the_structure(form: Any, structure: Structure | None) -> None:
    assert chat(format=form).structure == structure


def test_format_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'json' or a JSON Schema"):
        chat(format="yaml")


def test_thinking_is_a_choice_or_a_level() -> None:
    assert [chat(think=think).reasoning for think in (None, True, False)] == [None, True, False]
    levelled = chat(think="low")
    assert (levelled.reasoning, levelled.template_options) == (True, {"reasoning_effort": "low"})
    with pytest.raises(InvalidInput, match="think='deep'"):
        chat(think="deep")


def test_results_of_tools_answer_calls_by_name_or_in_order() -> None:
    asked = {"role": "assistant", "content": "", "tool_calls": [ADD, TAKE, ADD]}
    results = [
        {"role": "tool", "content": "taken", "tool_name": "take"},
        {"role": "tool", "content": "first"},
        {"role": "tool", "content": "second", "tool_name": "add"},
    ]
    made = chat([*HELLO, asked, *results]).messages
    first, taken, second = [use.id for use in made[1].tool_calls]
    assert [message.tool_call_id for message in made[2:]] == [taken, first, second]
    assert made[1].tool_calls[0].arguments == {"a": 1}


def test_results_answer_calls_by_their_id_where_it_was_kept() -> None:
    calls = [{**ADD, "id": "x"}, {**ADD, "id": "y"}]
    asked = {"role": "assistant", "tool_calls": calls}
    result = {"role": "tool", "content": "2", "tool_call_id": "y"}
    assert chat([*HELLO, asked, result]).messages[-1].tool_call_id == "y"


def test_arguments_may_be_json_text_and_nothing_else() -> None:
    def asked(arguments: str) -> list[dict[str, Any]]:
        call = {"function": {"name": "add", "arguments": arguments}}
        return [*HELLO, {"role": "assistant", "tool_calls": [call]}]

    assert chat(asked('{"a": 2}')).messages[1].tool_calls[0].arguments == {"a": 2}
    with pytest.raises(InvalidInput, match=r"messages\[1\]\.tool_calls"):
        chat(asked("[1]"))


def test_pictures_and_thoughts_are_parts_of_messages() -> None:
    picture = {"role": "user", "content": "?", "images": [base64.b64encode(b"png").decode()]}
    thought = {"role": "assistant", "content": "so", "thinking": "hm"}
    first, second = chat([picture, thought]).messages
    assert first.content == [ImagePart(image=b"png"), TextPart(text="?")]
    assert second.content == [ReasoningPart(text="hm"), TextPart(text="so")]


def test_picture_that_is_none_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"messages\[0\]\.images\[0\]"):
        chat([{"role": "user", "content": "?", "images": ["no base64!"]}])


def test_prompt_is_a_message_after_what_the_system_says() -> None:
    made = generate(prompt="go", system="be kind").messages
    assert [(m.role, m.text) for m in made] == [("system", "be kind"), ("user", "go")]


def test_raw_prompt_is_gone_on_with_as_it_stands() -> None:
    call = generate(prompt="once", raw=True, system="unseen")
    assert (call.prompt, call.messages) == ("once", [])


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ .System }}|{{ .Prompt }}:", "S|P:"),
        ("<{{- .Prompt -}}>{{ .Response }}<end>", "<P>"),
        ("no places", "no places"),
    ],
)
def test_template_has_places_for_what_is_said(template: str, text: str) -> None:
    assert generate(prompt="P", system="S", template=template).prompt == text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"template": "{{ if .System }}x{{ end }}"}, "template"),
        ({"suffix": "."}, "suffix"),
        ({"context": [1, 2]}, "context"),
        ({"raw": True, "images": ["AAAA"]}, "images"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        generate(prompt="go", **fields)
    assert caught.value.param == param


def test_log_probabilities_are_told_if_they_are_asked_for() -> None:
    how = generate(prompt="go", logprobs=True, top_logprobs=3).sampling
    assert (how.logprobs, how.top_logprobs) == (True, 3)
    assert chat(top_logprobs=3).sampling.top_logprobs == 0
