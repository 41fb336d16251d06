"""The unmodified ``clip-client`` against a server of ours, over every transport.

It runs in an environment of its own (``tools/clients.py``); where that cannot be made the checks
are skipped and say why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import certificate
import pytest
import pytest_asyncio
from compatibility import Page
from live import FAKE, Live, live
from repo import ROOT

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

SHAPES = ROOT / "tests" / "data" / "clip-shapes"
REAL = "clip-0.8.3"
NEWER = "clip-0.8.3-jina-3.33"

COLUMNS = {
    **{
        transport: (REAL, transport)
        for transport in ("grpc", "grpcs", "http", "https", "ws", "wss")
    },
    "grpc, jina 3.33": (NEWER, "grpc"),
    "ws, jina 3.33": (NEWER, "ws"),
}
"""The environment of the client and the transport, by the name of the table's column."""


PAGE = Page(
    folder=Path(__file__).parent,
    file=ROOT / "docs" / "compatibility" / "clip.md",
    columns=tuple(COLUMNS),
    absent="not asked",
    text="""# CLIP-as-service's own client

The unmodified `clip-client` 0.8.3 (with `jina` 3.25.2 and, in the last columns, 3.33.1, and with
`docarray` 0.21.1) against a server of this version: each row is a check in
`tests/contract/clip/checks.py`, run by `make test` over every transport, in environments of their
own (`tools/clients.py`). The table is written by those tests.

{table}

What differs on purpose:

* The model is chosen by its name (`/encode/NAME`, `/rank/NAME`, `model_name`), and an unknown one
  is an error; `clip.model` sets the one for those who name none.
* `docs_bytes`, which the original unpickles, is refused unread and never sent.
* Addresses are fetched and files opened only if the settings allow it: [pictures](../pictures.md).
* Of several documents in a request only the broken ones fail. Each says why in its tag `error`.
  Over gRPC and WebSockets its vector is NaN, for the client loses all vectors of a request if one
  is missing; JSON has no NaN, so over HTTP the client gets an error and the other vectors with it.
* `rank` keeps the pictures of matches unless `drop_match_content` is true.
* Where keys are needed, the client can only show them over gRPC and HTTP, and its `profile()`
  shows none: without content it is answered all the same if `clip.anonymous_profile` is set.

With `jina` 3.27.5 and later the client cannot read any server's answer over HTTP; use gRPC or
WebSockets, or `jina==3.25.2`. It knows `wss://`, not `websockets://`.

`stelae.clip` has the same names over Stelae's own client: `from stelae.clip import Client`.
""",
)


@dataclass(frozen=True, slots=True)
class Served:
    """The servers.

    Attributes:
        open: Stands open.
        locked: Wants a key.
        certificate: What encrypted transports trust.
    """

    open: Live
    locked: Live
    certificate: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    pair = certificate.make(tmp_path_factory.mktemp("tls"))
    models = {"clip": {"source": str(SHAPES)}, "fake": FAKE}
    places = [f"{scheme}://127.0.0.1:0" for scheme in ("grpc", "grpcs", "http", "https")]
    more = {"at": places, "models": models, "tls": pair._asdict()}
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(live(**more))
        clip = {"anonymous_profile": True}
        locked = await stack.enter_async_context(live(**more, api_keys=["sesame"], clip=clip))
        for made in (opened, locked):
            await made.house.fleet.load("clip")
        yield Served(opened, locked, pair.certificate)


def address(server: Live, transport: str) -> str:
    """Where a server speaks a transport; WebSockets are where HTTP is."""
    own = transport.replace("ws", "http", 1)
    url = next(url for url in server.urls if url.startswith(f"{own}://"))
    return url.replace(own, transport, 1)


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
async def test_real_client_finds_what_it_asks_for(
    column: str, server: Served, tmp_path: Path
) -> None:
    environment, transport = COLUMNS[column]
    trusted = str(server.certificate)
    quiet = {"NO_VERSION_CHECK": "1", "JINA_OPTOUT_TELEMETRY": "1", "JINA_LOG_LEVEL": "CRITICAL"}
    trust = {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": trusted, "SSL_CERT_FILE": trusted}
    places = [address(made, transport) for made in (server.open, server.locked)]
    await PAGE.check(column, environment, *places, variables=quiet | trust, cwd=tmp_path)
