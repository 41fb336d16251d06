"""Where the server listens, and which dialect answers which path there."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from stelae.dialects.base import Dialect, Operation
from stelae.errors import Conflict, InvalidInput
from stelae.telemetry import log

DEFAULT_LISTEN = ("http://127.0.0.1:8080", "http://127.0.0.1:9997", "grpc://127.0.0.1:51000")
"""Ports that users of the servers we answer for already have in their code."""

NAMED = {"ollama": "http://127.0.0.1:11434"}
"""Addresses by name: where clients look that are told none."""

BACKLOG = 2048

SCHEMES = ("http", "https", "grpc", "grpcs")
"""What is spoken at an address; those that end in ``s`` are encrypted."""

Key = tuple[str, str]
"""A method and a path."""

SHARED: dict[Key, str] = {
    ("GET", "/v1/models"): "xinference",
    ("GET", "/v1/models/{:path}"): "xinference",
}
"""Rules for paths that several dialects claim: the dialect that answers for all."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket and the address it is reached at.

    Attributes:
        scheme: What is spoken there, one of ``SCHEMES``.
        url: Address, with the real port.
        socket: Listens; for gRPC it keeps the place until the library binds it itself.
    """

    scheme: str
    url: str
    socket: socket.socket

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme.endswith("s")

    @property
    def place(self) -> str:
        """Number and port it is bound to."""
        host, port, *_ = self.socket.getsockname()
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.socket.getsockname()[0]).is_loopback


def bind(addresses: Sequence[str] | None) -> list[Listener]:
    """Bind the addresses asked for, or the default ones.

    Args:
        addresses: As ``http://host:port`` or with another of ``SCHEMES``, or a name in ``NAMED``;
            port 0 takes any free one. ``None`` takes the defaults, each of which is skipped if it
            is taken.

    Raises:
        InvalidInput: An address cannot be read.
        Conflict: An address asked for, or every default one, is taken.
    """
    bound: list[Listener] = []
    try:
        for address in addresses or DEFAULT_LISTEN:
            try:
                bound.append(_bind(NAMED.get(address, address)))
            except Conflict as error:
                if addresses:
                    raise
                log.get().warning("listener_skipped", address=address, reason=error.message)
        if not bound:
            raise Conflict(
                f"all default addresses are taken: {', '.join(DEFAULT_LISTEN)}",
                hint="choose another with --listen http://127.0.0.1:PORT (0 takes any free port)",
            )
    except BaseException:
        close(bound)
        raise
    return bound


def close(listeners: Iterable[Listener]) -> None:
    """Close the sockets."""
    for listener in listeners:
        listener.socket.close()


def _parse(address: str) -> tuple[str, str, int]:
    ways = ", ".join(f"{scheme}://" for scheme in SCHEMES[1:])
    expected = f"expected http://HOST:PORT (or {ways}), for example http://127.0.0.1:8080"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"address {address!r}: {error}; {expected}", param="listen") from error
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    if parts.scheme not in SCHEMES or not parts.hostname or port is None or not plain:
        raise InvalidInput(f"address {address!r} cannot be read; {expected}", param="listen")
    return parts.scheme, parts.hostname, port


def _bind(address: str) -> Listener:
    scheme, host, port = _parse(address)
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InvalidInput(f"address {address!r}: {error.strerror}", param="listen") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise Conflict(
            f"cannot listen on {address}: {_reason(error)}",
            hint="stop what listens there, or choose another address with --listen",
        ) from error
    return Listener(scheme, _url(scheme, host, bound), bound)


def _reason(error: OSError) -> str:
    reasons = {
        errno.EADDRINUSE: "another program listens there",
        errno.EACCES: "this user may not use that port",
        errno.EADDRNOTAVAIL: "this machine does not have that address",
    }
    return reasons.get(error.errno or 0, str(error.strerror))


def _url(scheme: str, host: str, bound: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{bound.getsockname()[1]}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A dialect that answers a method on a path.

    Attributes:
        dialect: Answers.
        operation: With this.
        before: Claims of dialects that answer their own clients there.
    """

    dialect: Dialect
    operation: Operation
    before: tuple[Claim, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it is reached without a key, whoever asks."""
        return self.operation.open and all(claim.open for claim in self.before)


def shape(operation: Operation) -> tuple[str, str]:
    """Method and path with the names of path parameters left out."""
    return operation.method, re.sub(r"\{[^:}]*", "{", operation.path)


def claims(dialects: Iterable[Dialect]) -> Iterator[tuple[tuple[str, str], list[Claim]]]:
    """Who claims what: all dialects answer on every HTTP port."""
    found: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for dialect in dialects:
        for operation in dialect.operations:
            found[shape(operation)].append(Claim(dialect, operation))
    yield from found.items()


def settle(
    dialects: Iterable[Dialect], rules: dict[tuple[str, str], str] | None = None
) -> list[Claim]:
    """Give every method on every path to one dialect, and first to those whose client asks.

    Raises:
        Conflict: Two dialects that do not know their clients claim one, and no rule of
            ``SHARED`` decides.
    """
    rules = SHARED if rules is None else rules
    return [_settled(key, claimed, rules) for key, claimed in claims(dialects)]


def _settled(key: Key, claimed: list[Claim], rules: Mapping[Key, str]) -> Claim:
    open_to_all = [claim for claim in claimed if claim.dialect.speaks is None] or claimed[:1]
    chosen = open_to_all[0]
    if len(open_to_all) > 1:
        names = [claim.dialect.name for claim in open_to_all]
        if rules.get(key) not in names:
            raise Conflict(
                f"{key[0]} {key[1]} is claimed by the dialects {', '.join(names)}",
                hint="state in server/listeners.py which one answers",
            )
        chosen = open_to_all[names.index(rules[key])]
    before = tuple(claim for claim in claimed if claim.dialect.speaks and claim is not chosen)
    return replace(chosen, before=before)
