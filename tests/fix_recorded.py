"""Answers that were recorded: what a request got is compared, or written anew."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

RECORD = os.environ.get("STELAE_GOLDEN") == "record"

PLAYED = ("audio", "image")
"""Kinds of answers that are no text."""


def asked_in(file: Path) -> dict[str, Any]:
    """The request of a file."""
    asked: dict[str, Any] = json.loads(file.read_text("utf-8"))["request"]
    return asked


def is_as_recorded(file: Path, found: dict[str, Any], laid_out: Callable[[str], str] = str) -> None:
    """Compare an answer with the file's; where files are written, write it there.

    Args:
        file: Holds a request and the answer to it.
        found: The answer, as it is shown there.
        laid_out: What becomes of the text of a file before it is written.
    """
    if RECORD:
        case = {"request": asked_in(file), "answer": found}
        file.write_text(laid_out(json.dumps(case, indent=1, ensure_ascii=False)) + "\n", "utf-8")
        pytest.skip("recorded")  # the file was written, nothing was compared
    assert found == json.loads(file.read_text("utf-8"))["answer"]


def shown(answer: httpx.Response, changing: re.Pattern[str]) -> dict[str, Any]:
    """An answer as files hold it, its text line by line unless it is JSON.

    Args:
        answer: Whatever it is.
        changing: What differs from run to run; of it only the first group that is there is kept.
    """

    def settled(text: str) -> str:
        return changing.sub(lambda found: next(filter(None, found.groups())) + "...", text)

    kind = answer.headers["content-type"]
    if kind == "application/json":
        compact = json.dumps(answer.json(), separators=(",", ":"), ensure_ascii=False)
        body: Any = settled(compact)
    elif kind.startswith(PLAYED):
        body = base64.b64encode(answer.content).decode()
    else:
        body = settled(answer.text).splitlines()
    return {"status": answer.status_code, "content-type": kind, "body": body}
