"""What every architecture is: a config, a weight map, and tokens to token vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, Self, TypeVar

import msgspec
from torch import Tensor, nn

from stelae.errors import UnsupportedCheckpoint
from stelae.nn.architectures import homes
from stelae.nn.batch import TokenBatch
from stelae.nn.layers.embedding import Embedding
from stelae.nn.layers.linear import CONFIG_NAMES, Activation
from stelae.nn.weights import NOTHING, WeightMap


class Backbone(nn.Module):
    """A transformer on packed tokens.

    A subclass names the parts of ``config.json`` it reads (``Config``), how the
    checkpoint's tensors map to its own (``weights``), and computes ``states``. If
    checkpoints of the family come with a head, it makes that too.

    Attributes:
        adapts: Whether each text can run with an adapter of its own.
        hides: Whether tokens that others do not see are read as the library reads them.
        free: Whether a pass leaves the interpreter to others nearly all the time.
        width: Width of a token vector, ``H``.
        words: Vectors of the vocabulary, shape ``(V, ...)``.
    """

    Config: ClassVar[type[msgspec.Struct]]
    weights: ClassVar[WeightMap]
    masked_lm_weights: ClassVar[WeightMap]
    classifier_weights: ClassVar[WeightMap]
    pooler_weights: ClassVar[WeightMap] = NOTHING
    adapts: ClassVar[bool] = True
    hides: ClassVar[bool] = True
    free: bool = False
    width: int
    words: Embedding

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build the modules, without weights.

        Raises:
            UnsupportedCheckpoint: An option has a value that is not implemented.
        """
        try:
            return cls(msgspec.convert(cls.options(dict(config)), cls.Config))
        except msgspec.ValidationError as error:
            raise UnsupportedCheckpoint(
                f"config.json of a {cls.__name__} is not understood: {error}"
            ) from error

    @classmethod
    def options(cls, config: dict[str, Any]) -> dict[str, Any]:
        """The options of ``config.json`` under the names that ``Config`` has."""
        return config

    def __init__(self, config: Any) -> None:
        super().__init__()

    def states(self, batch: TokenBatch) -> Iterator[Tensor]:
        """Token vectors after the embeddings and after each layer, each ``(T, H)``.

        What was given out is not changed afterwards. The last is the model's answer,
        its final normalisation included.
        """
        raise NotImplementedError

    def forward(self, batch: TokenBatch) -> Tensor:
        """Token vectors of the last layer, shape ``(T, H)``."""
        last: Tensor | None = None
        for state in self.states(batch):
            last = state
        if last is None:
            raise NotImplementedError
        return last

    def masked_lm(self) -> nn.Module:
        """The head of ``...ForMaskedLM``, without weights: ``(T, H)`` to ``(T, V)``.

        Raises:
            UnsupportedCheckpoint: The family has none here.
        """
        raise UnsupportedCheckpoint(f"{type(self).__name__}: no masked language head")

    def classifier(self, labels: int) -> nn.Module:
        """The head of ``...ForSequenceClassification``, without weights.

        It maps token vectors ``(T, H)`` and the batch to logits ``(B, labels)``.

        Raises:
            UnsupportedCheckpoint: The family has none here.
        """
        raise UnsupportedCheckpoint(
            f"{type(self).__name__}: no classification head ({labels} labels asked for)"
        )

    def pooler(self) -> nn.Module:
        """How the library's own class pools, without weights.

        It maps token vectors ``(T, H)`` and the batch to vectors ``(B, P)``.

        Raises:
            UnsupportedCheckpoint: The family does not pool by itself, or not here.
        """
        raise UnsupportedCheckpoint(f"{type(self).__name__}: no pooling of its own")

    def choice(self, tensors: Mapping[str, Tensor], ids: Sequence[int]) -> nn.Module:
        """The head of ``...ForCausalLM`` cut down to a few tokens, with its weights.

        It maps token vectors ``(T, H)`` and the batch to how much likelier the first
        token is to come next than the second, ``(B, 1)``.

        Args:
            tensors: All of the checkpoint, under its own names.
            ids: The tokens; of a single one it is the logit.

        Raises:
            UnsupportedCheckpoint: The family has none here, or the checkpoint lacks it.
        """
        raise UnsupportedCheckpoint(
            f"{type(self).__name__}: no language head (rows {list(ids)} asked for)"
        )


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


def activation_of(name: str, option: str = "hidden_act") -> Activation:
    """The activation that a name in ``config.json`` means.

    Raises:
        UnsupportedCheckpoint: It is not implemented.
    """
    require(name in CONFIG_NAMES, option, name, ", ".join(CONFIG_NAMES))
    return CONFIG_NAMES[name]


def require(ok: bool, option: str, value: object, supported: str) -> None:
    """Refuse an option of ``config.json`` that is not implemented, by name.

    Raises:
        UnsupportedCheckpoint: ``ok`` is false.
    """
    if not ok:
        raise UnsupportedCheckpoint(
            f"config.json: {option}={value!r} is not implemented; supported: {supported}"
        )
