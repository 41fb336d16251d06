"""What every architecture is: a config, a weight map, and tokens to token vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar, Self, TypeVar

import msgspec
from torch import Tensor, nn

from stelae.errors import UnsupportedCheckpoint
from stelae.nn.architectures import homes
from stelae.nn.batch import TokenBatch
from stelae.nn.weights import WeightMap


class Backbone(nn.Module):
    """A transformer on packed tokens.

    A subclass names the parts of ``config.json`` it reads (``Config``), how the
    checkpoint's tensors map to its own (``weights``), and computes ``forward``.
    """

    Config: ClassVar[type[msgspec.Struct]]
    weights: ClassVar[WeightMap]
    width: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build the modules, without weights.

        Raises:
            UnsupportedCheckpoint: An option has a value that is not implemented.
        """
        try:
            return cls(msgspec.convert(dict(config), cls.Config))
        except msgspec.ValidationError as error:
            raise UnsupportedCheckpoint(
                f"config.json of a {cls.__name__} is not understood: {error}"
            ) from error

    def __init__(self, config: Any) -> None:
        super().__init__()

    def forward(self, batch: TokenBatch) -> Tensor:
        """Token vectors, shape ``(T, H)``."""
        raise NotImplementedError


B = TypeVar("B", bound=Backbone)
_BUILT: dict[str, type[Backbone]] = {}


def architecture(*names: str) -> Callable[[type[B]], type[B]]:
    """Declare the class names in ``config.json`` that a backbone reads."""

    def declare(backbone: type[B]) -> type[B]:
        _BUILT.update(dict.fromkeys(names, backbone))
        return backbone

    return declare


def backbone_class(name: str) -> type[Backbone]:
    """The backbone for a class name in ``config.json``; imports its file only.

    Raises:
        UnsupportedCheckpoint: No file in ``nn/arch`` declares the name.
    """
    if name not in homes():
        known = ", ".join(sorted(homes()))
        raise UnsupportedCheckpoint(f"architecture {name!r} is not implemented; known are {known}")
    import_module(homes()[name])
    return _BUILT[name]


def require(ok: bool, option: str, value: object, supported: str) -> None:
    """Refuse an option of ``config.json`` that is not implemented, by name.

    Raises:
        UnsupportedCheckpoint: ``ok`` is false.
    """
    if not ok:
        raise UnsupportedCheckpoint(
            f"config.json: {option}={value!r} is not implemented; supported: {supported}"
        )
