from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from repo import ROOT

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import DEFAULT, check_name
from stelae.catalog.families import (
    BUILT_IN,
    cards,
    families,
    known_models,
    listed,
    read_families,
    refused_models,
)
from stelae.catalog.family import ABILITIES, INPUTS
from stelae.catalog.hub import REVISION, is_hub_id
from stelae.catalog.profiles import check_profiles
from stelae.errors import ModelLoadFailed, ModelNotFound, StelaeError
from stelae.types import Card, ModelKind, Muvera, OutputType, Profile
from stelae.types.card import QUANTIZATION

COMMIT = re.compile(r"[0-9a-f]{40}|no_timm")
LANGUAGE = re.compile(r"[a-z]{2}|multilingual")
MUVERA = Profile(outputs=(OutputType.DENSE,), muvera=Muvera(repetitions=40, dimensions=10_240))
"""As SIE has it if nothing is said."""

NAMES = ROOT / "tests" / "data" / "names"


def names(server: str) -> list[str]:
    """All names that another server knows."""
    return (NAMES / f"{server}.txt").read_text("utf-8").split()


def answered(name: str) -> bool:
    """Whether a name means a model, or there is a reason why not."""
    try:
        return Catalog().entry(name) is not None
    except StelaeError:
        return name in refused_models()


def test_every_known_model_can_be_registered() -> None:
    for name, entry in known_models().items():
        check_name(name)
        check_profiles(entry)
        assert is_hub_id(entry.source)
        assert entry.revision is None or REVISION.fullmatch(entry.revision)
        assert list(entry.matryoshka) == sorted(entry.matryoshka)


def test_the_table_holds_what_the_files_of_the_families_say() -> None:
    assert families() == read_families(BUILT_IN)


@pytest.mark.parametrize("kind", ABILITIES)
def test_facts_are_of_the_words_and_sizes_that_there_are(kind: ModelKind) -> None:
    for card in listed(kind):
        check_facts(card)


def check_facts(card: Card) -> None:
    assert set(card.abilities) <= ABILITIES[card.kind], card.name
    assert card.abilities or card.kind == "rerank"
    assert set(card.inputs) <= INPUTS
    assert all(LANGUAGE.fullmatch(language) for language in card.languages)
    assert card.context is None or 32 <= card.context <= 16 * 2**20
    assert card.dimensions is None or 32 <= card.dimensions <= 2**18
    assert card.kind != "llm" or (card.context and card.languages)
    assert card.kind != "embedding" or card.dimensions


@pytest.mark.parametrize("kind", ABILITIES)
def test_variants_can_be_told_apart_and_fetched(kind: ModelKind) -> None:
    for card in listed(kind):
        check_variants(card)


def check_variants(card: Card) -> None:
    told = [
        (variant.format, variant.size, quantization.casefold())
        for variant in card.variants
        for quantization in variant.quantizations
    ]
    assert len(told) == len(set(told)), card.name
    for variant in card.variants:
        chosen = [variant.chosen(quantization) for quantization in variant.quantizations]
        assert all(is_hub_id(choice.hub) for choice in chosen)
        assert variant.revision is None or COMMIT.fullmatch(variant.revision)
        assert len(chosen) == 1 or any(QUANTIZATION in t for t in (variant.hub, *variant.files))
        for file in (file for choice in chosen for file in choice.files):
            assert file.endswith(".gguf")
            assert not re.search(r"[{}\[\]?]", file)


def test_no_model_is_both_known_and_refused() -> None:
    assert not known_models().keys() & refused_models().keys()


def test_models_are_listed_by_kind_and_name() -> None:
    found = [card.name for card in listed("rerank")]
    assert found == sorted(found, key=str.casefold)
    assert {"bge-reranker-base", "jina-reranker-v2", "Qwen3-Reranker-0.6B"} <= set(found)
    assert {card.kind for card in listed()} == ABILITIES.keys()


def test_a_card_has_the_facts_of_its_family_and_its_own() -> None:
    card = cards()["bge-m3"]
    assert (card.kind, card.family) == ("embedding", "bge")
    assert card.languages == ("multilingual",)
    assert card.abilities == ("dense", "sparse", "multivector")
    assert (card.dimensions, card.context) == (1024, 8192)
    assert [variant.format for variant in card.variants] == ["pytorch", "ggufv2"]


def test_models_of_files_for_several_families_tell_their_own() -> None:
    assert not [card.name for card in cards().values() if card.family.startswith("other-")]
    assert cards()["kolors"].family == "kolors"


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
    assert [card.name for card in catalog.cards()] == ["short"]
    with pytest.raises(ModelNotFound):
        catalog.entry("bge-small-en-v1.5")


@pytest.mark.parametrize(
    "text",
    [
        "family: own\nmodels: [{name: a}]\n",
        "family: own\nmodels: [{name: a, hub: b/c, surprise: 1}]\n",
        "family: own\nmodels: [{name: a, hub: b/c}, {name: a, hub: d/e}]\n",
        "family: own\nmodels: [{name: a, variants: [{hub: b/c, format: stone}]}]\n",
        "family: own\nmodels: [{name: a, variants: [{hub: b/c, format: ggufv2}]}]\n",
        "family: own\nmodels: [{name: a, variants: [{hub: b/c, file: x.gguf}]}]\n",
        "family: own\nmodels: [{name: a, variants: [{hub: b/c, quantizations: []}]}]\n",
        "family: own\nkind: poem\n",
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


@pytest.mark.parametrize(("server", "count"), [("xinference", 332), ("clip", 46), ("sie", 109)])
def test_every_name_of_another_server_means_a_model_or_has_a_reason(
    server: str, count: int
) -> None:
    given = names(server)
    assert len(set(given)) == len(given) == count
    assert [name for name in given if not answered(name)] == []


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("BAAI/bge-m3:sparse", Profile(outputs=(OutputType.SPARSE,))),
        ("BAAI/bge-m3@dense", Profile(outputs=(OutputType.DENSE,))),
        ("colbert-ir/colbertv2.0:muvera", MUVERA),
        ("vidore/colqwen2.5-v0.2:muvera", MUVERA),
    ],
)
def test_names_of_profiles_that_sie_gives_mean_the_same(name: str, profile: Profile) -> None:
    assert Catalog().resolve(name)[1] == profile


def known(server: str) -> Iterator[str]:
    return (name for name in names(server) if name not in refused_models())


def test_most_names_of_other_servers_mean_models() -> None:
    """Of Xinference those that people launch, of the others all but a few layouts."""
    assert len(list(known("xinference"))) >= 250
    assert len(list(known("sie"))) >= 100
    assert len(list(known("clip"))) >= 29


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[(name, "llm") for name in ("baichuan", "baichuan-2-chat", "glm4-chat", "chatglm3")],
        *[(name, "llm") for name in ("qwen3", "llama-3.1-instruct", "gpt-oss", "deepseek-v3")],
        *[(name, "embedding") for name in ("bge-base-en", "bge-small-en-v1.5", "m3e-large")],
        *[(name, "image") for name in ("sd-turbo", "stable-diffusion-xl-base-1.0")],
        *[(name, "audio") for name in ("whisper-base.en", "whisper-large-v3")],
        ("bge-reranker-base", "rerank"),
    ],
)
def test_names_that_scripts_launch_mean_models_of_their_kind(name: str, kind: str) -> None:
    card = Catalog().card(name)
    assert card is not None
    assert card.kind == kind


@pytest.mark.parametrize("name", ["RN50", "RN50::openai", "CN-CLIP/RN50"])
def test_a_model_that_is_not_served_says_why(name: str) -> None:
    with pytest.raises(ModelNotFound, match="ResNet"):
        Catalog().entry(name)
    with pytest.raises(ModelNotFound, match="ResNet"):
        Catalog().register_argument(name)
