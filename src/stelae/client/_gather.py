"""Results of requests put together into what the caller asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from stelae.client._columns import Columns, columns_of, joined
from stelae.client._items import Chunk
from stelae.client.encodings import Encoding, Encodings
from stelae.client.extractions import Extractions
from stelae.client.scores import Scores
from stelae.errors import ErrorInfo, ProtocolError, StelaeError, from_info
from stelae.types import (
    EncodeResult,
    Extraction,
    ExtractResult,
    Item,
    OutputType,
    Quantization,
    Ragged,
    ScoreResult,
    Sparse,
    Timing,
    Usage,
)
from stelae.types.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

R = TypeVar("R", contravariant=True)


class Table(Protocol[R]):
    """Takes the results of a call as they arrive."""

    def add(self, chunk: Chunk, result: R) -> None:
        """Take the next result, in order.

        Raises:
            ProtocolError: It does not fit the chunk, or another model made it than
                the chunks before.
            StelaeError: An item failed, and that ends the call.
        """
        ...


@dataclass(slots=True)
class Gathered:
    """Checks that the results of one call belong together, and keeps what is common.

    Attributes:
        raises: Whether the first failed item ends the call.
        outputs: Kinds of representation that must be there; ``None`` for any.
        fingerprint: Of the model that answers; one for the whole call.
    """

    raises: bool
    outputs: Sequence[OutputType] | None = None
    fingerprint: str | None = None
    kind: Any = None

    def check(self, chunk: Chunk, result: EncodeResult) -> Columns:
        """The columns of a chunk, one row per item.

        Raises:
            ProtocolError: The result does not fit the chunk, or another model
                made it than the chunks before.
        """
        columns, rows = columns_of(result), len(chunk.items)
        if not any(getattr(columns, output) is not None for output in OutputType):
            raise ProtocolError("the server's answer has no representations")
        for output in self.outputs or ():
            if getattr(columns, output) is None:
                raise ProtocolError(f"the server's answer has no {output} representations")
        check_rows(rows, result.tokens, result.truncated)
        _check_columns(columns, rows)
        self.same(result.fingerprint, _kind(columns))
        return columns

    def same(self, fingerprint: str, kind: Any) -> None:
        """Refuse the answer of another model than that of the answers before."""
        if self.fingerprint is None:
            self.fingerprint, self.kind = fingerprint, kind
        elif (fingerprint, kind) != (self.fingerprint, self.kind):
            raise ProtocolError(
                f"the model changed during the call, from fingerprint {self.fingerprint} "
                f"to {fingerprint}: what they made cannot be compared",
                hint="send everything again",
            )

    def errors(self, chunk: Chunk, failed: dict[int, ErrorInfo]) -> dict[int, StelaeError]:
        """The failed items of a result by their index in the call, if that does not end it."""
        errors = errors_of(chunk, failed)
        if errors and self.raises:
            raise errors[min(errors)]
        return errors

    def encodings(self, chunk: Chunk, result: EncodeResult) -> Iterator[Encoding]:
        """One ``Encoding`` per item of the chunk, in order; raises at the first failed one."""
        columns = self.check(chunk, result)
        errors = errors_of(chunk, result.errors)
        for row, item in enumerate(chunk.items):
            error = errors.get(chunk.start + row)
            if error is not None and self.raises:
                raise error
            yield _encoding(item, row, columns, result, error)


@dataclass(slots=True)
class EncodingTable:
    """The columns of a list's ``Encodings``, filled as results arrive."""

    rows: int
    gathered: Gathered
    dense: NDArray[Any] | None = None
    parts: list[Columns] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)
    common: Common = field(init=False)

    def __post_init__(self) -> None:
        self.common = Common(self.gathered)

    def add(self, chunk: Chunk, result: EncodeResult) -> None:
        """See ``Table``."""
        columns = self.gathered.check(chunk, result)
        self.common.add(chunk, result)
        self.timings += [result.timing] * len(chunk.items)
        if columns.dense is not None:
            if self.dense is None:
                self.dense = np.empty((self.rows, *columns.dense.shape[1:]), columns.dense.dtype)
            # Into its place at once: two copies of everything might be too many.
            self.dense[chunk.start : chunk.start + len(chunk.items)] = columns.dense
        self.parts.append(Columns(None, columns.sparse, columns.multivector, columns.quantization))

    def encodings(self) -> Encodings:
        """All columns together, once every chunk is in."""
        rest = joined(self.parts)
        columns = Columns(self.dense, rest.sparse, rest.multivector, rest.quantization)
        return Encodings(columns=columns.map(writable), timings=self.timings, **self.common.facts())


@dataclass(slots=True)
class ScoreTable:
    """The columns of ``Scores``, filled as results arrive."""

    gathered: Gathered
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    labels: tuple[str, ...] = ()
    common: Common = field(init=False)

    def __post_init__(self) -> None:
        self.common = Common(self.gathered)

    def add(self, chunk: Chunk, result: ScoreResult) -> None:
        """See ``Table``."""
        check_rows(len(chunk.items), result.scores, result.tokens, result.truncated)
        if result.scores.shape[1:] != ((len(result.labels),) if result.labels else ()):
            raise ProtocolError("the server's answer does not have one score for each label")
        self.gathered.same(result.fingerprint, result.labels)
        self.common.add(chunk, result)
        self.scores.append(result.scores)
        self.labels = result.labels

    def result(self) -> Scores:
        """All columns together, once every chunk is in."""
        scores = np.concatenate(self.scores)
        return Scores(scores=scores, labels=self.labels, **self.common.facts())


@dataclass(slots=True)
class ExtractTable:
    """The items of ``Extractions``, filled as results arrive."""

    gathered: Gathered
    items: list[Extraction] = field(default_factory=list)
    common: Common = field(init=False)

    def __post_init__(self) -> None:
        self.common = Common(self.gathered)

    def add(self, chunk: Chunk, result: ExtractResult) -> None:
        """See ``Table``."""
        check_rows(len(chunk.items), result.tokens, result.truncated)
        if len(result.items) != len(chunk.items):
            raise ProtocolError(
                f"{len(chunk.items)} items were sent, {len(result.items)} came back"
            )
        self.gathered.same(result.fingerprint, None)
        self.common.add(chunk, result)
        self.items.extend(result.items)

    def result(self) -> Extractions:
        """All items together, once every chunk is in."""
        return Extractions(items=self.items, **self.common.facts())


@dataclass(slots=True)
class Common:
    """What the results of all verbs have."""

    gathered: Gathered
    tokens: list[NDArray[np.int32]] = field(default_factory=list)
    truncated: list[NDArray[np.bool_]] = field(default_factory=list)
    used: int = 0
    model: str = ""
    errors: dict[int, StelaeError] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)

    def add(self, chunk: Chunk, result: EncodeResult | ScoreResult | ExtractResult) -> None:
        """Take the next result, in order."""
        self.errors.update(self.gathered.errors(chunk, result.errors))
        self.tokens.append(result.tokens)
        self.truncated.append(result.truncated)
        self.used += result.usage.tokens
        self.model = result.model
        self.items.extend(chunk.items)

    def facts(self) -> dict[str, Any]:
        """All of it together."""
        return {
            "tokens": np.concatenate(self.tokens),
            "truncated": np.concatenate(self.truncated),
            "model": self.model,
            "fingerprint": self.gathered.fingerprint or "",
            "usage": Usage(tokens=self.used),
            "ids": [item.id for item in self.items],
            "metadata": [item.metadata for item in self.items],
            "errors": self.errors,
        }


def writable(array: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy if it is a view of an answer."""
    return array if array.flags.writeable else array.copy()


def check_rows(rows: int, *columns: NDArray[Any]) -> None:
    """Refuse an answer that does not have a row for each item.

    Raises:
        ProtocolError: A column is longer or shorter.
    """
    for column in columns:
        if column.ndim == 0 or len(column) != rows:
            raise ProtocolError(f"{rows} items were sent, {len(np.atleast_1d(column))} came back")


def _check_columns(columns: Columns, rows: int) -> None:
    dense, sparse, many = columns.dense, columns.sparse, columns.multivector
    if dense is not None:
        if dense.ndim != 2:
            raise ProtocolError("the server's answer has dense vectors that are no matrix")
        check_rows(rows, dense)
        _check_reading(columns.quantization, rows)
    if sparse is not None:
        _check_offsets(sparse, rows)
        check_rows(len(sparse.values), sparse.indices)
    if many is not None:
        if many.values.ndim != 2:
            raise ProtocolError("the server's answer has token vectors that are no matrix")
        _check_offsets(many, rows)
        _check_reading(many.quantization, len(many.values))


def _check_offsets(column: Sparse | Ragged, rows: int) -> None:
    check_rows(rows + 1, column.offsets)
    lengths = np.diff(column.offsets)
    if column.offsets[0] != 0 or column.offsets[-1] != len(column.values) or lengths.min() < 0:
        raise ProtocolError("the server's answer has a column whose offsets do not fit it")


def _check_reading(quantization: Quantization | None, rows: int) -> None:
    if quantization is not None:
        check_rows(rows, quantization.scale, quantization.zero)


def _kind(columns: Columns) -> list[Any]:
    """What must be the same in all answers of a call."""
    arrays = [columns.dense, None if columns.multivector is None else columns.multivector.values]
    return [None if array is None else (array.dtype, array.shape[1]) for array in arrays]


def errors_of(chunk: Chunk, failed: dict[int, ErrorInfo]) -> dict[int, StelaeError]:
    """The failed items of a result, by their index in the whole call."""
    return {
        chunk.start + row: at(from_info(info), chunk.start + row) for row, info in failed.items()
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
    item: Item, row: int, columns: Columns, result: EncodeResult, error: StelaeError | None
) -> Encoding:
    return Encoding(
        # Copies: views would keep the whole answer in memory for one kept row.
        columns=columns.row(row).map(np.copy),
        tokens=int(result.tokens[row]),
        truncated=bool(result.truncated[row]),
        model=result.model,
        fingerprint=result.fingerprint,
        id=item.id,
        metadata=item.metadata,
        error=error,
        timing=result.timing,
    )
