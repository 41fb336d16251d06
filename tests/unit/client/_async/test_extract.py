from __future__ import annotations

from typing import Any

import pytest
from unit.client._async.fix_client import client_of
from unit.client.fix_server import Server, extracted, failure, packed

from stelae.client import Extracted, Extractions
from stelae.errors import InvalidInput, ProtocolError, UnsupportedTask
from stelae.types import Entity, Item

TEXTS = [f"see Ada{n}" for n in range(300)]


async def test_one_item_gives_what_it_holds() -> None:
    async with client_of(Server()) as client:
        found = await client.extract("see Ada", labels=["person"])
    assert isinstance(found, Extracted)
    assert found.entities == (Entity(text="Ada", label="person", score=0.5, start=4, end=7),)
    assert (found.tokens, found.truncated, found.model) == (4, False, "toy")


async def test_long_list_is_cut_and_comes_in_order() -> None:
    server = Server()
    async with client_of(server) as client:
        found = await client.extract(TEXTS, labels=["person"])
        streamed = await client.extract(iter(TEXTS), labels=["person"], batch_size=50)
    assert isinstance(found, Extractions)
    assert len(server.calls) == 3 + 6
    names = [row.entities[0].text for row in found]
    assert names == [text.split()[1] for text in TEXTS]
    assert [row.entities for row in streamed] == [row.entities for row in found]
    assert found[-1] == found[299]
    assert [row.entities[0].text for row in found[1:3]] == names[1:3]
    assert repr(found).startswith("Extractions(300 items")


async def test_names_stay_at_home_and_options_are_sent() -> None:
    server = Server()
    options: dict[str, Any] = {
        "relations": ["knows"], "threshold": 0.25, "nested": True, "multi_label": False,
        "hypothesis": "about {}", "instruction": "find", "max_new_tokens": 5, "beams": 2,
        "output_schema": {"type": "object"}, "truncate": "error",
    }  # fmt: skip
    async with client_of(server) as client:
        items = [Item(text="a", id="first", metadata={"page": 1})]
        (found,) = await client.extract(items, labels=("x", "y"), **options)
    assert (found.id, found.metadata) == ("first", {"page": 1})
    sent = {"model": "default", "items": [{"text": "a"}], "labels": ["x", "y"], **options}
    assert server.calls == [sent]


@pytest.mark.parametrize(
    ("items", "options", "message"),
    [
        ([], {}, "items is empty"),
        (None, {}, "items: NoneType is not an item"),
        (["a", 3], {}, r"items\[1\] is a number"),
        ("a", {"labels": "person"}, "labels='person': give a list"),
        ("a", {"labels": [3]}, "an option of extract is wrong"),
        ("a", {"threshold": "high"}, "an option of extract is wrong"),
    ],
)
async def test_what_cannot_be_sent_is_named_before_anything_is(
    items: Any, options: dict[str, Any], message: str
) -> None:
    server = Server()
    async with client_of(server) as client:
        with pytest.raises(InvalidInput, match=message):
            await client.extract(items, **options)
    assert server.requests == []


async def test_failed_item_is_raised_or_returned_in_its_place() -> None:
    texts = ["a"] * 130 + ["!bad", "see Ada"]
    async with client_of(Server()) as client:
        with pytest.raises(InvalidInput, match="told to refuse") as caught:
            await client.extract(texts)
        returned = await client.extract(texts, errors="return")
    assert caught.value.details == {"index": 130}
    assert returned[130].error is returned.errors[130]
    assert not returned[130].entities
    assert returned[131].entities


async def test_answer_that_lacks_an_item_is_refused() -> None:
    def short(request: Any) -> Any:
        del request
        return packed(extracted({"items": [{"text": "a"}]}, items=[]))

    async with client_of(Server(short)) as client:
        with pytest.raises(ProtocolError, match="1 items were sent, 0 came back"):
            await client.extract(["a"])


async def test_model_that_finds_nothing_is_told() -> None:
    async with client_of(Server(failure("unsupported_task", 400))) as client:
        with pytest.raises(UnsupportedTask):
            await client.extract("a")
