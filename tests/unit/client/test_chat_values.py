"""What callers say in a chat, as it is sent; and replies that are put together."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from stelae.client import Reply, tool_result
from stelae.client._chat import chat_call
from stelae.client._streams import packed
from stelae.errors import InvalidInput
from stelae.types import (
    ChatCall,
    Delta,
    Finish,
    ImagePart,
    Message,
    NamedTool,
    ReasoningPart,
    Speaker,
    Structure,
    TextPart,
    ToolPiece,
    ToolUse,
)

RED = Image.new("RGB", (3, 2), (200, 30, 30))


@dataclass
class City:
    """A form of an answer."""

    name: str
    people: int


class Known:
    """A class with a schema of its own, as Pydantic's have."""

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        return {"type": "object", "title": "Known"}


def add(a: int, b: int = 2, how: Literal["fast", "slow"] | None = None) -> int:
    """Add two numbers.

    Args:
        a: The first one,
            which is a whole number.
        b: The second one.

    Returns:
        Their sum.
    """
    del how
    return a + b


def call(messages: Any = "hello", **options: Any) -> ChatCall:
    return chat_call(messages, "m", options)


def content(*parts: Any) -> list[Any]:
    return list(call([{"role": "user", "content": list(parts)}]).messages[0].content)


def file_of(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_content_is_a_text_or_texts_and_parts() -> None:
    assert content("a", {"type": "text", "text": "b"}, TextPart(text="c")) == [
        TextPart(text="a"),
        TextPart(text="b"),
        TextPart(text="c"),
    ]
    assert call([{"role": "user", "content": "a"}]).messages[0].text == "a"
    assert call([{"role": "assistant", "content": None}]).messages[0].content == []


def test_pictures_are_files_in_whatever_form_they_come(tmp_path: Path) -> None:
    data = file_of(RED)
    path = tmp_path / "red.png"
    path.write_bytes(data)
    assert content(path, data, "what?") == [
        ImagePart(image=data),
        ImagePart(image=data),
        TextPart(text="what?"),
    ]
    pixels = np.asarray(RED)
    for given in (RED, pixels, RED.convert("P"), np.asarray(RED.convert("L"))):
        (part,) = content(given)
        with Image.open(BytesIO(part.image)) as read:
            assert read.size == (3, 2)
    (part,) = content(pixels)
    with Image.open(BytesIO(part.image)) as read:
        assert np.array_equal(np.asarray(read), pixels)


def test_picture_alone_is_a_message() -> None:
    said = call([{"role": "user", "content": RED}]).messages[0]
    assert [type(part) for part in said.content] == [ImagePart]


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        (Path("nowhere.png"), r"messages\[0\] .*nowhere"),
        (np.zeros((2, 2, 3)), r"messages\[0\] .*uint8"),
        (7, r"messages\[0\] has a int"),
    ],
)
def test_part_that_is_none_is_named(part: Any, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        content(part)


def test_messages_that_are_no_list_are_named() -> None:
    with pytest.raises(InvalidInput, match="messages is a int; a text or a list"):
        chat_call(5, "m", {})  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    ("options", "fault"),
    [({"stop": "\udfff"}, "surrogate"), ({"template_options": {"a": object()}}, "object")],
)
def test_what_cannot_be_sent_is_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        packed("chat", chat_call("x", "m", options))
    with pytest.raises(InvalidInput, match="surrogate"):
        packed("chat", chat_call("\ud800", "m", {}))


def test_message_that_is_none_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"messages\[1\] is a int"):
        call([{"role": "user", "content": "x"}, 7])


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("json", Structure(json_object=True)),
        ({"type": "object"}, Structure(json_schema={"type": "object"})),
        (Structure(regex="a+"), Structure(regex="a+")),
        (Known, Structure(json_schema={"type": "object", "title": "Known"})),
        (None, None),
    ],
)
def test_structure_is_said_in_several_ways(given: Any, meant: Structure | None) -> None:
    assert call(structure=given).structure == meant


def test_class_of_values_is_a_structure() -> None:
    made = call(structure=City).structure
    assert made is not None
    assert made.json_schema is not None
    assert set(made.json_schema["$defs"]["City"]["properties"]) == {"name", "people"}


@pytest.mark.parametrize("given", [7, "yaml", object()])
def test_structure_that_is_none_is_refused(given: Any) -> None:
    with pytest.raises(InvalidInput, match="structure"):
        call(structure=given)


def test_tools_are_functions_or_dicts() -> None:
    told = {"type": "function", "function": {"name": "take"}}
    described, same = call(tools=[add, told]).tools
    assert same == told
    assert described["function"] == {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {
                "a": {
                    "type": "integer",
                    "description": "The first one, which is a whole number.",
                },
                "b": {"type": "integer", "description": "The second one."},
                "how": {"anyOf": [{"enum": ["fast", "slow"]}, {"type": "null"}]},
            },
            "required": ["a"],
        },
    }


def test_argument_that_json_has_no_name_for_is_named() -> None:
    def odd(a: complex) -> None:
        del a

    with pytest.raises(InvalidInput, match=r"odd\(a\)"):
        call(tools=[odd])


def test_lists_and_dicts_say_what_they_hold() -> None:
    def many(names: list[str], counts: dict[str, int]) -> None:
        del names, counts

    fields = call(tools=[many]).tools[0]["function"]["parameters"]["properties"]
    assert fields["names"] == {"type": "array", "items": {"type": "string"}}
    assert fields["counts"] == {
        "type": "object",
        "additionalProperties": {"type": "integer"},
    }


def test_choice_of_a_tool_is_a_word_or_its_name() -> None:
    choices = [call(tool_choice=choice).tool_choice for choice in ("none", "required", "add")]
    assert choices == ["none", "required", NamedTool(name="add")]


def test_options_are_those_of_the_call_or_of_sampling() -> None:
    made = call(
        reasoning=False,
        parallel_tool_calls=False,
        template_options={"today": "Monday"},
        lora="legal",
        n=2,
        temperature=0,
        stop="END",
    )
    assert (made.reasoning, made.parallel_tool_calls, made.lora, made.n) == (
        False, False, "legal", 2,
    )  # fmt: skip
    assert made.template_options == {"today": "Monday"}
    assert (made.sampling.temperature, made.sampling.stop) == (0, ["END"])


def test_reply_is_put_together_from_its_pieces() -> None:
    reply = Reply.of(
        [
            Delta(reasoning="so "),
            Delta(reasoning="add"),
            Delta(text="Let me"),
            Delta(text=" see."),
            Delta(tool=ToolPiece(index=0, id="c0", name="add", arguments='{"a":')),
            Delta(tool=ToolPiece(index=0, arguments=" 1}")),
            Delta(tool=ToolPiece(index=1, id="c1", name="take")),
            Delta(finish=Finish.TOOL_CALLS),
        ]
    )
    first, second = reply.tool_calls
    assert (reply.text, reply.reasoning, reply.finish) == (
        "Let me see.", "so add", Finish.TOOL_CALLS,
    )  # fmt: skip
    assert first == ToolUse(id="c0", name="add", arguments={"a": 1})
    assert second == ToolUse(id="c1", name="take")
    assert reply.message == Message(
        role=Speaker.ASSISTANT,
        content=[ReasoningPart(text="so add"), TextPart(text="Let me see.")],
        tool_calls=[first, second],
    )


def test_arguments_that_were_cut_off_are_kept_as_they_are() -> None:
    piece = ToolPiece(index=0, id="c", name="add", arguments='{"a": ')
    reply = Reply.of([Delta(tool=piece), Delta(finish=Finish.LENGTH)])
    assert reply.tool_calls[0].arguments == {"raw": '{"a": '}


def test_stop_string_that_ended_a_text_is_told() -> None:
    assert Reply.of([Delta(text="x", stopped_by="END")]).stopped_by == ["END"]


def test_result_of_a_tool_answers_its_call() -> None:
    use = ToolUse(id="c0", name="add", arguments={"a": 1})
    made = tool_result(use, {"sum": 3})
    assert (made.role, made.name, made.tool_call_id) == (Speaker.TOOL, "add", "c0")
    assert made.text == '{"sum":3}'
    assert tool_result(use, "three").text == "three"
    with pytest.raises(InvalidInput, match="content"):
        tool_result(use, object())
