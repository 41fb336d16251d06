"""SIE's feeds: how a worker and the whole stand, told again and again."""

from __future__ import annotations

import msgspec

from stelae.dialects.base import Feed, Rooms
from stelae.dialects.sie.cluster import cluster_status, worker_status


def tell_worker(rooms: Rooms) -> str:
    """How this worker stands."""
    return _text(worker_status(rooms.lookout.capacity(), rooms.about))


def tell_cluster(rooms: Rooms) -> str:
    """How the whole stands."""
    return _text(cluster_status(rooms.lookout.capacity(), rooms.about))


def _text(message: dict[str, object]) -> str:
    return msgspec.json.encode(message).decode()


FEEDS = (
    Feed(path="/ws/status", tell=tell_worker, every=0.2, summary="How this worker stands."),
    Feed(path="/ws/cluster-status", tell=tell_cluster, every=1.0, summary="How the whole stands."),
)
