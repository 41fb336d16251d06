"""Our client with real documents of docarray, of either generation, each in its environment."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import clients
import pytest
from fix_clip import encoded, serving
from repo import ROOT

from stelae.wire.clip import structs
from stelae.wire.clip.messages import DataRequest

pytestmark = pytest.mark.timeout(300)

HERE = Path(__file__).parent


async def answering(request: DataRequest) -> DataRequest:
    """Vectors; for matches a score by the length of their text; for queries one match."""
    answer = await encoded(request)
    for document in answer.data.docs.docs:
        for match in document.matches:
            match.scores["clip_score"].value = len(match.text) / 8
            match.scores["clip_score"].op_name = "softmax"
        document.matches.sort(key=lambda match: -len(match.text))
        if request.header.exec_endpoint == "/search":
            found = document.matches.add(id="found", text="near")
            found.scores["cosine"].value = 0.25
            structs.fill(found.tags, {"n": 1})
    return answer


@pytest.mark.parametrize("generation", ["old", "new"])
async def test_documents_of_docarray_are_read_and_filled(generation: str, tmp_path: Path) -> None:
    try:
        python = await asyncio.to_thread(clients.python_of, f"docarray-{generation}")
    except clients.Absent as absent:
        pytest.skip(str(absent))  # no package index on this machine
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_VERSION_CHECK": "1"}
    async with serving("grpc", answering) as url:
        done = await asyncio.create_subprocess_exec(
            *(python, HERE / f"foreign_{generation}.py", url),
            cwd=tmp_path,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await done.communicate()
    assert done.returncode == 0, said.decode()
