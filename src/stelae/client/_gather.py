"""Results of requests put together into what the caller asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stelae.client._items import Chunk
from stelae.client.encodings import Encoding, Encodings, Vector
from stelae.errors import ProtocolError, StelaeError, from_info
from stelae.types import EncodeResult, Item, Usage
from stelae.types.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True)
class Gathered:
    """Checks that the results of one call belong together, and keeps what is common.

    Attributes:
        raises: Whether the first failed item ends the call.
        fingerprint: Of the model that answers; one for the whole call.
    """

    raises: bool
    fingerprint: str | None = None
    width: int | None = None

    def check(self, chunk: Chunk, result: EncodeResult) -> Vector:
        """The vectors of a chunk, one row per item.

        Raises:
            ProtocolError: The result does not fit the chunk, or another model
                made it than the chunks before.
        """
        dense = result.dense
        rows = len(chunk.items)
        if dense is None or dense.ndim != 2:
            raise ProtocolError("the server's answer has no dense vectors")
        if not len(dense) == len(result.tokens) == len(result.truncated) == rows:
            raise ProtocolError(f"{rows} items were sent, {len(dense)} vectors came back")
        if self.fingerprint is None:
            self.fingerprint, self.width = result.fingerprint, dense.shape[1]
        elif (result.fingerprint, dense.shape[1]) != (self.fingerprint, self.width):
            raise ProtocolError(
                f"the model changed during the call, from fingerprint {self.fingerprint} "
                f"to {result.fingerprint}: their vectors cannot be compared",
                hint="encode everything again",
            )
        return dense

    def encodings(self, chunk: Chunk, result: EncodeResult) -> Iterator[Encoding]:
        """One ``Encoding`` per item of the chunk, in order; raises at the first failed one."""
        dense = self.check(chunk, result)
        errors = errors_of(chunk, result)
        for row, item in enumerate(chunk.items):
            error = errors.get(chunk.start + row)
            if error is not None and self.raises:
                raise error
            yield _encoding(item, row, dense, result, error)


@dataclass(slots=True)
class Table:
    """The columns of a list's ``Encodings``, filled as results arrive."""

    rows: int
    gathered: Gathered
    tokens: NDArray[np.int32] = field(init=False)
    truncated: NDArray[np.bool_] = field(init=False)
    dense: Vector = field(init=False)
    used: int = 0
    model: str = ""
    errors: dict[int, StelaeError] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = np.zeros(self.rows, np.int32)
        self.truncated = np.zeros(self.rows, np.bool_)

    def add(self, chunk: Chunk, result: EncodeResult) -> None:
        """Copy a result to its place."""
        dense = self.gathered.check(chunk, result)
        errors = errors_of(chunk, result)
        if errors and self.gathered.raises:
            raise errors[min(errors)]
        if not self.items:
            self.dense = np.empty((self.rows, dense.shape[1]), dense.dtype)
        place = slice(chunk.start, chunk.start + len(chunk.items))
        self.dense[place] = dense
        self.tokens[place] = result.tokens
        self.truncated[place] = result.truncated
        self.used += result.usage.tokens
        self.model = result.model
        self.errors.update(errors)
        self.items.extend(chunk.items)

    def encodings(self) -> Encodings:
        """All columns together, once every chunk is in."""
        return Encodings(
            dense=self.dense,
            tokens=self.tokens,
            truncated=self.truncated,
            model=self.model,
            fingerprint=self.gathered.fingerprint or "",
            usage=Usage(tokens=self.used),
            ids=[item.id for item in self.items],
            metadata=[item.metadata for item in self.items],
            errors=self.errors,
        )


def errors_of(chunk: Chunk, result: EncodeResult) -> dict[int, StelaeError]:
    """The failed items of a result, by their index in the whole call."""
    return {
        chunk.start + row: at(from_info(info), chunk.start + row)
        for row, info in result.errors.items()
    }


def at(error: StelaeError, index: int) -> StelaeError:
    """The error, with the index of its item in the details."""
    error.details = {**error.details, "index": index}
    return error


def move(error: StelaeError, start: int) -> None:
    """Turn the index in an error of one request into that of the whole call."""
    index: Any = error.details.get("index")
    if type(index) is int:
        at(error, index + start)


def _encoding(
    item: Item, row: int, dense: Vector, result: EncodeResult, error: StelaeError | None
) -> Encoding:
    return Encoding(
        # A copy: a view would keep the whole answer in memory for one kept row.
        dense=dense[row].copy(),
        tokens=int(result.tokens[row]),
        truncated=bool(result.truncated[row]),
        model=result.model,
        fingerprint=result.fingerprint,
        id=item.id,
        metadata=item.metadata,
        error=error,
    )
