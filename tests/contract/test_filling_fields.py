"""Fields of a schema, filled in by chat models: natively, with our client and with SIE's routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import jsonschema
import pytest
import pytest_asyncio
from live import Live, live

from stelae.client import AsyncClient
from stelae.errors import InputTooLong, InvalidInput, UnsupportedTask
from stelae.sie import SIEAsyncClient
from stelae.types import Item

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["bill", "letter"]},
        "sum": {"type": "integer", "minimum": 0, "maximum": 999},
        "who": {"type": "string", "maxLength": 4},
    },
    "required": ["kind", "sum", "who"],
    "additionalProperties": False,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[Live]:
    models = {
        "writer": {"source": str(zoo / "qwen3-chat")},
        "echo": {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"},
        "vectors": {"source": "embedded", "engine": "fake"},
    }
    async with live(models=models) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: Live) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url, model="writer", retries=0) as opened:
        yield opened


async def test_every_item_has_the_fields_of_the_schema(client: AsyncClient) -> None:
    texts = ["You owe 12 to Ada.", "Dear Bob, hello.", "Pay 700 to Eve."]
    found = await client.extract(texts, output_schema=SCHEMA)
    assert len(found.items) == 3
    for one in found.items:
        jsonschema.validate(one.data, SCHEMA)
    assert found.usage.tokens == int(found.tokens.sum()) > 0
    assert not found.errors


async def test_what_is_wrong_with_one_item_is_its_own_error(client: AsyncClient) -> None:
    items = ["Pay 1.", "word " * 2000, Item(image=b"no picture"), "Pay 2."]
    found = await client.extract(items, output_schema=SCHEMA, errors="return")
    assert set(found.errors) == {1, 2}
    assert found.errors[1].code == InputTooLong.code
    assert found.errors[2].param == "messages"
    assert all(found.items[i].data for i in (0, 3))
    assert not any(found.items[i].data for i in (1, 2))


async def test_answer_that_breaks_off_is_an_error_of_its_item(client: AsyncClient) -> None:
    found = await client.extract(
        ["Pay 1."], output_schema=SCHEMA, max_new_tokens=3, errors="return"
    )
    assert found.errors[0].param == "max_new_tokens"
    assert found.items[0].data == {}


async def test_instruction_is_part_of_what_is_asked(client: AsyncClient) -> None:
    plain = await client.extract(["Pay 1."], output_schema=SCHEMA)
    told = await client.extract(["Pay 1."], output_schema=SCHEMA, instruction="Guess.")
    assert told.tokens[0] != plain.tokens[0]


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({}, "output_schema"),
        ({"labels": ["place"]}, "labels"),
        ({"output_schema": SCHEMA, "threshold": 0.5}, "threshold"),
        ({"output_schema": {"type": "array"}}, "output_schema"),
        ({"output_schema": {"type": "object", "properties": {"a": {"$ref": "http://x/"}}}},
         "output_schema"),
        ({"output_schema": SCHEMA, "max_new_tokens": 0}, "max_new_tokens"),
    ],
)  # fmt: skip
async def test_call_that_no_item_can_be_answered_for_is_refused(
    client: AsyncClient, options: dict[str, object], param: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await client.extract(["Pay 1."], **options)  # type: ignore[arg-type]  # wrong on purpose
    assert caught.value.param == param


async def test_other_models_are_not_asked(client: AsyncClient) -> None:
    with pytest.raises(UnsupportedTask, match="cannot extract"):
        await client.extract(["Pay 1."], output_schema=SCHEMA, model="vectors")


async def test_model_is_listed_with_both_tasks(client: AsyncClient) -> None:
    await client.extract(["Pay 1."], output_schema=SCHEMA)
    info = await client.model("writer")
    assert list(info.tasks) == ["extract", "chat"]


async def test_sie_clients_get_the_fields_as_data(server: Live) -> None:
    async with SIEAsyncClient(server.url) as sie:
        found = await sie.extract(
            "writer", [{"text": "Pay 1."}, {"text": "Pay 2."}], output_schema=SCHEMA
        )
    for one in found:
        jsonschema.validate(one["data"], SCHEMA)
