"""The unmodified ``openai`` client, two generations of it, against a server of ours.

Each version runs in an environment of its own (``tools/clients.py``). Where one cannot be made,
its checks are skipped and say why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import fix_imaging
import fix_media
import fix_told
import pytest
import pytest_asyncio
from compatibility import Page
from live import Live, live
from repo import ROOT

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

VERSIONS = {"2.54.0": "openai-2", "3.54.0": "openai-3"}

PAGE = Page(
    folder=Path(__file__).parent,
    file=ROOT / "docs" / "compatibility" / "openai.md",
    columns=tuple(VERSIONS),
    text="""# OpenAI's own client

The unmodified `openai` package against a server of this version: each row is a check in
`tests/contract/openai/checks.py`, run by `make test` with every version in an environment of its
own (`tools/clients.py`). The table is written by those tests.

{table}

[OpenAI's clients](../openai.md) says how to use them, and what differs.
""",
)


class Served(NamedTuple):
    """Servers: one stands open, the other wants a key and its worker may die."""

    open: Live
    locked: Live


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = zoo / "qwen3-chat"
    media = tmp_path_factory.mktemp("media")
    echo = {"source": str(folder), "engine": "fake_text"}
    models = {
        "told": fix_told.settings(folder),
        "org/echo": echo,
        "tiny": {"source": str(folder), "dtype": "float32"},
        "vectors": {"source": "embedded", "engine": "fake"},
        "small": {"source": str(zoo / "bert-mean"), "dtype": "float32"},
        "seeing": {"source": str(zoo / "qwen2-vl-chat"), "dtype": "float32"},
        "judge": {"source": str(zoo / "cross-encoder-labels"), "dtype": "float32"},
        "painter": fix_media.settings(media, "painter", fix_media.PAINTER),
        "diffusing": {"source": str(fix_imaging.folder_of("sd")), "dtype": "float32"},
    }
    with pytest.MonkeyPatch.context() as patch:
        fix_told.install(patch)
        fix_media.install(patch)
        keyed = live(models={"mortal": echo}, api_keys=["sesame"], placement="process")
        async with live(models=models) as made, keyed as locked:
            await locked.house.fleet.load("mortal")
            yield Served(made, locked)


@pytest.mark.parametrize("version", VERSIONS)
async def test_real_client_finds_what_it_asks_for(version: str, servers: Served) -> None:
    environment = VERSIONS[version]
    await PAGE.check(version, environment, servers.open.url, servers.locked.url)
