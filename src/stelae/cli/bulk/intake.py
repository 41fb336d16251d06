"""What goes into a job: records on their way out and back, and a digest of those done."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from itertools import islice

from stelae.cli.bulk.rows import Record, unreadable
from stelae.cli.bulk.source import Source
from stelae.errors import Conflict


class Intake:
    """The records of a source, each remembered from when it is sent until its row is made.

    Args:
        source: The input.
        limit: Longest text that can be sent, in bytes.
    """

    def __init__(self, source: Source, limit: int | None = None) -> None:
        self.source = source
        self._records = iter(source)
        self._limit = limit
        self._sent: deque[Record] = deque()
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """SHA-256 over the records taken (or skipped) so far."""
        return self._digest.hexdigest()

    def skip(self, rows: int, digest: str) -> None:
        """Pass over the records that an earlier run has done.

        Raises:
            Conflict: They are not the same records.
        """
        for record in islice(self._records, rows):
            self._absorb(record)
        if self.digest != digest:
            raise Conflict(
                f"cannot resume: the first {rows} items of the input are not those embedded before",
                hint="start anew with --no-resume, which replaces the output",
            )

    def texts(self) -> Iterator[str]:
        """The texts to send, in order; what cannot be sent waits for ``unsent``."""
        for record in self._records:
            checked = sendable(record, self._limit)
            self._sent.append(checked)
            if checked.text is not None:
                yield checked.text

    def take(self) -> Record:
        """The record whose result is next."""
        return self._absorb(self._sent.popleft())

    def unsent(self) -> Iterator[Record]:
        """The records before the next result that were never sent."""
        while self._sent and self._sent[0].error is not None:
            yield self.take()

    def _absorb(self, record: Record) -> Record:
        text = (record.text or "").encode("utf-8", "surrogatepass")
        self._digest.update(len(text).to_bytes(8, "little"))
        self._digest.update(text)
        return record


def sendable(record: Record, limit: int | None) -> Record:
    """The record, or an unreadable one in its place if no server would take it."""
    if record.text is None:
        return record
    try:
        size = len(record.text.encode("utf-8"))
    except UnicodeEncodeError as error:
        return unreadable(f"the text is not valid Unicode: {error.reason}", record.id)
    if limit is not None and size > limit:
        return unreadable(f"the text has {size} bytes, the server takes {limit}", record.id)
    return record
