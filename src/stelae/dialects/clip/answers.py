"""What is put around the documents of an answer in JSON."""

from __future__ import annotations

import time
from typing import Any

from msgspec import structs

from stelae.dialects.clip.asked import Asked, Told
from stelae.dialects.clip.schema import (
    Doc,
    HeaderTold,
    PostAnswer,
    PostRequest,
    RouteTold,
    StatusTold,
)
from stelae.dialects.clip.timing import rfc3339, stages
from stelae.wire.clip.names import SUCCESS


def post_answer(
    given: PostRequest, asked: Asked[Doc], told: Told, status: StatusTold | None
) -> PostAnswer:
    """The answer to a request.

    Args:
        given: The request as it came.
        asked: The request as it was understood; its documents are filled.
        told: What is said beside them.
        status: What went wrong, if nothing could be done.
    """
    if status is None and told.description:
        status = StatusTold(code=SUCCESS, description=told.description)
    routes = [
        RouteTold(executor=name, start_time=rfc3339(start), end_time=rfc3339(end))
        for name, start, end in stages(told, time.time_ns())
    ]
    header = HeaderTold(request_id=_name(given), status=status, exec_endpoint=asked.endpoint)
    data = list(asked.docs if told.docs is None else told.docs)
    return PostAnswer(header=header, parameters=dict(asked.parameters), routes=routes, data=data)


def spoken(answer: PostAnswer) -> dict[str, Any]:
    """An answer as it is written on a WebSocket: the names of protobuf."""
    return {
        "header": structs.asdict(answer.header),
        "parameters": answer.parameters,
        "routes": [structs.asdict(route) for route in answer.routes],
        "data": answer.data,
    }


def _name(given: PostRequest) -> str:
    header = given.header
    return (header.request_id or header.camel_request_id or "") if header else ""
