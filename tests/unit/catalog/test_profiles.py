from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import EMBEDDED, ModelEntry
from stelae.catalog.profiles import profiles_of
from stelae.errors import InvalidInput, ModelLoadFailed, ModelNotFound
from stelae.types import EmbeddingDtype, Muvera, OutputType, Profile

SMALL = Profile(dtype=EmbeddingDtype.INT8, dimensions=64)
TERMS = Profile(extends="small", outputs=(OutputType.SPARSE,), dimensions=32)


def entry(name: str = "m", **fields: Any) -> ModelEntry:
    return ModelEntry(name=name, source=EMBEDDED, **fields)


def both() -> ModelEntry:
    return entry(aliases=("org/m",), profiles={"small": SMALL, "terms": TERMS})


@pytest.mark.parametrize("name", ["m:small", "m@small", "org/m:small", "org/m@small"])
def test_a_profile_is_named_after_any_name_of_its_model(name: str) -> None:
    found, profile = Catalog([both()]).resolve(name)
    assert (found.name, profile) == ("m", SMALL)


def test_what_a_profile_leaves_open_is_as_the_one_that_it_extends() -> None:
    _, profile = Catalog([both()]).resolve("m:terms")
    assert profile == Profile(
        outputs=(OutputType.SPARSE,), dtype=EmbeddingDtype.INT8, dimensions=32
    )
    assert list(profiles_of(both())) == ["small", "terms"]


@pytest.mark.parametrize("name", ["m", "m:default", "m@default", "m:", "org/m:default"])
def test_default_is_no_profile_unless_there_is_one_of_that_name(name: str) -> None:
    assert Catalog([both()]).resolve(name)[1] is None
    usual = entry(aliases=("org/m",), profiles={"default": SMALL, "wide": Profile(dimensions=128)})
    assert Catalog([usual]).resolve(name)[1] == SMALL
    assert Catalog([usual]).resolve("m:wide")[1] == Profile(dimensions=128)


def test_the_name_of_a_model_counts_before_a_profile() -> None:
    catalog = Catalog([both(), entry("m:small")])
    assert catalog.resolve("m:small")[0].name == "m:small"
    assert catalog.resolve("m@small") == (both(), SMALL)


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    catalog = Catalog([both(), entry("plain")])
    with pytest.raises(InvalidInput, match="'m' has no such profile; it has default, small, terms"):
        catalog.resolve("m:smal")
    with pytest.raises(InvalidInput, match="'m' has no such profile"):
        catalog.resolve("m:small:terms")
    with pytest.raises(InvalidInput, match=r"it has default$"):
        catalog.resolve("plain@small")


@pytest.mark.parametrize("name", ["mm:small", ":small", "", ":", "x" * 300 + ":small", ":" * 9999])
def test_a_profile_of_no_known_model_names_no_model(name: str) -> None:
    with pytest.raises(ModelNotFound):
        Catalog([both()]).resolve(name)


@pytest.mark.parametrize(
    ("profiles", "said"),
    [
        ({"a": Profile(extends="b")}, "profiles.a.extends='b': model 'm' has no such profile"),
        (
            {"a": Profile(), "b": Profile(extends="a"), "c": Profile(extends="b")},
            "profiles.c.extends='b': that profile extends another itself",
        ),
        ({"a": Profile(extends="a")}, "only one level"),
        ({"a:b": Profile()}, "the name of a profile has no : or @"),
        ({"a b": Profile()}, "letters, digits"),
        ({"a": Profile(lora="law")}, "profiles.a.lora='law': the model has no such adapter"),
        ({"a": Profile(threshold=2.0)}, "profiles.a.threshold=2.0: 0 to 1"),
        ({"a": Profile(dimensions=0)}, "profiles.a.dimensions=0: 1 or more"),
        ({"a": Profile(outputs=())}, "profiles.a.outputs is empty"),
        ({"a": Profile(query_template="query: ")}, "needs a place {text}"),
        ({"a": Profile(muvera=Muvera(), normalize=True)}, "profiles.a sets normalize and muvera"),
        ({"a": Profile(muvera=Muvera(), outputs=(OutputType.SPARSE,))}, "add dense"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused_when_registered(
    profiles: dict[str, Profile], said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        Catalog([entry(profiles=profiles)])
    assert said in str(caught.value)
    assert caught.value.param in {"profiles", "name"}


def test_default_can_be_extended_whether_it_is_there_or_not() -> None:
    late = {"a": Profile(extends="default", dimensions=8)}
    assert Catalog([entry(profiles=late)]).resolve("m:a")[1] == Profile(dimensions=8)
    usual = {**late, "default": Profile(normalize=True)}
    found = Catalog([entry(profiles=usual)]).resolve("m:a")[1]
    assert found == Profile(dimensions=8, normalize=True)


def test_what_does_not_go_with_an_option_is_not_taken_from_the_one_extended() -> None:
    entry_of = entry(
        profiles={
            "default": Profile(normalize=True, dimensions=8),
            "sketch": Profile(extends="default", muvera=Muvera()),
            "sketches": Profile(muvera=Muvera(), dtype=EmbeddingDtype.INT8),
            "unit": Profile(extends="sketches", normalize=True),
        }
    )
    catalog = Catalog([entry_of])
    assert catalog.resolve("m:sketch")[1] == Profile(muvera=Muvera())
    assert catalog.resolve("m:unit")[1] == Profile(normalize=True, dtype=EmbeddingDtype.INT8)


FAMILY = """
family: toy
models:
  - {name: toy, hub: org/toy, profiles: {terms: {outputs: [sparse]}}}
"""


def test_a_family_may_bring_profiles(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(FAMILY)
    _, profile = Catalog(families=tmp_path).resolve("org/toy:terms")
    assert profile == Profile(outputs=(OutputType.SPARSE,))


def test_an_unknown_option_of_a_family_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(FAMILY.replace("outputs", "output"))
    with pytest.raises(ModelLoadFailed, match="unknown field `output`"):
        Catalog(families=tmp_path).resolve("toy")
