"""Routes: what each dialect answers, and the messages of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from msgspec import Struct

from reference.markdown import anchor, code, codes, joined, prose, table
from reference.schemas import words
from stelae.dialects.base import Dialect, Operation
from stelae.server.app import DIALECTS
from stelae.server.listeners import Claim, settle
from stelae.server.openapi import document
from stelae.server.pages import pages

INTRODUCTION = """
Every dialect answers on every port. The same is told by a running server: `/docs` is a page for
people, `/openapi.json` the OpenAPI document for programs.
"""

HEADERS = (
    (
        "`Authorization`",
        "request",
        "`Bearer KEY`, where the server has keys; `X-API-Key: KEY` too.",
    ),
    ("`X-Request-Id`", "both", "Names the request in the log; made up if not given."),
    ("`X-Request-Timeout-Ms`", "request", "Milliseconds after which the answer is worth nothing."),
    ("`Server-Timing`", "answer", "Milliseconds per stage: prepare, queue, run, finish, total."),
    ("`X-Stelae-Fingerprint`", "answer", "What made the vectors; other prints, other vectors."),
    ("`X-Stelae-Truncated`", "answer", "Number of items that were cut, where any was."),
    ("`X-Stelae-Sample-Rate`", "answer", "Samples a second of speech, where it is sent as sound."),
    ("`X-Stelae-Error-Code`", "answer", "Code of the [error](errors.md)."),
    ("`Retry-After`", "answer", "Seconds to wait, where the same request may succeed later."),
)


def page() -> str:
    """The operations of every dialect, headers, messages."""
    claims = settle([*DIALECTS, pages(bytes)])
    schemas = document(claims, "")["components"]["schemas"]
    dialects = dict.fromkeys(claim.dialect.name for claim in claims)
    return joined(
        "# Routes",
        INTRODUCTION,
        *(part for name in dialects for part in dialect(name, claims)),
        "## Headers",
        table(("header", "in", "meaning"), HEADERS),
        "## Messages",
        *(part for name in sorted(schemas) for part in message(name, schemas)),
    )


def dialect(name: str, claims: list[Claim]) -> Iterator[str]:
    """The operations of one dialect."""
    mine = [claim for claim in claims if claim.dialect.name == name]
    yield f"## {name}\n\n{about(mine[0].dialect)}"
    head = ("method", "path", "takes", "answers", "meaning", "errors")
    yield table(head, (operation(claim.operation) for claim in mine))
    if feeds := mine[0].dialect.feeds:
        yield "WebSockets, on which the server tells something again and again:"
        told = ((code(feed.path), f"{feed.every:g} s", feed.summary) for feed in feeds)
        yield table(("path", "every", "tells"), told)


def about(dialect: Dialect) -> str:
    """One sentence."""
    return f"{dialect.summary}."


def operation(operation: Operation) -> tuple[str, ...]:
    """One method on one path."""
    return (
        operation.method,
        code(operation.path.replace(":path}", "}")),
        linked(operation.request),
        linked(operation.response) or codes(operation.media),
        operation.summary,
        codes(error.code for error in operation.errors),
    )


def linked(kind: Any) -> str:
    """The names of messages, linked to their fields; empty where plain values are told."""
    return " or ".join(link(name) for name in dict.fromkeys(messages(kind)))


def messages(kind: Any) -> Iterator[str]:
    """The names of the messages that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield kind.__name__
    for part in get_args(kind):
        yield from messages(part)


def message(name: str, schemas: dict[str, Any]) -> Iterator[str]:
    """A message with its fields, or a set of words with its members."""
    schema = schemas[name]
    yield f"### {name}\n\n{prose(schema.get('description', ''))}"
    if "properties" in schema:
        rows = (field(key, kind, schema) for key, kind in schema["properties"].items())
        yield table(("field", "type", "default", "meaning"), rows)
    else:
        yield f"One of {words(schema, link)}."


def field(name: str, kind: dict[str, Any], schema: dict[str, Any]) -> tuple[str, ...]:
    """One field of a message."""
    needed = name in schema.get("required", ())
    given = "*required*" if needed else default(kind.get("default"))
    return code(name), words(kind, link), given, prose(kind.get("description", ""))


def default(value: Any) -> str:
    """A default as it stands in JSON; nothing for ``null`` and for empty ones."""
    match value:
        case None | [] | () | {} | "":
            return ""
        case bool():
            return code(str(value).lower())
        case list() | tuple():
            return codes(value)
        case _:
            return code(value)


def link(name: str) -> str:
    """A link to the message of a name."""
    return f"[{name}]({anchor(name)})"
