"""Request bodies to Structs; whatever is wrong is named, never a server error."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

import msgspec
import msgspec.inspect
from starlette.requests import Request

from stelae.dialects.base import header_of
from stelae.errors import InvalidInput

T = TypeVar("T")
Decoder = msgspec.json.Decoder[T] | msgspec.msgpack.Decoder[T]

_AT = re.compile(r"^(?P<text>.*?) - at `(?:key in )?\$\.?(?P<param>[^`]*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")
_NO_MEMBER = re.compile(r"Invalid enum value (?P<given>.*)", re.DOTALL)
_SHOWN = 80
_STEP = re.compile(r"[^.\[\]]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


async def read(request: Request) -> bytes:
    """The whole body.

    Raises:
        InvalidInput: It is empty or compressed.
        BodyTooLarge: It is over the server's limit.
    """
    coding = header_of(request, b"content-encoding")
    if coding not in (None, "identity"):
        raise InvalidInput(
            f"content-encoding {(coding or '')[:32]!r} is not accepted; send the body as it is",
            param="Content-Encoding",
        )
    body = await whole(request)
    if not body:
        raise InvalidInput("the body is empty", hint="send the request as JSON in the body")
    return body


async def whole(request: Request) -> bytes:
    """The body as it came, which may be empty."""
    message = await request.receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    pieces = [body]
    while message.get("more_body", False):
        message = await request.receive()
        pieces.append(message.get("body", b""))
    return b"".join(pieces)


def decode(decoder: Decoder[T], body: bytes) -> T:
    """Decode a body.

    Raises:
        InvalidInput: Not well-formed, or not what the decoder expects; names the
            field at fault where one can be named.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), decoder.type) from error
    except RecursionError as error:
        raise InvalidInput("the body is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _refuse_surrogates(body)
        raise InvalidInput(f"the body is not well-formed: {error}") from error


def fit(kind: type[T], fields: dict[str, Any], *, lax: bool = False) -> T:
    """Fields that are read already, as a value of some type.

    Args:
        kind: The type.
        fields: By name.
        lax: Whether numbers and truths may be told as texts, as in forms.

    Raises:
        InvalidInput: They do not fit; names the field at fault.
    """
    try:
        return msgspec.convert(fields, kind, strict=not lax)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), kind) from error


def _misfit(text: str, kind: Any) -> InvalidInput:
    found = _AT.match(text)
    param = found["param"] if found else None
    text = found["text"] if found else text
    if missing := _MISSING.search(text):
        param = f"{param}.{missing['name']}" if param else missing["name"]
        return InvalidInput(f"the field '{param}' is missing", param=param)
    if unknown := _UNKNOWN.search(text):
        return _unknown(unknown["name"], param, kind)
    said = _choice(text, param, kind) or text[:1].lower() + text[1:]
    return InvalidInput(f"{param}: {said}" if param else f"body: {said}", param=param)


def _choice(text: str, param: str | None, kind: Any) -> str | None:
    """What is said of a word that is none of those a field takes."""
    given = _NO_MEMBER.fullmatch(text)
    words = _words(kind, param or "")
    return (
        f"{given['given'][:_SHOWN]} is not one of {', '.join(words)}" if given and words else None
    )


def _words(kind: Any, path: str) -> list[str]:
    """The words that the field at a path takes."""
    found = [msgspec.inspect.type_info(kind)]
    for step in _STEP.findall(path):
        found = [inner for each in found for inner in _inside(each, step)]
    enums = [part for each in found for part in _parts(each)]
    return [
        str(w) for part in enums if isinstance(part, msgspec.inspect.EnumType) for w in part.cls
    ]


def _inside(kind: msgspec.inspect.Type, step: str) -> Iterator[msgspec.inspect.Type]:
    for part in _parts(kind):
        if isinstance(part, msgspec.inspect.StructType):
            yield from (field.type for field in part.fields if field.encode_name == step)
        elif isinstance(part, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
            yield part.item_type


def _parts(kind: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, ...]:
    return kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)


def _unknown(name: str, inside: str | None, kind: Any) -> InvalidInput:
    known = getattr(kind, "__struct_encode_fields__", ())
    near = difflib.get_close_matches(name, known, n=1)
    param = f"{inside}.{name}" if inside else name
    hint = f"did you mean '{near[0]}'?" if near else None
    return InvalidInput(f"the field '{param}' is not known", param=param, hint=hint)


def _refuse_surrogates(body: bytes) -> None:
    # msgspec only says where in the bytes; the caller wants to know which text.
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return
    for path, text in _texts(content, ""):
        if _SURROGATE.search(text):
            _refuse(path)


def _refuse(path: str) -> NoReturn:
    raise InvalidInput(
        f"{path}: holds half of a surrogate pair, which is not valid Unicode text",
        param=path,
        hint="replace or drop such characters before sending",
    )


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{path}.{key}" if path else str(key))
