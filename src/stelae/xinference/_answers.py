"""What answers mean: values, pieces and errors. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stelae.client._errors import Answer
from stelae.errors import ProtocolError
from stelae.xinference._asks import Ask
from stelae.xinference.errors import XinferenceError

DATA = b"data:"
DONE = b"[DONE]"
SHOWN = 200
"""Letters of an answer that a message shows."""


def value(answer: Answer) -> Any:
    """What an answer holds.

    Raises:
        ProtocolError: It is no JSON.
    """
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(
            f"{answer.url} answered {answer.status} with what is no JSON: "
            f"{answer.body[:SHOWN].decode('utf-8', 'replace')!r}",
            hint="is a server of Xinference's protocol at this address?",
        ) from error


def part(what: str, answer: Any, name: str) -> Any:
    """One field of an answer.

    Raises:
        XinferenceError: The answer has none of that name.
    """
    if not isinstance(answer, dict) or name not in answer:
        said = str(answer)[:SHOWN]
        raise XinferenceError(f"{what}, detail: the answer has no {name!r}: {said}")
    return answer[name]


def refusal(ask: Ask, answer: Answer) -> XinferenceError:
    """The error that an answer reports."""
    said = _said(answer)
    error = said.get("error")
    told: Mapping[str, Any] = error if isinstance(error, dict) else {}
    detail = said.get("detail") or told.get("message")
    if not isinstance(detail, str):
        detail = f"{answer.url} answered {answer.status}: {_shown(answer, said.get('detail'))}"
    return XinferenceError(
        f"{ask.what}{ask.joint}{detail}",
        detail=detail,
        status=answer.status,
        code=_code(told),
        retry_after=_seconds(answer.headers.get("retry-after", "")),
    )


def piece(line: bytes) -> dict[str, Any] | None:
    """The piece in a line of an answer; ``None`` in lines that hold none.

    Raises:
        XinferenceError: The model failed on the way.
        ProtocolError: The line cannot be read.
    """
    data = line.removeprefix(DATA).strip() if line.startswith(DATA) else b""
    if data in (b"", DONE):
        return None
    try:
        told = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"a piece of the answer cannot be read: {error}") from error
    if (fault := told.get("error")) is not None:
        known: Mapping[str, Any] = fault if isinstance(fault, dict) else {}
        detail = str(known.get("message") or fault)
        raise XinferenceError(detail, detail=detail, code=_code(known))
    return told


def _said(answer: Answer) -> dict[str, Any]:
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _shown(answer: Answer, detail: Any) -> str:
    if detail is not None:
        return str(detail)[:SHOWN]
    return answer.body[:SHOWN].decode("utf-8", "replace").strip()


def _code(told: Mapping[str, Any]) -> str:
    """The word for an error; details have it where the protocol's status says less."""
    details = told.get("details")
    within = details.get("code") if isinstance(details, dict) else None
    code = within or told.get("code")
    return code if isinstance(code, str) else ""


def _seconds(text: str) -> float | None:
    return float(text) if text.isdecimal() else None
