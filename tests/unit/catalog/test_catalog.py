from __future__ import annotations

import os
from pathlib import Path

import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.embedded import embedded_folder
from stelae.catalog.entry import EMBEDDED, ModelEntry
from stelae.errors import Conflict, InvalidInput, MissingDependency, ModelNotFound

DEFAULT = "all-MiniLM-L6-v2"


def test_catalog_knows_the_embedded_model_by_its_names() -> None:
    catalog = Catalog()
    assert catalog.names() == [DEFAULT]
    for name in (DEFAULT, f"sentence-transformers/{DEFAULT}", "default", "minilm"):
        assert catalog.entry(name).name == DEFAULT


def test_registered_model_is_found_by_name_and_alias() -> None:
    catalog = Catalog([ModelEntry(name="mine", source="/a", aliases=("yours",))])
    assert catalog.entry("yours").name == "mine"
    assert catalog.names() == ["mine", DEFAULT]


def test_registering_again_replaces_model_and_aliases() -> None:
    catalog = Catalog([ModelEntry(name="mine", source="/a", aliases=("old",))])
    catalog.register(ModelEntry(name="mine", source="/b", aliases=("new",)))
    assert catalog.entry("new").source == "/b"
    with pytest.raises(ModelNotFound):
        catalog.entry("old")


def test_name_of_another_model_is_a_conflict() -> None:
    catalog = Catalog([ModelEntry(name="a", source="/a", aliases=("b",))])
    with pytest.raises(Conflict, match="'b' already means the model 'a'"):
        catalog.register(ModelEntry(name="b", source="/b"))
    assert catalog.names() == ["a", DEFAULT]


def test_alias_of_the_embedded_model_can_be_taken_but_not_its_name() -> None:
    catalog = Catalog()
    catalog.register(ModelEntry(name="mine", source="/a", aliases=("default",)))
    assert catalog.entry("default").name == "mine"
    assert catalog.entry("minilm").name == DEFAULT
    with pytest.raises(Conflict):
        catalog.register(ModelEntry(name="other", source="/a", aliases=(DEFAULT,)))


def test_embedded_model_steps_back_before_one_of_its_name() -> None:
    catalog = Catalog([ModelEntry(name=DEFAULT, source="/a")])
    assert catalog.entry(DEFAULT).source == "/a"
    assert catalog.names() == [DEFAULT]


def test_family_member_is_found_but_not_listed() -> None:
    catalog = Catalog()
    entry = catalog.entry("bge-small-en-v1.5")
    assert entry.source == "BAAI/bge-small-en-v1.5"
    assert catalog.entry("BAAI/bge-small-en-v1.5") == entry
    assert catalog.names() == [DEFAULT]


def test_hub_id_that_is_registered_answers_to_the_short_name_too() -> None:
    catalog = Catalog()
    mine = catalog.register_argument("BAAI/bge-small-en-v1.5@v9")
    assert mine.revision == "v9"
    assert catalog.entry("bge-small-en-v1.5") == mine


def test_own_model_of_a_well_known_name_does_not_take_the_hub_id() -> None:
    catalog = Catalog([ModelEntry(name="bge-small-en-v1.5", source="/own")])
    assert catalog.entry("bge-small-en-v1.5").source == "/own"
    entry = catalog.register_argument("BAAI/bge-small-en-v1.5")
    assert (entry.name, entry.source) == ("BAAI/bge-small-en-v1.5", "BAAI/bge-small-en-v1.5")
    assert catalog.entry("bge-small-en-v1.5").source == "/own"


def test_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ModelNotFound) as caught:
        Catalog().entry("All-minilm-l6-V3")
    assert caught.value.details["nearest"][0] == DEFAULT
    assert f"did you mean '{DEFAULT}'" in str(caught.value)


def test_unknown_hub_id_is_answered_with_the_command() -> None:
    with pytest.raises(ModelNotFound, match="stelae serve acme/embedder"):
        Catalog().entry("acme/embedder")


def test_very_long_name_is_answered_shortly() -> None:
    with pytest.raises(ModelNotFound) as caught:
        Catalog().entry("x" * 10_000_000)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a\n", "../a", "a//b", "/a", "a/", "naïve", "x" * 129, "a?b", "-a"]
)
def test_name_that_fits_no_url_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="name="):
        Catalog().register(ModelEntry(name=name, source="/a"))


def test_folder_cannot_be_reached_by_callers(zoo: Path) -> None:
    with pytest.raises(ModelNotFound):
        Catalog().spec(str(zoo / "bert-mean"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{zoo}/bert-mean", "bert-mean"),
        ("{zoo}/bert-mean/", "bert-mean"),
        ("m={zoo}/bert-mean", "m"),
    ],
)
def test_argument_can_be_a_folder(zoo: Path, text: str, name: str) -> None:
    catalog = Catalog()
    entry = catalog.register_argument(text.format(zoo=zoo))
    assert entry.name == name
    assert catalog.spec(name).dimensions == 64


def test_relative_folder_is_kept_absolute(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(zoo)
    assert os.path.isabs(Catalog().register_argument("./bert-mean").source)  # noqa: PTH117


@pytest.mark.parametrize("name", ["", "mine="])
@pytest.mark.parametrize("place", ["./nothing", "../nothing", "/nothing", "~/nothing"])
def test_place_where_nothing_is_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ModelNotFound, match=r"no folder and no GGUF file at /.*nothing"):
        Catalog().register_argument(name + place)


def test_folder_with_an_equals_sign_is_a_folder(zoo: Path, tmp_path: Path) -> None:
    (tmp_path / "a=b").symlink_to(zoo / "bert-mean")
    assert Catalog().register_argument(str(tmp_path / "a=b")).name == "bert-mean"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my model", "my-model"),
        ("lr=0.1 final", "lr-0.1-final"),
        ("modèle", "modele"),
        ("模型", "model"),
        (".hidden", "hidden"),
        ("v1.0", "v1.0"),
        ("(copy)", "copy"),
        ("...", "model"),
        ("a\nb", "a-b"),
        ("x" * 200, "x" * 128),
    ],
)
def test_any_folder_gets_a_name_that_callers_can_write(
    tmp_path: Path, folder: str, name: str
) -> None:
    (tmp_path / folder).mkdir()
    entry = Catalog().register_argument(str(tmp_path / folder))
    assert (entry.name, entry.source) == (name, str(tmp_path / folder))


@pytest.mark.parametrize("folder", ["a=b", "my model", "模型", "x=y z"])
def test_name_ends_at_the_first_equals_sign(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    entry = Catalog().register_argument(f"mine={tmp_path / folder}")
    assert (entry.name, entry.source) == ("mine", str(tmp_path / folder))


def test_given_name_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="name='naïve'"):
        Catalog().register_argument(f"naïve={tmp_path}")


def test_two_folders_of_one_name_need_names(tmp_path: Path) -> None:
    for folder in ("模型", "модель"):
        (tmp_path / folder).mkdir()
    catalog = Catalog()
    catalog.register_argument(str(tmp_path / "模型"))
    with pytest.raises(Conflict, match="NAME="):
        catalog.register_argument(str(tmp_path / "модель"))
    assert catalog.register_argument(f"other={tmp_path / 'модель'}").name == "other"


def test_folder_that_is_registered_keeps_its_settings(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    entry = ModelEntry(name="mine", source=str(tmp_path / "mine"), max_tokens=9)
    assert Catalog([entry]).register_argument(str(tmp_path / "mine")) == entry


@pytest.mark.parametrize(
    ("text", "name", "source", "revision"),
    [
        ("minilm", DEFAULT, EMBEDDED, None),
        ("mine=minilm", "mine", EMBEDDED, None),
        (
            "bge-small-en-v1.5",
            "bge-small-en-v1.5",
            "BAAI/bge-small-en-v1.5",
            "88885630388d6249d876a3ab145b78b34665b79a",
        ),
        ("acme/embedder", "acme/embedder", "acme/embedder", None),
        ("acme/embedder@v2", "acme/embedder", "acme/embedder", "v2"),
        ("e=acme/embedder@v2", "e", "acme/embedder", "v2"),
    ],
)
def test_argument_can_be_a_known_name_or_hub_id(
    text: str, name: str, source: str, revision: str | None
) -> None:
    catalog = Catalog()
    entry = catalog.register_argument(text)
    assert (entry.name, entry.source, entry.revision) == (name, source, revision)
    assert name in catalog.names()


@pytest.mark.parametrize("text", ["nothing", "./nothing", "/nowhere/at/all", "m=", "m=nothing"])
def test_argument_that_is_nothing_is_not_found(text: str) -> None:
    with pytest.raises(ModelNotFound):
        Catalog().register_argument(text)


def test_folder_is_read_anew_each_time(zoo: Path, tmp_path: Path) -> None:
    (tmp_path / "model").symlink_to(zoo / "bert-mean")
    catalog = Catalog([ModelEntry(name="m", source=str(tmp_path / "model"))])
    assert catalog.spec("m").max_tokens == 128
    (tmp_path / "model").unlink()
    (tmp_path / "model").symlink_to(zoo / "bert-nested")
    assert catalog.spec("m").max_tokens == 96


def test_missing_package_is_answered_with_the_command() -> None:
    with pytest.raises(MissingDependency, match=r"pip install 'stelae\[server\]'"):
        embedded_folder("no_such_package_here")
