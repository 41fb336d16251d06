"""``/encode``: give each document its vector."""

from __future__ import annotations

from collections.abc import Sequence

from stelae.dialects import ask
from stelae.dialects.clip.asked import Asked, Told, Visit
from stelae.dialects.clip.batch import DOC_BYTES, Batch, Matrix, gather, vectors
from stelae.dialects.clip.forms import D
from stelae.dialects.clip.models import model_of
from stelae.dialects.clip.select import select


async def encode(asked: Asked[D], visit: Visit, told: Told) -> None:
    """Give the documents that are meant their vectors.

    Those that hold nothing stay as they are.

    Raises:
        StelaeError: None of them could be encoded.
    """
    meant = select(asked.docs, asked.path, asked.form)
    batch = await gather(meant, asked.form, visit)
    if not batch.docs:
        return
    rows = await vectors(batch, model_of(asked, visit.rooms), visit, told)
    await ask.offload(DOC_BYTES * len(batch.docs), fill, batch, rows, range(len(batch.docs)))
    if asked.drops:
        for doc in batch.docs:
            asked.form.drop(doc)
    told.description = batch.blame()


def fill(batch: Batch[D], rows: Matrix, places: Sequence[int]) -> None:
    """Give the documents at some places their rows; broken ones only where gaps are written."""
    if not rows.size:
        return
    kept = [place for place in places if place not in batch.faults or batch.form.gaps]
    batch.form.embed([batch.docs[place] for place in kept], rows[kept])
