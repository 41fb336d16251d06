"""``stelae migrate sie`` on model files written by hand, with the keys that SIE's have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from stelae.catalog.catalog import Catalog
from stelae.cli.app import app
from stelae.config import load_settings
from stelae.server.app import build_catalog
from stelae.types import ComputeDtype, EmbeddingDtype, OutputType, Profile

M3 = """
sie_id: org/m3
hf_id: hub/m3-base
hf_revision: 5617a9f61b028005a4858fdac845db406aefb181
inputs: {text: true}
tasks:
  encode:
    dense: {dim: 1024}
    sparse: {dim: 250002}
    multivector: {dim: 1024}
max_sequence_length: 8192
profiles:
  default:
    max_batch_tokens: 16384
    compute_precision: float16
    adapter_path: "some.package:M3Adapter"
    adapter_options:
      loadtime: {attention: flash}
      runtime:
        normalize: true
        pooling: cls
        query_template: "query: {text}"
    adaptive_batching: {enabled: true}
  sketch:
    extends: default
    adapter_options:
      runtime: {output_types: [dense], muvera: {num_repetitions: 4}}
  terms:
    adapter_options:
      runtime: {output_types: [sparse], output_dtype: float16, score_mode: hybrid, zeal: 9}
  exact:
    compute_precision: float32
    adapter_options:
      runtime: {normalize: false}
  exact_terms:
    extends: exact
    adapter_options:
      runtime: {output_types: [sparse]}
"""

NER = """
sie_id: ner
hf_id: hub/ner
tasks: {extract: {}}
surprise: 1
profiles:
  default:
    adapter_options:
      runtime: {threshold: 0.4, labels_max: 3, lora_id: hub/law}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two model files."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "m3.yaml").write_text(M3)
    (models / "ner.yml").write_text(NER)
    (models / "readme.txt").write_text("not a model")
    return models


Migrate = Callable[..., Result]


@pytest.fixture
def migrate(folder: Path) -> Migrate:
    """Runs the command on that folder."""

    def run(*arguments: str, check: int = 0) -> Result:
        ended = CliRunner().invoke(app, ["migrate", "sie", str(folder), *arguments])
        assert ended.exit_code == check, ended.output
        return ended

    return run


@pytest.fixture
def written(migrate: Migrate, tmp_path: Path) -> Path:
    """The file that the command wrote."""
    file = tmp_path / "stelae.yaml"
    migrate("-o", str(file))
    return file


@pytest.fixture
def catalog(written: Path) -> Catalog:
    """The models that a server started with it has."""
    return build_catalog(load_settings(written))


def test_models_keep_their_names_and_their_weights(catalog: Catalog) -> None:
    assert catalog.names()[:3] == ["org/m3", "org/m3:exact", "org/m3:exact_terms"]
    m3 = catalog.entry("hub/m3-base")
    assert (m3.name, m3.source) == ("org/m3", "hub/m3-base")
    assert m3.revision == "5617a9f61b028005a4858fdac845db406aefb181"
    assert (m3.max_tokens, m3.batch_tokens, m3.dtype) == (8192, 16384, ComputeDtype.AUTO)


def test_options_of_calls_become_profiles(catalog: Catalog) -> None:
    usual = Profile(normalize=True, query_template="query: {text}")
    assert catalog.resolve("org/m3")[1] == usual
    terms = Profile(outputs=(OutputType.SPARSE,), dtype=EmbeddingDtype.FLOAT16)
    assert catalog.resolve("org/m3@terms")[1] == terms
    sketch = catalog.resolve("hub/m3-base:sketch")[1]
    assert sketch is not None
    assert sketch.outputs == (OutputType.DENSE,)
    assert sketch.muvera is not None
    assert (sketch.muvera.repetitions, sketch.normalize) == (4, None)
    assert sketch.query_template == usual.query_template


def test_a_profile_that_is_loaded_otherwise_becomes_a_model_of_its_own(catalog: Catalog) -> None:
    for name in ("org/m3:exact", "org/m3@exact", "hub/m3-base:exact"):
        entry, profile = catalog.resolve(name)
        assert (entry.name, entry.dtype) == ("org/m3:exact", ComputeDtype.FLOAT32)
        assert (entry.source, entry.batch_tokens) == ("hub/m3-base", 16384)
        assert profile == Profile(normalize=False)
    entry, profile = catalog.resolve("org/m3:exact_terms")
    assert (entry.name, entry.dtype) == ("org/m3:exact_terms", ComputeDtype.FLOAT32)
    assert profile == Profile(normalize=False, outputs=(OutputType.SPARSE,))


def test_adapters_are_registered_with_their_model(catalog: Catalog) -> None:
    entry, profile = catalog.resolve("ner")
    assert entry.loras == {"hub/law": "hub/law"}
    assert profile == Profile(threshold=0.4, lora="hub/law")


LEFT = {
    "profiles.default.compute_precision",
    "profiles.default.adapter_options.loadtime.attention",
    "profiles.default.adapter_options.runtime.pooling",
    "profiles.terms.adapter_options.runtime.score_mode",
    "profiles.terms.adapter_options.runtime.zeal",
    "surprise",
    "profiles.default.adapter_options.runtime.labels_max",
}
HARMLESS = {
    "inputs",
    "tasks",
    "profiles.default.adapter_path",
    "profiles.default.adaptive_batching",
}


def test_nothing_is_swallowed(migrate: Migrate, written: Path) -> None:
    told = json.loads(migrate("--json").stdout)
    assert {one["key"] for one in told["left"] if not one["harmless"]} == LEFT
    assert {one["key"] for one in told["left"] if one["harmless"]} == HARMLESS
    comments = [line for line in written.read_text().splitlines() if line.startswith("#")]
    for key in LEFT | HARMLESS:
        assert any(f": {key}: " in line for line in comments), key
    said = migrate("--json").stderr
    assert "2 files: 4 models, 6 profiles" in said
    assert "warning: not taken over: profiles.*.compute_precision (1 time): float16" in said


def test_without_a_file_the_configuration_is_printed(migrate: Migrate, written: Path) -> None:
    ended = migrate("--quiet")
    assert yaml.safe_load(ended.stdout) == yaml.safe_load(written.read_text())
    told = json.loads(migrate("--json").stdout)
    assert told["configuration"] == yaml.safe_load(ended.stdout)
    assert (told["files"], told["written"]) == (2, None)


def test_a_file_that_is_there_is_not_written_over(migrate: Migrate, written: Path) -> None:
    before = written.read_text()
    assert "is there already" in migrate("-o", str(written), check=2).stderr
    assert written.read_text() == before
    assert "must end in .yaml" in migrate("-o", str(written.with_suffix(".toml")), check=2).stderr


def test_weights_of_a_folder_beside_the_file_are_found(folder: Path, migrate: Migrate) -> None:
    (folder / "weights").mkdir()
    (folder / "ner.yml").write_text("{sie_id: own, weights_path: weights, hf_revision: abc}")
    told = json.loads(migrate("--json").stdout)
    assert told["configuration"]["models"]["own"] == {"source": str(folder / "weights")}
    assert "hf_revision" in {one["key"] for one in told["left"]}


def test_a_model_whose_weights_are_in_a_package_is_left_out(folder: Path, migrate: Migrate) -> None:
    (folder / "ner.yml").write_text("{sie_id: packed, package_backed: true}")
    told = json.loads(migrate("--json").stdout)
    assert "packed" not in told["configuration"]["models"]
    assert {"package_backed", "sie_id"} <= {one["key"] for one in told["left"]}


def test_a_name_of_weights_that_several_models_share_is_no_alias(
    folder: Path, migrate: Migrate
) -> None:
    (folder / "ner.yml").write_text("{sie_id: twin, hf_id: hub/m3-base}")
    models = json.loads(migrate("--json").stdout)["configuration"]["models"]
    assert "aliases" not in models["org/m3"]
    assert models["twin"] == {"source": "hub/m3-base"}


def of(**keys: Any) -> str:
    return json.dumps({"sie_id": "m", "hf_id": "org/m", **keys})


def profiles(**given: Any) -> str:
    return of(profiles=given)


def runtime(**given: Any) -> str:
    return profiles(default={"adapter_options": {"runtime": given}})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read as YAML"),
        ("a: !!python/object/apply:os.system [ls]", "cannot be read as YAML"),
        ("[" * 5000, "cannot be read as YAML"),
        ("- a list", "keys of a model with their values"),
        ("{hf_id: org/m}", "`sie_id`"),
        (of(sie_id="a b"), "sie_id='a b'"),
        (of(sie_id="org/m3"), "sie_id: 'org/m3' is the name of a model in"),
        (of(hf_id=None), "hf_id: it is missing"),
        (of(hf_id="m"), "hf_id: 'm' is no hub id"),
        (of(max_sequence_length="long"), "$.max_sequence_length"),
        (of(max_sequence_length=0), "max_tokens"),
        (of(profiles=[]), "$.profiles"),
        (profiles(a=3), "profiles.a: Expected `object`"),
        (profiles(a={"max_batch_tokens": "x"}), "profiles.a: Expected `int"),
        (profiles(a={"extends": "b"}), "profiles.a.extends: there is no profile 'b'"),
        (
            profiles(a={}, b={"extends": "a"}, c={"extends": "b"}),
            "profiles.c.extends: 'b' extends another itself",
        ),
        (profiles(a={"adapter_options": {"runtime": 3}}), "profiles.a.adapter_options: Expected"),
        (
            profiles(a={"adapter_options": {"loadtime": {"max_seq_length": -1}}}),
            "profiles.a.adapter_options.loadtime.max_seq_length: -1",
        ),
        (runtime(normalize="yes"), "profiles.default.adapter_options.runtime: options: Expected"),
        (runtime(muvera={"cells": 2}), "options.muvera"),
        (runtime(threshold=7), "profiles.default.threshold=7"),
        (runtime(query_template="query: "), "profiles.default.query_template"),
        ("sie_id: " + "m" * 1024 * 1024, "larger than 1048576 bytes"),
    ],
)
def test_a_broken_file_is_refused_with_its_name_and_the_key(
    text: str, said: str, folder: Path, migrate: Migrate
) -> None:
    (folder / "ner.yml").write_text(text)
    told = migrate(check=1).stderr
    assert str(folder / "ner.yml") in told
    assert said in told


def test_a_folder_without_models_is_wrong_usage(folder: Path, migrate: Migrate) -> None:
    for file in folder.iterdir():
        file.unlink()
    assert "has no .yaml file" in migrate(check=2).stderr
    folder.rmdir()
    assert "cannot be read" in migrate(check=2).stderr
