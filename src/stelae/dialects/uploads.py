"""Requests that bring files: forms, or JSON for those who need none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
from starlette.requests import Request

from stelae.dialects.ask import offload
from stelae.dialects.decode import decode, fit, read
from stelae.dialects.writing import arguments
from stelae.errors import BodyTooLarge, InvalidInput
from stelae.wire.multipart import Part, boundary_of, is_form, parts_of

T = TypeVar("T")

FIELD_BYTES = 1 << 20
"""Longest field of a form that is no file."""

LONGEST_NAME = 255
"""Most letters of a file's name that are kept."""

MORE = ("kwargs", "extra_body")
"""Fields that hold further ones: an object, or its JSON text. Xinference's client writes the
first, pages on OpenAI's client the second; what stands beside them counts more.
"""

TEXTS = ("", "text/plain", "application/json")
"""Media types of fields that are no files, unless they have a file's name."""

_QUOTED = re.compile(r"'([\w.-]*)'")
_LISTED = re.compile(r"\['[\w.-]*'(?:, '[\w.-]*')*\]")
_OBJECT = msgspec.json.Decoder(dict[str, Any])


class Upload(NamedTuple):
    """A file that came with a request.

    Attributes:
        field: Name of its field, as it was sent.
        name: Its own name, without a path.
        data: Its bytes.
    """

    field: str
    name: str
    data: bytes


class Form:
    """What a form holds.

    A field ``name[]`` is the list ``name``, whatever its length; one that is sent several times
    is a list too.

    Attributes:
        fields: Texts by name.
        uploads: Files, in order.
    """

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.uploads: list[Upload] = []

    def files(self, *names: str) -> list[Upload]:
        """The files of one of these fields, in order; ``image[]`` is ``image``."""
        return [file for file in self.uploads if _bare(file.field) in names]

    def file(self, *names: str) -> Upload | None:
        """The one file of these fields, if there is one.

        Raises:
            InvalidInput: There are several.
        """
        found = self.files(*names)
        if len(found) > 1:
            raise InvalidInput(
                f"{names[0]}: one file was expected, not {len(found)}", param=names[0]
            )
        return next(iter(found), None)


async def asked(request: Request, kind: type[T]) -> tuple[T, Form]:
    """What a request says, in a form or as JSON, and the files with it.

    Numbers and truths are read from the texts of a form; fields that are not known are ignored,
    and an empty one of a form, like ``null``, means the default.

    Raises:
        InvalidInput: It cannot be read.
        BodyTooLarge: It is over a limit of the server.
    """
    body = await read(request)
    content_type = request.headers.get("content-type", "")
    if not is_form(content_type):
        whole = await offload(len(body), decode, _OBJECT, body)
        return fit(kind, stated(whole)), Form()
    form = await offload(len(body), read_form, content_type, body)
    filled = {name: text for name, text in form.fields.items() if text != ""}
    return fit(kind, stated(filled), lax=True), form


def read_form(content_type: str, body: bytes) -> Form:
    """Read a form.

    Args:
        content_type: Its header.
        body: All of it.

    Raises:
        InvalidInput: It is no form that can be read.
        BodyTooLarge: One of its fields is too long.
    """
    form = Form()
    for part in parts_of(body, boundary_of(content_type)):
        if part.filename is None and part.media in TEXTS:
            _add(form.fields, part.name, _text(part))
        else:
            form.uploads.append(Upload(part.name, plain_name(part.filename), part.data))
    return form


def plain_name(given: str | None) -> str:
    """A file's name without a path before it, and without what cannot be printed."""
    bare = (given or "").replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in bare if c.isprintable() and c != '"')[:LONGEST_NAME] or "upload"


def stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request, with those that stand inside another, without empty ones.

    Raises:
        InvalidInput: A field for further ones holds no object.
    """
    found: dict[str, Any] = {}
    for name in MORE:
        found.update(_inside(fields.get(name), name))
    found.update(_told(fields))
    return {name: value for name, value in found.items() if name not in MORE}


def _inside(given: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(given, str):
        given = arguments(given, name)
    if given is not None and not isinstance(given, dict):
        raise InvalidInput(f"{name}: an object was expected, or its JSON text", param=name)
    return _told(given or {})


def _told(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in fields.items() if value is not None)


def _bare(field: str) -> str:
    return field.removesuffix("[]")


def _add(fields: dict[str, Any], field: str, text: str) -> None:
    name = _bare(field)
    if name in fields or name != field:
        before = fields.get(name, [])
        fields[name] = [*(before if isinstance(before, list) else [before]), *_words(text)]
    else:
        fields[name] = text


def _words(text: str) -> list[str]:
    """One of a list's texts, or all of them.

    # Quirk: xinference-client 2.12 (async) writes ``['word', 'segment']`` into one field.
    """
    return _QUOTED.findall(text) if _LISTED.fullmatch(text) else [text]


def _text(part: Part) -> str:
    name = part.name[:32]
    if len(part.data) > FIELD_BYTES:
        raise BodyTooLarge(
            f"{name!r} has {len(part.data)} bytes, a field that is no file at most {FIELD_BYTES}",
            param=name,
        )
    try:
        return part.data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name!r} is no UTF-8 text: {error.reason}", param=name) from error
