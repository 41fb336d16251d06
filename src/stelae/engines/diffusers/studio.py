"""The pipelines of one model: the same parts, asked for different things."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Sequence
from math import prod
from typing import Any, cast

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from stelae.catalog.abilities import ImageMode, Imaging
from stelae.engines.diffusers.adapters import Wardrobe
from stelae.engines.diffusers.families import FAMILIES, Family
from stelae.engines.diffusers.loading import quiet
from stelae.engines.diffusers.loop import Step
from stelae.engines.diffusers.request import Row, Shape
from stelae.errors import InvalidInput, UnsupportedCheckpoint

ROWS = 8
"""Pictures of the model's own size that are made at once; of larger ones as many pixels."""

FIXED = {
    "safety_checker": None,
    "feature_extractor": None,
    "image_encoder": None,
    "requires_safety_checker": False,
    "add_watermarker": False,
}
"""What pipelines are told whatever ``model_index.json`` says."""


class Studio:
    """Makes pictures; see ``Painter``.

    Args:
        imaging: How the model makes them.
        parts: Its parts by name.
        index: What ``model_index.json`` says.
        adapters: Of these so many are kept beside the weights.
        alone: Whether each picture is made by itself.
    """

    def __init__(
        self,
        imaging: Imaging,
        parts: dict[str, Any],
        index: dict[str, Any],
        *,
        adapters: int = 1,
        alone: bool = False,
    ) -> None:
        self._imaging, self._alone = imaging, alone
        self.family: Family = FAMILIES[imaging.pipeline]
        with quiet():
            self._pipelines = {
                mode: _build(self.family.modes[mode], parts, {**index, **FIXED})
                for mode in imaging.modes
            }
        self._wardrobe = Wardrobe(next(iter(self._pipelines.values())), adapters)
        self._scheduler = parts["scheduler"]
        with quiet():
            self.schedulers = _schedulers(self._scheduler)

    def default(self, mode: ImageMode, name: str) -> Any:
        """What an argument of a pipeline is if nothing is said of it."""
        return _parameters(self._pipelines[mode])[name].default

    @property
    def frame(self) -> tuple[str, int]:
        """What is put around a prompt, and the tokens at its start that are not used."""
        first: Any = next(iter(self._pipelines.values()))
        frame = getattr(first, "prompt_template_encode", "{}")
        return frame, getattr(first, "prompt_template_encode_start_idx", 0)

    def check_steps(self, scheduler: str | None, steps: int) -> None:
        """Refuse a number of steps that a scheduler cannot take.

        Raises:
            InvalidInput: It cannot.
        """
        config = self._scheduler.config
        most = int(config.num_train_timesteps) - int(config.get("steps_offset", 0))
        shift = {"mu": 1.0} if config.get("use_dynamic_shifting") else {}
        kind = self.schedulers[scheduler or type(self._scheduler).__name__]
        try:
            if steps <= most:
                kind.from_config(config).set_timesteps(steps, **shift)
                return
            why = f"choose 1 to {most}"
        except (IndexError, ValueError) as error:
            why = f"{kind.__name__} cannot take so many ({error}); choose another number"
        raise InvalidInput(f"steps={steps}: {why}", param="steps")

    def most(self, shape: Shape) -> int:
        """Pictures of a shape that are made at once."""
        room = ROWS * prod(self._imaging.size)
        return 1 if self._alone else max(1, room // prod(shape.size))

    def paint(self, shape: Shape, rows: Sequence[Row], step: Step) -> list[Image.Image | None]:
        """Make pictures; see ``Painter``."""
        pipeline = self._pipelines[shape.mode]
        kind = self.schedulers[shape.scheduler or type(self._scheduler).__name__]
        pipeline.scheduler = kind.from_config(self._scheduler.config)  # remembers no other picture

        def on_step(pipe: Any, index: int, timestep: Any, tensors: Any) -> dict[str, Any]:
            del timestep, tensors
            step(index + 1, pipe.num_timesteps)
            return {}

        with quiet():
            self._wardrobe.wear(shape.lora)
            made = pipeline(
                **self._arguments(shape, rows),
                output_type="np",
                callback_on_step_end=on_step,
            )
        return [_picture(pipeline, pixels) for pixels in made.images]

    def tidy(self) -> None:
        """Give back memory that nothing uses."""
        gc.collect()
        torch.cuda.empty_cache()

    def _arguments(self, shape: Shape, rows: Sequence[Row]) -> dict[str, Any]:
        """What the pipeline is asked."""
        width, height = shape.size
        asked = {
            "prompt": [row.prompt for row in rows],
            "negative_prompt": [row.negative or "" for row in rows] if shape.opposed else None,
            "image": [row.image for row in rows],
            "mask_image": [row.mask for row in rows],
            "width": width,
            "height": height,
            "num_inference_steps": shape.steps,
            self.family.guidance: shape.guidance,
            "strength": shape.strength,
            "generator": [torch.Generator("cpu").manual_seed(row.seed) for row in rows],
        }
        taken = _parameters(self._pipelines[shape.mode])
        return {name: value for name, value in asked.items() if name in taken}


def _picture(pipeline: Any, pixels: NDArray[np.float32]) -> Image.Image | None:
    """A picture of its pixels, shape (height, width, 3), from 0 to 1."""
    if not np.isfinite(pixels).all():
        return None
    return cast("Image.Image", pipeline.image_processor.numpy_to_pil(pixels)[0])


def _build(name: str, parts: dict[str, Any], stated: dict[str, Any]) -> Any:
    """A pipeline of parts that are there; without those that make no picture."""
    kind = getattr(diffusers, name, None)
    if kind is None:
        raise UnsupportedCheckpoint(f"diffusers {diffusers.__version__} has no {name}")
    taken = inspect.signature(kind.__init__).parameters
    required = [key for key, p in taken.items() if key != "self" and p.default is p.empty]
    known = {key: value for key, value in stated.items() if not isinstance(value, list)}
    given = {**dict.fromkeys(required), **known, **parts}
    pipeline = kind(**{key: value for key, value in given.items() if key in taken})
    pipeline.set_progress_bar_config(disable=True)
    pipeline.vae.enable_slicing()
    return pipeline


def _parameters(pipeline: Any) -> Any:
    return inspect.signature(type(pipeline).__call__).parameters


def _schedulers(own: Any) -> dict[str, Any]:
    """Classes that can take the place of a scheduler, by name, and its own."""
    kinds = {kind.__name__: kind for kind in (type(own), *own.compatibles)}
    return {name: kinds[name] for name in sorted(kinds) if _takes(kinds[name], own.config)}


def _takes(kind: Any, config: Any) -> bool:
    """Whether a scheduler can go on as a model was trained."""
    try:
        kind.from_config(config)
    except (ImportError, NotImplementedError, TypeError, ValueError):
        return False
    return True
