from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
import torch
from fix_hub import Hub, Repo, repo_of
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import CNN, LSTM, Pooling, WordEmbeddings
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.fingerprint import weight_paths
from stelae.catalog.hub import HubOptions, fetch, is_hub_id
from stelae.catalog.hub_room import check_room
from stelae.errors import (
    Forbidden,
    HubUnreachable,
    ModelLoadFailed,
    ModelNotFound,
    Unauthorized,
    UnsupportedCheckpoint,
)
from stelae.types import OutputType

ID = "tiny/bert"
COMMIT = Repo({}).commit


@pytest.fixture
def options(hub: Hub, tmp_path: Path) -> HubOptions:
    return HubOptions(cache=tmp_path / "cache", endpoint=hub.url)


@pytest.fixture
def repo(hub: Hub, zoo: Path) -> Repo:
    hub.repos[ID] = repo_of(zoo / "bert-dense")
    return hub.repos[ID]


def test_fetched_checkpoint_has_the_same_files_and_its_commit(
    options: HubOptions, repo: Repo
) -> None:
    snapshot = fetch(ID, None, options)
    assert snapshot.revision == COMMIT
    for path in ("config.json", "model.safetensors", "2_Dense/model.safetensors"):
        assert (snapshot.folder / path).read_bytes() == repo.files[path]


def test_only_files_that_matter_are_fetched(hub: Hub, options: HubOptions, repo: Repo) -> None:
    repo.files |= {
        "README.md": b"much text",
        "pytorch_model.bin": b"a pickle",
        "onnx/model.onnx": b"another runtime",
        "onnx/config.json": b"{}",
        "data_config.json": b"[]",
        ".gitattributes": b"",
    }
    fetch(ID, None, options)
    assert sorted(set(hub.fetched())) == sorted(
        {
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "2_Dense/model.safetensors",
            "config.json",
            "config_sentence_transformers.json",
            "model.safetensors",
            "modules.json",
            "sentence_bert_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.txt",
        }
    )


@pytest.mark.parametrize("name", ["clip", "open-clip", "siglip2"])
def test_a_model_of_pictures_is_fetched_whole(
    hub: Hub, options: HubOptions, zoo: Path, name: str
) -> None:
    hub.repos[ID] = repo_of(zoo / name)
    entry = ModelEntry(name="pictures", source=ID)
    assert Catalog([entry], hub=options).spec("pictures").vision is not None


def test_of_two_layouts_of_the_same_weights_one_is_fetched(
    hub: Hub, options: HubOptions, zoo: Path
) -> None:
    both = repo_of(zoo / "open-clip").files | repo_of(zoo / "clip").files
    hub.repos[ID] = Repo(both)
    fetch(ID, None, options)
    assert "model.safetensors" in hub.fetched()
    assert "open_clip_model.safetensors" not in hub.fetched()


def test_spec_of_a_hub_checkpoint_names_id_and_commit(options: HubOptions, repo: Repo) -> None:
    assert repo.files
    catalog = Catalog([ModelEntry(name="mine", source=ID)], hub=options)
    spec = catalog.spec("mine")
    assert (spec.source.kind, str(spec.source)) == ("hub", f"{ID}@{COMMIT}")
    assert spec.dimensions == 48


def test_hub_checkpoint_is_asked_for_once(hub: Hub, options: HubOptions, repo: Repo) -> None:
    assert repo.files
    catalog = Catalog([ModelEntry(name="mine", source=ID)], hub=options)
    catalog.spec("mine")
    asked = len(hub.seen)
    catalog.spec("mine")
    assert len(hub.seen) == asked


def test_cached_commit_needs_no_network(hub: Hub, options: HubOptions, repo: Repo) -> None:
    assert repo.files
    fetch(ID, COMMIT, options)
    hub.seen.clear()
    assert fetch(ID, COMMIT, options).revision == COMMIT
    assert hub.seen == []


def test_branch_is_pinned_to_its_commit(options: HubOptions, repo: Repo) -> None:
    repo.branches = ("main", "v2")
    assert fetch(ID, "v2", options).revision == COMMIT


def test_offline_serves_the_cache(hub: Hub, options: HubOptions, repo: Repo) -> None:
    assert repo.files
    folder = fetch(ID, None, options).folder
    hub.seen.clear()
    offline = HubOptions(cache=options.cache, endpoint=hub.url, offline=True)
    assert fetch(ID, None, offline).folder == folder
    assert hub.seen == []


def test_offline_without_cache_says_how_to_pull(hub: Hub, options: HubOptions) -> None:
    offline = HubOptions(cache=options.cache, endpoint=hub.url, offline=True)
    with pytest.raises(ModelNotFound, match=f"stelae pull {ID}"):
        fetch(ID, None, offline)
    assert hub.seen == []


def test_offline_with_half_a_checkpoint_is_not_served(
    hub: Hub, options: HubOptions, repo: Repo
) -> None:
    assert repo.files
    folder = fetch(ID, None, options).folder
    (folder / "model.safetensors").unlink()
    offline = HubOptions(cache=options.cache, endpoint=hub.url, offline=True)
    with pytest.raises(ModelNotFound, match="not in the cache"):
        fetch(ID, None, offline)


def test_download_that_breaks_off_is_resumed(hub: Hub, options: HubOptions, repo: Repo) -> None:
    chunk = 10 * 2**20  # what the library writes at a time
    repo.files["model.safetensors"] = bytes(range(256)) * (chunk // 256) + b"the end"
    repo.break_off["model.safetensors"] = chunk + 1
    snapshot = fetch(ID, None, options)
    assert (snapshot.folder / "model.safetensors").read_bytes() == repo.files["model.safetensors"]
    assert f"bytes={chunk}-" in [span for _, _, span in hub.seen]


def test_what_finds_no_room_is_refused_before_any_of_it_is_fetched(
    hub: Hub, options: HubOptions, repo: Repo
) -> None:
    repo.sizes["model.safetensors"] = 2**60
    with pytest.raises(ModelLoadFailed, match=r"tiny/bert has 1,152,921,504\.\d GB to fetch"):
        fetch(ID, None, options)
    assert hub.fetched() == []


def test_what_is_there_needs_no_room(options: HubOptions, repo: Repo) -> None:
    folder = fetch(ID, None, options).folder
    check_room(ID, folder, dict.fromkeys(repo.files, 2**60))
    with pytest.raises(ModelLoadFailed, match="make room"):
        check_room(ID, folder, {"model.safetensors": 2**60, "another": 2**60})


def test_progress_ends_with_all_bytes(options: HubOptions, repo: Repo) -> None:
    told: list[tuple[str, int, int]] = []
    snapshot = fetch(ID, None, options, lambda *facts: told.append(facts))
    size = sum(file.stat().st_size for file in snapshot.folder.rglob("*") if file.is_file())
    assert max(told, key=lambda facts: facts[1]) == (ID, size, size)
    assert repo.files


def test_token_opens_a_gated_model(hub: Hub, options: HubOptions, repo: Repo) -> None:
    repo.gated = True
    with pytest.raises(Forbidden, match="accept the conditions"):
        fetch(ID, None, options)
    key = HubOptions(cache=options.cache, endpoint=hub.url, token=repo.secret)
    assert fetch(ID, None, key).revision == COMMIT


def test_unknown_model_is_not_found(options: HubOptions) -> None:
    with pytest.raises(ModelNotFound, match=r"no model tiny/nothing.*spelling"):
        fetch("tiny/nothing", None, options)


def test_id_that_is_none_is_not_found(options: HubOptions) -> None:
    with pytest.raises(ModelNotFound, match="organisation/name"):
        fetch("a/b/c", None, options)


@pytest.mark.parametrize("revision", ["v9", "f" * 40])
def test_unknown_revision_is_not_found(options: HubOptions, repo: Repo, revision: str) -> None:
    assert repo.files
    with pytest.raises(ModelNotFound, match=revision):
        fetch(ID, revision, options)


@pytest.mark.parametrize("revision", ["../../etc", "/etc", "a b", ""])
def test_revision_that_is_a_path_is_refused(hub: Hub, options: HubOptions, revision: str) -> None:
    with pytest.raises(ModelNotFound, match="not a branch"):
        fetch(ID, revision, options)
    assert hub.seen == []


def test_hub_that_fails_may_be_asked_again(options: HubOptions, repo: Repo) -> None:
    repo.outage = 501
    with pytest.raises(HubUnreachable) as caught:
        fetch(ID, None, options)
    assert caught.value.retry_after == 30
    assert caught.value.status == 503


def test_token_that_is_not_valid_is_told(options: HubOptions, repo: Repo) -> None:
    repo.outage = 401
    with pytest.raises(Unauthorized, match="refused the token"):
        fetch(ID, None, options)


def test_answer_that_makes_no_sense_while_files_come_is_told(
    options: HubOptions, repo: Repo
) -> None:
    repo.outage = 410
    with pytest.raises(ModelLoadFailed, match="410"):
        fetch(ID, COMMIT, options)


def test_hub_that_is_not_there_may_be_asked_again(tmp_path: Path, free_tcp_port: int) -> None:
    options = HubOptions(cache=tmp_path, endpoint=f"http://127.0.0.1:{free_tcp_port}")
    with pytest.raises(HubUnreachable, match="network"):
        fetch(ID, None, options)


def test_hub_that_is_not_there_is_not_needed_for_what_is_cached(
    options: HubOptions, repo: Repo, free_tcp_port: int
) -> None:
    assert repo.files
    folder = fetch(ID, None, options).folder
    away = HubOptions(cache=options.cache, endpoint=f"http://127.0.0.1:{free_tcp_port}")
    assert fetch(ID, None, away).folder == folder


def test_other_formats_only_are_refused_by_name(options: HubOptions, repo: Repo) -> None:
    repo.files = {"config.json": b"{}", "tf_model.h5": b"never fetched"}
    with pytest.raises(UnsupportedCheckpoint, match=r"tf_model\.h5"):
        fetch(ID, None, options)


def test_files_of_torch_are_fetched_where_a_folder_has_no_others(
    hub: Hub, options: HubOptions, repo: Repo
) -> None:
    repo.files["2_Dense/pytorch_model.bin"] = b"a table"
    del repo.files["2_Dense/model.safetensors"]
    repo.files |= dict.fromkeys(("pytorch_model.bin", "onnx/pytorch_model.bin", "rng.bin"), b"no")
    folder = fetch(ID, None, options).folder
    assert (folder / "2_Dense/pytorch_model.bin").read_bytes() == b"a table"
    assert not {"pytorch_model.bin", "onnx/pytorch_model.bin", "rng.bin"} & set(hub.fetched())


def test_a_calibration_comes_along_and_is_not_taken_for_weights(
    options: HubOptions, repo: Repo
) -> None:
    del repo.files["model.safetensors"]
    repo.files |= {"pytorch_model.bin": b"a table", "stelae-int8.safetensors": b"smoothing"}
    folder = fetch(ID, None, options).folder
    assert (folder / "pytorch_model.bin").read_bytes() == b"a table"
    assert (folder / "stelae-int8.safetensors").read_bytes() == b"smoothing"


def test_heads_beside_a_model_are_fetched(options: HubOptions, hub: Hub, zoo: Path) -> None:
    hub.repos[ID] = repo_of(zoo / "bge-m3")
    catalog = Catalog([ModelEntry(name="three", source=ID)], hub=options)
    assert catalog.spec("three").outputs == tuple(OutputType)


@pytest.mark.parametrize(
    "name",
    ["bert-torch", "splade-inference-free", "colbert-stanford", "bert-asym", "static",
     "qwen3-reranker", "gliner-span", "gliner-bi", "gliclass"],
)  # fmt: skip
def test_every_layout_is_fetched_whole(options: HubOptions, hub: Hub, zoo: Path, name: str) -> None:
    hub.repos[ID] = repo_of(zoo / name)
    entry = ModelEntry(name="whole", source=ID)
    fetched, local = (
        Catalog([msgspec.structs.replace(entry, source=source)], hub=options).spec("whole")
        for source in (ID, str(zoo / name))
    )
    assert fetched.chains == local.chains
    assert fetched.scoring == local.scoring
    assert (fetched.extraction, fetched.backbone) == (local.extraction, local.backbone)


def test_tables_of_words_are_fetched_whole(options: HubOptions, hub: Hub, tmp_path: Path) -> None:
    tokenizer = WhitespaceTokenizer(["a", "stone"])
    modules = [WordEmbeddings(tokenizer, torch.ones(2, 4)), CNN(4, 4), LSTM(12, 3), Pooling(6)]
    model = SentenceTransformer(modules=modules, device="cpu")
    model.save_pretrained(str(tmp_path / "words"), create_model_card=False)
    hub.repos[ID] = repo_of(tmp_path / "words")
    spec = Catalog([ModelEntry(name="words", source=ID)], hub=options).spec("words")
    assert all(Path(spec.folder, file).is_file() for file in (*weight_paths(spec), spec.tokenizer))


def test_file_name_that_leads_out_of_the_cache_is_refused(
    options: HubOptions, repo: Repo, tmp_path: Path
) -> None:
    repo.files["a/../../../../../evil/config.json"] = b"{}"
    with pytest.raises(ModelLoadFailed):
        fetch(ID, None, options)
    assert not list(tmp_path.rglob("evil"))


def test_cache_on_a_read_only_place_gives_a_typed_error(
    hub: Hub, repo: Repo, tmp_path: Path
) -> None:
    assert repo.files
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ModelLoadFailed, match="cache folder"):
        fetch(ID, None, HubOptions(cache=tmp_path / "file" / "cache", endpoint=hub.url))


def test_links_into_the_blob_store_are_followed_and_no_others(
    options: HubOptions, repo: Repo, tmp_path: Path
) -> None:
    assert repo.files
    catalog = Catalog([ModelEntry(name="mine", source=ID)], hub=options)
    folder = Path(catalog.spec("mine").folder)
    assert (folder / "config.json").is_symlink()
    shutil.copy(folder / "config.json", tmp_path / "elsewhere.json")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ModelLoadFailed, match="leads out"):
        Catalog([ModelEntry(name="mine", source=str(folder))]).spec("mine")


def test_token_is_never_shown(tmp_path: Path) -> None:
    shown = repr(HubOptions(token="open-sesame", cache=tmp_path))
    assert "open-sesame" not in shown
    assert str(tmp_path) in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BAAI/bge-m3", True),
        ("a/b.c-d_e", True),
        ("bge-m3", False),
        ("a/b/c", False),
        ("../b", False),
        ("a/..", False),
        ("/a/b", False),
        ("./a", False),
        ("a/b c", False),
    ],
)
def test_hub_id_has_two_parts(text: str, expected: bool) -> None:
    assert is_hub_id(text) is expected
