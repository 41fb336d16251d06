"""What is asked of models that read and write: vectors, ranks, texts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stelae.xinference._asks import Ask, extras
from stelae.xinference.errors import invalid


def embeddings(uid: str, given: Any, more: Mapping[str, Any]) -> Ask:
    """Vectors of inputs."""
    return _post(
        "Failed to create the embeddings",
        "/v1/embeddings",
        {"model": uid, "input": given, **more},
    )


def tokens(uid: str, given: Any, more: Mapping[str, Any]) -> Ask:
    """Tokens by their ids."""
    return _post(
        "Failed to decode token ids",
        "/v1/convert_ids_to_tokens",
        {"model": uid, "input": given, **more},
    )


def ranking(uid: str, fields: Mapping[str, Any], more: Mapping[str, Any]) -> Ask:
    """Documents by a query; the protocol has further arguments twice."""
    told = {"model": uid, **fields, "kwargs": extras(more), **more}
    return _post("Failed to rerank documents", "/v1/rerank", told)


def completion(uid: str, prompt: str, config: Mapping[str, Any] | None) -> Ask:
    """A text goes on."""
    told = {"model": uid, "prompt": prompt, **(config or {})}
    return _post("Failed to generate completion", "/v1/completions", told)


def chat(
    uid: str,
    messages: Any,
    tools: Any,
    thinking: bool | None,
    config: Mapping[str, Any] | None,
) -> Ask:
    """A conversation goes on.

    Raises:
        XinferenceError: The arguments of the template are no JSON object.
    """
    told = {"model": uid, "messages": messages, **(config or {})}
    if tools is not None:
        told["tools"] = tools
    if thinking is not None:
        asked = {"enable_thinking": thinking, "thinking": thinking}
        told["chat_template_kwargs"] = {**_template(told.get("chat_template_kwargs")), **asked}
    return _post("Failed to generate chat completion", "/v1/chat/completions", told)


def inference(uid: str, args: tuple[Any, ...], more: Mapping[str, Any]) -> Ask:
    """Whatever a model of no other kind does."""
    return _post("Failed to predict", "/v1/flexible/infers", {"model": uid, "args": args, **more})


def in_pieces(ask: Ask) -> bool:
    """Whether the answer was asked for piece by piece."""
    return bool((ask.body or {}).get("stream"))


def _template(given: Any) -> Mapping[str, Any]:
    if isinstance(given, str):
        try:
            return msgspec.json.decode(given, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise invalid(f"chat_template_kwargs: no JSON object: {error}") from error
    return given or {}


def _post(what: str, path: str, body: Mapping[str, Any]) -> Ask:
    return Ask(what=what, method="POST", path=path, body=body)
