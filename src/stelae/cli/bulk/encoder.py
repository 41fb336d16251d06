"""What turns the texts of a job into vectors: a client, asked in a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from stelae.cli.bulk.job import reading
from stelae.cli.bulk.rows import Shape
from stelae.cli.options import OutputTypeName
from stelae.client import Client, Encoding
from stelae.client import EncodeOptions as ClientOptions
from stelae.client._columns import Columns
from stelae.errors import InvalidInput

ALONE = 128
"""Texts that are sent one by one after a request was refused as a whole."""

OVERHEAD = 4096
"""Bytes of a request around its text, generously."""

PROBE = "the first text of a job"


class ClientEncoder:
    """Encodes through a client, over HTTP or in this process.

    Args:
        client: Whom to ask.
        options: Options of each request.
        kind: Kind of representation.
    """

    def __init__(
        self, client: Client, options: ClientOptions, kind: OutputTypeName = "dense"
    ) -> None:
        self._client = client
        self._kind = kind
        self._options = options.copy()
        self._options["errors"] = "return"
        self._options["outputs"] = kind

    def item_bytes(self) -> int | None:
        """Longest text that one request can hold, in bytes; ``None`` without a limit."""
        limit = self._client.server().limits.get("body_bytes")
        return limit - OVERHEAD if isinstance(limit, int) else None

    def shape(self) -> Shape:
        """Load the model, try the options, and say what vectors look like.

        Raises:
            ModelNotFound: There is no such model.
            InvalidInput: The model cannot do what the options ask.
        """
        strict = self._options.copy()
        strict["errors"] = "raise"
        tried = self._client.encode([PROBE], **strict)
        numbers = tried.dense if self._kind == "dense" else getattr(tried, self._kind).values
        read = reading(tried.columns)
        return Shape(
            width=0 if self._kind == "sparse" else numbers.shape[1],
            dtype=str(numbers.dtype),
            kind=self._kind,
            scaled=read is not None,
            dimensions=None if read is None else read.dimensions,
            model=tried.model,
            fingerprint=tried.fingerprint,
        )

    def stream(self, texts: Iterable[str]) -> Iterator[Encoding]:
        """Encode texts of any number in order; failed items carry their error.

        A request that is refused as a whole (one of its texts ends the worker, say)
        is sent again text by text, so that only the one at fault fails.
        """
        waiting: deque[str] = deque()
        source = iter(texts)
        while True:
            try:
                yield from self._remembered(source, waiting)
                return
            except InvalidInput:
                for _ in range(min(ALONE, len(waiting))):
                    yield self._alone(waiting.popleft())
                source = chain(tuple(waiting), source)
                waiting.clear()

    def _remembered(self, source: Iterator[str], waiting: deque[str]) -> Iterator[Encoding]:
        def noted() -> Iterator[str]:
            for text in source:
                waiting.append(text)
                yield text

        for encoding in self._client.encode(noted(), **self._options):
            waiting.popleft()
            yield encoding

    def _alone(self, text: str) -> Encoding:
        try:
            return self._client.encode(text, **self._options)
        except InvalidInput as error:
            return failed(error)


def failed(error: InvalidInput) -> Encoding:
    """The encoding of a text that could not be encoded."""
    nothing = Columns(dense=np.empty((1, 0), np.float32))
    return Encoding(
        columns=nothing, tokens=0, truncated=False, model="", fingerprint="", error=error
    )
