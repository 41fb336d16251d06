"""The unmodified ``voyageai`` client, two generations of it, against a server of ours.

Each version runs in an environment of its own (``tools/clients.py``). Where one cannot be made,
its checks are skipped and say why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import fix_rerank
import pytest
import pytest_asyncio
from compatibility import Page
from live import Live
from repo import ROOT

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

VERSIONS = {"0.5.0": "voyageai-0.5.0", "0.3.7": "voyageai-0.3.7"}

PAGE = Page(
    folder=Path(__file__).parent,
    file=ROOT / "docs" / "compatibility" / "voyage.md",
    columns=tuple(VERSIONS),
    absent="fails over any such error",
    text="""# Voyage's own client

The unmodified `voyageai` package against a server of this version: each row is a check in
`tests/contract/voyage/checks.py`, run by `make test` with every version in an environment of its
own (`tools/clients.py`). The table is written by those tests.

{table}

[Reranking](../rerank.md) says how to use it, and what differs.
""",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(zoo: Path) -> AsyncIterator[tuple[Live, Live]]:
    async with fix_rerank.serving(zoo) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
async def test_real_client_finds_what_it_asks_for(version: str, servers: tuple[Live, Live]) -> None:
    await PAGE.check(version, VERSIONS[version], *(server.url for server in servers))
