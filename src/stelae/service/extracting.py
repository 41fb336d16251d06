"""Fields of items, filled in by models that write: an item each in a conversation of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from stelae.errors import ErrorInfo, InvalidInput, from_info
from stelae.types import (
    ChatCall,
    ChatUsage,
    Delta,
    ExtractCall,
    Extraction,
    ExtractResult,
    Finish,
    ImagePart,
    Item,
    Message,
    Part,
    Sampling,
    Speaker,
    Structure,
    TextPart,
    Usage,
)

AT_ONCE = 32
"""Items of a call that are written about at a time."""

SCHEMA = "output_schema"

TAKEN = frozenset({"model", "items", SCHEMA, "instruction", "max_new_tokens", "truncate", "gpu"})
"""What a call may say to a model that writes."""

TASK = "Find in what follows the values of the fields, and make none up."
"""What is asked, unless the caller says it in words of its own."""

ASKED = "{task}\n\nAnswer with JSON alone, in the form of this JSON Schema:\n{schema}\n\n{text}"

Talk = Callable[[ChatCall], AsyncGenerator[list[Delta]]]
"""Asks the model."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of one item.

    Attributes:
        fields: What was found.
        tokens: Tokens read and written.
        error: Why there is nothing.
    """

    fields: dict[str, Any]
    tokens: int = 0
    error: ErrorInfo | None = None


def check_fields(call: ExtractCall) -> None:
    """Refuse what a model that writes cannot be asked for.

    Raises:
        InvalidInput: A schema is missing, or something means nothing to such a model.
    """
    for field in msgspec.structs.fields(call):
        if field.name not in TAKEN and getattr(call, field.name) != field.default:
            raise InvalidInput(
                f"{field.name}: it means nothing to model {call.model!r}, which writes",
                param=field.name,
                hint="say what is wanted in output_schema and instruction",
            )
    if call.output_schema is None:
        raise InvalidInput(
            f"output_schema is missing: model {call.model!r} has to be told which fields to fill",
            param=SCHEMA,
            hint='give a JSON Schema, such as {"type": "object", "properties": {"name": '
            '{"type": "string"}}, "required": ["name"]}',
        )
    if call.output_schema.get("type", "object") != "object":
        raise InvalidInput("output_schema describes no object", param=SCHEMA)
    if call.max_new_tokens is not None and call.max_new_tokens < 1:
        raise InvalidInput(
            f"max_new_tokens is {call.max_new_tokens}; choose 1 or more", param="max_new_tokens"
        )


async def filled_in(call: ExtractCall, fingerprint: str, talk: Talk) -> ExtractResult:
    """The fields of a call's items.

    Args:
        call: What is asked.
        fingerprint: Of the model.
        talk: Asks it.

    Raises:
        InvalidInput: The schema cannot be kept to.
        StelaeError: The model failed.
    """
    check_fields(call)
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: Item) -> Filled:
        async with places:
            return await _filled(call, item, talk)

    made = await _all([one(item) for item in call.items])
    tokens = np.array([each.tokens for each in made], dtype=np.int32)
    return ExtractResult(
        model=call.model,
        fingerprint=fingerprint,
        items=tuple(Extraction(data=each.fields) for each in made),
        tokens=tokens,
        truncated=np.zeros(len(made), dtype=np.bool_),
        errors={i: each.error for i, each in enumerate(made) if each.error is not None},
        usage=Usage(tokens=int(tokens.sum())),
    )


async def _all(work: Sequence[Coroutine[Any, Any, Filled]]) -> list[Filled]:
    """All of it; none goes on once one has failed."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _filled(call: ExtractCall, item: Item, talk: Talk) -> Filled:
    """The fields of one item; what is wrong with it alone is its own error.

    Raises:
        StelaeError: Something else is wrong, the schema for one.
    """
    heard: list[Delta] = []
    try:
        await _hear(talk(asked(call, item)), heard)
    except InvalidInput as error:
        if error.param != "response_format":
            return Filled({}, error=error.info)
        info = msgspec.structs.replace(error.info, param=SCHEMA)
        if not heard:
            raise from_info(info) from error
        return Filled({}, error=info)
    said, usage = _said(heard)
    tokens = usage.prompt_tokens + usage.completion_tokens
    try:
        return Filled(msgspec.json.decode(said, type=dict[str, Any]), tokens)
    except msgspec.DecodeError:
        cut = InvalidInput(
            f"the answer broke off after {usage.completion_tokens} tokens, before it was whole",
            param="max_new_tokens",
            hint="raise max_new_tokens, or ask for shorter fields",
        )
        return Filled({}, tokens, cut.info)


async def _hear(pieces: AsyncGenerator[list[Delta]], heard: list[Delta]) -> None:
    """Add all pieces of an answer."""
    async with aclosing(pieces) as made:
        async for several in made:
            heard += several


def _said(pieces: Sequence[Delta]) -> tuple[str, ChatUsage]:
    """All that is said, whatever was thought before; nothing where the text broke off."""
    finish, usage = None, ChatUsage()
    for piece in pieces:
        finish, usage = piece.finish or finish, piece.usage or usage
    text = "" if finish is Finish.LENGTH else "".join(piece.text for piece in pieces)
    return text, usage


def asked(call: ExtractCall, item: Item) -> ChatCall:
    """The conversation about one item.

    Raises:
        InvalidInput: It is neither a text nor a picture's file.
    """
    schema = {"type": "object", **(call.output_schema or {})}
    written = msgspec.json.encode(schema).decode()
    text = ASKED.format(task=call.instruction or TASK, schema=written, text=item.text or "")
    content: list[Part] = [TextPart(text=text.rstrip())]
    if item.image is not None:
        content.insert(0, ImagePart(image=item.image))
    elif item.text is None:
        raise InvalidInput("an item needs a text, or a picture as its file", param="items")
    return ChatCall(
        model=call.model,
        messages=[Message(role=Speaker.USER, content=content)],
        structure=Structure(json_schema=schema),
        reasoning=False,
        sampling=Sampling(max_tokens=call.max_new_tokens, temperature=0.0),
    )
