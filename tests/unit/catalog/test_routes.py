from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stelae.catalog.operations import Cut, Dense, Normalize, Pool, SparsePool, StaticTerms
from stelae.catalog.spec import ModelSpec
from stelae.errors import ModelLoadFailed, StelaeError, UnsupportedCheckpoint
from stelae.types import OutputType, Role

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]


def folder_of(step: object) -> str:
    assert isinstance(step, Dense)
    return step.folder


def test_each_side_has_its_own_chain(zoo: Path, read: Read) -> None:
    spec = read(zoo / "bert-asym")
    assert [type(step) for step in spec.chain(OutputType.DENSE, Role.QUERY)] == [
        Pool,
        Dense,
        Normalize,
        Cut,
    ]
    sides = {role: folder_of(spec.chain(OutputType.DENSE, role)[1]) for role in Role}
    assert sides == {Role.QUERY: "2_Asym/query_0_Dense", Role.DOCUMENT: "2_Asym/document_0_Dense"}


def route(spec: ModelSpec) -> str:
    """Route of those who tell no side."""
    return folder_of(spec.chain(OutputType.DENSE)[1])


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "query"),
        ({"allow_empty_key": True, "default_route": None}, "query"),
        ({"default_route": "document"}, "document"),
        ({"default_route": "query", "route_mappings": {}}, "query"),
        ({"allow_empty_key": False}, "document"),
    ],
)
def test_who_tells_no_side_gets_the_default_route(
    edited: Edit, read: Read, parameters: dict[str, Any], expected: str
) -> None:
    folder = edited("bert-asym", "2_Asym/config.json", parameters=parameters)
    assert route(read(folder)) == f"2_Asym/{expected}_0_Dense"


def test_newer_name_of_the_file_goes_first(edited: Edit, read: Read) -> None:
    folder = edited("bert-asym", "config.json")
    table = json.loads((folder / "2_Asym/config.json").read_text("utf-8"))
    table["parameters"]["default_route"] = "document"
    (folder / "2_Asym/router_config.json").write_text(json.dumps(table))
    assert route(read(folder)) == "2_Asym/document_0_Dense"


def test_terms_of_queries_need_no_transformer(zoo: Path, read: Read) -> None:
    spec = read(zoo / "splade-inference-free")
    assert [type(step) for step in spec.chain(OutputType.SPARSE, Role.QUERY)] == [StaticTerms]
    assert [type(step) for step in spec.chain(OutputType.SPARSE)] == [SparsePool]
    assert spec.backbone.folder == "document_0_Transformer"
    assert spec.tokenizer == "document_0_Transformer/tokenizer.json"
    assert not spec.framed((OutputType.SPARSE,), Role.QUERY)
    assert spec.framed((OutputType.SPARSE,), Role.DOCUMENT)


def test_tokenizers_of_both_sides_must_be_the_same(edited: Edit, read: Read) -> None:
    home = "query_0_SparseStaticEmbedding"
    folder = edited("splade-inference-free", f"{home}/tokenizer.json", padding=None)
    with pytest.raises(UnsupportedCheckpoint, match="one tokenizer for both sides"):
        read(folder)


def test_two_transformers_are_refused(zoo: Path, tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "two"
    shutil.copytree(zoo / "splade-inference-free", folder)
    for part in ("Transformer", "SpladePooling"):
        number = 0 if part == "Transformer" else 1
        shutil.copytree(folder / f"document_{number}_{part}", folder / f"query_{number}_{part}")
    path = folder / "router_config.json"
    table = json.loads(path.read_text("utf-8"))
    table["structure"]["query"] = ["query_0_Transformer", "query_1_SpladePooling"]
    for name in [*table["types"]]:
        table["types"][name.replace("document", "query")] = table["types"][name]
    path.write_text(json.dumps(table))
    with pytest.raises(UnsupportedCheckpoint, match="another transformer for each side"):
        read(folder)


WRONG: list[tuple[dict[str, Any], type[StelaeError], str]] = [
    ({"structure": None}, ModelLoadFailed, "not a router's file"),
    ({"types": {}}, ModelLoadFailed, "without its type"),
    ({"surprise": 1}, ModelLoadFailed, "surprise"),
    ({"parameters": {"surprise": 1}}, UnsupportedCheckpoint, "'surprise'"),
    ({"parameters": {"default_route": "image"}}, ModelLoadFailed, "default_route='image'"),
    (
        {"parameters": {"route_mappings": {"('query', 'text')": "query"}}},
        UnsupportedCheckpoint,
        "route_mappings",
    ),
    (
        {"structure": {"query": ["a/../../b"]}, "types": {"a/../../b": "x"}},
        UnsupportedCheckpoint,
        "x",
    ),
]


@pytest.mark.parametrize(("changes", "error", "part"), WRONG)
def test_wrong_table_of_routes_is_refused_by_name(
    edited: Edit, read: Read, changes: dict[str, Any], error: type[StelaeError], part: str
) -> None:
    folder = edited("bert-asym", "2_Asym/config.json", **changes)
    with pytest.raises(error) as caught:
        read(folder)
    assert part in str(caught.value)


def test_module_outside_the_checkpoint_is_refused(edited: Edit, read: Read) -> None:
    kind = "sentence_transformers.models.Dense"
    changes = {"structure": {"query": ["../../b"]}, "types": {"../../b": kind}}
    with pytest.raises(ModelLoadFailed, match="leads out"):
        read(edited("bert-asym", "2_Asym/config.json", **changes))


def test_missing_table_is_named(edited: Edit, read: Read) -> None:
    folder = edited("bert-asym", "config.json")
    (folder / "2_Asym/config.json").unlink()
    with pytest.raises(ModelLoadFailed, match=r"no 2_Asym/router_config\.json"):
        read(folder)


def test_sides_of_different_widths_are_refused(edited: Edit, read: Read) -> None:
    folder = edited("bert-asym", "config_sentence_transformers.json", truncate_dim=None)
    table = json.loads((folder / "2_Asym/config.json").read_text("utf-8"))
    table["structure"]["query"] = []
    (folder / "2_Asym/config.json").write_text(json.dumps(table))
    with pytest.raises(ModelLoadFailed, match="widths 48 and 64"):
        read(folder)


def test_vectors_are_cut_as_the_checkpoint_says(zoo: Path, edited: Edit, read: Read) -> None:
    assert read(zoo / "bert-asym").dimensions == 32
    wide = edited("bert-mean", "config_sentence_transformers.json", truncate_dim=999)
    assert [type(step) for step in read(wide).chain(OutputType.DENSE)] == [Pool]
