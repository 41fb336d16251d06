"""Models of the settings, as the catalog gets them."""

from __future__ import annotations

from stelae.config import Settings
from stelae.server.app import build_catalog


def test_format_of_tool_calls_can_be_stated() -> None:
    settings = Settings(models={"talker": {"source": "org/talker", "tool_format": "gemma"}})
    assert build_catalog(settings).entry("talker").tool_format == "gemma"


def test_a_configured_model_states_what_a_launched_one_does() -> None:
    stated = {
        "replicas": 2,
        "gpus": [[0], []],
        "calls": 8,
        "cache_tokens": 4096,
        "thinking": False,
        "environment": {"OMP_NUM_THREADS": "4"},
        "pinned": True,
        "idle_seconds": 60.0,
        "chat_template": "{{ messages }}",
        "stops": ["END"],
    }
    settings = Settings(models={"talker": {"source": "org/talker", **stated}})
    entry = build_catalog(settings).entry("talker")
    found = {name: getattr(entry, name) for name in stated}
    assert found == stated | {"gpus": ((0,), ()), "stops": ("END",)}
