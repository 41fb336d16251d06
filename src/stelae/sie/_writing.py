"""What is asked of models that write, and what comes back: pure, shared by both clients."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import msgspec

from stelae.client._errors import Answer
from stelae.client._pictures import file_of, is_picture
from stelae.client._place import Place
from stelae.errors import LOADING, ErrorInfo, ProtocolError, from_info
from stelae.sie._rest import said_of
from stelae.sie.errors import ServerError
from stelae.sie.types import GenerateResult
from stelae.wire.sie.codes import LOAD_FAILED

CHATS, RESPONSES = "/v1/chat/completions", "/v1/responses"

NAMED = frozenset({"code", "message", "param"})
"""What of an error has a field of its own."""

CODE = "x-stelae-error-code"
"""Header with the name that the house has for an error."""

GOOD = 200
"""The one status of answers that are texts."""

EVENT = b"data:"
DONE = b"[DONE]"
"""The last event of a text that is whole."""

_CHUNK = msgspec.json.Decoder(dict[str, Any])


def generate_path(model: str) -> str:
    """Where texts of a model are made."""
    return f"/v1/generate/{quote(model, safe='/')}"


def body_of(needed: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a request: what it needs, and of the rest what was given.

    ``extra_body`` of the rest adds to it, and changes nothing that is needed.
    """
    more = dict(given)
    extra = more.pop("extra_body", None) or {}
    return {**{n: value for n, value in more.items() if value is not None}, **extra, **needed}


def images_of(given: Sequence[Any] | None) -> list[dict[str, str]] | None:
    """Pictures as they are sent.

    Raises:
        InvalidInput: One of them is none.
    """
    if given is None:
        return None
    return [_image(image, Place("images", index)) for index, image in enumerate(given)]


def _image(image: Any, place: Place) -> dict[str, str]:
    known = isinstance(image, Mapping)
    data = image.get("data") if known else image
    if isinstance(data, str) and not is_picture(data):
        data = Path(data)
    if not is_picture(data):
        raise place.wrong(f"is a {type(data).__name__}; a picture was expected")
    file = base64.b64encode(file_of(data, place)).decode()
    return {"data": file, "format": str(image.get("format") or "jpeg") if known else "jpeg"}


def result_of(told: dict[str, Any]) -> GenerateResult:
    """A text as the SDK tells it.

    Raises:
        ProtocolError: There is none in the answer.
    """
    for name in ("model", "text"):
        if not isinstance(told.get(name), str):
            raise ProtocolError(f"the answer has no {name}")
    made = {key: told[key] for key in GenerateResult.__annotations__ if key in told}
    used = told.get("usage") or {}
    counts = {"input_tokens": used.get("prompt_tokens", 0)}
    return cast("GenerateResult", {**made, "request": {"usage": counts}})


def place(gpu: str | None) -> dict[str, str]:
    """The header that says where a text is made."""
    return {} if gpu is None else {"x-sie-machine-profile": gpu}


def check(response: Any, body: bytes) -> None:
    """Refuse an answer that is none.

    Args:
        response: As the HTTP library has it.
        body: What it says.

    Raises:
        StelaeError: What it reports, as the house raises it.
    """
    if response.status_code == GOOD:
        return
    answer = Answer(str(response.url), response.status_code, response.headers, body)
    said = said_of(answer.body)
    wait = answer.headers.get("retry-after", "")
    info = ErrorInfo(
        code=answer.headers.get(CODE, ""),
        message=said.get("message") or f"{answer.url} answered {answer.status}",
        status=answer.status,
        param=said.get("param"),
        retry_after=float(wait) if wait.replace(".", "", 1).isdecimal() else None,
        details=_details(said),
    )
    raise from_info(info)


def _details(said: dict[str, Any]) -> dict[str, Any]:
    more = {name: value for name, value in said.items() if name not in NAMED}
    return {**more, "stage": LOADING} if said.get("code") == LOAD_FAILED else more


def chunk_in(line: bytes) -> dict[str, Any] | None:
    """The chunk in a line of an answer; ``None`` in lines that hold none, or the last word.

    Raises:
        ServerError: The text broke off, and why.
        ProtocolError: The line cannot be read.
    """
    data = line.removeprefix(EVENT).strip() if line.startswith(EVENT) else b""
    if data in (b"", DONE):
        return None
    try:
        chunk = _CHUNK.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"a chunk of the text cannot be read: {error}") from error
    if isinstance(fault := chunk.get("error"), dict):
        raise ServerError(str(fault.get("message")), fault.get("code"), fault.get("status"))
    return chunk


def is_last(line: bytes) -> bool:
    """Whether a line says that the text is whole."""
    return line.removeprefix(EVENT).strip() == DONE


def broken_off(address: str) -> ProtocolError:
    """A text ended without the word that it is whole."""
    return ProtocolError(f"the answer of {address} broke off; what came of it is not whole")
