"""What is on the wire, recorded: each file holds a request and the answer to it.

A change of these files is a change that clients see; review it as such. After one
that is meant, ``STELAE_GOLDEN=record pytest tests/golden`` writes them anew.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fix_recorded import asked_in, is_as_recorded
from live import FAKE, live, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLDER = Path(__file__).parent
CASES = sorted(FOLDER.glob("*/*.json"))

HEADERS = ("allow", "content-type", "location", "retry-after", "www-authenticate", "x-should-retry")
HEADERS += (
    "x-sie-error-code",
    "x-sie-server-version",
    "x-stelae-error-code",
    "x-stelae-fingerprint",
    "x-stelae-truncated",
)
"""Headers that are compared; the others differ from run to run."""

VOLATILE = (
    "address",
    "created",
    "listen",
    "memory_bytes",
    "pid",
    "request_id",
    "timing",
    "uptime_s",
)
VOLATILE += ("version", "endTime", "requestId", "startTime")
"""Fields whose values differ from run to run, as every UUID does."""

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    models = {"fake": {**FAKE, "aliases": ["org/fake"]}}
    async with live(models=models, api_keys=["golden"]) as server:
        fleet = server.house.fleet
        await fleet.load("fake")
        await until(lambda: all(model.dimensions for model in fleet.models()))
        headers = {"Authorization": "Bearer golden"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
            yield client


NUMBERS = re.compile(r"\[[-+.\de,\s]+\]")


def laid_out(text: str) -> str:
    """A file's text with its rows of numbers in one line each."""
    return NUMBERS.sub(in_one_line, text)


def in_one_line(numbers: re.Match[str]) -> str:
    return " ".join(numbers[0].split()).replace("[ ", "[").replace(" ]", "]")


def settled(value: Any) -> Any:
    """A body with what differs from run to run replaced by its type."""
    if isinstance(value, dict):
        return {
            name: f"<{type(inner).__name__}>" if drawn(name, inner) else settled(inner)
            for name, inner in value.items()
        }
    return [settled(inner) for inner in value] if isinstance(value, list) else value


def drawn(name: str, value: Any) -> bool:
    """Whether a field's value differs from run to run."""
    return name in VOLATILE or (isinstance(value, str) and UUID.fullmatch(value) is not None)


def shown(answer: httpx.Response) -> dict[str, Any]:
    return {
        "status": answer.status_code,
        "headers": {name: answer.headers[name] for name in HEADERS if name in answer.headers},
        "body": settled(answer.json()) if answer.content else None,
    }


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}-{file.stem}")
async def test_answer_is_as_recorded(file: Path, http: httpx.AsyncClient) -> None:
    asked = asked_in(file)
    answer = await http.request(
        asked["method"], asked["path"], json=asked.get("body"), headers=asked.get("headers")
    )
    is_as_recorded(file, shown(answer), laid_out)
