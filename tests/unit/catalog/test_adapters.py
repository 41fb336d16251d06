from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fix_hub import Hub, Repo, repo_of
from tiny.adapters import write_adapter

from stelae.catalog.adapters import Adapter, adapter_folder, read_adapter
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.hub import HubOptions
from stelae.errors import InvalidInput, ModelLoadFailed, ModelNotFound, UnsupportedCheckpoint

PLAIN = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["query", "value"]}


def written(folder: Path, **options: Any) -> Path:
    """The folder of an adapter with these options."""
    (folder / "adapter_config.json").write_text(json.dumps(PLAIN | options), "utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


def read(folder: Path, **options: Any) -> Adapter:
    """The adapter with these options."""
    return read_adapter(written(folder, **options))


def test_the_scale_is_alpha_by_rank_or_by_its_root(tmp_path: Path) -> None:
    assert read(tmp_path).scale_of("layer.0.query") == 2
    assert read(tmp_path, r=16, use_rslora=True).scale_of("layer.0.query") == 4


def test_patterns_are_for_ends_of_names(tmp_path: Path) -> None:
    patterns = {"rank_pattern": {"0.query": 4, "^x.value": 2}, "alpha_pattern": {"query": 32}}
    adapter = read(tmp_path, **patterns)
    ranks = [adapter.rank_of(p) for p in ("layer.0.query", "0.query", "layer.10.query", "x.value")]
    assert ranks == [4, 4, 8, 2]
    assert (adapter.scale_of("layer.0.query"), adapter.scale_of("layer.1.query")) == (8, 4)


@pytest.mark.parametrize(
    ("options", "aimed", "missed"),
    [
        ({}, ["a.query", "query"], ["a.key", "a.subquery", "query.a"]),
        ({"target_modules": r".*\.(query|key)"}, ["a.query", "a.key"], ["query", "a.query.b"]),
        ({"target_modules": "all-linear"}, ["a.query", "b"], []),
        ({"target_modules": None}, ["a.query", "b"], []),
        ({"exclude_modules": ["1.query"]}, ["l.0.query"], ["l.1.query"]),
        ({"exclude_modules": r".*\.1\..*"}, ["l.0.query"], ["l.1.query"]),
        ({"layers_to_transform": 1}, ["l.h.1.query"], ["l.h.0.query", "l.h.11.query", "query"]),
        (
            {"layers_to_transform": [0, 2], "layers_pattern": "h"},
            ["l.h.0.query", "l.h.2.a.query"],
            ["l.h.1.query", "l.g.0.query"],
        ),
    ],
)
def test_layers_are_aimed_at_by_name(
    tmp_path: Path, options: dict[str, Any], aimed: list[str], missed: list[str]
) -> None:
    adapter = read(tmp_path, **options)
    assert [path for path in [*aimed, *missed] if adapter.aims_at(path)] == aimed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"peft_type": "IA3"}, "peft_type='IA3'"),
        ({"peft_type": None}, "peft_type=None"),
        ({"use_dora": True}, "use_dora=True"),
        ({"bias": "all"}, "bias='all'"),
        ({"lora_bias": True}, "lora_bias=True"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights='pissa'"),
        ({"target_parameters": ["experts"]}, "target_parameters"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"made_up_next_year": 1}, "made_up_next_year=1"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=message):
        read(tmp_path, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"r": 0}, "r=0"),
        ({"r": "8"}, "is not understood"),
        ({"rank_pattern": {"query": -1}}, "rank_pattern.query=-1"),
        ({"rank_pattern": {"(": 4}}, "no regular expression"),
        ({"target_modules": "*"}, "no regular expression"),
    ],
)
def test_a_broken_file_is_told(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelLoadFailed, match=message):
        read(tmp_path, **options)


def test_a_folder_without_an_adapter_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadFailed, match=r"no adapter_config\.json"):
        read_adapter(tmp_path)
    (written(tmp_path) / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelLoadFailed, match=r"no adapter_model\.safetensors"):
        read_adapter(tmp_path)


def test_a_source_is_a_folder_or_a_hub_id(tmp_path: Path) -> None:
    assert adapter_folder(str(tmp_path), HubOptions()) == tmp_path
    with pytest.raises(ModelNotFound, match="neither a folder nor a hub id"):
        adapter_folder(str(tmp_path / "gone" / "far"), HubOptions(offline=True))


def test_an_adapter_is_fetched_without_what_it_does_not_need(
    hub: Hub, tmp_path: Path, zoo: Path
) -> None:
    write_adapter(tmp_path / "made", zoo / "bert-mean")
    made = repo_of(tmp_path / "made", branches=("main", "v2"))
    made.files |= {"README.md": b"much text", "adapter_model.bin": b"a pickle"}
    hub.repos["tiny/lora"] = made
    options = HubOptions(cache=str(tmp_path / "cache"), endpoint=hub.url)
    folder = adapter_folder("tiny/lora@v2", options)
    assert read_adapter(folder).weights == "adapter_model.safetensors"
    assert sorted(hub.fetched()) == ["adapter_config.json", "adapter_model.safetensors"]


def test_torchs_own_file_is_fetched_where_there_is_no_other(hub: Hub, tmp_path: Path) -> None:
    hub.repos["tiny/lora"] = Repo({"adapter_config.json": b"{}", "adapter_model.bin": b"PK"})
    options = HubOptions(cache=str(tmp_path / "cache"), endpoint=hub.url)
    folder = adapter_folder("tiny/lora", options)
    assert (folder / "adapter_model.bin").read_bytes() == b"PK"
    with pytest.raises(ModelNotFound):
        adapter_folder("tiny/no-such", options)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"loras": {"a b": "x"}}, "loras='a b'"),
        ({"loras": {"a": " "}}, "loras.a=' '"),
        ({"loras": {"a": "x"}, "max_loras": 0}, "max_loras=0"),
    ],
)
def test_an_entry_with_adapters_that_cannot_be_is_refused(
    more: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        Catalog([ModelEntry(name="m", source="m", **more)])
