"""Models of the settings, as the catalog gets them."""

from __future__ import annotations

from stelae.config import Settings
from stelae.server.app import build_catalog


def test_format_of_tool_calls_can_be_stated() -> None:
    settings = Settings(models={"talker": {"source": "org/talker", "tool_format": "gemma"}})
    assert build_catalog(settings).entry("talker").tool_format == "gemma"
