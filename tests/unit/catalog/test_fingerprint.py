from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.fingerprint import fingerprint, weight_paths, weights_digest
from stelae.catalog.operations import Normalize, Pool, Pooling
from stelae.catalog.spec import Chain, ModelSpec
from stelae.errors import ModelLoadFailed
from stelae.types import OutputType

Read = Callable[..., ModelSpec]


def _print(spec: ModelSpec, dtype: str = "float32") -> str:
    return fingerprint(spec, dtype, weights_digest(spec))


def test_same_checkpoint_elsewhere_and_under_another_name_is_the_same(
    zoo: Path, read: Read, tmp_path: Path
) -> None:
    shutil.copytree(zoo / "bert-dense", tmp_path / "copy")
    assert _print(read(tmp_path / "copy")) == _print(read(zoo / "bert-dense"))


CHANGES: list[dict[str, Any]] = [
    {"chains": (Chain(output=OutputType.DENSE, steps=(Pool(modes=(Pooling.CLS,)), Normalize())),)},
    {"max_tokens": 5},
    {"lowercase": True},
    {"prompts": {"query": "other: "}},
    {"default_prompt": "query"},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_everything_that_changes_a_vector_changes_the_fingerprint(
    zoo: Path, read: Read, change: dict[str, Any]
) -> None:
    spec = read(zoo / "bert-matryoshka")
    changed = msgspec.structs.replace(spec, **change)
    digest = weights_digest(spec)
    assert fingerprint(changed, "float32", digest) != fingerprint(spec, "float32", digest)


def test_dtype_and_weights_change_the_fingerprint(zoo: Path, read: Read) -> None:
    spec, other = read(zoo / "bert-mean"), read(zoo / "bert-sharded")
    assert _print(spec) != _print(spec, "bfloat16")
    assert _print(spec) != _print(other)


def test_tokenizer_changes_the_fingerprint(zoo: Path, read: Read, tmp_path: Path) -> None:
    shutil.copytree(zoo / "bert-mean", tmp_path / "copy")
    with (tmp_path / "copy/tokenizer.json").open("a") as file:
        file.write(" ")
    assert _print(read(tmp_path / "copy")) != _print(read(zoo / "bert-mean"))


def test_all_weight_files_are_counted_in_order(zoo: Path, read: Read) -> None:
    spec = read(zoo / "bert-dense")
    files = ["model.safetensors", "2_Dense/model.safetensors"]
    assert weight_paths(spec) == files
    total = hashlib.sha256()
    for file in files:
        content = hashlib.sha256((zoo / "bert-dense" / file).read_bytes()).digest()
        total.update(file.encode() + b"\0" + content)
    assert weights_digest(spec) == total.hexdigest()


def test_fingerprint_of_the_embedded_model_is_known() -> None:
    """Pinned: it must not move from release to release without a reason."""
    assert _print(Catalog().spec("default")) == "8413c23ad359622af1f8fc294ef9ed95"


def test_weights_that_went_away_give_a_typed_error(zoo: Path, read: Read, tmp_path: Path) -> None:
    shutil.copytree(zoo / "bert-mean", tmp_path / "copy")
    spec = read(tmp_path / "copy")
    (tmp_path / "copy/model.safetensors").unlink()
    with pytest.raises(ModelLoadFailed):
        weights_digest(spec)
