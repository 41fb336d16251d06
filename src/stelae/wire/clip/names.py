"""The names and numbers of the wire that stand in no message."""

from __future__ import annotations

CALL = "/jina.JinaRPC/Call"
"""gRPC: a stream of requests to a stream of answers, in any order."""

SINGLE = "/jina.JinaSingleDataRequestRPC/process_single_data"
DRY_RUN = "/jina.JinaGatewayDryRunRPC/dry_run"
ENDPOINTS = "/jina.JinaDiscoverEndpointsRPC/endpoint_discovery"
INFO = "/jina.JinaInfoRPC/_status"

PREFETCH = "__prefetch__"
"""gRPC metadata: most requests of a stream to have under way."""

IN_ORDER = "__results_in_order__"
"""gRPC metadata: ``true`` for answers in the order of the requests."""

SUBPROTOCOL = "bytes"
"""WebSocket: messages are protobuf; else JSON text."""

END = b"\x00"
"""WebSocket: the message after the last request."""

SUCCESS, ERROR = 0, 1
"""Codes of a status."""

WS_REPLY_BYTES = 4 * 1024 * 1024
"""Largest message that the public client's WebSocket takes."""

TEXT_MIME = "text/plain"

CLIP_SCORE, CLIP_COSINE, COSINE = "clip_score", "clip_score_cosine", "cosine"
"""Names of scores: a share of 1, the cosine it was made of; and a distance, of a search."""

SCALE = 4.60517
"""Natural logarithm of what cosines are multiplied with before they become shares, about 100."""
