"""Where each matrix of a checkpoint went in our modules, which fuse and rename them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, starmap

import torch
from torch import Tensor, nn

from stelae.nn.layers.linear import Adaptable
from stelae.nn.weights import WeightMap

Shape = tuple[int, ...]

WEIGHT = ".weight"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some modules of a model, and how the checkpoint's names become theirs."""

    root: nn.Module
    weights: WeightMap


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where one matrix went.

    Attributes:
        layer: The layer that it is part of.
        rows: Numbers of the layer's product that are its own, in its order, shape
            ``(outputs,)``.
        total: Numbers in the layer's product.
        inputs: Numbers that the layer takes.
        stored: What the checkpoint calls the module; empty if it has it in parts.
    """

    layer: Adaptable
    rows: Tensor
    total: int
    inputs: int
    stored: str = ""


class Places:
    """Finds layers by the names that a library's modules have.

    Args:
        parts: Where adapters may change layers, the trunk first.
        shapes: Shapes of the checkpoint's tensors by name.
        closed: How modules are called that count and cannot be changed.
    """

    def __init__(
        self, parts: Sequence[Part], shapes: Mapping[str, Shape], closed: Sequence[WeightMap] = ()
    ) -> None:
        self._parts = [(part.weights, _places(part, shapes)) for part in parts]
        self._closed = closed

    def find(self, path: str) -> Place | None:
        """The place of a module's matrix, or ``None`` if adapters may not change it."""
        found = (_find(weights, places, path) for weights, places in self._parts)
        return next((place for place in found if place is not None), None)

    def in_trunk(self, path: str) -> bool:
        """Whether the trunk has the module."""
        return _find(*self._parts[0], path) is not None

    def idle(self, path: str) -> bool:
        """Whether the checkpoint may have the module, but nothing here computes with it."""
        trunk, _ = self._parts[0]
        ignored = _fits(trunk.ignore, trunk.name(path + WEIGHT))
        return ignored and not any(_fits(m.only, m.name(path + WEIGHT)) for m in self._closed)

    def trunk(self) -> Iterator[Place]:
        """All places of the trunk that the checkpoint has under one name."""
        return (place for place in self._parts[0][1].values() if place.stored)


def _find(weights: WeightMap, places: Mapping[str, Place], path: str) -> Place | None:
    name = _name(weights, path)
    return places.get(name) or _share(weights, places, name)


def _share(weights: WeightMap, places: Mapping[str, Place], name: str) -> Place | None:
    """The place of one of several equal matrices that the checkpoint has as one."""
    for target, sources in weights.fuse.items():
        for number, source in enumerate(sources):
            if name != source and not name.endswith(f".{source}"):
                continue
            whole = places.get(name.removesuffix(source) + target)
            if whole is not None and len(whole.rows) % len(sources) == 0:
                rows = whole.rows.chunk(len(sources))[number]
                return replace(whole, rows=rows, stored="")
    return None


def _name(weights: WeightMap, path: str) -> str:
    return weights.name(path + WEIGHT).removesuffix(WEIGHT)


def _fits(patterns: Sequence[str], name: str) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def _places(part: Part, shapes: Mapping[str, Shape]) -> dict[str, Place]:
    """Places by the name that a module has before it is fused.

    Each row of each matrix gets a number, and the numbers go the way of the weights: where
    they come out, that row is computed.
    """
    matrices = {n: s for n, s in shapes.items() if n.endswith(WEIGHT) and len(s) == 2}
    names = {part.weights.name(name): name for name in matrices}
    ends = list(accumulate(matrices[name][0] for name in names.values()))
    spans = dict(zip(names, starmap(range, pairwise([0, *ends])), strict=True))
    numbers = {name: _column(spans[part.weights.name(name)]) for name in matrices}
    came = part.weights.apply(numbers)
    found: dict[str, Place] = {}
    for path, layer in part.root.named_modules():
        if isinstance(layer, Adaptable) and path + WEIGHT in came:
            rows = came[path + WEIGHT][:, 0]
            for new in _owners(rows, ends, [*names]):
                stored, inputs = names[new].removesuffix(WEIGHT), matrices[names[new]][1]
                place = Place(layer, _own(rows, spans[new]), len(rows), inputs, stored)
                found[new.removesuffix(WEIGHT)] = place
            every = torch.arange(len(rows))
            found.setdefault(path, replace(place, rows=every, stored=""))
    return found


def _column(span: range) -> Tensor:
    return torch.arange(span.start, span.stop)[:, None]


def _owners(rows: Tensor, ends: Sequence[int], names: Sequence[str]) -> list[str]:
    """The matrices that the rows of a layer come from."""
    numbers = torch.bucketize(rows, torch.tensor(ends), right=True)
    return [names[number] for number in sorted(set(numbers.tolist()))]


def _own(rows: Tensor, span: range) -> Tensor:
    """Where the rows of one matrix came out, in its order."""
    own = ((rows >= span.start) & (rows < span.stop)).nonzero()[:, 0]
    return own[rows[own].argsort()]
