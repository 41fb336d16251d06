"""What is on the wire where texts are written, recorded: whole answers and streams.

As in ``test_wire``: a change of these files is one that clients see, and ``STELAE_GOLDEN=record``
writes them anew. Streams are recorded as they are sent, event by event.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fix_told
import httpx
import pytest
import pytest_asyncio
from live import live

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLDER = Path(__file__).parent / "text"
CASES = sorted(FOLDER.glob("*/*.json"))
RECORD = os.environ.get("STELAE_GOLDEN") == "record"

NAMES = re.compile(
    r"\b(chatcmpl-|cmpl-|resp_|msg_|rs_|fc_|modr-)[0-9a-f]{8}[0-9a-f-]*"
    r'|("(?:created|created_at|completed_at)":)\d+'
    r'|("request_id":)"[0-9a-f]+"'
    r'|("created_at":)"[^"]+"'
    r'|("[a-z_]+_duration":)\d+'
    r'|("(?:ttft|tpot)_ms":)[\d.]+'
    r'|("attempt_id":)"[0-9a-f]+"'
)
"""What differs from run to run."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(zoo: Path) -> AsyncIterator[httpx.AsyncClient]:
    folder = zoo / "qwen3-chat"
    models = {
        "echo": {"source": str(folder), "engine": "fake_text"},
        "told": fix_told.settings(folder),
    }
    with pytest.MonkeyPatch.context() as patch:
        fix_told.install(patch)
        async with (
            live(models=models) as server,
            httpx.AsyncClient(base_url=server.url) as client,
        ):
            yield client


def read(file: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return case


def write(file: Path, case: dict[str, Any]) -> None:
    file.write_text(json.dumps(case, indent=1, ensure_ascii=False) + "\n", "utf-8")


def settled(text: str) -> str:
    """A text with what differs from run to run left out."""
    return NAMES.sub(lambda found: next(filter(None, found.groups())) + "...", text)


def shown(answer: httpx.Response) -> dict[str, Any]:
    kind = answer.headers["content-type"]
    if kind == "application/json":
        compact = json.dumps(answer.json(), separators=(",", ":"), ensure_ascii=False)
        body: Any = settled(compact)
    else:
        body = settled(answer.text).splitlines()
    return {"status": answer.status_code, "content-type": kind, "body": body}


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}-{file.stem}")
async def test_answer_is_as_recorded(file: Path, http: httpx.AsyncClient) -> None:
    case = read(file)
    asked = case["request"]
    answer = await http.post(asked["path"], json=asked["body"], headers=asked.get("headers"))
    if RECORD:
        write(file, {"request": asked, "answer": shown(answer)})
        pytest.skip("recorded")  # the files were written, nothing was compared
    assert shown(answer) == case["answer"]
