"""What is asked of a server: the content cut into batches, and the requests made of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from stelae.client._place import Place
from stelae.clip import kinds
from stelae.clip.answers import Response
from stelae.clip.kinds import Kind
from stelae.errors import InvalidInput
from stelae.wire.clip import messages, structs

Callback = Callable[[Response], Awaitable[object] | object]
"""Told of the answer to a request."""

BATCH, PREFETCH = 8, 100


class Options(TypedDict, total=False):
    """Arguments that all verbs have.

    Attributes:
        batch_size: Documents in a request, 8 unless given.
        show_progress: Whether to show a bar on standard error.
        parameters: Sent with each request; ``model_name`` chooses the model.
        on_done: Called with the ``Response`` to each request that succeeded.
        on_error: Called with the ``Response`` to each request that failed, or in which a document
            did; without it, such a response ends the call with an error.
        on_always: Called with each ``Response``, after the others.
        prefetch: Most requests under way at once, 100 unless given.
    """

    batch_size: int | None
    show_progress: bool
    parameters: Mapping[str, Any] | None
    on_done: Callback | None
    on_error: Callback | None
    on_always: Callback | None
    prefetch: int


@dataclass(frozen=True, slots=True)
class Piece:
    """One document of a call.

    Attributes:
        given: What the caller gave.
        document: The document that it is, or that was made of it.
        kind: How the document is treated.
        place: Which of all it is.
    """

    given: Any
    document: Any
    kind: Kind
    place: Place

    @property
    def id(self) -> str:
        """Its name."""
        return str(self.document.id)

    def write(self, message: messages.Document) -> None:
        """Put it into a message."""
        kinds.write(message, self.document, self.kind, self.place)

    def must_load(self) -> bool:
        """Whether a picture has to be read before."""
        return kinds.must_load(self.document, self.kind)


Batch = list[Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a verb.

    Attributes:
        verb: Its name, for the progress bar.
        endpoint: Which endpoint of the server is asked.
        content: What the caller gave.
        check: Refuses a piece that the verb has no use for.
    """

    verb: str
    endpoint: str
    content: Any
    parameters: dict[str, Any]
    check: Callable[[Piece], None] = lambda piece: None
    batch_size: int = BATCH
    prefetch: int = PREFETCH
    progress: bool = False
    on_done: Callback | None = None
    on_error: Callback | None = None
    on_always: Callback | None = None
    name: str = "content"

    @property
    def total(self) -> int | None:
        """How many documents there are, if that is known."""
        return len(self.content) if hasattr(self.content, "__len__") else None

    @property
    def keeps(self) -> bool:
        """Whether the results are put together; a caller with callbacks takes them one by one."""
        return self.on_done is None and self.on_always is None

    def pieces(self, values: Iterable[Any], start: int) -> Batch:
        """The documents that some values mean.

        Raises:
            InvalidInput: One means none; the message names its index.
        """
        made = []
        for index, value in enumerate(values, start):
            place = Place(self.name, index)
            piece = Piece(value, *kinds.document_of(value, place), place)
            self.check(piece)
            made.append(piece)
        return made

    def batches(self) -> Iterator[Batch]:
        """The content, cut.

        Raises:
            InvalidInput: An element is no document.
        """
        start, values = 0, []
        for value in self.content:
            values.append(value)
            if len(values) == self.batch_size:
                yield self.pieces(values, start)
                start, values = start + len(values), []
        if values:
            yield self.pieces(values, start)

    def request(self, batch: Batch) -> messages.DataRequest:
        """The message for a batch; reads the pictures that are only named.

        Raises:
            InvalidInput: A picture cannot be read.
        """
        request = messages.DataRequest()
        request.header.request_id = os.urandom(16).hex()
        request.header.exec_endpoint = self.endpoint
        structs.fill(request.parameters, self.parameters)
        for piece in batch:
            piece.write(request.data.docs.docs.add())
        return request


def call(verb: str, content: Any, options: Options, **more: Any) -> Call:
    """A call as a caller writes it.

    Args:
        verb: ``encode``, ``rank``, ``index`` or ``search``.
        content: What the caller gave.
        options: The caller's.
        more: Of ``Call``.

    Raises:
        InvalidInput: The content is one string, or an option is not what it must be.
    """
    name = more.get("name", "content")
    if isinstance(content, str) or not isinstance(content, Iterable | AsyncIterable):
        raise InvalidInput(
            f"{name}: several documents were expected, not the {type(content).__name__} "
            f"{content!r:.80}",
            param=name,
            hint=f"give a list: {verb}([{content!r:.40}])",
        )
    if unknown := set(options) - Options.__annotations__.keys() - {"source"}:
        raise InvalidInput(
            f"{verb}() has no argument {min(unknown)!r}",
            hint=f"it has {', '.join(Options.__annotations__)}",
        )
    parameters = {"drop_image_content": True, **(options.get("parameters") or {})}
    endpoint = f"/{verb}"
    if verb in ("encode", "rank"):
        endpoint = f"/{verb}/{parameters.pop('model_name', '') or ''}".rstrip("/")
    return Call(
        verb=verb,
        endpoint=endpoint,
        content=content,
        parameters=parameters | more.pop("parameters", {}),
        batch_size=_number("batch_size", options.get("batch_size") or BATCH),
        prefetch=_number("prefetch", options.get("prefetch", PREFETCH)),
        progress=bool(options.get("show_progress")),
        on_done=options.get("on_done"),
        on_error=options.get("on_error"),
        on_always=options.get("on_always"),
        **more,
    )


def _number(name: str, value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise InvalidInput(f"{name}={value!r}: give a whole number of 1 or more", param=name)
    return value
