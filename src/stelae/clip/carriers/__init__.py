"""The ways to a server: gRPC, WebSocket and HTTP, each plain and with TLS."""

from stelae.clip.carriers.address import Address
from stelae.clip.carriers.base import Carrier, Way
from stelae.clip.carriers.choice import way_to

__all__ = ["Address", "Carrier", "Way", "way_to"]
