"""``stelae pull`` from a hub on the loopback interface."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fix_hub import Hub, repo_of, running_hub
from typer.testing import CliRunner, Result

from stelae.cli.app import app

Pull = Callable[..., Result]


@pytest.fixture
def hub(zoo: Path) -> Iterator[Hub]:
    with running_hub() as hub:
        hub.repos["org/tiny"] = repo_of(zoo / "bert-mean")
        yield hub


@pytest.fixture
def pull(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pull:
    """Runs the command with an empty cache and that hub."""
    monkeypatch.setenv("STELAE_HUB__CACHE", str(tmp_path))
    monkeypatch.setenv("STELAE_HUB__ENDPOINT", hub.url)

    def run(*arguments: str, check: int = 0) -> Result:
        ended = CliRunner().invoke(app, ["pull", *arguments])
        assert ended.exit_code == check, ended.output
        return ended

    return run


def test_fetched_model_is_described(pull: Pull, hub: Hub) -> None:
    found = json.loads(pull("org/tiny", "--json").stdout)
    assert found["source"] == f"org/tiny@{hub.repos['org/tiny'].commit}"
    assert (found["engine"], found["architecture"]) == ("encoder", "BertModel")
    assert (Path(found["folder"]) / "model.safetensors").is_file()


def test_second_pull_fetches_nothing(pull: Pull, hub: Hub) -> None:
    pull("org/tiny")
    before = hub.fetched()
    ended = pull("org/tiny")
    assert before
    assert hub.fetched() == before
    assert "org/tiny" in ended.stderr
    assert "can be served" in ended.stderr


def test_revision_is_pinned(pull: Pull, hub: Hub) -> None:
    commit = hub.repos["org/tiny"].commit
    assert json.loads(pull("org/tiny", "--revision", commit, "--json").stdout)["revision"] == commit
    assert "no revision 'nope'" in pull("org/tiny", "--revision", "nope", check=4).stderr


def test_unknown_model_exits_with_4(pull: Pull) -> None:
    assert "error: the hub has no model org/none" in pull("org/none", check=4).stderr


def test_fallback_engine_is_named_with_its_reason(pull: Pull, hub: Hub) -> None:
    files = hub.repos["org/tiny"].files
    files["config.json"] = files["config.json"].replace(b"BertModel", b"MysteryModel")
    found = json.loads(pull("org/tiny", "--json").stdout)
    assert found["engine"] == "sentence_transformers"
    assert "MysteryModel" in found["reason"]


def test_model_that_cannot_be_served_is_said_to_be_so(pull: Pull, hub: Hub) -> None:
    files = hub.repos["org/tiny"].files
    files["pytorch_model.bin"] = files.pop("model.safetensors")
    assert "pytorch_model.bin" in pull("org/tiny", check=1).stderr


def test_embedded_model_needs_no_hub(pull: Pull, hub: Hub) -> None:
    pull("minilm", "--quiet")
    assert hub.seen == []
