"""Forms with files, ``multipart/form-data``: bytes to parts, all bounded, in one pass.

Source: RFC 7578, and RFC 2046, section 5.1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from stelae.errors import BodyTooLarge, InvalidInput

PARTS = 256
"""Most parts of a form."""

HEADER_BYTES = 8192
"""Longest header of a part, all its lines together."""

BOUNDARY_LETTERS = 70
"""Longest boundary that the format allows."""

WINDOW = 1 << 20
"""Bytes searched at once; other threads wait as long."""

_END = b"\r\n\r\n"
_AFTER = re.compile(rb"(--)|[ \t]*\r\n")
_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*("(?:\\.|[^"\\])*"|[^\s;"]*)', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')


class Part(NamedTuple):
    """One field of a form.

    Attributes:
        name: Of the field.
        filename: Of the file, as it was sent, with whatever path: never to be opened; ``None``
            for a field that is none.
        media: Its media type in lower case, without parameters; empty if it states none.
        data: What it holds.
    """

    name: str
    filename: str | None
    media: str
    data: bytes


def is_form(content_type: str) -> bool:
    """Whether a body is a form with files, by its media type."""
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


def boundary_of(content_type: str) -> str:
    """What stands between the parts of a form.

    Raises:
        InvalidInput: The header does not say it, or says none that the format allows.
    """
    boundary = _parameters(content_type).get("boundary", "")
    if not 0 < len(boundary) <= BOUNDARY_LETTERS or not boundary.isascii():
        raise InvalidInput(
            f"header Content-Type: the boundary of a form has 1 to {BOUNDARY_LETTERS} ASCII "
            f"letters, not {len(boundary)}",
            param="Content-Type",
            hint="leave the header to the library that writes the form",
        )
    return boundary


def parts_of(body: bytes, boundary: str) -> Iterator[Part]:
    """The parts of a form, in order.

    Args:
        body: The whole form.
        boundary: See ``boundary_of``.

    Raises:
        InvalidInput: It is broken, ends too early or has more than ``PARTS`` parts.
        BodyTooLarge: A part's header is longer than ``HEADER_BYTES``.
    """
    delimiter = b"\r\n--" + boundary.encode("ascii")
    bare = delimiter[2:]
    here = _AFTER.match(body, len(bare)) if body.startswith(bare) else None
    here = here or _boundary(body, delimiter, 0)
    if here is None:
        raise _broken("its first boundary is missing")
    number = 0
    while here[1] is None:
        if number == PARTS:
            raise InvalidInput(f"the form has more than {PARTS} parts, the most that are taken")
        start = _data(body, here.end(), number)
        following = _boundary(body, delimiter, start - 2)
        if following is None:
            raise _broken(f"part {number} does not end: the last boundary is missing")
        stop = following.start() - len(delimiter)
        yield _part(body[here.end() : start], body[start:stop], number)
        here, number = following, number + 1


def _boundary(body: bytes, delimiter: bytes, start: int) -> re.Match[bytes] | None:
    """What follows the next boundary; what only begins like one belongs to the part."""
    at = _find(body, delimiter, start)
    while at >= 0:
        if (found := _AFTER.match(body, at + len(delimiter))) is not None:
            return found
        at = _find(body, delimiter, at + len(delimiter))
    return None


def _find(body: bytes, delimiter: bytes, start: int) -> int:
    for at in range(start, len(body), WINDOW):
        found = body.find(delimiter, at, at + WINDOW + len(delimiter) - 1)
        if found >= 0:
            return found
    return -1


def _data(body: bytes, start: int, number: int) -> int:
    """Where the data of a part begins whose header begins at ``start``, after a line end."""
    end = body.find(_END, start - 2, start + HEADER_BYTES)
    if end >= 0:
        return end + len(_END)
    if len(body) - start > HEADER_BYTES:
        raise BodyTooLarge(f"the header of part {number} has more than {HEADER_BYTES} bytes")
    raise _broken(f"the header of part {number} does not end")


def _part(head: bytes, data: bytes, number: int) -> Part:
    headers = _headers(head, number)
    disposition = headers.get("content-disposition", "")
    said = _parameters(disposition)
    if disposition.partition(";")[0].strip().lower() != "form-data" or "name" not in said:
        raise _broken(f"part {number} does not say the name of its field")
    filename = said.get("filename", said.get("filename*"))
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    return Part(said["name"], filename, media, data)


def _headers(head: bytes, number: int) -> dict[str, str]:
    try:
        lines = head.decode("utf-8").split("\r\n")
    except UnicodeDecodeError as error:
        raise _broken(f"the header of part {number} is not UTF-8") from error
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _parameters(header: str) -> dict[str, str]:
    """What follows the first word of a header, by name."""
    found = _PARAMETER.findall(header)
    return {name.lower(): _unquoted(value) for name, value in found}


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return _ESCAPED.sub(r"\1", value[1:-1]) if quoted else value


def _broken(why: str) -> InvalidInput:
    return InvalidInput(f"the form cannot be read: {why}")
