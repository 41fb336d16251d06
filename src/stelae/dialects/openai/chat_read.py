"""From OpenAI's requests for chats and completions to the calls of the house."""

from __future__ import annotations

from functools import partial

import msgspec

from stelae.dialects.openai import options
from stelae.dialects.openai.chat_schema import ChatRequest, CompletionRequest
from stelae.dialects.openai.messages import messages
from stelae.dialects.openai.tools import choice, tools
from stelae.dialects.writing import picture
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.types import ChatCall

PROMPTS = 1024
"""Most prompts of one request for completions, and most texts that are written for them."""

COMPLETION_TOKENS = 16
"""Longest completion if nobody says, as in the original."""


def is_older(request: ChatRequest) -> bool:
    """Whether tools are stated, and answered, in the older form."""
    return request.functions is not None


async def chat_call(request: ChatRequest, fetcher: Fetcher) -> ChatCall:
    """The call that a request for a chat means.

    Args:
        request: The request.
        fetcher: Gets pictures that stand elsewhere, if it may.

    Raises:
        InvalidInput: It is no call, or asks for what nobody would heed.
    """
    _check(request)
    stated = _functions(request) if is_older(request) else request.tools
    chosen, told = choice(_choice(request), tools(stated))
    reasoning, variables = options.thinking(
        request.reasoning_effort, request.enable_thinking, request.chat_template_kwargs
    )
    longest = request.max_completion_tokens
    return ChatCall(
        model=request.model,
        messages=await messages(request.messages, partial(picture, fetcher)),
        tools=told,
        tool_choice=chosen,
        parallel_tool_calls=request.parallel_tool_calls is not False and not is_older(request),
        structure=options.structure(request),
        reasoning=reasoning,
        template_options=variables,
        continues=bool(request.continue_final_message),
        lora=request.lora_name or request.lora_adapter,
        n=1 if request.n is None else request.n,
        sampling=options.sampling(
            request,
            max_tokens=request.max_tokens if longest is None else longest,
            logprobs=bool(request.logprobs),
            top_logprobs=request.top_logprobs or 0,
        ),
    )


def _check(request: ChatRequest) -> None:
    options.refuse(request, ("audio", "web_search_options"))
    options.refuse(request, ("chat_template",), ": the model's own is used")
    if any(kind != "text" for kind in request.modalities or []):
        raise InvalidInput("modalities: models here write 'text' only", param="modalities")
    if is_older(request) and request.tools is not None:
        raise InvalidInput("functions is the older form of tools: give one", param="functions")


def _functions(request: ChatRequest) -> list[dict[str, object]]:
    return [{"type": "function", "function": tool} for tool in request.functions or []]


def _choice(request: ChatRequest) -> str | dict[str, object] | None:
    return request.function_call if is_older(request) else request.tool_choice


def completion_calls(request: CompletionRequest) -> list[ChatCall]:
    """The calls that a request for completions means, one for each prompt.

    Raises:
        InvalidInput: It is no call, or asks for what nobody would heed.
    """
    options.refuse(request, ("suffix",))
    count = 1 if request.n is None else request.n
    if request.best_of is not None and request.best_of != count:
        raise InvalidInput(
            f"best_of={request.best_of}: only the value of n, which is {count}, is supported",
            param="best_of",
        )
    if request.echo and request.logprobs is not None:
        raise InvalidInput("echo is not supported with logprobs; leave one out", param="echo")
    call = ChatCall(
        model=request.model,
        structure=options.structure(request),
        lora=request.lora_name or request.lora_adapter,
        n=count,
        sampling=options.sampling(
            request,
            max_tokens=COMPLETION_TOKENS if request.max_tokens is None else request.max_tokens,
            logprobs=request.logprobs is not None,
            top_logprobs=request.logprobs or 0,
        ),
    )
    prompts = _prompts(request)
    if len(prompts) * count > PROMPTS:
        raise InvalidInput(
            f"prompt: {len(prompts)} prompts and n={count} make {len(prompts) * count} texts; at "
            f"most {PROMPTS} are written for one request",
            param="n",
        )
    return [_with(call, prompt, bool(request.echo)) for prompt in prompts]


def _prompts(request: CompletionRequest) -> list[str | list[int]]:
    given = request.prompt
    if isinstance(given, str):
        return [given]
    ids = [part for part in given if isinstance(part, int)]
    if ids and len(ids) == len(given):
        return [ids]
    if not 0 < len(given) <= PROMPTS:
        raise InvalidInput(
            f"prompt: 1 to {PROMPTS} prompts were expected, not {len(given)}", param="prompt"
        )
    kinds = {type(part) for part in given}
    if len(kinds) > 1:
        raise InvalidInput("prompt: texts and tokens cannot be mixed", param="prompt")
    return [part for part in given if not isinstance(part, int)]


def _with(call: ChatCall, prompt: str | list[int], echo: bool) -> ChatCall:
    if isinstance(prompt, str):
        return msgspec.structs.replace(call, prompt=prompt)
    if echo:
        raise InvalidInput("echo is not supported for prompts of tokens", param="echo")
    return msgspec.structs.replace(call, prompt_tokens=prompt)
