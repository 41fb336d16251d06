"""Which generation of the SDK asks: a few answers differ between them."""

from __future__ import annotations

import re

from starlette.datastructures import Headers

from stelae.dialects.base import first_of

Version = tuple[int, int, int]

SDK = b"x-sie-sdk-version"
"""Header in which the SDK tells its version."""

NEWEST: Version = (10**6, 0, 0)
"""Taken for a version that is not told or cannot be read."""

_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?")


def speaks(headers: Headers) -> bool:
    """Whether a request comes from the SDK."""
    return first_of(headers.raw, SDK) is not None


def version(headers: Headers) -> Version:
    """The version of the SDK that asks."""
    found = _VERSION.match(first_of(headers.raw, SDK) or "")
    if found is None:
        return NEWEST
    major, minor, patch = found.groups(default="0")
    return int(major), int(minor), int(patch)


def told(headers: Headers) -> str | None:
    """The version as it was told, if it can be sent back: the SDK warns of any other."""
    given = first_of(headers.raw, SDK) or ""
    return given if _VERSION.match(given) and given.isascii() and given.isprintable() else None
