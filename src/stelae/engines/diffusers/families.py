"""How the pipelines of each family are asked."""

from __future__ import annotations

from dataclasses import dataclass

from stelae.catalog.abilities import ImageMode

TEXT, IMAGE, INPAINT = ImageMode.TEXT, ImageMode.IMAGE, ImageMode.INPAINT


@dataclass(frozen=True, slots=True)
class Family:
    """Pipelines that are built of the same parts.

    Attributes:
        modes: Class of the pipeline for each thing that a picture can be made from.
        guidance: What their argument for guidance is called.
        opposable: Whether they can be told what not to show.
    """

    modes: dict[ImageMode, str]
    guidance: str = "guidance_scale"
    opposable: bool = True


FAMILIES: dict[str, Family] = {
    "StableDiffusionPipeline": Family(
        {
            TEXT: "StableDiffusionPipeline",
            IMAGE: "StableDiffusionImg2ImgPipeline",
            INPAINT: "StableDiffusionInpaintPipeline",
        }
    ),
}
"""By the class that ``model_index.json`` names."""
