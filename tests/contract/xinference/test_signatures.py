"""Every public name and argument of the real client is in our face of it."""

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
REAL = "xinference-4.1.0"
RESTFUL = "xinference_client.client.restful"

WIDER = {
    ("", "auth_headers"): "need not be given",
    ("", "rest"): "connections to share",
    ("list_model_registrations", "detailed"): "its async client cannot ask for details",
}
"""Arguments of methods (of constructors, where none is named) that ours have in other ways."""

MORE = {
    **dict.fromkeys(("relaunch_api", "get_api_relaunch", "list_api_relaunches"), "async"),
    **dict.fromkeys(
        ("relaunch_supervisor", "get_supervisor_relaunch", "list_supervisor_relaunches"), "async"
    ),
}
"""What the clients of Xinference have on one side only; ours have it on both."""


def told(python: Path, *modules: str) -> dict[str, dict[str, list[list[Any]]]]:
    done = subprocess.run(
        [python, HERE / "signatures.py", *modules], capture_output=True, text=True, check=True
    )
    said: dict[str, dict[str, list[list[Any]]]] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def both() -> list[dict[str, dict[str, list[list[Any]]]]]:
    try:
        python = clients.python_of(REAL)
    except clients.Absent as absent:
        pytest.skip(str(absent))  # no package index on this machine
    real = told(python, f"{RESTFUL}.restful_client", f"{RESTFUL}.async_restful_client")
    return [real, told(Path(sys.executable), "stelae.xinference")]


def test_the_same_clients_and_handles_are_there(both: list[dict[str, Any]]) -> None:
    theirs, ours = both
    assert len(theirs) == 22
    assert theirs.keys() == ours.keys()


def test_they_have_the_same_methods(both: list[dict[str, Any]]) -> None:
    theirs, ours = both
    lacking = {name: members.keys() - ours[name].keys() for name, members in theirs.items()}
    assert not {name: gone for name, gone in lacking.items() if gone}
    further = {method for name in theirs for method in ours[name].keys() - theirs[name].keys()}
    assert further == MORE.keys()


def test_methods_take_the_same_arguments(both: list[dict[str, Any]]) -> None:
    theirs, ours = both
    wrong = {}
    for name, members in theirs.items():
        for method, taken in members.items():
            expected = [a for a in taken if (method, a[0]) not in WIDER]
            if expected != [a for a in ours[name][method] if (method, a[0]) not in WIDER]:
                wrong[f"{name}.{method}"] = (expected, ours[name][method])
    assert not wrong


def test_modules_have_the_names_of_the_full_package() -> None:
    from_client = told(Path(sys.executable), "stelae.xinference.client")
    handlers = told(Path(sys.executable), "stelae.xinference.client.handlers")
    assert from_client.keys() == {"Client", "AsyncClient"}
    kinds = ("Chat", "Generate", "Embedding", "Image", "Audio", "Video")
    names = {f"{way}{kind}ModelHandle" for kind in kinds for way in ("", "Async")}
    assert handlers.keys() == names
