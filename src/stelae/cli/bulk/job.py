"""One run of ``stelae embed``: records in, rows out, in order, in constant memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from stelae.cli.bulk import state as states
from stelae.cli.bulk.intake import Intake
from stelae.cli.bulk.progress import Meter
from stelae.cli.bulk.rows import Embedding, Record, Row, Shape
from stelae.cli.bulk.sink import Mark, Sink, open_sink
from stelae.cli.bulk.source import Source
from stelae.cli.bulk.state import Counts, Options, State
from stelae.client import Encoding
from stelae.client._columns import Columns
from stelae.errors import Conflict, InvalidInput, StelaeError
from stelae.types import Quantization

BLOCK = 64
"""Rows that are written together."""


class Encoder(Protocol):
    """Whatever turns texts into vectors: a server, or a model in this process."""

    def stream(self, texts: Iterable[str]) -> Iterator[Encoding]:
        """Encode texts of any number in order; failed items carry their error."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, settled before anything is read or written.

    Attributes:
        source: The input.
        options: What was asked for.
        output: The output, or ``None`` for stdout.
        resume: Go on with an unfinished output.
    """

    source: Source
    options: Options
    output: Path | None
    resume: bool


@dataclass(slots=True)
class Job:
    """A plan in progress.

    Attributes:
        plan: What to do.
        shape: What every row looks like.
        intake: Where records come from.
        sink: Where rows go.
        meter: Who is told how far it is.
        counts: What was done, over all runs.
        committed: Rows that are safe, whatever happens now.
    """

    plan: Plan
    shape: Shape
    intake: Intake
    sink: Sink
    meter: Meter
    counts: Counts
    clock: Callable[[], float] = time.monotonic
    committed: int = 0
    _rows: list[Row] = field(default_factory=list)
    _committed_at: float = 0.0

    def __post_init__(self) -> None:
        self.committed = self.counts.rows

    def run(self, encoder: Encoder) -> Counts:
        """Embed what is left of the input and complete the output.

        An error that ends the run is raised after what was done is committed.

        Raises:
            StelaeError: The server or the model failed; a second run goes on from there.
        """
        self._committed_at = self.clock()
        try:
            self._run(encoder)
        except StelaeError:
            self._commit()
            raise
        self._commit()
        self.sink.finish()
        if self.plan.output is not None:
            states.state_path(self.plan.output).unlink(missing_ok=True)
        return self.counts

    def _run(self, encoder: Encoder) -> None:
        for encoding in encoder.stream(self.intake.texts()):
            self._add_unsent()
            self._check(encoding)
            self._add(self.intake.take(), encoding)
        self._add_unsent()

    def _add_unsent(self) -> None:
        for record in self.intake.unsent():
            self._add(record, None)

    def _check(self, encoding: Encoding) -> None:
        if encoding.error is None and encoding.fingerprint != self.shape.fingerprint:
            raise Conflict(
                f"model '{self.shape.model}' changed while it was in use: fingerprint "
                f"{self.shape.fingerprint[:12]} became {encoding.fingerprint[:12]}",
                hint=states.ANEW,
            )

    def _add(self, record: Record, encoding: Encoding | None) -> None:
        self._rows.append(make_row(self.counts.rows + len(self._rows), record, encoding))
        if len(self._rows) >= BLOCK:
            self._write()
            if self.clock() - self._committed_at >= self.sink.commit_seconds:
                self._commit()

    def _write(self) -> None:
        self.sink.write(self._rows)
        self.counts.rows += len(self._rows)
        self.counts.failed += sum(row.error is not None for row in self._rows)
        self.counts.truncated += sum(row.truncated for row in self._rows)
        self.counts.tokens += sum(row.tokens for row in self._rows)
        self._rows = []
        self.meter.update(self.counts, self.plan.source.done, self.plan.source.total)

    def _commit(self) -> None:
        if self._rows:
            self._write()
        mark = self.sink.commit()
        self._committed_at = self.clock()
        if self.plan.output is not None:
            state = noted(self.plan, self.shape, self.counts, self.intake.digest, mark)
            states.save(states.state_path(self.plan.output), state)
        self.committed = self.counts.rows


def start(plan: Plan, shape: Shape, meter: Meter, item_bytes: int | None = None) -> Job:
    """Find the place in the input, then open the output.

    The input is compared before the output is touched, so a refusal changes nothing.

    Raises:
        Conflict: The output is there and cannot be continued, or is in use.
        InvalidInput: The output is not a plain file.
    """
    state = earlier(plan, shape)
    intake = Intake(plan.source, item_bytes)
    if state is not None:
        intake.skip(state.counts.rows, state.digest)
    elif plan.output is not None:
        # Before the output is made, so that a run killed at once can be repeated.
        begun = noted(plan, shape, Counts(), intake.digest, None)
        states.save(states.state_path(plan.output), begun)
    sink = open_sink(
        plan.output,
        plan.options.output_format,
        shape,
        with_ids=plan.source.with_ids,
        mark=state.mark if state else None,
    )
    return Job(plan, shape, intake, sink, meter, state.counts if state else Counts())


def noted(plan: Plan, shape: Shape, counts: Counts, digest: str, mark: Mark | None) -> State:
    """The state of a plan after some rows."""
    return State(
        input=plan.source.identity,
        options=plan.options,
        shape=shape,
        counts=counts,
        digest=digest,
        mark=mark,
    )


def earlier(plan: Plan, shape: Shape) -> State | None:
    """The state to go on from, if there is one and it is wanted."""
    if plan.output is None:
        return None
    if not plan.output.parent.is_dir():
        raise InvalidInput(
            f"output '{plan.output}': there is no folder '{plan.output.parent}'", param="output"
        )
    if plan.output.exists() and not plan.output.is_file():
        raise InvalidInput(
            f"output '{plan.output}' is not a plain file; without -o rows go to stdout",
            param="output",
        )
    if not plan.resume:
        return None
    state = states.read(states.state_path(plan.output))
    if state is not None:
        states.check(state, plan.source.identity, plan.options, shape)
    elif plan.output.exists():
        raise Conflict(
            f"output '{plan.output}' exists, and no unfinished run of it is known",
            hint="choose another output, or replace this one with --no-resume",
        )
    return state


def make_row(index: int, record: Record, encoding: Encoding | None) -> Row:
    """The row of a record: its embedding, or why there is none."""
    if encoding is None:
        return Row(index, record.id, None, error=record.error)
    if encoding.error is not None:
        return Row(index, record.id, None, error=encoding.error.info)
    return Row(
        index,
        record.id,
        embedding(encoding),
        encoding.tokens,
        encoding.truncated,
        reading=reading(encoding.columns),
    )


def embedding(encoding: Encoding) -> Embedding:
    """What was made of an item, of whatever kind it is."""
    columns = encoding.columns
    if columns.sparse is not None:
        return encoding.sparse._asdict()
    return encoding.dense if columns.dense is not None else encoding.multivector


def reading(columns: Columns) -> Quantization | None:
    """How to read what was made of an item, if it is in whole numbers."""
    many = columns.multivector
    return columns.quantization if many is None else many.quantization
