"""How a text is to be written: what requests for chats, completions and responses share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from stelae.dialects.decode import Decoder, T, decode
from stelae.dialects.openai.chat_schema import Sampled
from stelae.dialects.writing import arguments, biases
from stelae.errors import InvalidInput
from stelae.types import Sampling, Structure

SWITCHES = ("enable_thinking", "thinking")
"""Variables of templates that say whether the model thinks first."""

EXTRA = b'"extra_body"'
_OBJECT = msgspec.json.Decoder(dict[str, Any])

SAME = (
    "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
    "frequency_penalty", "seed",
)  # fmt: skip
"""Fields of a request that a call has too; ``null`` leaves the call's own."""

ALL = -1
"""Value of ``top_k`` that keeps all tokens, as vLLM and Xinference write it; 0 does too."""


def understood(decoder: Decoder[T], body: bytes) -> T:
    """Decode a body; what stands in an ``extra_body`` counts as if it stood beside it.

    Raises:
        InvalidInput: It cannot be read.
    """
    if EXTRA in body:
        whole = decode(_OBJECT, body)
        extra = whole.pop("extra_body", None)
        stated = {name: value for name, value in whole.items() if value is not None}
        body = msgspec.json.encode({**(extra if isinstance(extra, dict) else {}), **stated})
    return decode(decoder, body)


def sampling(request: Sampled, **more: Any) -> Sampling:
    """How tokens are chosen, as a request says.

    Raises:
        InvalidInput: A key of ``logit_bias`` is no token.
    """
    given = {name: getattr(request, name) for name in SAME} | more
    if request.top_k == ALL:
        given["top_k"] = 0
    fields = {name: value for name, value in given.items() if value is not None}
    if request.repeat_penalty is not None:
        fields.setdefault("repetition_penalty", request.repeat_penalty)
    return Sampling(
        stop=[request.stop] if isinstance(request.stop, str) else request.stop or [],
        stop_tokens=request.stop_token_ids or [],
        logit_bias=biases(request.logit_bias),
        **fields,
    )


def structure(request: Sampled) -> Structure | None:
    """The form that a text must have, as ``response_format`` or one of ``guided_...`` says.

    Raises:
        InvalidInput: The form is not known, or several are given.
    """
    found = {name: made for name, read in GUIDED.items() if (made := read(request)) is not None}
    if len(found) > 1:
        raise InvalidInput(
            f"{' and '.join(found)} are given; a text has one form", param=next(iter(found))
        )
    return next(iter(found.values()), None)


def form(given: dict[str, Any] | None, place: str) -> Structure | None:
    """What a ``response_format`` means, or the ``text.format`` of a response.

    Raises:
        InvalidInput: It is not known.
    """
    kind = "text" if given is None else given.get("type")
    if given is None or kind == "text":
        return None
    if kind == "json_object":
        return Structure(json_object=True)
    if kind != "json_schema":
        raise InvalidInput(
            f"{place}: type {str(kind)[:32]!r} is not known; choose 'text', 'json_object' or "
            "'json_schema'",
            param=place,
        )
    return _schema(given.get("json_schema", given), f"{place}.json_schema")


def _schema(named: Any, place: str) -> Structure:
    schema = named.get("schema") if isinstance(named, dict) else named
    if schema is None:
        return Structure(json_object=True)
    if not isinstance(schema, dict):
        raise InvalidInput(f"{place}: a JSON Schema is an object", param=place)
    return Structure(json_schema=schema)


def _guided_json(request: Sampled) -> Structure | None:
    given = request.guided_json
    if given is None:
        return None
    schema = arguments(given, "guided_json") if isinstance(given, str) else given
    return Structure(json_schema=schema)


def _stated(name: str, field: str) -> Callable[[Sampled], Structure | None]:
    """Reads a field that says a form by itself."""

    def read(request: Sampled) -> Structure | None:
        value = getattr(request, name)
        return Structure(**{field: value}) if value else None

    return read


GUIDED: dict[str, Callable[[Sampled], Structure | None]] = {
    "response_format": lambda request: form(request.response_format, "response_format"),
    "guided_json": _guided_json,
    "guided_json_object": _stated("guided_json_object", "json_object"),
    "guided_regex": _stated("guided_regex", "regex"),
    "guided_choice": _stated("guided_choice", "choice"),
    "guided_grammar": _stated("guided_grammar", "grammar"),
}
"""How each field says a form."""


def thinking(
    effort: str | None, switch: bool | None, variables: dict[str, Any] | str | None
) -> tuple[bool | None, dict[str, Any]]:
    """Whether the model thinks first, and the variables that its template is told.

    Args:
        effort: How much it should think; ``none`` for not at all.
        switch: Whether it should, as ``enable_thinking`` says it.
        variables: Of the template; an object, or the text of one.

    Raises:
        InvalidInput: ``variables`` is neither.
    """
    told = arguments(variables, "chat_template_kwargs") if isinstance(variables, str) else variables
    options = dict(told or {})
    wanted = [switch] + [options.pop(name, None) for name in SWITCHES]
    if effort is not None:
        options.setdefault("reasoning_effort", effort)
        wanted.append(effort != "none")
    return next((bool(want) for want in wanted if want is not None), None), options


def refuse(request: msgspec.Struct, names: tuple[str, ...], why: str = "") -> None:
    """Refuse what a request has and no answer would heed.

    Raises:
        InvalidInput: It has one of these fields.
    """
    for name in names:
        if getattr(request, name):
            raise InvalidInput(f"{name} is not supported here; leave it out{why}", param=name)
