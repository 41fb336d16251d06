"""From OpenAI's requests for responses to the calls of the house."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import msgspec
from msgspec.structs import replace

from stelae.dialects.openai import options
from stelae.dialects.openai.responses.items import messages
from stelae.dialects.openai.responses.schema import InputItem, ResponseRequest
from stelae.dialects.openai.tools import choice, tools
from stelae.dialects.writing import picture
from stelae.errors import InvalidInput, StelaeError, from_info
from stelae.security.fetch import Fetcher
from stelae.types import ChatCall, Sampling

LOGPROBS = "message.output_text.logprobs"


SENT = {"max_tokens": "max_output_tokens", "messages": "input", "response_format": "text.format"}
"""Fields of a request for a response that stand for those of a call."""


@contextmanager
def fields_as_sent() -> Iterator[None]:
    """Errors of a call name the field of the request that is at fault."""
    try:
        yield
    except StelaeError as error:
        field = SENT.get((error.param or "").partition("[")[0])
        if field is None:
            raise
        raise from_info(msgspec.structs.replace(error.info, param=field)) from error


async def response_call(
    request: ResponseRequest, before: Sequence[InputItem], fetcher: Fetcher
) -> ChatCall:
    """The call that a request for a response means.

    Args:
        request: The request.
        before: The conversation that it goes on with.
        fetcher: Gets pictures that stand elsewhere, if it may.

    Raises:
        InvalidInput: It is no call, or asks for what nobody would heed.
    """
    options.refuse(request, ("background", "conversation", "prompt"))
    if request.truncation not in (None, "disabled"):
        raise InvalidInput(
            f"truncation={request.truncation[:32]!r}: only 'disabled' is supported; what is too "
            "long is refused",
            param="truncation",
        )
    chosen, told = choice(request.tool_choice, tools(request.tools))
    effort = request.reasoning.effort if request.reasoning else None
    reasoning, variables = options.thinking(effort, None, None)
    see = partial(picture, fetcher)
    return ChatCall(
        model=request.model,
        messages=await messages(before, items_of(request), request.instructions, see),
        tools=told,
        tool_choice=chosen,
        parallel_tool_calls=request.parallel_tool_calls is not False,
        structure=options.form(request.text.format if request.text else None, "text.format"),
        reasoning=reasoning,
        template_options=variables,
        sampling=_sampling(request),
    )


def _sampling(request: ResponseRequest) -> Sampling:
    top = request.top_logprobs or 0
    given = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_output_tokens,
    }
    wanted = bool(top) or LOGPROBS in (request.include or ())
    stated = {name: value for name, value in given.items() if value is not None}
    return replace(Sampling(logprobs=wanted, top_logprobs=top), **stated)


def items_of(request: ResponseRequest) -> list[InputItem]:
    """What is asked, step by step."""
    if isinstance(request.input, str):
        return [InputItem(role="user", content=request.input)]
    return request.input
