"""What every dialect is made of: operations, methods of gRPC, WebSockets, and its errors."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from stelae.errors import (
    DeadlineExceeded,
    InputTooLong,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    QueueFull,
    StelaeError,
    Unauthorized,
    UnsupportedTask,
)
from stelae.security.fetch import Fetcher
from stelae.security.keys import KeyRing
from stelae.service.autostart import Autostarts
from stelae.service.fleet import Fleet
from stelae.service.following import Following, Name
from stelae.service.gallery import Gallery
from stelae.service.inference import Inference
from stelae.service.launches import Launches
from stelae.service.lookout import Lookout
from stelae.service.pools import Pools
from stelae.service.registry import Registry
from stelae.service.search import Search
from stelae.service.tokens import Tokens
from stelae.service.works import Kind, Works
from stelae.telemetry.metrics import Metrics, Served

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

RECORD = "stelae.record"

FIRST = "stelae.first"
"""In the scope of a request that was asked for a header: the first of each name."""

HOLD = "stelae.hold"
"""In the scope of a request: books bytes for it; see ``Asking.hold``."""

REFUSAL = "stelae.refusal"
"""In the scope of a request without a key: the error for it, unless a ``stranger`` answers."""


@dataclass(slots=True)
class Record:
    """What is known of a request, for the log and the metrics; never its text.

    Attributes:
        id: Names it, in the log and to its caller.
        started: When it arrived, by the clock of ``time.perf_counter``.
        key_id: The key that was shown.
        route: Template of its path.
        dialect: Whose protocol it is in.
        called: The name that its caller gave it, to follow or end it by.
        model: Who answers.
        status: Of the answer.
        error: Code of what went wrong.
        served: What it adds to the counters.
    """

    id: str
    started: float = field(default_factory=time.perf_counter)
    key_id: str | None = None
    route: str = ""
    dialect: str = ""
    called: str = ""
    model: str = ""
    status: int = 0
    error: str = ""
    served: Served | None = None

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the request arrived."""
        return (time.perf_counter() - self.started) * 1000


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says about itself.

    Attributes:
        version: Of Stelae.
        pid: Process id of the gateway.
        started: Unix time of its start.
        listen: Addresses served on.
        public_url: The one that callers reach it under, if the settings say.
        limits: What is accepted before requests are refused.
    """

    version: str
    pid: int
    started: float
    listen: tuple[str, ...] = ()
    public_url: str = ""
    limits: dict[str, int | float] = {}

    @property
    def url(self) -> str:
        """The first address of HTTP served on; empty where none is known."""
        return next((address for address in self.listen if address.startswith("http")), "")


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms that a dialect may enter."""

    inference: Inference
    fleet: Fleet
    launches: Launches
    autostarts: Autostarts
    registry: Registry
    pools: Pools
    lookout: Lookout
    works: Works
    search: Search
    metrics: Metrics
    about: About
    keys: KeyRing = field(default_factory=KeyRing)
    """Those that requests must show one of, if there are any."""
    fetcher: Fetcher = field(default_factory=Fetcher)
    gallery: Gallery = field(default_factory=Gallery)
    tokens: Tokens = field(default_factory=Tokens)
    following: Following = field(default_factory=Following)
    clip_model: str | None = None
    """What the settings say of the model for CLIP's clients that name none."""


Handle = Callable[[Request, Rooms], Awaitable[Response]]
RenderError = Callable[[StelaeError, Request], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path; the route and its page in the docs come from it.

    Attributes:
        method: HTTP method.
        path: Template, as ``/v1/models/{id:path}``.
        handle: Answers the request.
        summary: One line for the docs.
        request: Type of the body, if it has one.
        response: Type of the answer, if it is described by one.
        errors: Errors worth naming in the docs.
        example: A body that works on every server, for the docs.
        media: Media types of the answer.
        takes: Media types of the body; those of the answer that are data if empty.
        open: Whether it is reached without a key.
        quiet: Whether it is left out of the access log.
        stranger: Answers who shows no key that is known here, or does not: then the request is
            refused. Only where the settings let strangers in; of what it reads nothing is large.
    """

    method: str
    path: str
    handle: Handle
    summary: str
    request: Any = None
    response: Any = None
    errors: tuple[type[StelaeError], ...] = ()
    example: Any = None
    media: tuple[str, ...] = ("application/json",)
    takes: tuple[str, ...] = ()
    open: bool = False
    quiet: bool = False
    stranger: Callable[[Request, Rooms], Awaitable[Response | None]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A WebSocket on which the server tells something again and again.

    Attributes:
        path: Where it is asked for.
        tell: What is told, as JSON text.
        every: Seconds between two messages.
        summary: One line for the docs.
    """

    path: str
    tell: Callable[[Rooms], str]
    every: float
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What is known of a gRPC call or a conversation beside its messages.

    Attributes:
        record: For the log and the metrics; the handler fills in ``model`` and ``served``.
        headers: Those of the handshake, or the metadata of the call; names in lower case.
        admit: Checks the key shown and notes it in ``record``; raises ``Unauthorized``. It has
            been called already, unless what is asked is ``open``: then the handler calls it
            for whatever needs a key.
        seconds: Time that the caller gives for the whole call, if it states any.
        hold: Books bytes that the answer to one message takes beside those of the message; fewer
            if negative. They are released with the message.
    """

    record: Record
    headers: Headers
    admit: Callable[[], None]
    seconds: float | None = None
    hold: Callable[[int], None] = lambda size: None

    def about(
        self, *, record: Record | None = None, hold: Callable[[int], None] | None = None
    ) -> Asking:
        """The same about one message of the stream."""
        return Asking(
            record=record or self.record,
            headers=self.headers,
            admit=self.admit,
            seconds=self.seconds,
            hold=hold or self.hold,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How the messages of one stream are worked on.

    Attributes:
        at_once: Most messages worked on at once; the server's own number, ``limits.messages``,
            if ``None`` or more than that.
        in_order: Whether answers leave in the order of their messages, not as they are made.
    """

    at_once: int | None = None
    in_order: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpc:
    """One method of gRPC: a message in, an answer out, once or as a stream.

    ``handle`` gets a decoded message and returns its one answer. In a stream it is called for
    each message, at most ``flow(asking).at_once`` of them at the same time; the next message
    is read only when there is room, so a caller that sends faster than it is answered waits.
    The stream ends well when the caller has ended its side and every answer was taken.

    * Errors: what concerns one message is an answer in the protocol's own shape. A
      ``StelaeError`` raised ends the whole call with the status that fits it (``QueueFull``
      is RESOURCE_EXHAUSTED); anything else is logged and ends it with INTERNAL. ``ValueError``
      from ``decode`` ends it with INVALID_ARGUMENT.
    * Cancellation: when the caller leaves, its time is over or the server stops, ``handle`` is
      cancelled; it lets ``CancelledError`` pass and starts nothing that outlives it.
    * A method that ``tells`` answers one message with several: ``handle`` is an asynchronous
      generator then, which is closed when the caller leaves or the server stops.
    * Bytes of a message count against ``limits.in_flight_bytes`` until its answer was taken, and
      with them what ``Asking.hold`` books.

    Attributes:
        method: Full name, as ``/jina.JinaRPC/Call``.
        handle: Answers a message.
        decode: Reads a message; raises ``ValueError`` for what is none.
        encode: Writes an answer.
        summary: One line for the docs.
        streams: Whether both sides are streams; if not, both are a single message.
        tells: Whether the answer alone is a stream.
        flow: How a stream is worked on, as its caller asks for it.
        open: Whether it is reached without a key; see ``Asking.admit``.
        quiet: Whether it is left out of the access log.
        stranger: As of an ``Operation``, in place of ``handle``.
    """

    method: str
    handle: Callable[[Any, Asking, Rooms], Any]
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    summary: str
    streams: bool = False
    tells: bool = False
    flow: Callable[[Asking], Flow] = lambda asking: Flow()
    open: bool = False
    quiet: bool = False
    stranger: Callable[[Any, Asking, Rooms], Awaitable[Any]] | None = None

    @property
    def service(self) -> str:
        """What the method belongs to."""
        return self.method.split("/")[1]


class Parcel(Protocol):
    """A message of a WebSocket, and the bytes booked for it.

    They count against ``limits.in_flight_bytes`` until the ``with`` block on it ends::

        with parcel as content:
            await conversation.send(await answer(content))

    Attributes:
        content: What was sent, text or bytes, for those who look before they work on it.
        hold: As of ``Asking``.
    """

    content: str | bytes

    def hold(self, more: int) -> None:
        """Book bytes that the answer takes beside the message."""

    def __enter__(self) -> str | bytes:
        """What was sent: text, or bytes."""

    def __exit__(self, *problem: object) -> None:
        """The message is done with."""


class Conversation(Protocol):
    """A WebSocket on which both sides speak, as the handler of a ``Talk`` sees it.

    Attributes:
        asking: What is known beside the messages.
        subprotocol: The one agreed on, if any.
        at_once: Most messages that may be worked on at once (``limits.messages``).
    """

    asking: Asking
    subprotocol: str | None
    at_once: int

    def __aiter__(self) -> AsyncIterator[Parcel]:
        """Messages as they come; the next is read from the network when it is asked for."""

    async def send(self, message: str | bytes) -> None:
        """Send a message; waits while the peer does not read, and leaves one that never does."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye; of ``reason`` 123 bytes are sent. Nothing can be sent afterwards."""

    async def linger(self, seconds: float) -> None:
        """Wait for the peer to leave, at most so long, and drop what it says until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A WebSocket on which both sides speak.

    ``handle`` is called once the handshake is accepted and runs the whole conversation. It
    reads with ``async for parcel in conversation`` and may answer while it reads: ``Window``
    of ``dialects/window.py`` keeps several messages in work, no more than it is told.

    * End: when ``handle`` returns without having closed, the server closes with 1000.
    * Errors: what concerns one message is an answer in the protocol's own shape. A
      ``StelaeError`` raised closes with 1011 and its message as the reason (1008 for
      ``Unauthorized`` and ``Forbidden``, 1009 for ``BodyTooLarge``, 1013 for what may be tried
      again); anything else is logged and closes with 1011.
    * Cancellation: when the peer leaves, or the server stops and ``limits.drain_seconds`` are
      over, ``handle`` is cancelled; it lets ``CancelledError`` pass and starts nothing that
      outlives it. While the server drains, no further message is read: the iteration ends as
      if the peer had nothing more to say, and the server closes with 1001.
    * Messages are at most ``limits.body_bytes`` long.

    Attributes:
        path: Where it is asked for.
        handle: Runs the conversation.
        summary: One line for the docs.
        subprotocols: Those spoken, best first; the first that the peer offers is agreed on,
            and none if it offers none of them.
        open: Whether it is reached without a key; see ``Asking.admit``.
    """

    path: str
    handle: Callable[[Conversation, Rooms], Awaitable[None]]
    summary: str
    subprotocols: tuple[str, ...] = ()
    open: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """One public wire protocol.

    Attributes:
        name: In the log, the metrics and the docs.
        summary: One line for the docs.
        operations: What it answers.
        errors: Errors in its shape.
        speaks: Whether headers are those of a client of this protocol; such requests it
            answers on paths that other protocols have too.
        guesses: Whether ``speaks`` may be true of other clients too; then it counts for nothing
            on paths that the protocol does not have.
        places: Paths that it has for itself with all below them: errors from before the dialects
            are in its shape there, whoever asks.
        feeds: What it tells on WebSockets.
        talks: WebSockets on which both sides speak.
        rpcs: What it answers over gRPC.
        descriptors: The messages and services of these, as a ``FileDescriptorSet``, serialised.
        works: Kinds of work in the background that it takes on.
    """

    name: str
    summary: str
    operations: Sequence[Operation]
    errors: RenderError
    speaks: Callable[[Headers], bool] | None = None
    guesses: bool = False
    places: Sequence[str] = ()
    feeds: Sequence[Feed] = ()
    talks: Sequence[Talk] = ()
    rpcs: Sequence[Rpc] = ()
    descriptors: bytes = b""
    works: Sequence[Kind] = ()

    def for_keys_alone(self) -> Self:
        """The same without what strangers may ask."""
        return replace(
            self,
            operations=[replace(operation, stranger=None) for operation in self.operations],
            rpcs=[replace(rpc, stranger=None) for rpc in self.rpcs],
        )


REFUSALS = (
    InvalidInput, InputTooLong, UnsupportedTask, ModelNotFound, QueueFull, ModelNotReady,
    DeadlineExceeded,
)  # fmt: skip
"""What a request to a model may be answered with."""


def record_of(request: Request | Asking) -> Record:
    """What is known of a request."""
    if isinstance(request, Asking):
        return request.record
    record: Record = request.scope[RECORD]
    return record


def header_of(request: Request, name: bytes) -> str | None:
    """The first header of a name in lower case; what headers there are is looked at once."""
    scope = request.scope
    found: dict[bytes, bytes] | None = scope.get(FIRST)
    if found is None:
        found = scope[FIRST] = dict(reversed(scope["headers"]))
    value = found.get(name)
    return None if value is None else value.decode("latin-1")


def first_of(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The first of raw headers that has a name."""
    for each, value in headers:
        if each == name:
            return value.decode("latin-1")
    return None


def address_of(request: Request, about: About) -> str:
    """Where the caller reaches the server, without a slash at its end.

    The setting says it, or else the address that was asked; a ``Host`` that is no host counts
    for nothing.
    """
    if about.public_url:
        return about.public_url.rstrip("/")
    host = request.headers.get("host", "")
    return f"{request.scope['scheme']}://{host}" if _HOST.fullmatch(host) else about.url


def owner_of(request: Request | Asking) -> str:
    """Whose is what a request keeps here: its key's; nobody's on a server without keys."""
    return record_of(request).key_id or ""


def shows_key(request: Request, rooms: Rooms) -> bool:
    """Whether a request to an open path may be told what others keep to themselves.

    It shows a key, or the server has none.
    """
    try:
        rooms.keys.admit(request.scope["headers"])
    except Unauthorized:
        return False
    return True


def name_of(request: Request | Asking, given: str) -> Name:
    """What a call is followed by that its caller named."""
    return Name(given, owner_of(request))


def hold_of(request: Request | Asking) -> Callable[[int], None]:
    """What books bytes for a request; see ``Asking.hold``."""
    if isinstance(request, Asking):
        return request.hold
    hold: Callable[[int], None] = request.scope.get(HOLD, lambda size: None)
    return hold
