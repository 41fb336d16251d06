from __future__ import annotations

from pathlib import Path

import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import DEFAULT, check_name
from stelae.catalog.families import BUILT_IN, known_models
from stelae.catalog.hub import REVISION, is_hub_id
from stelae.errors import ModelLoadFailed, ModelNotFound


def test_every_known_model_can_be_registered() -> None:
    assert len(known_models()) >= 40
    for name, entry in known_models().items():
        check_name(name)
        assert is_hub_id(entry.source)
        assert entry.revision is None or REVISION.fullmatch(entry.revision)
        assert list(entry.matryoshka) == sorted(entry.matryoshka)


def test_families_leave_the_names_of_the_embedded_model_alone() -> None:
    assert not {DEFAULT.name, *DEFAULT.aliases} & known_models().keys()


def test_file_is_named_like_its_family() -> None:
    for file in BUILT_IN.glob("*.yaml"):
        assert f"family: {file.stem}\n" in file.read_text("utf-8")


def test_own_families_take_the_place_of_the_built_in(tmp_path: Path) -> None:
    text = "family: own\nmodels: [{name: short, hub: acme/embedder, matryoshka: [8, 16]}]\n"
    (tmp_path / "own.yaml").write_text(text)
    catalog = Catalog(families=tmp_path)
    assert catalog.entry("short").matryoshka == (8, 16)
    with pytest.raises(ModelNotFound):
        catalog.entry("bge-small-en-v1.5")


@pytest.mark.parametrize(
    "text",
    [
        "family: own\nmodels: [{name: a}]\n",
        "family: own\nmodels: [{name: a, hub: b/c, surprise: 1}]\n",
        "family: own\nmodels: [{name: a, hub: b/c}, {name: a, hub: d/e}]\n",
        "family: [unclosed\n",
        "family: !!python/object/apply:os.getcwd []\nmodels: []\n",
    ],
)
def test_file_that_is_no_family_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ModelLoadFailed):
        known_models(tmp_path)


def test_names_of_other_servers_reach_the_same_checkpoint() -> None:
    catalog = Catalog()
    for name in ("ViT-B-32::openai", "ViT-B/32", "openai/clip-vit-base-patch32"):
        assert catalog.entry(name).source == "openai/clip-vit-base-patch32"


@pytest.mark.parametrize("name", ["RN50", "RN50::openai", "CN-CLIP/RN50"])
def test_a_model_that_is_not_served_says_why(name: str) -> None:
    with pytest.raises(ModelNotFound, match="ResNet"):
        Catalog().entry(name)
    with pytest.raises(ModelNotFound, match="ResNet"):
        Catalog().register_argument(name)
