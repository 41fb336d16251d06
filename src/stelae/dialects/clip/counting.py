"""The figures of one message among many on a stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stelae.dialects.base import Asking, Record, Rooms


@contextmanager
def counted(asking: Asking, rooms: Rooms) -> Iterator[Asking]:
    """Count what a message runs and what of it fails; messages are answered side by side.

    Returns:
        What is known of the stream, with a record of the message's own.
    """
    whole = asking.record
    record = Record(whole.id, whole.started, whole.key_id, whole.route, whole.dialect)
    yield asking.about(record=record)
    if record.model:
        whole.model = record.model
    served = record.served
    if served is not None:
        rooms.metrics.served(served)
    for code in (record.error,) if record.error else served.error_codes if served else ():
        rooms.metrics.error(code)
