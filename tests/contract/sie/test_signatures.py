"""Every public name and argument of the real client is in ours, or stands here with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import clients
import pytest

pytestmark = pytest.mark.timeout(300)  # the first run fetches the real client

HERE = Path(__file__).parent
REAL = "sie-0.10.1"

CLOUD = "of the managed cloud; nothing here is billed or routed elsewhere"
HOUSE = "Stelae's own client decides it: connections, retries and their budget"
CONNECTORS = "of jobs that read and write other stores, which the managed cloud runs"
SHAPE = "names the shape of a dict that is not made here"

METHODS = {
    "jobs.execute": CONNECTORS,
    "jobs.repair": CONNECTORS,
    "estimate": CLOUD,
    "recommend": CLOUD,
    "last_retry_count": HOUSE,
    "last_model_revision": "the revision is in get_model of the server; results name the model",
}
"""Members of the clients that ours lack."""

ARGUMENTS = {
    "max_connections": HOUSE,
    "max_concurrency": HOUSE,
    "connect_timeout_s": HOUSE,
    "read_timeout_s": HOUSE,
    "http_client": HOUSE,
    "base_url_headers": "for proxies in front of the cloud",
    "control_plane_url": CLOUD,
    "org": CLOUD,
    "remote": CLOUD,
}
"""Arguments, of whatever member, that ours lack."""

NAMES = {
    **dict.fromkeys(("AccountInactiveError", "AccountStateUnavailableError"), CLOUD),
    **dict.fromkeys(("InsufficientCreditsError", "SpendLimitError", "GatedModelError"), CLOUD),
    **dict.fromkeys(("RelayUnavailableError", "EstimateUnroutableError", "CostEstimate"), CLOUD),
    **dict.fromkeys(("AppliedRate", "RateIdentity", "Connection", "ConnectionCreated"), CLOUD),
    **dict.fromkeys(("ConnectionRevoked", "connection_name"), CLOUD),
    "MalformedChunkError": "results of jobs that cannot be read are ServerError",
    "JobFieldMap": CONNECTORS,
    **dict.fromkeys(("build_job_body", "resolve_upload"), "for those who send requests themselves"),
    **dict.fromkeys(("ClusterSummary", "ModelSummary", "HealthResponse"), SHAPE),
    **dict.fromkeys(("PoolListItem", "PoolResponse", "PoolSpecResponse"), SHAPE),
    "IncompleteBatchError": "answers that lack an item are ServerError",
    "RateLimitError": "a full queue is ServerError with the code QUEUE_FULL",
    **dict.fromkeys(
        (
            "SparseVector",
            "dense_embedding",
            "multivector_embedding",
            "normalize_sparse_vector",
            "sparse_embedding",
            "sparse_embedding_dict",
        ),
        "helper of the integrations with vector stores",
    ),
}
"""Names of the package that ours lacks."""


def told(python: Path, module: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, HERE / "signatures.py", module], capture_output=True, text=True, check=True
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        python = clients.python_of(REAL)
    except clients.Absent as absent:
        pytest.skip(str(absent))  # no Python 3.12, or no package index, on this machine
    return told(python, "sie_sdk"), told(Path(sys.executable), "stelae.sie")


@pytest.mark.parametrize("client", ["SIEClient", "SIEAsyncClient"])
def test_clients_have_the_same_members(
    client: str, both: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    theirs, ours = (side["clients"][client] for side in both)
    known = METHODS.keys() & theirs.keys()
    assert theirs.keys() - ours.keys() == known


def test_reasons_are_for_what_the_real_client_has(
    both: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    theirs = both[0]
    members: dict[str, Any] = {
        name: taken for client in theirs["clients"].values() for name, taken in client.items()
    }
    taken = {name for arguments in members.values() for name in arguments or ()}
    taken |= {name for client in theirs["clients"].values() for name in client[""]}
    assert METHODS.keys() <= members.keys()
    assert ARGUMENTS.keys() <= taken
    assert NAMES.keys() <= set(theirs["names"])


@pytest.mark.parametrize("client", ["SIEClient", "SIEAsyncClient"])
def test_members_take_the_same_arguments_in_the_same_order(
    client: str, both: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    theirs, ours = (side["clients"][client] for side in both)
    wrong = {}
    for name in theirs.keys() & ours.keys():
        expected = [a for a in theirs[name] or () if a not in ARGUMENTS]
        if expected != (ours[name] or []):
            wrong[name] = (expected, ours[name])
    assert not wrong


def test_the_package_has_the_same_names(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = (set(side["names"]) for side in both)
    assert theirs - ours == NAMES.keys()
