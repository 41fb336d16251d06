"""The unmodified ``ollama`` client against a server of ours.

It runs in an environment of its own (``tools/clients.py``). Where that cannot be made, its checks
are skipped and say why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import fix_told
import pytest
import pytest_asyncio
from compatibility import Page
from fix_hub import repo_of, running_hub
from live import Live, live
from repo import ROOT

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

VERSION = "0.6.3"

PAGE = Page(
    folder=Path(__file__).parent,
    file=ROOT / "docs" / "compatibility" / "ollama.md",
    columns=(VERSION,),
    text="""# Ollama's own client

The unmodified `ollama` package against a server of this version: each row is a check in
`tests/contract/ollama/checks.py`, run by `make test` in an environment of its own
(`tools/clients.py`). The table is written by those tests.

{table}

[Ollama's clients](../ollama.md) says how to use them, and what differs.
""",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(
    zoo: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Live, Live]]:
    folder = zoo / "qwen3-chat"
    echo = {"source": str(folder), "engine": "fake_text"}
    models = {
        "told": {**fix_told.settings(folder), "aliases": ["org/told"]},
        "spare": echo,
        "tiny": {"source": str(folder), "dtype": "float32"},
        "talker": {"source": str(ROOT / "tests" / "data" / "chat"), "dtype": "float32"},
        "seeing": {"source": str(zoo / "qwen2-vl-chat"), "dtype": "float32"},
        "vectors": {"source": "embedded"},
        "nested": {"source": "embedded", "matryoshka": [16, 32]},
    }
    cache = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch, running_hub() as hub:
        fix_told.install(patch)
        hub.repos["org/tiny-chat"] = repo_of(folder)
        reach = {"endpoint": hub.url, "cache": str(cache), "pull": True}
        keyed = live(models={"mortal": echo}, api_keys=["sesame"], placement="process")
        async with live(models=models, hub=reach) as made, keyed as locked:
            await locked.house.fleet.load("mortal")
            yield made, locked


async def test_real_client_finds_what_it_asks_for(servers: tuple[Live, Live]) -> None:
    await PAGE.check(VERSION, "ollama", *(server.url for server in servers))
