"""``stelae migrate clip`` on flow files as clip-server's users write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from stelae.cli.app import app
from stelae.config import load_settings

FLOW = """
jtype: Flow
version: '1'
with:
  port: 51000
executors:
  - name: clip_t
    uses:
      jtype: CLIPEncoder
      metas:
        py_modules:
          - clip_server.executors.clip_torch
    timeout_ready: 3000000
    replicas: 1
"""

FULL = """
!Flow
with:
  port: [4000, 4001]
  protocol: [grpc, http]
  cors: True
  prefetch: 10
  ssl_certfile: cert.pem
  ssl_keyfile: key.pem
  uvicorn_kwargs: {loop: uvloop}
executors:
  - name: encoder
    uses: !CLIPEncoder
      jtype: CLIPEncoder
      with: {name: 'ViT-L-14::openai', device: 'cuda:0', dtype: bf16, minibatch_size: 16}
  - name: indexer
    uses:
      jtype: AnnLiteIndexer
      with: {n_dim: 768}
"""


def run(tmp_path: Path, text: str, *more: str) -> Result:
    file = tmp_path / "flow.yml"
    file.write_text(text)
    return CliRunner().invoke(app, ["migrate", "clip", str(file), *more])


def test_the_flow_that_clip_server_ships_is_a_configuration(tmp_path: Path) -> None:
    done = run(tmp_path, FLOW, "-o", str(tmp_path / "stelae.yaml"))
    assert done.exit_code == 0, done.output
    settings = load_settings(tmp_path / "stelae.yaml")
    assert settings.listen == ("grpc://127.0.0.1:51000",)
    assert settings.clip.model is None
    assert "replicas" in (tmp_path / "stelae.yaml").read_text()


def test_what_has_a_meaning_here_is_taken_over_and_the_rest_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, FULL, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["configuration"] == {
        "listen": ["grpcs://127.0.0.1:4000", "https://127.0.0.1:4001"],
        "tls": {"certificate": "cert.pem", "key": "key.pem"},
        "cors": {"origins": ["*"]},
        "clip": {"model": "ViT-L-14::openai"},
        "device": "cuda",
        "dtype": "bfloat16",
    }
    left = {one["key"]: one["harmless"] for one in told["left"]}
    assert left["with.uvicorn_kwargs"] is False
    assert left["with.prefetch"] is True
    assert left["executors.uses"] is True
    assert yaml.safe_load(run(tmp_path, FULL).stdout) == told["configuration"]


def test_a_folder_of_weights_becomes_a_model(tmp_path: Path) -> None:
    text = FLOW.replace("metas:", "with: {name: mine, model_path: /srv/clip}\n      metas:")
    told = json.loads(run(tmp_path, text, "--json").stdout)["configuration"]
    assert told["models"] == {"mine": {"source": "/srv/clip"}}
    assert told["clip"] == {"model": "mine"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: [", "cannot be read as YAML"),
        ("jtype: Flow", "a flow with 'executors'"),
        ("executors: [{uses: {jtype: Other}}]", "none of them is a CLIPEncoder"),
        (FLOW.replace("51000", "'x'"), "is no port"),
        (FLOW.replace("port: 51000", "protocol: smtp"), "is none of grpc, http, websocket"),
        (FLOW.replace("51000", "[1, 2]"), "2 ports for 1 protocols"),
        (FLOW.replace("port: 51000", "x"), "keys with values"),
        ("executors: [!!python/object/apply:os.system ['true']]", "cannot be read as YAML"),
    ],
)
def test_a_file_that_is_no_flow_is_refused_with_its_key(
    tmp_path: Path, text: str, fault: str
) -> None:
    done = run(tmp_path, text)
    assert done.exit_code != 0
    assert fault in " ".join(done.output.split())
