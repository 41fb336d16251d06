"""``stelae keys``, and a running server that follows it."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from live import live
from typer.testing import CliRunner, Result

from stelae.cli.app import app


def keys(folder: Path, *arguments: str, check: int = 0) -> Result:
    told = {"STELAE_STORE__FOLDER": str(folder)}
    ended = CliRunner().invoke(app, ["keys", *arguments], env=told)
    assert ended.exit_code == check, ended.output
    return ended


def test_a_key_is_printed_once_and_listed_by_name(tmp_path: Path) -> None:
    key = keys(tmp_path, "create", "laptop").stdout.strip()
    assert key.startswith("stelae_")
    listed = keys(tmp_path, "list").stdout
    assert listed.split()[:4] == ["NAME", "ID", "CREATED", "laptop"]
    assert key not in listed
    assert set(json.loads(keys(tmp_path, "list", "--json").stdout)[0]) == {"id", "name", "created"}


def test_revoking_the_last_key_warns_that_nobody_is_let_in(tmp_path: Path) -> None:
    keys(tmp_path, "create", "a", "--quiet")
    keys(tmp_path, "create", "b", "--quiet")
    assert "warning" not in keys(tmp_path, "revoke", "a").stderr
    assert "lets nobody in" in keys(tmp_path, "revoke", "b").stderr
    assert keys(tmp_path, "revoke", "b", check=1).stderr.startswith("error: no key")


@pytest.mark.asyncio
async def test_a_running_server_reads_what_has_changed(tmp_path: Path) -> None:
    async with live(store={"folder": tmp_path}) as server, httpx.AsyncClient() as http:
        address = f"{server.url}/v1/models"
        assert (await http.get(address)).status_code == 200
        key = keys(tmp_path, "create", "laptop").stdout.strip()
        shown = {"authorization": f"Bearer {key}"}
        assert (await http.get(address)).status_code == 401
        assert (await http.get(address, headers=shown)).status_code == 200
        assert (await http.get(f"{server.url}/v1/cluster/auth")).json() == {"auth": True}
        keys(tmp_path, "revoke", "laptop")
        assert (await http.get(address, headers=shown)).status_code == 401
