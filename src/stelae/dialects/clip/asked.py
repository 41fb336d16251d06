"""What a request asks for, whatever carried it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from starlette.requests import Request

from stelae.dialects.base import Asking, Rooms, hold_of
from stelae.dialects.clip.forms import D, Form
from stelae.errors import InvalidInput
from stelae.service.inference import Caller

ENCODE = "encode"

VERBS = frozenset({ENCODE, "rank", "index", "search", "update", "delete", "filter", "status"})
"""First parts of endpoints that mean something; all others mean ``encode``, as in the original."""

COPIES = 3
"""How often a request is held while it is answered, beside as it came: read, as items of a call,
and as sent to the model."""

ROOT = "@r"

ROOT_ENDPOINT = "/"
"""The endpoint of ``profile()``, and of requests that name none."""

STRANGER_BYTES = 4096
"""Most of a request that is read of one without a key."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks, and the rooms that may be entered for it.

    Attributes:
        rooms: The rooms.
        request: What carries it.
        caller: Who asks.
        size: Bytes of the request.
    """

    rooms: Rooms
    request: Request | Asking
    caller: Caller
    size: int

    def hold(self, more: int) -> None:
        """Book bytes that the answer takes; fewer if negative."""
        hold_of(self.request)(more)


@dataclass(frozen=True, slots=True)
class Asked(Generic[D]):
    """A request.

    Attributes:
        endpoint: As ``/encode`` or ``/encode/ViT-B-32::openai``.
        parameters: Options by name; those that mean nothing here are ignored.
        docs: Its documents.
        form: How these are read and written.
    """

    endpoint: str
    parameters: Mapping[str, Any]
    docs: Sequence[D]
    form: Form[D]

    @property
    def verb(self) -> str:
        """What is to be done."""
        first = self.endpoint.strip("/").partition("/")[0]
        return first if first in VERBS else ENCODE

    @property
    def model(self) -> str | None:
        """The model asked for: in the endpoint, or else among the parameters."""
        first, _, named = self.endpoint.strip("/").partition("/")
        return named if named and first in VERBS else self.text("model_name")

    @property
    def empty(self) -> bool:
        """Whether nothing is asked: a document or none, without content, to no endpoint."""
        form = self.form
        return (
            self.endpoint == ROOT_ENDPOINT
            and len(self.docs) <= 1
            and not any(
                form.read(doc) or form.inner(doc, "chunks") or form.inner(doc, "matches")
                for doc in self.docs
            )
        )

    @property
    def path(self) -> str:
        """Which documents are meant, without the ``@``."""
        given = self.text("traversal_paths") or self.text("access_paths") or ROOT
        return given.removeprefix("@")

    @property
    def drops(self) -> bool:
        """Whether pictures are left out of the answer."""
        return self.flag("drop_image_content")

    def text(self, name: str) -> str | None:
        """A parameter that is a text.

        Raises:
            InvalidInput: It is something else.
        """
        value = self.parameters.get(name)
        if value is not None and not isinstance(value, str):
            raise self._misfit(name, value, "a text")
        return value or None

    def flag(self, name: str) -> bool:
        """A parameter that is true or false; false if it is not there.

        Raises:
            InvalidInput: It is something else.
        """
        value = self.parameters.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise self._misfit(name, value, "true or false")

    def count(self, name: str, default: int, least: int = 1) -> int:
        """A parameter that is a number of things.

        Raises:
            InvalidInput: It is not a whole number from ``least`` on.
        """
        value = self.parameters.get(name)
        if value is None:
            return default
        # Every number of this protocol is a float.
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or value % 1 or value < least:
            raise self._misfit(name, value, f"a whole number from {least} on")
        return int(value)

    @staticmethod
    def _misfit(name: str, value: object, wanted: str) -> InvalidInput:
        return InvalidInput(
            f"parameters.{name}={str(value)[:80]!r}: {wanted} was expected",
            param=f"parameters.{name}",
        )


@dataclass(slots=True)
class Told:
    """What is said of an answer beside its documents.

    Attributes:
        arrived: When the request was there, in nanoseconds of Unix time.
        model: The model that ran, or that was to run.
        began: When it was asked; ``arrived`` if none was.
        ended: When it had answered.
        description: What went wrong with some of the documents.
        docs: Documents to answer with in place of those of the request, if any.
    """

    arrived: int = field(default_factory=time.time_ns)
    model: str = ""
    began: int = 0
    ended: int = 0
    description: str = ""
    docs: Sequence[Any] | None = None
