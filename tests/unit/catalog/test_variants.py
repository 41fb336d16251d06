"""Which variant of a model is meant, and how one in a GGUF file is fetched."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from fix_hub import Hub, Repo
from hypothesis import given
from hypothesis import strategies as st
from tiny.gguf import write_gguf

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.hub import HubOptions
from stelae.catalog.variants import Row, Wish, choose
from stelae.errors import InvalidInput, ModelNotFound
from stelae.types import Task, Variant

GGUF = Row(
    format="ggufv2",
    sizes=(0.5, 7),
    hub="acme/talk-{size}B-GGUF",
    quantizations=("Q2_K", "Q4_K_M", "q8_0"),
    file="talk-{size}b-{quantization}.gguf",
    parts="{quantization}/talk-{size}b-{quantization}-{part}.gguf",
)
ROWS = (
    GGUF,
    Row(hub="acme/talk-72B", sizes=(72,), revision="a" * 40),
    Row(hub="acme/talk-{size}B", sizes=(7, 0.5)),
    Row(format="gptq", sizes=(7,), hub="acme/talk-{quantization}", quantizations=("Int4", "Int8")),
)
VARIANTS: tuple[Variant, ...] = tuple(variant for row in ROWS for variant in row.variants)


def chosen(**wish: float | str) -> tuple[str, str]:
    found = choose("talk", VARIANTS, Wish(**wish))  # type: ignore[arg-type]
    return found.hub, found.quantization


@pytest.mark.parametrize(
    ("wish", "hub", "quantization"),
    [
        ({}, "acme/talk-0.5B", "none"),
        ({"size": 7}, "acme/talk-7B", "none"),
        ({"format": "pytorch", "size": 72}, "acme/talk-72B", "none"),
        ({"format": "ggufv2"}, "acme/talk-0.5B-GGUF", "Q4_K_M"),
        ({"format": "GGUF", "size": 7}, "acme/talk-7B-GGUF", "Q4_K_M"),
        ({"quantization": "q2_k"}, "acme/talk-0.5B-GGUF", "Q2_K"),
        ({"quantization": "Q8_0", "size": 7}, "acme/talk-7B-GGUF", "q8_0"),
        ({"quantization": "INT8"}, "acme/talk-Int8", "Int8"),
        ({"quantization": "none", "size": 7}, "acme/talk-7B", "none"),
        ({"format": "gptq"}, "acme/talk-Int4", "Int4"),
    ],
)
def test_what_is_said_is_honoured_and_the_rest_is_what_runs_most_easily(
    wish: dict[str, float | str], hub: str, quantization: str
) -> None:
    assert chosen(**wish) == (hub, quantization)


@pytest.mark.parametrize("size", [0.5, "0.5", "0_5", " 0.5 ", "0.50"])
def test_sizes_are_alike_however_they_are_written(size: float | str) -> None:
    assert chosen(size=size) == ("acme/talk-0.5B", "none")


@pytest.mark.parametrize("size", [7, 7.0, "7", "7.0", "7_0"])
def test_whole_sizes_are_alike_too(size: float | str) -> None:
    assert chosen(size=size) == ("acme/talk-7B", "none")


@pytest.mark.parametrize(
    ("wish", "param", "known"),
    [
        ({"format": "mlx"}, "format", ["pytorch", "ggufv2", "gptq"]),
        ({"size": 13}, "size", ["0.5", "7", "72"]),
        ({"size": 72, "format": "ggufv2"}, "size", ["0.5", "7"]),
        ({"size": "nan"}, "size", ["0.5", "7", "72"]),
        ({"size": "large"}, "size", ["0.5", "7", "72"]),
        ({"size": True}, "size", ["0.5", "7", "72"]),
        (
            {"quantization": "Q3"},
            "quantization",
            ["none", "Q2_K", "Q4_K_M", "q8_0", "Int4", "Int8"],
        ),
        ({"quantization": "Q4_K_M", "format": "gptq"}, "quantization", ["Int4", "Int8"]),
        ({"quantization": "Int4", "size": 72}, "quantization", ["none"]),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(
    wish: dict[str, float | str], param: str, known: list[str]
) -> None:
    with pytest.raises(InvalidInput, match=f"^{param}=.*'talk'") as caught:
        chosen(**wish)
    assert caught.value.param == param
    assert caught.value.details["known"] == known
    assert ", ".join(known) in caught.value.message


@given(st.builds(Wish, format=st.text() | st.none(), size=st.text() | st.floats() | st.none()))
def test_whatever_is_wished_there_is_an_answer_or_a_refusal(wish: Wish) -> None:
    with suppress(InvalidInput):
        assert choose("talk", VARIANTS, wish) in [
            v.chosen(q) for v in VARIANTS for q in v.quantizations
        ]


def test_a_model_without_sizes_says_so() -> None:
    plain = tuple(Row(hub="acme/plain").variants)
    with pytest.raises(InvalidInput, match="differ in no size"):
        choose("plain", plain, Wish(size=7))


def test_a_file_may_be_whole_or_in_parts() -> None:
    found = choose("talk", VARIANTS, Wish(format="ggufv2", size=7, quantization="q2_k"))
    assert found.files == ("talk-7b-Q2_K.gguf", "Q2_K/talk-7b-Q2_K-*.gguf")


def test_a_variant_of_a_known_model_is_its_entry_with_other_weights() -> None:
    catalog = Catalog()
    usual = catalog.entry("Qwen3-Embedding-0.6B")
    assert catalog.variant("Qwen3-Embedding-0.6B", Wish()) == usual
    assert catalog.variant("Qwen3-Embedding-0.6B", Wish(format="pytorch")) == usual
    file = catalog.variant("Qwen3-Embedding-0.6B", Wish(format="ggufv2", quantization="q8_0"))
    assert file.source == "Qwen/Qwen3-Embedding-0.6B-GGUF"
    assert file.files == ("Qwen3-Embedding-0.6B-Q8_0.gguf",)
    assert (file.name, file.matryoshka) == (usual.name, usual.matryoshka)


def test_other_sizes_are_reached_by_their_hub_ids() -> None:
    catalog = Catalog()
    assert catalog.variant("qwen3", Wish(size=8)).source == "Qwen/Qwen3-8B"
    assert catalog.entry("Qwen/Qwen3-8B").source == "Qwen/Qwen3-8B"
    assert catalog.entry("qwen3").source == "Qwen/Qwen3-0.6B"


def test_a_registered_model_stands_in_for_the_known_one_of_its_name(tmp_path: Path) -> None:
    own = ModelEntry(name="mine", source=str(tmp_path), aliases=("qwen3",))
    catalog = Catalog([own])
    assert catalog.variant("qwen3", Wish(size="0_6", format="ggufv2")) == own
    with pytest.raises(InvalidInput, match=r"0\.6, 1\.7, 4, 8"):
        catalog.variant("qwen3", Wish(size=5))


def test_a_known_model_that_is_registered_has_its_variants_still() -> None:
    catalog = Catalog()
    catalog.register_argument("qwen3")
    assert catalog.variant("qwen3", Wish(size=4)).source == "Qwen/Qwen3-4B"


def test_a_model_of_ones_own_has_no_variants(tmp_path: Path) -> None:
    own = ModelEntry(name="mine", source=str(tmp_path))
    assert Catalog([own]).variant("mine", Wish()) == own
    with pytest.raises(InvalidInput, match="no variants"):
        Catalog([own]).variant("mine", Wish(size=7))


@pytest.fixture(scope="module")
def talker(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("gguf") / "talker.gguf"
    return write_gguf(zoo / "qwen3-chat", file).read_bytes()


@pytest.fixture
def catalog(hub: Hub, tmp_path: Path) -> Catalog:
    line = "{format: ggufv2, hub: acme/talk, quantizations: [F16, Q8_0], %s}"
    file = 'file: "talk-{quantization}.gguf", parts: "{quantization}/talk-{part}.gguf"'
    text = f"family: own\nkind: llm\nmodels:\n  - name: talk\n    variants: [{line % file}]\n"
    folder = tmp_path / "families"
    folder.mkdir()
    (folder / "own.yaml").write_text(text)
    options = HubOptions(cache=str(tmp_path / "cache"), endpoint=hub.url)
    return Catalog(hub=options, families=folder)


@pytest.mark.parametrize("path", ["talk-F16.gguf", "F16/talk-00001-of-00001.gguf"])
def test_only_the_file_of_the_variant_is_fetched(
    hub: Hub, catalog: Catalog, talker: bytes, path: str
) -> None:
    others = {"talk-Q8_0.gguf": b"another", "Q8_0/talk-00001-of-00001.gguf": b"", "README.md": b""}
    hub.repos["acme/talk"] = Repo({path: talker, **others})
    spec = catalog.read(catalog.variant("talk", Wish(quantization="f16")))
    assert Task.CHAT in spec.tasks
    assert hub.fetched() == [path]
    assert str(spec.source) == f"acme/talk@{hub.repos['acme/talk'].commit}"


def test_a_file_that_the_hub_has_not_got_is_named(hub: Hub, catalog: Catalog) -> None:
    hub.repos["acme/talk"] = Repo({"README.md": b""})
    with pytest.raises(ModelNotFound, match=r"acme/talk has no file talk-Q8_0.gguf or Q8_0/talk-"):
        catalog.read(catalog.variant("talk", Wish(quantization="Q8_0")))
