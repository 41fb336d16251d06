"""Where a server is and how it is spoken to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from stelae.errors import InvalidInput

Protocol = Literal["grpc", "http", "ws"]

SCHEMES: dict[str, tuple[Protocol, bool]] = {
    "grpc": ("grpc", False),
    "grpcs": ("grpc", True),
    "http": ("http", False),
    "https": ("http", True),
    "ws": ("ws", False),
    "wss": ("ws", True),
    "websocket": ("ws", False),
    "websockets": ("ws", True),
}
"""What each scheme means; the second says whether with TLS."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server.

    Attributes:
        protocol: How it is spoken to.
        host: Its name or number.
        port: Its port.
        tls: Whether the way there is encrypted.
    """

    protocol: Protocol
    host: str
    port: int
    tls: bool

    @classmethod
    def parsed(cls, server: str) -> Address:
        """Read ``scheme://host:port``; a path after it means nothing.

        Raises:
            InvalidInput: The scheme is not known, or no host is named.
        """
        try:
            parts = urlsplit(server)
            host, port = parts.hostname, parts.port
        except (AttributeError, TypeError, ValueError) as error:
            raise _wrong(server, f"it is no address: {error}") from None
        if parts.scheme not in SCHEMES:
            raise _wrong(server, f"the scheme {parts.scheme!r} is not known")
        protocol, tls = SCHEMES[parts.scheme]
        if port is None:
            port = 443 if tls else 80
        return cls(protocol, host or "0.0.0.0", port, tls)  # noqa: S104  # where others listen too

    @property
    def netloc(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address for libraries of its protocol."""
        return f"{self.protocol}{'s' if self.tls else ''}://{self.netloc}"


def _wrong(server: object, reason: str) -> InvalidInput:
    return InvalidInput(
        f"server={server!r:.200}: {reason}",
        param="server",
        hint=f"give SCHEME://HOST:PORT with one of {', '.join(SCHEMES)}",
    )
