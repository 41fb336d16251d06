"""Which replica of a deployment takes a call."""

from __future__ import annotations

import random
from collections.abc import Sequence

from stelae.cluster.replica import Replica
from stelae.errors import ModelNotReady
from stelae.types import ModelState

_RANK = {ModelState.READY: 0, ModelState.LOADING: 1, ModelState.FAILED: 2}


def rank(replica: Replica) -> int:
    """How soon a replica takes calls, the lowest first."""
    return _RANK.get(replica.state, len(_RANK))


def choose(replicas: Sequence[Replica], draw: random.Random = random.Random()) -> Replica:  # noqa: B008, S311  # a shared default; no secret depends on it
    """Take the less busy of two replicas drawn from the best state present.

    Ready ones come first, then ones being replaced (a call waits there), then
    failed ones (which say why, or try again).

    Raises:
        ModelNotReady: There is none, or all are being stopped.
    """
    if len(replicas) == 1 and replicas[0].state is ModelState.READY:
        return replicas[0]
    usable = [r for r in replicas if r.state in _RANK]
    if not usable:
        raise ModelNotReady("no replica of the model takes calls now", retry_after=1.0)
    best = min(map(rank, usable))
    peers = [r for r in usable if rank(r) == best]
    pair = draw.sample(peers, 2) if len(peers) > 2 else peers
    return min(pair, key=lambda replica: replica.in_flight)
