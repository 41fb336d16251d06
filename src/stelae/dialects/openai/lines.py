"""Answers to single lines of a batch, by what they ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing

import msgspec

from stelae.dialects.ask import render
from stelae.dialects.decode import decode
from stelae.dialects.items import told_items
from stelae.dialects.openai import convert
from stelae.dialects.openai.chat_read import chat_call, completion_calls, is_older
from stelae.dialects.openai.chat_routes import CHAT, COMPLETION, echoed
from stelae.dialects.openai.chat_write import ChatShape
from stelae.dialects.openai.completion_write import CompletionShape
from stelae.dialects.openai.moderations import (
    MODERATION,
    classes_wanted,
    moderation,
    moderation_call,
)
from stelae.dialects.openai.options import understood
from stelae.dialects.openai.responses.read import response_call
from stelae.dialects.openai.responses.routes import RESPONSE
from stelae.dialects.openai.responses.telling import Telling
from stelae.dialects.openai.schema import EmbeddingRequest
from stelae.dialects.openai.spelled import refuse_purposes
from stelae.dialects.several import summed
from stelae.dialects.writing import Gathered, gather
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.service.inference import Caller, Inference

Answer = Callable[[bytes, Inference, Caller], Awaitable[bytes]]
"""Answers the body of a line, for who asks."""

EMBED = msgspec.json.Decoder(EmbeddingRequest)

NOTHING = Fetcher()
"""Fetches nothing: pictures of a batch stand in it."""


async def embeddings(body: bytes, inference: Inference, caller: Caller) -> bytes:
    """Texts, token ids, pictures or recordings to vectors."""
    asked = decode(EMBED, body)
    refuse_purposes(asked)
    call = convert.encode_call(asked, await told_items(asked.input, NOTHING))
    with convert.fields_as_sent(names=convert.sent(asked)):
        result = await inference.encode(call, caller)
    return await render(convert.embedding_body, result, asked)


async def chat_completions(body: bytes, inference: Inference, caller: Caller) -> bytes:
    """Go on with a conversation."""
    asked = understood(CHAT, body)
    _whole(asked.stream)
    call = await chat_call(asked, NOTHING)
    gathered = await gather(inference.chat(call, caller), call.n)
    return msgspec.json.encode(ChatShape(asked.model, older=is_older(asked)).whole(gathered))


async def completions(body: bytes, inference: Inference, caller: Caller) -> bytes:
    """Go on with a text, or with several, one after the other."""
    asked = understood(COMPLETION, body)
    _whole(asked.stream)
    calls = completion_calls(asked)
    gathered = Gathered(0)
    for call in calls:
        one = await gather(inference.chat(call, caller), call.n)
        gathered.texts += one.texts
        gathered.usage = summed(gathered.usage, one.usage)
    return msgspec.json.encode(CompletionShape(asked.model, echoed(asked, calls)).whole(gathered))


async def responses(body: bytes, inference: Inference, caller: Caller) -> bytes:
    """Go on with a conversation; nothing is kept of it but the answer."""
    asked = understood(RESPONSE, body)
    _whole(asked.stream)
    if asked.previous_response_id is not None:
        raise InvalidInput(
            "previous_response_id is not supported in batches; send the whole conversation",
            param="previous_response_id",
        )
    call = await response_call(asked, (), NOTHING)
    telling = Telling(asked, asked.model)
    async with aclosing(telling.events(inference.chat(call, caller))) as events:
        async for _ in events:
            pass
    return msgspec.json.encode(telling.over(stored=False))


async def moderations(body: bytes, inference: Inference, caller: Caller) -> bytes:
    """How likely texts are of each category."""
    asked = decode(MODERATION, body)
    if asked.model is None:
        raise InvalidInput("the field 'model' is missing: lines of a batch name it", param="model")
    with classes_wanted():
        result = await inference.extract(moderation_call(asked, asked.model), caller)
    return msgspec.json.encode(moderation(result))


def _whole(stream: bool | None) -> None:
    if stream:
        raise InvalidInput(
            "stream: lines of a batch are answered whole; leave it out", param="stream"
        )


ENDPOINTS: dict[str, Answer] = {
    "/v1/embeddings": embeddings,
    "/v1/chat/completions": chat_completions,
    "/v1/completions": completions,
    "/v1/responses": responses,
    "/v1/moderations": moderations,
}
"""What the lines of a batch may ask for."""
