"""Pictures kept for a while under names that nobody can guess; in memory, within bounds."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from stelae.errors import InvalidInput, NotFound
from stelae.types import ImageFormat

NAME_BYTES = 24
"""Random bytes of a name: as many as make guessing it hopeless."""


class Picture(NamedTuple):
    """A picture that is kept.

    Attributes:
        data: The bytes of its file.
        format: Its format.
        until: Time of the clock at which it is forgotten.
    """

    data: bytes
    format: ImageFormat
    until: float


class Gallery:
    """Keeps pictures; where there is no room the oldest go first. For one event loop.

    Args:
        most_bytes: Most bytes of all pictures together.
        most: Most pictures.
        keep_seconds: How long one is kept.
        clock: Tells seconds.
    """

    def __init__(
        self,
        most_bytes: int = 256 * 2**20,
        most: int = 1000,
        keep_seconds: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_bytes, self._most, self._keep = most_bytes, most, keep_seconds
        self._clock = clock
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._bytes

    def put(self, data: bytes, form: ImageFormat) -> str:
        """Keep a picture.

        Returns:
            The name to fetch it by.

        Raises:
            InvalidInput: It is larger than all that is kept.
        """
        if len(data) > self._most_bytes:
            raise InvalidInput(
                f"the picture has {len(data)} bytes, more than the {self._most_bytes} that are "
                "kept for addresses",
                param="response_format",
                hint="ask for 'b64_json', or raise the setting gallery.bytes",
            )
        self._tidy(len(data))
        name = f"{secrets.token_urlsafe(NAME_BYTES)}.{form}"
        self._kept[name] = Picture(data, form, self._clock() + self._keep)
        self._bytes += len(data)
        return name

    def get(self, name: str) -> Picture:
        """The picture of a name.

        Raises:
            NotFound: There is none, or none any more.
        """
        self._tidy()
        picture = self._kept.get(name)
        if picture is None:
            raise NotFound(
                f"no picture of that name is here; they are kept for {self._keep:.0f} s, and "
                "shorter where there is no room",
                hint="ask for 'b64_json' to have pictures in the answer itself",
            )
        return picture

    def left(self, picture: Picture) -> int:
        """Whole seconds for which a picture is still kept."""
        return max(0, int(picture.until - self._clock()))

    def _tidy(self, more: int | None = None) -> None:
        """Forget what is too old, and the oldest until there is room for one of ``more`` bytes."""
        now = self._clock()
        while self._kept:
            name, oldest = next(iter(self._kept.items()))
            if oldest.until > now and (more is None or self._fits(more)):
                return
            del self._kept[name]
            self._bytes -= len(oldest.data)

    def _fits(self, more: int) -> bool:
        return self._bytes + more <= self._most_bytes and len(self._kept) < self._most
