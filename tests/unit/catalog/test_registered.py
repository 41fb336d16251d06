from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.registered import MAX_BYTES, check_places, check_registration
from stelae.catalog.variants import Wish
from stelae.errors import Conflict, Forbidden, InvalidInput, ModelNotFound
from stelae.types import Profile, Registration, Weights


def registration(name: str = "mine", **fields: Any) -> Registration:
    weights = fields.pop("weights", (Weights(source="org/repo"),))
    return Registration(name=name, kind=fields.pop("kind", "embedding"), weights=weights, **fields)


PACKED = Weights(
    source="org/packed",
    format="ggufv2",
    size=7.0,
    quantizations=("Q8_0", "Q4_K_M"),
    files={"Q8_0": "m-Q8_0.gguf", "Q4_K_M": "m-Q4_K_M.gguf"},
)


def test_registered_model_is_known_by_its_name() -> None:
    catalog = Catalog()
    catalog.add_registration(registration(languages=("en",), abilities=("dense",), dimensions=8))
    card = catalog.card("mine")
    assert card is not None
    assert (card.builtin, card.kind, card.dimensions) == (False, "embedding", 8)
    assert catalog.entry("mine") == ModelEntry(name="mine", source="org/repo")
    assert "mine" in [each.name for each in catalog.cards("embedding")]
    assert "mine" not in [each.name for each in catalog.cards("llm")]


def test_what_people_say_of_a_chat_model_reaches_its_entry() -> None:
    catalog = Catalog()
    catalog.add_registration(
        registration(kind="llm", chat_template="{{ x }}", stops=("END",), tool_format="hermes")
    )
    entry = catalog.entry("mine")
    assert (entry.chat_template, entry.stops, entry.tool_format) == ("{{ x }}", ("END",), "hermes")


def test_variants_of_a_registration_are_chosen_as_those_of_well_known_models() -> None:
    catalog = Catalog()
    plain = Weights(source="org/plain", size=7.0, revision="v1")
    catalog.add_registration(registration(kind="llm", weights=(PACKED, plain)))
    assert catalog.variant("mine", Wish()).source == "org/plain"
    assert catalog.variant("mine", Wish(format="gguf")).files == ("m-Q4_K_M.gguf",)
    chosen = catalog.variant("mine", Wish(size="7", quantization="q8_0"))
    assert (chosen.name, chosen.source) == ("mine", "org/packed")
    assert chosen.files == ("m-Q8_0.gguf",)
    with pytest.raises(InvalidInput, match="Q4_K_M") as refused:
        catalog.variant("mine", Wish(quantization="Q2_K"))
    assert set(refused.value.details["known"]) == {"none", "Q8_0", "Q4_K_M"}


@pytest.mark.parametrize(
    "name", ["mine", "taken", "bge-m3", "BAAI/bge-m3", "minilm", "sentence-transformers/clip-ViT"]
)
def test_names_mean_one_model(name: str) -> None:
    catalog = Catalog([ModelEntry(name="taken", source="/a")])
    catalog.add_registration(registration())
    if name.endswith("ViT"):  # nobody has it
        catalog.add_registration(registration(name))
        return
    with pytest.raises(Conflict, match="means a model already"):
        catalog.add_registration(registration(name))
    assert len(catalog.registrations()) == 1


def test_names_of_profiles_are_taken_too() -> None:
    fast = {"fast": Profile(normalize=True)}
    catalog = Catalog([ModelEntry(name="taken", source="/a", profiles=fast)])
    for name in ("taken:fast", "taken@fast", "bge-m3:default"):
        with pytest.raises(Conflict):
            catalog.add_registration(registration(name))
    catalog.add_registration(registration("taken:7b"))
    assert catalog.entry("taken:7b").source == "org/repo"


def test_registration_that_is_taken_back_is_forgotten() -> None:
    catalog = Catalog()
    catalog.add_registration(registration())
    catalog.register(catalog.entry("mine"))  # as its first use does
    catalog.remove_registration("mine")
    with pytest.raises(ModelNotFound):
        catalog.entry("mine")
    catalog.add_registration(registration())


def test_launched_model_outlives_its_registration() -> None:
    catalog = Catalog()
    catalog.add_registration(registration())
    catalog.register(ModelEntry(name="mine", source="org/repo", model="mine", replicas=2))
    catalog.remove_registration("mine")
    assert catalog.entry("mine").replicas == 2


def test_well_known_models_are_not_removed() -> None:
    with pytest.raises(Forbidden):
        Catalog().remove_registration("bge-m3")
    with pytest.raises(ModelNotFound):
        Catalog().remove_registration("nobody")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": "../etc"}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "C:\\x"}, "name"),
        ({"name": "x" * 200}, "name"),
        ({"name": "na\nme"}, "name"),
        ({"name": "\u2025/x"}, "name"),
        ({"weights": ()}, "weights"),
        ({"abilities": ("fly",)}, "abilities"),
        ({"kind": "rerank", "abilities": ("dense",)}, "abilities"),
        ({"kind": "llm", "tool_format": "nothing"}, "tool_format"),
        ({"context": 0}, "context"),
        ({"context": -512}, "context"),
        ({"dimensions": 2**40}, "dimensions"),
        ({"extra": {"long": "x" * (MAX_BYTES + 1)}}, "extra"),
    ],
)
def test_documents_that_make_no_sense_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_registration(registration(**fields))
    assert refused.value.param == param


@pytest.mark.parametrize(
    "value", [b"bytes", {1: 2}, {(1, 2): 3}, 2**64, -(2**63) - 1, int("9" * 4000), object(), (1,)]
)
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_registration(registration(extra={"own": [value]}))
    assert refused.value.param == "extra"


def test_deep_documents_are_refused() -> None:
    deep: Any = {}
    for _ in range(200):
        deep = {"a": [deep]}
    with pytest.raises(InvalidInput, match="levels deep"):
        check_registration(registration(extra=deep))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"source": "https://example.com/model"}, "source"),
        ({"source": "s3://bucket/model"}, "source"),
        ({"source": "file:///tmp"}, "source"),
        ({"source": "relative"}, "source"),
        ({"source": "a/b/c"}, "source"),
        ({"source": "/srv/../etc"}, "source"),
        ({"source": "/srv/a\0b"}, "source"),
        ({"source": "~/model"}, "source"),
        ({"source": ""}, "source"),
        ({"source": "C:\\models\\x"}, "source"),
        ({"source": "org/repo", "revision": "--upload-pack=x"}, "revision"),
        ({"source": "org/repo", "revision": "../x"}, "revision"),
        ({"source": "/srv/model", "revision": "main"}, "revision"),
        ({"source": "org/repo", "format": "pickle"}, "format"),
        ({"source": "org/repo", "size": -7.0}, "size"),
        ({"source": "org/repo", "size": 0.0}, "size"),
        ({"source": "org/repo", "size": float("nan")}, "size"),
        ({"source": "org/repo", "size": 1e9}, "size"),
        ({"source": "org/repo", "quantizations": ()}, "quantizations"),
        ({"source": "org/repo", "quantizations": ("../x",)}, "quantizations"),
        ({"source": "org/repo", "quantizations": ("a" * 99,)}, "quantizations"),
        ({"source": "org/repo", "format": "ggufv2"}, "files"),
        ({"source": "org/repo", "files": {"none": "a.gguf"}}, "files"),
        ({"source": "org/repo", "format": "ggufv2", "files": {"none": "../a.gguf"}}, "files"),
        ({"source": "org/repo", "format": "ggufv2", "files": {"none": "/a.gguf"}}, "files"),
        ({"source": "org/repo", "format": "ggufv2", "files": {"none": "a.bin"}}, "files"),
        ({"source": "org/repo", "format": "ggufv2", "files": {"none": "[a].gguf"}}, "files"),
    ],
)
def test_weights_that_make_no_sense_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_registration(registration(weights=(Weights(**fields),)))
    assert refused.value.param == f"weights[0].{param}"


def test_variants_that_cannot_be_told_apart_are_refused() -> None:
    twice = (Weights(source="org/a"), Weights(source="org/b", quantizations=("None",)))
    with pytest.raises(InvalidInput, match="twice"):
        check_registration(registration(weights=twice))


def test_folders_must_hold_a_checkpoint(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.mkdir()
    (good / "config.json").write_text("{}")
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    check_places(registration(weights=(Weights(source=str(good)),)))
    check_places(registration(weights=(Weights(source=str(file), format="ggufv2"),)))
    check_places(registration())


@pytest.mark.parametrize("place", ["/etc", "/etc/passwd", "/no/such/place", "/proc/self", "/dev"])
def test_nothing_is_told_of_places_without_a_checkpoint(place: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_places(registration(weights=(Weights(source=place),)))
    assert refused.value.message == (
        f"weights[0].source={place!r}: there is no checkpoint that this server can read"
    )
