"""From a checkpoint's tensors to a module's: safetensors only, every tensor accounted for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from stelae.errors import ModelLoadFailed
from stelae.nn.stored import Stored, backwards, neighbours, stored

Shape = tuple[int, ...]


@dataclass(frozen=True)
class WeightMap:
    """How names in a checkpoint become names in a module.

    Attributes:
        prefixes: Removed from the start of a name, the first that fits.
        rename: Regular expressions and their replacements, all applied in order.
        fuse: New tensor (regular-expression template) from several, joined along
            the first axis; keys and values are formatted with the layer number.
        ignore: Names (whole, by regular expression) that the module does not use.
        only: Names (whole, by regular expression) to look at; empty for all.
        spare: Names in the checkpoint (whole, by regular expression) of tensors that
            count only where no other comes to the same name.
        change: What is done to tensors, by new name (whole, by regular expression).
    """

    prefixes: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    fuse: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    change: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)

    def apply(self, tensors: Mapping[str, Tensor]) -> Named:
        """Rename, drop and fuse; the result has the module's names.

        Raises:
            ModelLoadFailed: Two tensors that differ come to the same name, or of several
                that belong together one is missing or of another width.
        """
        kept = Named(self, stored(tensors))
        for name in sorted(tensors, key=self._spare):
            new = self.name(name)
            if self._wants(new) and not (new in kept and self._spare(name)):
                kept.put(new, tensors[name])
        for target, sources in self.fuse.items():
            kept.fuse(target, sources)
        for pattern, change in self.change.items():
            kept |= {n: change(t) for n, t in kept.items() if re.fullmatch(pattern, n)}
        return kept

    def _spare(self, name: str) -> bool:
        return _matches(self.spare, name)

    def _wants(self, name: str) -> bool:
        chosen = not self.only or _matches(self.only, name)
        return chosen and not _matches(self.ignore, name)

    def name(self, name: str) -> str:
        """What a tensor is called in the module, but for what is fused."""
        for prefix in self.prefixes:
            if name.startswith(prefix):
                name = name.removeprefix(prefix)
                break
        for pattern, replacement in self.rename.items():
            name = re.sub(pattern, replacement, name)
        return name


class Named(dict[str, Tensor]):
    """Tensors under a module's names, which knows what their files call them.

    Args:
        weights: How names become others.
        source: The tensors as the files hold them.
    """

    def __init__(self, weights: WeightMap, source: Stored) -> None:
        super().__init__()
        self.weights, self.source = weights, source

    def put(self, name: str, tensor: Tensor) -> None:
        """Take a tensor; one that is stored twice is taken once.

        Raises:
            ModelLoadFailed: There is another one under the name.
        """
        if name in self and not _same(self[name], tensor):
            raise ModelLoadFailed(
                f"{self.source.where} have two tensors for one place, and they differ: "
                f"{self.called(name, ' and ')}"
            )
        self[name] = tensor

    def fuse(self, target: str, sources: tuple[str, ...]) -> None:
        """Join tensors along the first axis."""
        part = re.compile(rf"(?:^|\.)({'|'.join(map(re.escape, sources))})\.(?:weight|bias)$")
        found = [(name, match.span(1)) for name in self if (match := part.search(name))]
        for start, end in dict.fromkeys((n[:first], n[last:]) for n, (first, last) in found):
            self._join(start + target + end, [start + source + end for source in sources])

    def _join(self, name: str, parts: list[str]) -> None:
        if missing := [part for part in parts if part not in self]:
            there = next(self.called(part) for part in parts if part in self)
            lacking = ", ".join(map(self.called, missing))
            raise ModelLoadFailed(f"{self.source.where} lack {lacking} beside {there}")
        if len({self[part].shape[1:] for part in parts}) > 1:
            shapes = (f"{self.called(part)} has {tuple(self[part].shape)}" for part in parts)
            raise ModelLoadFailed(
                f"{self.source.where} have tensors of different widths that belong together: "
                f"{', '.join(shapes)}"
            )
        if any(self[part].is_floating_point() for part in parts):
            self.check_kinds(parts)  # joined with these, whole numbers would pass as fractions
        self.put(name, torch.cat([self.pop(part) for part in parts]))

    def check_kinds(self, names: Iterable[str]) -> None:
        """Refuse tensors of whole numbers: weights are fractions, so these mean something else.

        Raises:
            ModelLoadFailed: Names those that are.
        """
        kinds = {name: str(self[name].dtype).removeprefix("torch.") for name in names}
        wrong = [
            f"{self.called(n)} of {kinds[n]}" for n in kinds if not self[n].is_floating_point()
        ]
        if wrong:
            shown = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if wrong[5:] else "")
            raise ModelLoadFailed(
                f"{self.source.where} hold {shown} where floating-point numbers were expected; "
                "quantised weights are not implemented"
            )

    def called(self, name: str, between: str = " + ") -> str:
        """What the files call a tensor, or would call one that they lack."""
        for target, sources in self.weights.fuse.items():
            whole = re.fullmatch(rf"((?:.*\.)?){re.escape(target)}(\.(?:weight|bias))", name)
            if whole is not None and not self._stores(f"{target}{whole[2]}"):
                return between.join(self.called(whole[1] + s + whole[2]) for s in sources)
        there = [old for old in self.source if self.weights.name(old) == name]
        return between.join(self.source.prefix + old for old in there or [self._guess(name)])

    def _stores(self, end: str) -> bool:
        return any(f".{self.weights.name(old)}".endswith(f".{end}") for old in self.source)

    def _guess(self, name: str) -> str:
        """The likeliest name of a tensor that is not there; its own, if no other fits."""
        pieces = {piece for old in self.source for piece in old.split(".")}
        rules = self.weights
        guesses = (
            neighbours(name, self.source),
            backwards(name, rules.prefixes, rules.rename),
        )
        for some in guesses:
            if fitting := {guess for guess in some if rules.name(guess) == name}:
                return max(sorted(fitting), key=lambda guess: _likeness(guess, name, pieces))
        return name


def _same(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def _likeness(guess: str, new: str, pieces: set[str]) -> tuple[int, bool, int]:
    """Greater for names made of what other names have, and for those that are not ours."""
    own = guess.split(".")
    return -sum(piece not in pieces for piece in own), guess != new, len(own)


NOTHING = WeightMap(only=(r"(?!)",))
"""Takes no tensor, for modules that have none."""


def flat_patches(kernel: Tensor) -> Tensor:
    """A convolution over patches as a linear layer.

    Args:
        kernel: Shape ``(H, 3, side, side)``; a linear layer's weight stays as it is.

    Returns:
        Shape ``(H, side * side * 3)``, for patches with their colours last.
    """
    return kernel if kernel.ndim == 2 else kernel.permute(0, 2, 3, 1).flatten(1).contiguous()


def _matches(patterns: Iterable[str], name: str) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def assign(module: nn.Module, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Give a module its tensors; none may be missing, left over or of another shape.

    Raises:
        ModelLoadFailed: Names the tensors at fault as their files do.
    """
    wanted = {name: tuple(p.shape) for name, p in module.named_parameters()}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    named = tensors if isinstance(tensors, Named) else as_named(tensors)
    if given != wanted:
        raise _misfit(named, given, wanted)
    named.check_kinds(named)
    module.load_state_dict({k: v.to(dtype) for k, v in tensors.items()}, assign=True)


def as_named(tensors: Mapping[str, Tensor]) -> Named:
    """Tensors that have a module's names already."""
    return WeightMap().apply(tensors)


def _misfit(named: Named, given: Mapping[str, Shape], wanted: Mapping[str, Shape]) -> Exception:
    both = wanted.keys() & given.keys()
    faults = [f"{named.called(n)} is missing" for n in wanted if n not in given]
    faults += [f"{named.called(n)} is not used" for n in given if n not in wanted]
    faults += [
        f"{named.called(n)} has shape {given[n]}, not {wanted[n]}"
        for n in sorted(both)
        if given[n] != wanted[n]
    ]
    shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if faults[5:] else "")
    return ModelLoadFailed(f"{named.source.where} do not fit the architecture: {shown}")
