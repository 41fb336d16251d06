"""What is on the wire where pictures are made, and where models listen and speak, recorded.

As in ``test_wire``: a change of these files is one that clients see, and ``STELAE_GOLDEN=record``
writes them anew. A request has a ``body`` of JSON, or a form of ``fields`` and ``files``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fix_media
import httpx
import pytest
import pytest_asyncio
from fix_recorded import asked_in, is_as_recorded, shown
from live import live

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLDER = Path(__file__).parent / "media"
CASES = sorted(FOLDER.glob("*/*.json"))

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


async def ask(http: httpx.AsyncClient, asked: dict[str, Any]) -> httpx.Response:
    if "body" in asked:
        return await http.post(asked["path"], json=asked["body"])
    files = {name: (name, base64.b64decode(data)) for name, data in asked["files"].items()}
    return await http.post(asked["path"], data=asked["fields"], files=files)


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}-{file.stem}")
async def test_answer_is_as_recorded(file: Path, http: httpx.AsyncClient) -> None:
    answer = await ask(http, asked_in(file))
    is_as_recorded(file, shown(answer, CHANGING))
