"""``/rank``: put the matches of each document in the order of how well they fit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from stelae.dialects import ask
from stelae.dialects.clip.asked import Asked, Told, Visit
from stelae.dialects.clip.batch import DOC_BYTES, Batch, Matrix, gather, vectors
from stelae.dialects.clip.encode import fill
from stelae.dialects.clip.forms import D, Form, Inner
from stelae.dialects.clip.models import model_of
from stelae.wire.clip.names import CLIP_COSINE, CLIP_SCORE, SCALE

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Group(Generic[D]):
    """A document and what is ranked by it."""

    root: D
    kind: Inner
    inner: Sequence[D]


async def rank(asked: Asked[D], visit: Visit, told: Told) -> None:
    """Score and order the matches of the documents, or their chunks where there are none.

    Each match gets its cosine with the document, and its share of 1 among the document's
    matches. A match that is broken stands last, without scores.

    Raises:
        StelaeError: None of the documents could be encoded.
    """
    form = asked.form
    groups = [_group(doc, form) for doc in asked.docs]
    docs = [doc for group in groups for doc in (group.root, *group.inner)]
    batch = await gather(docs, form, visit)
    if not batch.docs:
        return
    rows = await vectors(batch, model_of(asked, visit.rooms), visit, told)
    size = DOC_BYTES * len(batch.docs)
    await ask.offload(size, _arrange, asked, groups, batch, rows)
    told.description = batch.blame()
    for group in groups:
        if group.kind == "chunks":
            form.mirror(group.root)


def scores(root: Matrix, others: Matrix) -> tuple[Scores, Scores]:
    """How well vectors fit one of them.

    Args:
        root: Shape ``(D,)``.
        others: Shape ``(N, D)``; a row of NaN is left out.

    Returns:
        Shares of 1 and cosines, shape ``(N,)`` each; NaN for rows that are left out.

    Source:
        CLIP-as-service: softmax over ``exp(4.60517)`` times the cosines, whatever the model.
    """
    wide, other = root.astype(np.float64), others.astype(np.float64)
    lengths = np.linalg.norm(other, axis=1) * np.linalg.norm(wide)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = np.where(lengths == 0, 0.0, other @ wide / lengths).clip(-1, 1)
    shares = np.full_like(cosines, np.nan)
    there = ~np.isnan(cosines)
    if there.any():
        powers = np.exp(np.exp(SCALE) * (cosines[there] - cosines[there].max()))
        shares[there] = powers / powers.sum()
    return shares, cosines


def _group(doc: D, form: Form[D]) -> Group[D]:
    matches = form.inner(doc, "matches")
    if matches:
        return Group(doc, "matches", list(matches))
    return Group(doc, "chunks", list(form.inner(doc, "chunks")))


def _arrange(asked: Asked[D], groups: Sequence[Group[D]], batch: Batch[D], rows: Matrix) -> None:
    """Put each group in order, give the documents vectors, and drop what is not wanted back."""
    form, places = asked.form, {id(doc): place for place, doc in enumerate(batch.docs)}
    for group in groups:
        _order(group, _rows(group, rows, places, batch), form)
    fill(batch, rows, [places[id(g.root)] for g in groups if id(g.root) in places])
    roots = [group.root for group in groups] if asked.drops else []
    inner = [doc for group in groups for doc in group.inner]
    for doc in (*roots, *(inner if asked.flag("drop_match_content") else ())):
        form.drop(doc)


def _rows(
    group: Group[D], rows: Matrix, places: dict[int, int], batch: Batch[D]
) -> tuple[Matrix, Matrix] | None:
    """The vectors of a group; nothing if its document has none."""
    blank = np.full(rows.shape[1], np.nan, np.float32)

    def row(doc: D) -> Matrix:
        place = places.get(id(doc))
        return blank if place is None or place in batch.faults else rows[place]

    root = row(group.root)
    if not group.inner or np.isnan(root).any():
        return None
    return root, np.stack([row(doc) for doc in group.inner])


def _order(group: Group[D], vectors: tuple[Matrix, Matrix] | None, form: Form[D]) -> None:
    for doc in group.inner:
        form.forget(doc)
    if vectors is None:
        return
    shares, cosines = scores(*vectors)
    for doc, share, cosine in zip(group.inner, shares.tolist(), cosines.tolist(), strict=True):
        if share == share:  # not NaN
            form.score(doc, CLIP_SCORE, share, "softmax")
            form.score(doc, CLIP_COSINE, cosine, "cosine")
    # The last key counts first; what has no score stands last, in its old order.
    best = np.lexsort((-cosines, -shares, np.isnan(shares)))
    form.order(group.root, group.kind, best.tolist())
