"""The unmodified ``xinference-client``, sync and async, new and old, against servers of ours.

Each version runs in an environment of its own (``tools/clients.py``); where that cannot be made
the checks are skipped and say why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import fix_xinference
import pytest
import pytest_asyncio
from compatibility import Page
from fix_xinference import Served
from repo import ROOT

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

COLUMNS = {
    "4.1.0": ("xinference-4.1.0", "sync"),
    "4.1.0 async": ("xinference-4.1.0", "async"),
    "2.12.0": ("xinference-2.12.0", "sync"),
    "2.12.0 async": ("xinference-2.12.0", "async"),
}
"""The environment and the client, by the name of the table's column."""

PAGE = Page(
    folder=Path(__file__).parent,
    file=ROOT / "docs" / "compatibility" / "xinference.md",
    columns=tuple(COLUMNS),
    text="""# Xinference's own client

The unmodified `xinference-client`, its newest release and the newest before 3.0, synchronous and
asynchronous, against a server of this version: each row is a check in
`tests/contract/xinference/checks_*.py`, run by `make test` in environments of their own
(`tools/clients.py`). The table is written by those tests.

{table}

What differs on purpose:

* `list_models` has every model that can be asked for, also those that nobody has launched; a call
  loads them. Terminating one of the settings unloads it.
* A model that is unknown is answered with 404 where it is described, and with 400 elsewhere.
* Options of a launch that mean nothing on one machine are told back in `X-Stelae-Ignored`:
  [launching](../xinference-launch.md).
* `abort_cluster` and the `relaunch` calls are refused: a server is stopped by whoever runs it.
* `reload_model` loads a model as it was launched; a changed configuration is refused.
* The password of `login` is a key of the server; there are no users.
* Videos and worlds are refused: no engine here makes them.

The asynchronous client before 3.0 tells the status of an error and not its sentence, and cannot
send `wait_ready=False`.
""",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with fix_xinference.serving(zoo, tmp_path_factory.mktemp("models")) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
async def test_real_client_finds_what_it_asks_for(column: str, server: Served) -> None:
    environment, way = COLUMNS[column]
    await PAGE.check(column, environment, server.open.url, server.locked.url, way)
