"""What is read of a checkpoint with a tower for texts, one for pictures, or both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stelae.catalog.files import Json
from stelae.catalog.operations import Module
from stelae.catalog.spec import Backbone, Contrast, Fill, Vision
from stelae.catalog.tensors import Tensors
from stelae.errors import UnsupportedCheckpoint
from stelae.images.processing import PatchBudget, Processing


@dataclass(frozen=True, slots=True, kw_only=True)
class Towers:
    """The towers of a checkpoint.

    Attributes:
        text: Token ids to token vectors.
        text_steps: Token vectors to the text's vector.
        vision: All about pictures.
        contrast: What the cosine of a text and a picture means.
        fill: What short texts are filled up with.
        lowercase: Whether texts are lower-cased first.
    """

    text: Backbone | None = None
    text_steps: tuple[Module, ...] = ()
    vision: Vision | None = None
    contrast: Contrast | None = None
    fill: Fill | None = None
    lowercase: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """Where a checkpoint's towers are described.

    Attributes:
        root: The checkpoint.
        folder: The towers' folder, relative to it.
        config: ``config.json`` there.
        weights: Safetensors files there.
        tensors: What those hold.
    """

    root: Path
    folder: str
    config: Json
    weights: tuple[str, ...]
    tensors: Tensors

    def backbone(self, architecture: str, config: Json, prefix: str = "") -> Backbone:
        """One of its towers."""
        return Backbone(
            folder=self.folder,
            architecture=architecture,
            config=config,
            weights=self.weights,
            prefix=prefix,
        )


def check_fit(processing: Processing, side: int, root: Path) -> None:
    """Refuse a checkpoint whose pictures do not come out as its tower reads them.

    Args:
        processing: What is done to pictures.
        side: Height and width that the tower reads.
        root: The checkpoint.

    Raises:
        UnsupportedCheckpoint: They differ.
    """
    if processing.size != (side, side):
        size = "of many sizes" if processing.size is None else "{} x {}".format(*processing.size)
        raise UnsupportedCheckpoint(
            f"the pictures of the checkpoint in {root} come out {size}, its tower reads "
            f"{side} x {side}; other sizes are not implemented"
        )


def check_budget(processing: Processing, side: int, root: Path) -> None:
    """Refuse a checkpoint whose pictures come out in other patches than its tower reads.

    Raises:
        UnsupportedCheckpoint: They differ.
    """
    if not isinstance(processing.resize, PatchBudget) or processing.resize.patch != side:
        raise UnsupportedCheckpoint(
            f"the pictures of the checkpoint in {root} are not cut into patches of {side} pixels, "
            "as its tower reads them"
        )
