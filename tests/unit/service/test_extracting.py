"""Items whose fields a model fills in: what is wrong with one leaves the others."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from stelae.errors import InputTooLong, InvalidInput
from stelae.service.extracting import filled_in
from stelae.types import ChatCall, ChatUsage, Delta, ExtractCall, Finish, Item

SCHEMA = {"properties": {"n": {"type": "integer"}}}
FORM = "response_format"


def asked(*texts: str | None) -> ExtractCall:
    return ExtractCall(model="m", items=[Item(text=text) for text in texts], output_schema=SCHEMA)


async def talk(call: ChatCall) -> AsyncGenerator[list[Delta]]:
    """Answers with what the item says, or does as it says."""
    said = call.messages[0].text.rpartition("\n")[2]
    usage = ChatUsage(prompt_tokens=3, completion_tokens=2)
    if said == "refused":
        raise InvalidInput("no such form", param=FORM)
    if said == "long":
        raise InputTooLong("too long", param="messages")
    yield [Delta(text='{"n":')]
    if said == "costly":
        raise InvalidInput("takes too much work", param=FORM)
    yield [Delta(text=f"{said}}}", finish=Finish.LENGTH if said == "cut" else Finish.STOP)]
    yield [Delta(usage=usage)]


async def test_broken_items_have_errors_of_their_own() -> None:
    made = await filled_in(asked("1", "long", "costly", None, "cut", "2"), "f", talk)
    assert [item.data for item in made.items] == [{"n": 1}, {}, {}, {}, {}, {"n": 2}]
    params = {i: error.param for i, error in made.errors.items()}
    assert params == {1: "messages", 2: "output_schema", 3: "items", 4: "max_new_tokens"}
    assert made.tokens.tolist() == [5, 0, 0, 0, 5, 5]


async def test_a_form_that_cannot_be_kept_to_is_the_calls_own_error() -> None:
    with pytest.raises(InvalidInput, match="no such form") as caught:
        await filled_in(asked("1", "refused"), "f", talk)
    assert caught.value.param == "output_schema"
