from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Prepared
from stelae.engines.text.encode import EncodeJob
from stelae.engines.text.features import Features
from stelae.engines.text.intake import Intake
from stelae.errors import InputTooLong, InvalidInput, UnsupportedCheckpoint
from stelae.types import EncodeCall, Item, Truncate


class Letters:
    """Each letter is a token, its id its place in the alphabet; 90 and 91 stand around."""

    def __init__(self) -> None:
        self.vocabulary, self.prefix, self.suffix = 92, [90], [91]
        self.middle, self.typed = [91], True
        self.surplus: dict[int, str] = {}

    def read(self, texts: Sequence[str], room: int, truncate: Truncate) -> list[list[int]]:
        return [[ord(letter) - ord("a") for letter in text] for text in texts]


def spec(max_tokens: int) -> ModelSpec:
    catalog = Catalog()
    found = catalog.spec("default")
    return msgspec.structs.replace(found, max_tokens=max_tokens)


def job(call: EncodeCall) -> EncodeJob:
    return EncodeJob(call, Intake(spec(6), Letters()), "print")


def prepared_of(call: EncodeCall) -> list[Prepared[Features]]:
    return job(call).prepare(0, len(call.items))


def prepare(text: str, truncate: Truncate, prompt: str | None = None) -> list[int]:
    call = EncodeCall(model="m", items=[Item(text=text)], truncate=truncate, prompt=prompt)
    (prepared,) = prepared_of(call)
    assert prepared.features is not None
    assert prepared.cost == prepared.tokens == len(prepared.features.ids)
    return prepared.features.ids.tolist()


def test_special_tokens_stand_around_a_text() -> None:
    assert prepare("abc", Truncate.END) == [90, 0, 1, 2, 91]


def test_end_keeps_the_beginning_and_start_the_end() -> None:
    assert prepare("abcdef", Truncate.END) == [90, 0, 1, 2, 3, 91]
    assert prepare("abcdef", Truncate.START) == [90, 2, 3, 4, 5, 91]


def test_cutting_at_the_start_never_cuts_the_prompt() -> None:
    assert prepare("abcdef", Truncate.START, prompt="yz") == [90, 24, 25, 4, 5, 91]


def test_call_may_read_less_of_a_text_than_the_model_does() -> None:
    call = EncodeCall(model="m", items=[Item(text="abcdef"), Item(text="a")], max_tokens=4)
    cut, whole = prepared_of(call)
    assert cut.features is not None
    assert cut.features.ids.tolist() == [90, 0, 1, 91]
    assert (cut.truncated, whole.truncated) == (True, False)
    (more,) = prepared_of(msgspec.structs.replace(call, items=call.items[:1], max_tokens=100))
    assert more.tokens == 6


@pytest.mark.parametrize("longest", [-1, 0])
def test_length_that_is_none_is_refused(longest: int) -> None:
    with pytest.raises(InvalidInput, match=f"max_tokens={longest}: 1 or more"):
        job(EncodeCall(model="m", items=[Item(text="a")], max_tokens=longest))


def test_length_without_room_for_a_text_is_refused() -> None:
    (prepared,) = prepared_of(EncodeCall(model="m", items=[Item(text="a")], max_tokens=2))
    assert isinstance(prepared.error, InvalidInput)
    assert prepared.error.param == "max_tokens"


def test_too_long_text_is_refused_when_asked_to_be() -> None:
    call = EncodeCall(model="m", items=[Item(text="abcdef")], truncate=Truncate.ERROR)
    (prepared,) = prepared_of(call)
    assert isinstance(prepared.error, InputTooLong)
    assert prepared.error.details == {"tokens": 6, "max_tokens": 4}
    assert prepared.features is None


def test_given_ids_stand_as_they_are_without_a_prompt() -> None:
    call = EncodeCall(model="m", items=[Item(token_ids=[3, 4])], prompt="yz")
    (prepared,) = prepared_of(call)
    assert prepared.features is not None
    assert prepared.features.ids.tolist() == [90, 3, 4, 91]
    assert prepared.features.prompt == 0


def test_model_without_room_for_a_text_is_refused() -> None:
    with pytest.raises(UnsupportedCheckpoint, match="leaves no room"):
        Intake(spec(2), Letters())


def test_long_text_is_not_light_although_little_of_it_is_kept() -> None:
    long = job(EncodeCall(model="m", items=[Item(text="x" * 1_000_000)]))
    assert long.estimate == 6
    assert not long.light
    assert job(EncodeCall(model="m", items=[Item(text="short")])).light
