"""Weights of a checkpoint into the model of a library."""

from __future__ import annotations

from collections.abc import Mapping

from huggingface_hub.errors import StrictDataclassError
from torch import Tensor, nn

from stelae.errors import UnsupportedCheckpoint

COUNTED = ("position_ids", "token_type_ids")
"""Tables that are counted, not learned; older checkpoints keep them, newer ones do not."""

LIBRARY_ERRORS = (
    ArithmeticError, AttributeError, ImportError, IndexError, KeyError, OSError, RuntimeError,
    StrictDataclassError, TypeError, ValueError,
)  # fmt: skip
"""What a library raises where a file is not as it expects."""


def fill(model: nn.Module, tensors: Mapping[str, Tensor], folder: str) -> None:
    """Give a model its weights; none is made up.

    Raises:
        UnsupportedCheckpoint: Some are missing.
        RuntimeError: One has another shape than the model's.
    """
    lost = model.load_state_dict(tensors, strict=False).missing_keys
    named = dict(model.named_parameters(remove_duplicate=False))
    given = {id(named[name]) for name in named.keys() - set(lost)}
    missing = [
        name
        for name in lost
        if not name.endswith(COUNTED) and id(named.get(name)) not in given  # not shared either
    ]
    if missing:
        raise UnsupportedCheckpoint(
            f"weights in {folder} do not fit the model: {', '.join(missing[:5])} are missing"
        )
