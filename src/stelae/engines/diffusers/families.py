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


def _kin(name: str) -> dict[ImageMode, str]:
    """Classes whose names differ by what they begin with."""
    kinds = {TEXT: "", IMAGE: "Img2Img", INPAINT: "Inpaint"}
    return {mode: f"{name}{kind}Pipeline" for mode, kind in kinds.items()}


FAMILIES: dict[str, Family] = {
    "StableDiffusionPipeline": Family(_kin("StableDiffusion")),
    "StableDiffusionInpaintPipeline": Family(_kin("StableDiffusion")),
    "StableDiffusionXLPipeline": Family(_kin("StableDiffusionXL")),
    "StableDiffusionXLInpaintPipeline": Family(_kin("StableDiffusionXL")),
    "StableDiffusion3Pipeline": Family(_kin("StableDiffusion3")),
    "FluxPipeline": Family(_kin("Flux"), opposable=False),
    "QwenImagePipeline": Family(_kin("QwenImage"), guidance="true_cfg_scale"),
}
"""By the class that ``model_index.json`` names."""
