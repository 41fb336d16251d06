"""From an adapter's tensors to what it does in each of our layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stelae.catalog.adapters import Adapter
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.nn.layers.linear import Adaptable, Linear
from stelae.nn.lora.places import Place, Places
from stelae.nn.lora.update import Instead, LowRank, Share
from stelae.nn.stored import Stored

PAIR = re.compile(r"base_model\.model\.(?P<path>.+)\.lora_(?P<side>[AB])(\.default)?\.weight")
SAVED = re.compile(
    r"base_model\.model\.(?P<path>.+?)(\.modules_to_save(\.default)?)?\.(?P<side>weight|bias)"
)


@dataclass(slots=True)
class _Module:
    """The tensors that an adapter has for one module: by side, name and tensor."""

    found: dict[str, tuple[str, Tensor]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Pair:
    """An adapter's matrices for one module, with its scale."""

    place: Place
    down: Tensor
    up: Tensor


def fit(adapter: Adapter, tensors: Stored, places: Places) -> dict[Adaptable, Share]:
    """What an adapter does in each layer, in the layer's own number format and device.

    Args:
        adapter: What its options say.
        tensors: Its tensors, under their names.
        places: Where the model's layers are.

    Raises:
        UnsupportedCheckpoint: It changes what cannot be changed here.
        ModelLoadFailed: A tensor is missing, has another shape or is for another model.
    """
    return _Fitting(adapter, tensors, places).layers()


class _Fitting:
    def __init__(self, adapter: Adapter, tensors: Stored, places: Places) -> None:
        self._adapter, self._tensors, self._places = adapter, tensors, places
        self._pairs: dict[str, _Module] = {}
        self._saved: dict[str, _Module] = {}
        for name, tensor in tensors.items():
            self._sort(name, tensor)

    def _sort(self, name: str, tensor: Tensor) -> None:
        if (match := PAIR.fullmatch(name)) is not None:
            modules = self._pairs
        elif (match := SAVED.fullmatch(name)) is not None and self._adapter.replaces(match["path"]):
            modules = self._saved
        else:
            raise UnsupportedCheckpoint(
                f"{self._where} {name}, for which nothing is implemented: pairs of lora_A and "
                "lora_B, and layers named in modules_to_save, are"
            )
        modules.setdefault(match["path"], _Module()).found[match["side"]] = (name, tensor)

    @property
    def _where(self) -> str:
        return f"{self._tensors.where} have"

    def layers(self) -> dict[Adaptable, Share]:
        """What is done in each layer."""
        pairs = [pair for path, module in self._pairs.items() for pair in self._pair(path, module)]
        self._check_all_there()
        joined: dict[Adaptable, list[_Pair]] = {}
        for pair in pairs:
            joined.setdefault(pair.place.layer, []).append(pair)
        shares: dict[Adaptable, Share] = {layer: _join(some) for layer, some in joined.items()}
        for path, module in self._saved.items():
            shares |= self._replaced(path, module)
        if not shares:
            raise ModelLoadFailed(f"{self._where} nothing that changes what this model computes")
        return shares

    def _pair(self, path: str, module: _Module) -> Iterator[_Pair]:
        """The matrices of one module, checked; none if nothing computes with it."""
        for side in "AB":
            if side not in module.found:
                there, _ = next(iter(module.found.values()))
                raise self._lacking(
                    f"base_model.model.{path}.lora_{side}.weight", f" beside {there}"
                )
        (down_name, down), (up_name, up) = module.found["A"], module.found["B"]
        if not self._adapter.aims_at(path):
            raise ModelLoadFailed(
                f"{self._where} {down_name}, but target_modules does not name that layer"
            )
        place = self._place(path, down_name)
        if place is not None:
            rank = self._adapter.rank_of(path)
            self._check(down_name, down, (rank, place.inputs))
            self._check(up_name, up, (len(place.rows), rank))
            yield _Pair(place, down.float(), up.float() * self._adapter.scale_of(path))

    def _place(self, path: str, name: str) -> Place | None:
        place = self._places.find(path)
        if place is None and not self._places.idle(path):
            trained = f"; it was trained for {self._adapter.base}" if self._adapter.base else ""
            raise UnsupportedCheckpoint(
                f"{self._where} {name}, but the model has no layer {path} that can be "
                f"changed{trained}"
            )
        return place

    def _replaced(self, path: str, module: _Module) -> Mapping[Adaptable, Share]:
        name, _ = next(iter(module.found.values()))
        place = self._place(path, name)
        if place is None:
            return {}
        whole = len(place.rows) == place.total and not self._places.in_trunk(path)
        if not whole:
            raise UnsupportedCheckpoint(
                f"{self._where} {name}; new weights (modules_to_save) are implemented for layers "
                "of the head that gives the scores"
            )
        return {place.layer: Instead(self._whole(path, module, place))}

    def _whole(self, path: str, module: _Module, place: Place) -> Linear:
        """A layer of new weights, checked."""
        shapes: dict[str, tuple[int, ...]] = {"weight": (place.total, place.inputs)}
        shapes |= {} if place.layer.bias is None else {"bias": (place.total,)}
        for side in shapes.keys() - module.found.keys():
            raise self._lacking(f"base_model.model.{path}.{side}", f" of {path}")
        for side, (name, tensor) in module.found.items():
            if side not in shapes:
                raise ModelLoadFailed(f"{self._where} {name}; the model has no bias there")
            self._check(name, tensor, shapes[side])
        made = {side: _like(place.layer, tensor) for side, (_, tensor) in module.found.items()}
        return _linear(made["weight"], made.get("bias"))

    def _check(self, name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
        if tuple(tensor.shape) != shape:
            raise ModelLoadFailed(
                f"{self._where} {name} of shape {tuple(tensor.shape)}; for this model and these "
                f"options {shape} was expected"
            )
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise ModelLoadFailed(f"{self._where} {name} with numbers that are not finite")

    def _lacking(self, name: str, more: str) -> ModelLoadFailed:
        return ModelLoadFailed(f"{self._tensors.where} lack {name}{more}")

    def _check_all_there(self) -> None:
        """Refuse an adapter that lacks a layer that its options name."""
        if self._adapter.targets in (None, "all-linear"):
            return
        found = {self._places.find(path): path for path in self._pairs}
        lead = next(((path, p.stored) for p, path in found.items() if p and p.stored), ("", ""))
        for place in self._places.trunk():
            path = _aligned(place.stored, *lead)
            if place not in found and self._adapter.aims_at(path):
                raise self._lacking(
                    f"base_model.model.{path}.lora_A.weight", ", which target_modules asks for"
                )


def _aligned(stored: str, path: str, its_stored: str) -> str:
    """A module's name with the prefix that the adapter's names have.

    Args:
        stored: What the checkpoint calls the module.
        path: What the adapter calls another one.
        its_stored: What the checkpoint calls that one.
    """
    if path.endswith(its_stored):
        return path.removesuffix(its_stored) + stored
    return stored.removeprefix(its_stored.removesuffix(path))


def _join(pairs: list[_Pair]) -> LowRank:
    """The pairs of one layer as one pair, whose rank is the sum of theirs."""
    layer, total = pairs[0].place.layer, pairs[0].place.total
    down = torch.cat([pair.down for pair in pairs])
    up = torch.zeros(total, len(down))
    first = 0
    for pair in pairs:
        last = first + len(pair.down)
        up[pair.place.rows, first:last] = pair.up
        first = last
    return LowRank(_linear(_like(layer, down)), _linear(_like(layer, up)))


def _linear(weight: Tensor, bias: Tensor | None = None) -> Linear:
    """A layer of these numbers, laid out for the device."""
    outputs, inputs = weight.shape
    with torch.device("meta"):
        made = Linear(inputs, outputs, bias=bias is not None)
    given = {"weight": weight} | ({} if bias is None else {"bias": bias})
    made.load_state_dict(given, assign=True)
    made.prepack()
    return made.requires_grad_(False)


def _like(layer: Adaptable, tensor: Tensor) -> Tensor:
    return tensor.to(device=layer.weight.device, dtype=layer.weight.dtype).contiguous()
