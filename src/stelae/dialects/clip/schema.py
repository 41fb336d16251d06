"""The protocol's messages in JSON."""

from __future__ import annotations

from typing import Any

import msgspec


class Doc(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A text or a picture, and what belongs to it.

    Attributes:
        id: Its name; made if it has none.
        text: The text, if it is one.
        blob: The bytes of the picture's file, as base64.
        tensor: The picture as nested lists of numbers.
        uri: Where the picture is, if it is not here.
        mime_type: What it is.
        tags: Anything, by name.
        chunks: Its parts.
        matches: What belongs beside it, to be ranked or found.
        embedding: Its vector.
        scores: What was found of it, by name.
        parent_id: As sent.
        granularity: As sent.
        adjacency: As sent.
        weight: As sent.
        offset: As sent.
        location: As sent.
        modality: As sent.
        evaluations: As sent.
    """

    id: str | None = None
    text: str | None = None
    blob: str | None = None
    tensor: list[Any] | None = None
    uri: str | None = None
    mime_type: str | None = None
    tags: dict[str, Any] | None = None
    chunks: list[Doc] | None = None
    matches: list[Doc] | None = None
    embedding: Any = None
    scores: dict[str, Any] | None = None
    parent_id: str | None = None
    granularity: int | None = None
    adjacency: int | None = None
    weight: float | None = None
    offset: float | None = None
    location: list[float] | None = None
    modality: str | None = None
    evaluations: dict[str, Any] | None = None


class Docs(msgspec.Struct, frozen=True):
    """Documents, one level further in."""

    docs: list[Doc]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of itself.

    Attributes:
        request_id: Comes back with the answer.
        camel_request_id: The same, as others write it.
        exec_endpoint: As in the request.
        camel_exec_endpoint: The same, as others write it.
    """

    request_id: str | None = None
    camel_request_id: str | None = msgspec.field(default=None, name="requestId")
    exec_endpoint: str | None = None
    camel_exec_endpoint: str | None = msgspec.field(default=None, name="execEndpoint")


class PostRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Documents for an endpoint.

    Attributes:
        data: The documents.
        exec_endpoint: What is to be done with them: ``/encode``, ``/rank``, ``/index``,
            ``/search``, with the model's name after it or without.
        camel_exec_endpoint: The same, as others write it.
        parameters: Options.
        header: What the request says of itself.
    """

    data: list[Doc] | Docs | None = None
    exec_endpoint: str | None = None
    camel_exec_endpoint: str | None = msgspec.field(default=None, name="execEndpoint")
    parameters: dict[str, Any] | None = None
    header: Header | None = None


class ExceptionTold(msgspec.Struct, frozen=True, kw_only=True):
    """An error, as the client's language names it."""

    name: str
    args: list[str]
    stacks: list[str] = []
    executor: str = ""


class StatusTold(msgspec.Struct, frozen=True, kw_only=True):
    """How it went: 0 for well, 1 for not."""

    code: int
    description: str
    exception: ExceptionTold | None = None


class HeaderTold(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an answer says of itself."""

    request_id: str
    status: StatusTold | None
    exec_endpoint: str
    target_executor: str = ""


class RouteTold(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A stage of the way, and when it was passed; times of RFC 3339."""

    executor: str
    start_time: str
    end_time: str
    status: StatusTold | None = None


class PostAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The documents, each with what was asked for."""

    header: HeaderTold
    parameters: dict[str, Any]
    routes: list[RouteTold]
    data: list[Doc]
