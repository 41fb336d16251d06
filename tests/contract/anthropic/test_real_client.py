"""The unmodified ``anthropic`` client, three generations of it, against a server of ours.

Each version runs in an environment of its own (``tools/clients.py``). Where one cannot be made,
its checks are skipped and say why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import fix_told
import pytest
import pytest_asyncio
from compatibility import Page
from live import Live, live
from repo import ROOT

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

VERSIONS = ("0.125.0", "1.17.0", "2.12.0")

PAGE = Page(
    folder=Path(__file__).parent,
    file=ROOT / "docs" / "compatibility" / "anthropic.md",
    columns=VERSIONS,
    text="""# Anthropic's own client

The unmodified `anthropic` package against a server of this version: each row is a check in
`tests/contract/anthropic/checks.py`, run by `make test` with every version in an environment of its
own (`tools/clients.py`). The table is written by those tests.

{table}

[Anthropic's clients](../anthropic.md) says how to use them, and what differs.
""",
)


class Served(NamedTuple):
    """Servers: one stands open, the other wants a key, has one place and small bodies."""

    open: Live
    locked: Live


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(zoo: Path) -> AsyncIterator[Served]:
    folder = zoo / "qwen3-chat"
    echo = {"source": str(folder), "engine": "fake_text"}
    models = {
        "told": fix_told.settings(folder),
        "org/echo": echo,
        "tiny": {"source": str(folder), "dtype": "float32"},
        "talker": {"source": str(ROOT / "tests" / "data" / "chat"), "dtype": "float32"},
        "seeing": {"source": str(zoo / "qwen2-vl-chat"), "dtype": "float32"},
        "vectors": {"source": "embedded", "engine": "fake"},
    }
    narrow = {"calls": 1, "body_bytes": 20_000}
    with pytest.MonkeyPatch.context() as patch:
        fix_told.install(patch)
        keyed = live(
            models={"mortal": echo}, api_keys=["sesame"], placement="process", limits=narrow
        )
        async with live(models=models) as made, keyed as locked:
            await locked.house.fleet.load("mortal")
            yield Served(made, locked)


@pytest.mark.parametrize("version", VERSIONS)
async def test_real_client_finds_what_it_asks_for(version: str, servers: Served) -> None:
    await PAGE.check(version, f"anthropic-{version}", servers.open.url, servers.locked.url)
