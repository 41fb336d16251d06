"""The unmodified ``sie-sdk``, three generations of it, against a server of ours.

Each version runs in an environment of its own (``tools/clients.py``). Where one cannot be
made, as without Python 3.12, its checks are skipped and say why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import fix_told
import pytest
import pytest_asyncio
from compatibility import Page
from fix_adapters import base_of, trained
from fix_faults import FAULTY, install
from live import FAKE, Live, live
from msgspec.structs import replace
from repo import ROOT

from stelae.catalog.abilities import Extractor, Finding

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

VERSIONS = ("0.1.10", "0.3.4", "0.10.1")

PAGE = Page(
    folder=Path(__file__).parent,
    file=ROOT / "docs" / "compatibility" / "sie.md",
    columns=VERSIONS,
    text="""# SIE's own client

The unmodified `sie-sdk` against a server of this version: each row is a check in
`tests/contract/sie/checks.py`, run by `make test` with every version in an environment of its own
(`tools/clients.py`, Python 3.12). The table is written by those tests.

{table}

What differs on purpose, because a single server can do better:

* A request may have any number of items; it is cut inside.
* A model that is not loaded is waited for up to 8 seconds; the hint to ask again is under a second.
* Options that mean nothing here are told back in the header `X-Stelae-Ignored`.
* `int8` and `uint8` vectors have `scale` and `zero_point` beside them, which older clients ignore.
* `estimate`, `recommend` and cloud accounts are answered with 404: nothing here is billed.

`stelae.sie` has the same names over Stelae's own client: `from stelae.sie import SIEClient`. What
it lacks of 0.10.1, and why, stands in `tests/contract/sie/test_signatures.py`: what belongs to the
managed cloud, such as connectors of jobs to other stores, and the knobs of connections.

Two things differ:

* `wait_for_capacity` is `False` unless it is given, as SIE's reference prints it; the SDK waits.
* `result["request"]` has the call's `usage` and no `id`, since a long list is several requests.

`jobs`, `files` and `batches` have the SDK's names, arguments and dicts; results of jobs also carry
`sparse` and `multivector`. What the SDK refuses there with `ValueError` or `TypeError` is a
`RequestError`.

A pool that a client made is renewed every minute until that client is closed, and by the calls that
use it.
""",
)

CLUSTER = {"machine_profiles": ["l4", "a100-40gb"]}
"""Machines that are configured and not here."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    broken = tmp_path_factory.mktemp("broken")
    (broken / "config.json").write_text("{", "utf-8")
    models = {
        "fake": {**FAKE, "aliases": ["org/fake"]},
        "finder": FAKE,
        "faulty": FAULTY,
        "broken": {"source": str(broken)},
        "absent": {"source": str(broken / "absent")},
        "clip": {"source": str(zoo / "clip")},
        "reranker": {"source": str(zoo / "cross-encoder")},
        "late": {"source": str(zoo / "colbert-native")},
        "org/writer": fix_told.settings(zoo / "qwen3-chat"),
        "tuned": {
            "source": str(zoo / "bert-mean"),
            "dtype": "float32",
            "loras": {"legal": str(adapter(zoo / "bert-mean", broken.parent / "legal"))},
            "profiles": {"short": {"dtype": "float16"}},
        },
    }
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        fix_told.install(patch)
        async with live(models=models, api_keys=["sesame"], cluster=CLUSTER) as made:
            for name in models.keys() - {"broken", "absent"}:
                await made.house.fleet.load(name)
            find_names(made)
            yield made


def adapter(checkpoint: Path, folder: Path) -> Path:
    """An adapter of a checkpoint, made by the library that trains them."""
    trained(base_of(checkpoint), folder, r=4, target_modules=["query", "value"])
    return folder


def find_names(made: Live) -> None:
    """Let one of the fake models say that it finds names."""
    (replica,) = made.house.fleet._deployments.controller.replicas("finder")
    finds = Extractor(layout="fake", finds=(Finding.ENTITIES,))
    spec = replace(replica.deployment.spec, extraction=finds)
    replica.deployment = replace(replica.deployment, spec=spec)


@pytest.mark.parametrize("version", VERSIONS)
async def test_real_client_finds_what_it_asks_for(version: str, server: Live) -> None:
    await PAGE.check(version, f"sie-{version}", server.url)
