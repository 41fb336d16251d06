"""What the shell offers for a word that was begun."""

from __future__ import annotations

import asyncio

import pytest
from live import live
from typer.testing import CliRunner

from stelae.cli.app import app


def offered(*words: str) -> list[str]:
    """What is offered for the last of the words, as bash asks for it."""
    asked = {
        "_STELAE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("stelae", *words)),
        "COMP_CWORD": str(len(words)),
    }
    return CliRunner().invoke(app, [], env=asked, prog_name="stelae").stdout.split()


def test_names_of_the_catalog_are_offered_for_launches() -> None:
    assert "bge-small-en-v1.5" in offered("launch", "bge-small")
    assert all(name.startswith("bge-small") for name in offered("launch", "bge-small"))


@pytest.mark.asyncio
async def test_names_of_the_server_are_offered_where_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live() as server:
        monkeypatch.setenv("STELAE_URL", server.url)
        assert await asyncio.to_thread(offered, "unload", "fa") == ["fake"]
        assert await asyncio.to_thread(offered, "terminate", "") == []
        elsewhere = ("unload", "--server", "http://127.0.0.1:9", "fa")
        assert await asyncio.to_thread(offered, *elsewhere) == []


def test_commands_and_options_are_offered() -> None:
    assert "registrations" in offered("reg")
    assert "--uid" in offered("launch", "--u")
