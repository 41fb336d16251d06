"""What a server answered to one request, and the errors in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stelae.client._place import Place
from stelae.clip import kinds
from stelae.clip.document import Document
from stelae.errors import (
    BY_CODE,
    EngineFailed,
    ErrorInfo,
    InvalidInput,
    ProtocolError,
    StelaeError,
    from_info,
)
from stelae.wire.clip import messages, structs

NAMED = {"ValueError": InvalidInput.code} | {kind.__name__: code for code, kind in BY_CODE.items()}
"""Codes by the names of classes, as answers name them."""

SHOWN = 5
"""Failed documents that a message names; all are in its error's details."""


class Response:
    """The answer to one request, as callbacks get it.

    Attributes:
        header: With ``request_id``, ``exec_endpoint`` and ``status``, whose ``code`` is 0 for
            success and 1 for failure and whose ``description`` says what failed.
        routes: The stations of the request on the server, with their times.
    """

    def __init__(
        self, message: messages.DataRequest, like: Any = None, kind: kinds.Kind = kinds.OURS
    ) -> None:
        self._message = message
        self._like = Document() if like is None else like
        self._kind = kind
        self._docs: Any = None
        self.header = message.header
        self.routes = message.routes

    @property
    def docs(self) -> Any:
        """The documents as the server answered them."""
        if self._docs is None:
            answers = self._message.data.docs.docs
            made = [kinds.read(answer, self._like, self._kind) for answer in answers]
            self._docs = self._kind.array(made, None)
        return self._docs

    @property
    def data(self) -> Response:
        """Itself: ``response.data.docs`` is ``response.docs``."""
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the request."""
        return structs.plain(self._message.parameters)

    @property
    def status(self) -> messages.Status:
        """Whether the request succeeded."""
        return self.header.status

    def __repr__(self) -> str:
        return f"<Response {self.header.request_id} with {len(self.docs)} documents>"


def failure(answer: messages.DataRequest) -> StelaeError | None:
    """The error of a request that failed as a whole."""
    status = answer.header.status
    if not status.code:
        return None
    code = NAMED.get(status.exception.name, EngineFailed.code)
    said = [*status.exception.args, status.description, "the server failed and does not say why"]
    return from_info(ErrorInfo(code=code, message=next(filter(None, said))))


@dataclass(frozen=True, slots=True)
class Failed:
    """A document that could not be encoded, or one inside it.

    Attributes:
        place: Which it is in the call.
        id: Its name.
        code: Of the error.
        message: What is wrong with it.
    """

    place: Place
    id: str
    code: str
    message: str

    def told(self) -> dict[str, Any]:
        """It among the details of an error."""
        return {
            "index": self.place.index,
            "id": self.id,
            "code": self.code,
            "message": self.message,
        }


def failures(failed: Sequence[Failed]) -> StelaeError:
    """One error for the documents of a call that failed, of the first one's class."""
    named = "; ".join(f"{each.place}: {each.message}" for each in failed[:SHOWN])
    more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    noun = "document" if len(failed) == 1 else "documents"
    return from_info(
        ErrorInfo(
            code=failed[0].code,
            message=f"{len(failed)} {noun} failed: {named}{more}",
            hint="mend or leave them out, or give on_error to go on without them",
            details={"documents": [each.told() for each in failed]},
        )
    )


def joined(sent: Sequence[str], answer: messages.DataRequest) -> list[messages.Document]:
    """The documents of an answer in the order in which they were sent.

    Args:
        sent: Their ids.
        answer: The server's.

    Raises:
        ProtocolError: It lacks one.
    """
    answers = list(answer.data.docs.docs)
    if [each.id for each in answers] == list(sent):
        return answers
    by_id = {each.id: each for each in answers}
    if absent := [name for name in sent if name not in by_id]:
        raise ProtocolError(
            f"the server's answer lacks {len(absent)} of {len(sent)} documents, the first with "
            f"the id {absent[0]!r}"
        )
    return [by_id[name] for name in sent]
