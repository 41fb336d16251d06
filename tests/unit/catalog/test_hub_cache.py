from __future__ import annotations

import os
from pathlib import Path

from stelae.catalog.catalog import Catalog
from stelae.catalog.hub import HubOptions
from stelae.catalog.hub_cache import CachedRepo, cache_folder, cached_repos, is_cached, remove
from stelae.catalog.shelf import shelf
from stelae.types import CachedModel, Registration, Weights

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def lay(root: Path, repo: str, files: dict[str, bytes], commit: str = COMMIT) -> Path:
    """Files of a repository as the hub library lays them in its cache."""
    folder = root / f"models--{repo.replace('/', '--')}"
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    for number, (name, data) in enumerate(files.items()):
        blob = folder / "blobs" / f"{commit[:4]}{number}"
        blob.write_bytes(data)
        path = folder / "snapshots" / commit / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(os.path.relpath(blob, path.parent))
    return folder


def only(root: Path) -> CachedRepo:
    (repo,) = cached_repos(root)
    return repo


def models(root: Path, *registrations: Registration) -> list[CachedModel]:
    catalog = Catalog()
    for each in registrations:
        catalog.add_registration(each)
    return [model for model, _ in shelf(catalog.cards(), cached_repos(root))]


def test_files_are_listed_with_what_they_take(tmp_path: Path) -> None:
    folder = lay(tmp_path, "org/a", {"config.json": b"{}", "1/model.safetensors": b"x" * 100})
    repo = only(tmp_path)
    assert (repo.id, repo.complete) == ("org/a", True)
    assert repo.newest == folder / "snapshots" / COMMIT
    assert {file.name: file.bytes for file in repo.files} == {
        "config.json": 2,
        "1/model.safetensors": 100,
    }
    assert is_cached(tmp_path, "org/a")
    assert not is_cached(tmp_path, "org/b")
    assert not is_cached(tmp_path, "../org")


def test_names_of_repositories_may_have_dashes(tmp_path: Path) -> None:
    lay(tmp_path, "org/a--b", {"config.json": b"{}"})
    assert only(tmp_path).id == "org/a--b"


def test_what_broke_off_is_not_complete(tmp_path: Path) -> None:
    folder = lay(tmp_path, "org/a", {"model.safetensors": b"x"})
    (folder / "blobs" / "abcd.incomplete").write_bytes(b"")
    assert not only(tmp_path).complete


def test_cache_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert cached_repos(tmp_path / "none") == []
    assert cache_folder(HubOptions(cache=str(tmp_path))) == tmp_path


def test_models_go_by_their_names_and_variants(tmp_path: Path) -> None:
    files = {"config.json": b"{}", "model.safetensors": b"x" * 10}
    lay(tmp_path, "BAAI/bge-m3", files)
    lay(tmp_path, "Qwen/Qwen3-0.6B", files)
    lay(tmp_path, "unsloth/Qwen3-0.6B-GGUF", {"Qwen3-0.6B-Q8_0.gguf": b"y" * 7, "config.json": b""})
    lay(tmp_path, "some/other", files)
    lay(tmp_path, "some/config", {"config.json": b"{}"})
    found = {model.version: model for model in models(tmp_path)}
    assert found.keys() == {
        "bge-m3--pytorch--none",
        "qwen3--0.6B--pytorch--none",
        "qwen3--0.6B--ggufv2--Q8_0",
        "some/other",
        "some/config",
    }
    packed = found["qwen3--0.6B--ggufv2--Q8_0"]
    assert (packed.bytes, packed.quantization, packed.size) == (7, "Q8_0", 0.6)
    assert packed.path.endswith("Qwen3-0.6B-Q8_0.gguf")
    assert found["bge-m3--pytorch--none"].bytes == 12
    assert found["some/other"].complete
    assert not found["some/config"].complete


def test_registered_models_are_found_too(tmp_path: Path) -> None:
    lay(tmp_path, "some/other", {"model.safetensors": b"x"})
    mine = Registration(name="mine", kind="llm", weights=(Weights(source="some/other"),))
    assert [model.version for model in models(tmp_path, mine)] == ["mine--pytorch--none"]


def test_repository_goes_with_its_last_file(tmp_path: Path) -> None:
    lay(tmp_path, "org/a", {"config.json": b"{}", "model.safetensors": b"x"})
    kept = lay(tmp_path, "org/b", {"config.json": b"{}"})
    repo = cached_repos(tmp_path)[0]
    remove(repo, [str(file.path) for file in repo.files])
    assert not repo.folder.exists()
    assert kept.exists()


def test_file_is_removed_and_its_neighbours_stay(tmp_path: Path) -> None:
    folder = lay(tmp_path, "org/a", {"a.gguf": b"aaa", "b.gguf": b"bb"})
    shared = folder / "snapshots" / COMMIT / "copy-of-b.gguf"
    shared.symlink_to(os.path.relpath(folder / "blobs" / "01231", shared.parent))
    repo = only(tmp_path)
    going = [str(file.path) for file in repo.files if file.name in {"a.gguf", "b.gguf"}]
    remove(repo, going)
    assert [file.name for file in only(tmp_path).files] == ["copy-of-b.gguf"]
    assert [blob.read_bytes() for blob in (folder / "blobs").iterdir()] == [b"bb"]


def test_paths_that_were_not_listed_are_let_be(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    lay(tmp_path / "cache", "org/a", {"a.bin": b"x"})
    repo = only(tmp_path / "cache")
    remove(repo, [str(secret), "../../secret", "/etc/passwd"])
    assert secret.read_text() == "mine"
    assert len(only(tmp_path / "cache").files) == 1


def test_links_out_of_the_cache_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.bin").write_bytes(b"z" * 1000)
    cache = tmp_path / "cache"
    folder = lay(cache, "org/a", {"model.bin": b"x"})
    snapshot = folder / "snapshots" / COMMIT
    (snapshot / "out.bin").symlink_to(outside / "precious.bin")
    (snapshot / "folder").symlink_to(outside)
    (snapshot / "root").symlink_to("/")
    (snapshot / "loop").symlink_to("loop")
    (folder / "snapshots" / "linked").symlink_to(outside)
    (cache / "models--org--linked").symlink_to(outside)
    repo = only(cache)
    assert {file.name: file.bytes for file in repo.files} == {
        "model.bin": 1,
        "out.bin": 0,
        "folder": 0,
        "root": 0,
        "loop": 0,
    }
    remove(repo, [str(file.path) for file in repo.files])
    assert (outside / "precious.bin").stat().st_size == 1000
    assert not folder.exists()


def test_repository_that_became_a_link_is_let_be(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    folder = lay(tmp_path / "cache", "org/a", {"model.bin": b"x"})
    repo = only(tmp_path / "cache")
    folder.rename(tmp_path / "moved")
    folder.symlink_to(outside)
    remove(repo, [str(file.path) for file in repo.files])
    assert (outside / "file").read_text() == "mine"
