"""``stelae login``: a key that is tried, kept for one address, and shown by every client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from live import live
from typer.testing import CliRunner, Result

from stelae import AsyncClient
from stelae.cli.app import app
from stelae.client import _login
from stelae.errors import InvalidInput, Unauthorized

KEY = "sesame"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("STELAE_API_KEY", raising=False)
    return tmp_path / "stelae" / "logins.json"


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["login", *arguments], input=typed)


async def in_thread(call: Callable[..., Result], *arguments: str, typed: str = "") -> Result:
    return await asyncio.to_thread(call, *arguments, typed=typed)


@pytest.mark.asyncio
async def test_a_kept_key_is_shown_by_clients_that_are_given_none() -> None:
    async with live(api_keys=[KEY]) as server:
        with pytest.raises(Unauthorized):
            async with AsyncClient(server.url) as client:
                await client.models()
        entered = await in_thread(run, "--server", server.url, typed=f"{KEY}\n")
        assert entered.exit_code == 0, entered.stderr
        assert KEY not in entered.output
        assert _login.key_of(server.url) == KEY
        async with AsyncClient(server.url) as client:
            assert await client.models()
        with pytest.raises(Unauthorized):  # a key that is given counts
            async with AsyncClient(server.url, api_key="other") as client:
                await client.models()
        assert (await in_thread(run, "--server", server.url, "--remove")).exit_code == 0
        with pytest.raises(Unauthorized):
            async with AsyncClient(server.url) as client:
                await client.models()


@pytest.mark.asyncio
async def test_a_key_that_is_not_known_is_not_kept() -> None:
    async with live(api_keys=[KEY]) as server:
        entered = await in_thread(run, "--server", server.url, typed="wrong\n")
    assert entered.exit_code == 1
    assert "not known here" in entered.stderr
    assert _login.key_of(server.url) is None


def test_nothing_typed_is_no_key() -> None:
    assert "there is no key" in run(typed="\n").stderr
    assert "no key of http://127.0.0.1:8080 is kept" in run("--remove").stderr


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("http://box", "http://BOX:80/"),
        ("https://box:443/stelae", "https://box/stelae/"),
        ("http://[::1]:8080", "http://[::1]:8080/"),
    ],
)
def test_an_address_is_one_however_it_is_spelled(address: str, same: str) -> None:
    _login.keep(address, KEY)
    assert _login.key_of(same) == KEY


@pytest.mark.parametrize("other", ["https://box", "http://box:8080", "http://box.evil", "http://b"])
def test_a_key_is_shown_to_its_own_server_alone(other: str) -> None:
    _login.keep("http://box", KEY)
    assert _login.key_of(other) is None


def test_the_file_is_its_owners_alone(home: Path) -> None:
    _login.keep("http://box", KEY)
    assert home.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_that_is_open_to_others_is_refused(home: Path, mode: int) -> None:
    _login.keep("http://box", KEY)
    home.chmod(mode)
    with pytest.raises(InvalidInput, match="open to other users"):
        _login.key_of("http://box")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"keys": {"http://box": 1}}'])
def test_a_broken_file_is_named(home: Path, content: bytes) -> None:
    home.parent.mkdir()
    home.write_bytes(content)
    home.chmod(0o600)
    with pytest.raises(InvalidInput, match=r"logins\.json cannot be read"):
        _login.key_of("http://box")
