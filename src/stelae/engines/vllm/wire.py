"""What vLLM's server is asked, and what it answers.

Source: vLLM 0.33, ``entrypoints/openai/completion/protocol.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from stelae.types import ChatCall, Sampling, Structure

MARK = "token_id:"
"""Stands before the number of a token, where the server is asked for numbers."""


def request_of(call: ChatCall, prompt: Sequence[int], limit: int, ends: Sequence[int]) -> bytes:
    """The body of a request for a call.

    Args:
        call: What is asked; its model and adapter go by the server's names for them.
        prompt: Tokens of the conversation.
        limit: Most tokens of a text.
        ends: Tokens that end a text.
    """
    how = call.sampling
    asked: dict[str, Any] = {
        "model": call.lora or call.model,
        "prompt": list(prompt),
        "max_tokens": limit,
        "n": call.n,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_token_ids": True,
        "return_tokens_as_token_ids": True,
        "skip_special_tokens": False,
        "stop_token_ids": [*ends, *how.stop_tokens],
        **_sampling(how),
    }
    if call.structure is not None:
        asked["structured_outputs"] = _structure(call.structure)
    return msgspec.json.encode(asked)


def _sampling(how: Sampling) -> dict[str, Any]:
    asked: dict[str, Any] = {
        name: getattr(how, name)
        for name in (
            "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
            "frequency_penalty", "stop",
        )
    }  # fmt: skip
    if how.seed is not None:
        asked["seed"] = (how.seed + 2**63) % 2**64 - 2**63
    if how.logit_bias:
        asked["logit_bias"] = {str(token): bias for token, bias in how.logit_bias.items()}
    if how.logprobs:
        asked["logprobs"] = how.top_logprobs
    return asked


def _structure(form: Structure) -> dict[str, Any]:
    if form.json_object:
        return {"json_object": True}
    if form.json_schema is not None:
        return {"json": form.json_schema}
    if form.regex is not None:
        return {"regex": form.regex}
    return {"choice": form.choice} if form.choice else {"grammar": form.grammar}


class Told(msgspec.Struct, frozen=True):
    """Log-probabilities of the tokens of a piece."""

    tokens: list[str] = []
    token_logprobs: list[float | None] = []
    top_logprobs: list[dict[str, float] | None] = []


class Choice(msgspec.Struct, frozen=True):
    """A piece of one text."""

    index: int
    token_ids: list[int] | None = None
    finish_reason: str | None = None
    logprobs: Told | None = None


class Cached(msgspec.Struct, frozen=True):
    """Tokens that did not have to run."""

    cached_tokens: int | None = None


class Used(msgspec.Struct, frozen=True):
    """Tokens of the answer."""

    prompt_tokens: int
    completion_tokens: int | None = None
    prompt_tokens_details: Cached | None = None


class Fault(msgspec.Struct, frozen=True):
    """Why there is no answer, or no more of it."""

    message: str = ""


class Piece(msgspec.Struct, frozen=True):
    """An event of the answer."""

    choices: list[Choice] = []
    usage: Used | None = None
    error: Fault | None = None


PIECE = msgspec.json.Decoder(Piece)


def number(token: str) -> int:
    """The number of a token in its written form."""
    return int(token.removeprefix(MARK))
