"""What is on the wire where texts are written, recorded: whole answers and streams.

As in ``test_wire``: a change of these files is one that clients see, and ``STELAE_GOLDEN=record``
writes them anew. Streams are recorded as they are sent, event by event.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import fix_told
import httpx
import pytest
import pytest_asyncio
from fix_recorded import asked_in, is_as_recorded, shown
from live import live

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLDER = Path(__file__).parent / "text"
CASES = sorted(FOLDER.glob("*/*.json"))

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


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}-{file.stem}")
async def test_answer_is_as_recorded(file: Path, http: httpx.AsyncClient) -> None:
    asked = asked_in(file)
    answer = await http.post(asked["path"], json=asked["body"], headers=asked.get("headers"))
    is_as_recorded(file, shown(answer, NAMES))
