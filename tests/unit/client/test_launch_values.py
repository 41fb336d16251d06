"""Launches and registrations as they are sent: before any connection."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stelae.client import _launches, _registry
from stelae.errors import InvalidInput
from stelae.types import ComputeDtype, LaunchCall, Registration, Weights
from stelae.wire import arrays


def test_options_become_the_fields_of_a_launch() -> None:
    call = _launches.launch_call(
        Path("models") / "a",
        "mine",
        {
            "path": Path("weights.gguf"),
            "loras": {"law": Path("law")},
            "dtype": "bfloat16",
            "gpus": [[0, 1], []],
            "size": "1_8",
        },
    )
    assert call == LaunchCall(
        model=str(Path("models") / "a"),
        uid="mine",
        path="weights.gguf",
        loras={"law": "law"},
        dtype=ComputeDtype.BFLOAT16,
        gpus=((0, 1), ()),
        size="1_8",
    )
    assert _launches.launch_call("a", None, {"path": None}) == LaunchCall(model="a")


@pytest.mark.parametrize(
    "options",
    [{"dtype": "int3"}, {"replica": 2}, {"loras": {"a": 1}}, {"loras": 3}, {"pinned": "yes"}],
)
def test_options_that_there_are_not_are_refused(options: Any) -> None:
    with pytest.raises(InvalidInput, match="an argument of launch_model is wrong"):
        _launches.launch_call("a", None, options)


def test_looks_at_a_launch_become_rarer_up_to_a_bound() -> None:
    seconds = list(itertools.islice(_launches.pauses(), 20))
    assert seconds == sorted(seconds)
    assert (seconds[0], seconds[-1]) == (_launches.FIRST_PAUSE, _launches.LONGEST_PAUSE)


@pytest.mark.parametrize(
    ("uid", "path"),
    [
        ("org/model", "launches/org/model/cancel"),
        ("a?b#c", "launches/a%3Fb%23c/cancel"),
        ("\u00e9", "launches/%C3%A9/cancel"),
    ],
)
def test_uids_stay_in_one_path(uid: str, path: str) -> None:
    assert _launches.path(uid, "cancel") == path


def test_kinds_and_names_are_asked_for_in_the_address() -> None:
    assert _registry.listing("cards", None) == "cards"
    assert _registry.listing("cards", "llm") == "cards?kind=llm"
    assert _registry.cached(None) == "cached"
    assert _registry.cached("org/a b&c") == "cached?model=org%2Fa+b%26c"
    assert _registry.path("cards", "org/a") == "cards/org/a"


def test_registrations_are_sent_whole() -> None:
    made = Registration(name="a", kind="llm", weights=(Weights(source="b", size=1.8),))
    assert _registry.registration(made) is made
    assert _registry.registration(msgspec.to_builtins(made)) == made
    sent: Any = arrays.unpack(_registry.body(made, persist=False), dict[str, Any])
    assert sent.pop("persist") is False
    assert msgspec.convert(sent, Registration) == made


def test_gpus_are_sent_where_they_are_given() -> None:
    assert _launches.gpus_body(None) == b"{}"
    assert _launches.gpus_body((0, 2)) == b'{"gpus":[0,2]}'
