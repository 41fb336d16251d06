"""``config show``, ``config schema`` and ``models --local``, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stelae.cli.app import app


def shown(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "stelae.toml"
    path.write_text(
        'dtype = "float32"\napi_keys = ["secret"]\n[limits]\nqueue_tokens = 7\n'
        '[models.mine]\nsource = "embedded"\naliases = ["own"]\n'
    )
    return str(path)


def test_settings_come_with_their_origin(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELAE_DTYPE", "bfloat16")
    found = {row["setting"]: row for row in shown("config", "show", "--config", file)}
    assert found["dtype"] == {"setting": "dtype", "value": "bfloat16", "origin": "environment"}
    assert (found["limits.queue_tokens"]["value"], found["limits.queue_tokens"]["origin"]) == (
        7,
        "file",
    )
    assert found["limits.batch_tokens"]["origin"] == "default"
    assert found["models.mine.source"]["value"] == "embedded"


def test_secrets_are_not_shown(file: str) -> None:
    result = CliRunner().invoke(app, ["config", "show", "--config", file])
    assert result.exit_code == 0
    assert "api_keys" in result.stdout
    assert "secret" not in result.stdout


def test_schema_describes_every_setting() -> None:
    schema = shown("config", "schema")
    assert {"listen", "models", "dtype", "limits"} <= set(schema["properties"])


def test_unknown_setting_is_wrong_usage_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('dytpe = "auto"')
    result = CliRunner().invoke(app, ["config", "show", "--config", str(path)])
    assert result.exit_code == 2
    assert "did you mean 'dtype'?" in result.output


def test_local_models_are_listed_without_a_server(file: str, zoo: Path, tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text(
        f'[models.tiny]\nsource = "{zoo / "bert-mean"}"\n'
        '[models.far]\nsource = "org/name"\n'
        f'[models.broken]\nsource = "{tmp_path}"\n'
    )
    found = {info["name"]: info for info in shown("models", "--local", "--config", str(path))}
    assert set(found) == {"tiny", "far", "broken", "all-MiniLM-L6-v2"}
    assert found["all-MiniLM-L6-v2"]["dimensions"] == 384
    assert (found["tiny"]["state"], found["tiny"]["engine"]) == ("available", "encoder")
    assert (found["far"]["source"], found["far"]["engine"]) == ("org/name", "")
    assert found["broken"]["state"] == "failed"
    assert found["broken"]["error"]["message"]
