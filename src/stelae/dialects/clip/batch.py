"""Documents of a request to vectors, one row each; one that is broken harms no other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from stelae.dialects import ask
from stelae.dialects.clip.asked import Told, Visit
from stelae.dialects.clip.forms import D, Form, Link
from stelae.errors import EngineFailed, ErrorInfo, InvalidInput, StelaeError, from_info
from stelae.types import (
    EmbeddingDtype,
    EncodeCall,
    EncodeResult,
    IndexResult,
    Item,
    OutputType,
    SearchResult,
)

Matrix = NDArray[Any]

DOC_BYTES = 1024
"""To read or fill a document takes as long as to read so many bytes."""

ANSWER_COPIES = 3
"""How often vectors are held until they are sent: as they come, in their documents, written."""

VECTOR_BYTES = ANSWER_COPIES * 4 * 512
"""What a vector is expected to take, before the model has answered."""

R = TypeVar("R", EncodeResult, IndexResult, SearchResult)


@dataclass(slots=True)
class Batch(Generic[D]):
    """The documents of a request that hold something to encode.

    Attributes:
        form: How they are read and written.
        docs: The documents.
        items: What each holds; ``None`` of one that cannot be read.
        faults: What is wrong with a document, by its place.
    """

    form: Form[D]
    docs: list[D] = field(default_factory=list)
    items: list[Item | None] = field(default_factory=list)
    faults: dict[int, ErrorInfo] = field(default_factory=dict)

    def read(self, docs: Sequence[D]) -> dict[int, Link]:
        """Read documents; returns by place the addresses of what must be fetched."""
        links = ((self.add(doc), len(self.docs) - 1) for doc in docs)
        return {place: link for link, place in links if link is not None}

    def add(self, doc: D) -> Link | None:
        """Read a document; returns its address if what it holds must be fetched."""
        try:
            content = self.form.read(doc)
        except InvalidInput as error:
            self.faults[len(self.docs)] = error.info
            content = Link("")
        if content is None:
            return None
        self.docs.append(doc)
        if isinstance(content, Link):
            self.items.append(None)
            return content if content.uri else None
        if content.text is not None:
            self.form.mark_text(doc)
        self.items.append(content)
        return None

    def sound(self) -> list[int]:
        """Places of the documents that can be encoded."""
        return [place for place, item in enumerate(self.items) if item is not None]

    def sound_items(self) -> list[Item]:
        """What these hold."""
        return [item for item in self.items if item is not None]

    def blame(self, places: Iterable[int] | None = None) -> str:
        """Say on each broken document what is wrong with it.

        Args:
            places: The documents that count; all of them if not given.

        Returns:
            A sentence on them all; empty if none is broken.

        Raises:
            StelaeError: None is sound.
        """
        counted = range(len(self.docs)) if places is None else list(places)
        broken = [place for place in counted if place in self.faults]
        for place, error in self.faults.items():
            whole = replace(error, message=str(from_info(error)))  # with what to do
            self.form.blame(self.docs[place], whole)
        if not broken:
            return ""
        first = self.faults[broken[0]]
        if len(broken) == len(counted):
            raise from_info(first)
        return f"{len(broken)} of {len(counted)} documents failed: {first.message}"


async def gather(docs: Sequence[D], form: Form[D], visit: Visit) -> Batch[D]:
    """Read documents, and fetch what they only name."""
    batch = Batch(form)
    links = await ask.offload(visit.size + DOC_BYTES * len(docs), batch.read, docs)
    if links:
        fetched = [_fetched(batch, place, link, visit) for place, link in links.items()]
        await asyncio.gather(*fetched)
    return batch


async def _fetched(batch: Batch[D], place: int, link: Link, visit: Visit) -> None:
    try:
        batch.items[place] = Item(image=await visit.rooms.fetcher.fetch(link.uri))
    except StelaeError as error:
        batch.faults[place] = error.info


async def vectors(batch: Batch[D], model: str, visit: Visit, told: Told) -> Matrix:
    """The vectors of a batch, as the model makes them.

    Returns:
        Shape ``(N, D)`` in float32, in the order of ``batch.docs``; the row of a broken document
        is NaN. ``(N, 0)`` if there is nothing to encode.

    Raises:
        StelaeError: The model answers none of them.
    """
    places = batch.sound()
    if not places:
        return np.full((len(batch.docs), 0), np.nan, np.float32)
    call = EncodeCall(
        model=model,
        items=batch.sound_items(),
        outputs=(OutputType.DENSE,),
        dtype=EmbeddingDtype.FLOAT32,
        normalize=False,  # Quirk: clip-client 0.8.3 gets what the projection gives, of any length.
    )
    told.model, told.began = model, time.time_ns()
    asking = ask.encode(visit.request, visit.rooms, call, visit.caller)
    result = await weighed(asking, len(places), visit)
    told.model, told.ended = result.model, time.time_ns()
    batch.faults |= {places[index]: error for index, error in result.errors.items()}
    if result.dense is None:
        raise EngineFailed(f"model {result.model!r} returned no vectors")
    return spread(result.dense, places, len(batch.docs))


async def weighed(asking: Awaitable[R], count: int, visit: Visit) -> R:
    """Ask, with what the answer takes booked: as it is expected, and then as it is.

    Args:
        asking: Brings the vectors.
        count: How many there will be.
        visit: Who asks.
    """
    expected = VECTOR_BYTES * count
    visit.hold(expected)
    try:
        result = await asking
    except BaseException:
        visit.hold(-expected)  # it may be asked again
        raise
    rows = result.dense if isinstance(result, EncodeResult) else result.vectors
    visit.hold((0 if rows is None else ANSWER_COPIES * rows.nbytes) - expected)
    return result


def spread(rows: Matrix, places: Sequence[int], count: int) -> Matrix:
    """Rows at their places among others, which are NaN.

    Args:
        rows: Shape ``(N, D)``.
        places: Where they belong, in order.
        count: Rows in all.

    Returns:
        Shape ``(count, D)`` in float32.
    """
    rows = np.asarray(rows, np.float32)
    if len(places) == count:
        return rows
    whole = np.full((count, rows.shape[1]), np.nan, np.float32)
    whole[places] = rows
    return whole
