"""Errors as Xinference's clients expect them: unknown names in a body are its mistake, 400."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import error_body, error_headers, json_answer
from stelae.dialects.base import record_of
from stelae.errors import Conflict, Forbidden, InvalidInput, ModelNotFound, NotFound, StelaeError

UIDS: Mapping[str, str] = {"uid": "model_uid"}


@contextmanager
def refused(sent: Mapping[str, str] = UIDS) -> Iterator[None]:
    """Answer 400 where the names or the state of things do not allow what is asked.

    Args:
        sent: Fields of a call that stand for one of this protocol's under another name.

    Raises:
        InvalidInput: In place of what is said of names and states.
    """
    try:
        yield
    except (ModelNotFound, NotFound, Conflict, Forbidden, InvalidInput) as error:
        renamed(error, sent)
        if isinstance(error, InvalidInput):
            raise
        details = {**error.details, "code": error.code}
        raise InvalidInput(
            error.message, param=error.param, hint=error.hint, details=details
        ) from error


def renamed(error: StelaeError, sent: Mapping[str, str]) -> None:
    """Speak of a field, or of part of one, by the name that the caller knows."""
    own, *rest = (error.param or "").split(".", 1)
    if own not in sent:
        return
    error.param = ".".join([sent[own], *rest])
    if error.message.startswith(tuple(own + sign for sign in "=:. ")):
        error.message = sent[own] + error.message[len(own) :]


def render_error(error: StelaeError, request: Request) -> Response:
    """An error that Xinference's clients and OpenAI's can both read."""
    body = error_body(error, record_of(request))
    body["error"]["message"] = str(error)
    return json_answer(body, error.status, error_headers(error))
