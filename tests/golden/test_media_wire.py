"""What is on the wire where pictures are made, and where models listen and speak, recorded.

As in ``test_wire``: a change of these files is one that clients see, and ``STELAE_GOLDEN=record``
writes them anew. A request has a ``body`` of JSON, or a form of ``fields`` and ``files``.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fix_media
import httpx
import pytest
import pytest_asyncio
from live import live

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLDER = Path(__file__).parent / "media"
CASES = sorted(FOLDER.glob("*/*.json"))
RECORD = os.environ.get("STELAE_GOLDEN") == "record"

CHANGING = re.compile(
    r'("created(?:_at)?":)\d+|("request_id":)"[0-9a-f]+"|("url":"http://)[^"]*|("(?:image|b64_json)":)"[^"]*"'
)
"""What differs from run to run, or with the library that writes pictures."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    root: Path = tmp_path_factory.mktemp("media")
    models = {
        "painter": fix_media.settings(root, "painter", fix_media.PAINTER),
        "listener": fix_media.settings(root, "listener", fix_media.LISTENER),
        "speaker": fix_media.settings(root, "speaker", fix_media.SPEAKER),
    }
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
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
    return CHANGING.sub(lambda found: next(filter(None, found.groups())) + "...", text)


def shown(answer: httpx.Response) -> dict[str, Any]:
    kind = answer.headers["content-type"]
    if kind == "application/json":
        compact = json.dumps(answer.json(), separators=(",", ":"), ensure_ascii=False)
        body: Any = settled(compact)
    elif kind.startswith("text/"):
        body = settled(answer.text).splitlines()
    else:
        body = base64.b64encode(answer.content).decode()
    return {"status": answer.status_code, "content-type": kind, "body": body}


async def ask(http: httpx.AsyncClient, asked: dict[str, Any]) -> httpx.Response:
    if "body" in asked:
        return await http.post(asked["path"], json=asked["body"])
    files = {name: (name, base64.b64decode(data)) for name, data in asked["files"].items()}
    return await http.post(asked["path"], data=asked["fields"], files=files)


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}-{file.stem}")
async def test_answer_is_as_recorded(file: Path, http: httpx.AsyncClient) -> None:
    case = read(file)
    answer = await ask(http, case["request"])
    if RECORD:
        write(file, {"request": case["request"], "answer": shown(answer)})
        pytest.skip("recorded")  # the files were written, nothing was compared
    assert shown(answer) == case["answer"]
