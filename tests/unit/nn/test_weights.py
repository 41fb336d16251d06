from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stelae.errors import ModelLoadFailed
from stelae.nn.stored import read, within
from stelae.nn.weights import WeightMap, assign

MAP = WeightMap(
    prefixes=("model.",),
    rename={r"^encoder\.": ""},
    fuse={"qkv": ("q", "k", "v")},
    ignore=(r"head\..*",),
)


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(*shape)


def test_prefix_rename_ignore_and_fuse_in_order() -> None:
    tensors = {
        "model.encoder.0.q.weight": ones(1, 2) * 1,
        "model.encoder.0.k.weight": ones(1, 2) * 2,
        "model.encoder.0.v.weight": ones(1, 2) * 3,
        "head.weight": ones(9),
    }
    assert {k: v.tolist() for k, v in MAP.apply(tensors).items()} == {
        "0.qkv.weight": [[1, 1], [2, 2], [3, 3]]
    }


def test_fusing_names_what_the_checkpoint_lacks() -> None:
    with pytest.raises(
        ModelLoadFailed, match=r"lack model\.0\.v\.weight beside model\.0\.q\.weight"
    ):
        MAP.apply({"model.0.q.weight": ones(1), "model.0.k.weight": ones(1)})


def test_the_first_of_several_that_are_fused_may_be_the_one_that_lacks() -> None:
    with pytest.raises(ModelLoadFailed, match=r"lack 0\.q\.bias beside 0\.k\.bias"):
        MAP.apply({"0.k.bias": ones(1), "0.v.bias": ones(1)})


def test_tensors_that_cannot_be_fused_are_named_with_their_shapes() -> None:
    tensors = {"0.q.weight": ones(1, 2), "0.k.weight": ones(1, 3), "0.v.weight": ones(1, 2)}
    with pytest.raises(
        ModelLoadFailed, match=r"0\.q\.weight has \(1, 2\), 0\.k\.weight has \(1, 3\)"
    ):
        MAP.apply(tensors)


def test_two_tensors_for_one_place_are_refused_by_both_names() -> None:
    tensors = {"model.encoder.norm.weight": ones(2), "norm.weight": ones(2) * 2}
    with pytest.raises(ModelLoadFailed, match=r"model\.encoder\.norm\.weight and norm\.weight"):
        MAP.apply(tensors)


def test_a_fused_tensor_beside_its_parts_is_refused() -> None:
    parts = {f"0.{name}.weight": ones(1, 2) for name in "qkv"}
    with pytest.raises(ModelLoadFailed, match=r"two tensors for one place.*0\.qkv\.weight"):
        MAP.apply({"0.qkv.weight": ones(3, 2) * 2} | parts)


def test_the_same_tensor_under_two_names_is_one() -> None:
    tensors = {"model.encoder.norm.weight": ones(2), "norm.weight": ones(2)}
    assert [*MAP.apply(tensors)] == ["norm.weight"]


@pytest.mark.parametrize("names", [("own", "shared"), ("shared", "own")])
def test_a_spare_tensor_counts_where_there_is_no_other(names: tuple[str, str]) -> None:
    weights = WeightMap(rename={"^(own|shared)$": "table"}, spare=("shared",))
    tensors = {name: ones(1) * len(name) for name in names}
    assert weights.apply(tensors)["table"].tolist() == [len("own")]
    assert weights.apply({"shared": ones(1) * 6})["table"].tolist() == [6]


def test_what_is_ignored_may_stand_twice() -> None:
    assert MAP.apply({"model.head.weight": ones(2), "head.weight": ones(3)}) == {}


def test_files_and_what_stands_before_a_name_are_told(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"text.model.encoder.bias": ones(4)}, file)
    named = MAP.apply(within(read([file]), "text."))
    with pytest.raises(ModelLoadFailed) as caught:
        assign(nn.Linear(2, 3), named, torch.float32)
    assert str(caught.value) == (
        f"weights in {file} do not fit the architecture: text.model.encoder.weight is missing; "
        "text.model.encoder.bias has shape (4,), not (3,)"
    )


@pytest.mark.parametrize(
    ("tensors", "fault"),
    [
        ({"bias": ones(3)}, "weight is missing"),
        ({"weight": ones(3, 2), "bias": ones(3), "more": ones(1)}, "more is not used"),
        ({"weight": ones(3, 5), "bias": ones(3)}, r"weight has shape \(3, 5\), not \(3, 2\)"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_name(
    tensors: dict[str, torch.Tensor], fault: str
) -> None:
    with pytest.raises(ModelLoadFailed, match=fault):
        assign(nn.Linear(2, 3), tensors, torch.float32)


def test_whole_numbers_are_refused_with_tensor_file_and_type(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"model.weight": torch.ones(2, 2, dtype=torch.int8), "model.bias": ones(2)}, file)
    found = WeightMap(prefixes=("model.",)).apply(read([file]))
    with pytest.raises(ModelLoadFailed, match=r"model\.weight of int8 where floating") as caught:
        assign(nn.Linear(2, 2), found, torch.float32)
    assert str(file) in str(caught.value)
    assert "bias" not in str(caught.value)


def test_whole_numbers_do_not_pass_as_a_part_of_others() -> None:
    parts = {"0.q.weight": ones(1, 2), "0.v.weight": ones(1, 2)}
    with pytest.raises(ModelLoadFailed, match=r"0\.k\.weight of int64"):
        MAP.apply(parts | {"0.k.weight": torch.ones(1, 2, dtype=torch.int64)})
