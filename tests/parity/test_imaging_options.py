"""What a picture is made with: schedulers, guidance, what it shall not show, adapters, batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from fix_imaging import (
    OPTIONS,
    answer,
    apart,
    call,
    engine_of,
    folder_of,
    library,
    loaded,
    painted,
    patiently,
    pixels,
    reference,
)
from msgspec.structs import replace
from tiny.imaging import write_lora

from stelae.catalog.adapters import Adapters
from stelae.types import ComputeDtype

SQUARE: dict[str, Any] = {"height": 64, "width": 64}
SCHEDULERS = (
    "DDIMScheduler", "DDPMScheduler", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "LMSDiscreteScheduler",
    "UniPCMultistepScheduler",
)  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULERS)
def test_scheduler_takes_noise_away_as_in_the_library(name: str) -> None:
    ours = painted(engine_of("sd"), call(scheduler=name, n=2))
    pipeline = library("sd")
    own = pipeline.scheduler
    try:
        theirs = []
        for seed in (0, 1):
            pipeline.scheduler = getattr(diffusers, name).from_config(own.config)
            theirs += reference("sd", [seed], prompt="a red fox")
    finally:
        pipeline.scheduler = own
    assert max(map(apart, ours, theirs)) <= 1


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3"])
def test_guidance_and_what_is_not_wanted_count_as_in_the_library(name: str) -> None:
    asked = call(guidance=3.0, negative_prompt="the blue square", size=(64, 64))
    [ours] = painted(engine_of(name), asked)
    [theirs] = reference(
        name, [0], prompt="a red fox", guidance_scale=3.0, negative_prompt="the blue square",
        **SQUARE,
    )  # fmt: skip
    [plain] = painted(engine_of(name), call(guidance=3.0, size=(64, 64)))
    assert np.array_equal(ours, theirs)
    assert not np.array_equal(ours, plain)


def test_guidance_of_qwen_image_is_between_two_prompts() -> None:
    asked = call(guidance=2.5, negative_prompt="blue", size=(64, 64))
    [ours] = painted(engine_of("qwen-image"), asked)
    [theirs] = reference(
        "qwen-image", [0], prompt="a red fox", true_cfg_scale=2.5, negative_prompt="blue", **SQUARE
    )
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux", "qwen-image"])
def test_prompts_of_several_lengths_share_a_batch(name: str) -> None:
    prompts = ["a red fox", "the old robot paints a blue square at night, very fast", "x"]
    calls = [call(prompt, seed=7, size=(64, 64)) for prompt in prompts]
    engine = engine_of(name)
    before = engine.stats
    made = answer(engine, *calls)
    assert engine.stats.steps - before.steps <= 2 * 5  # the first may begin before the others come
    for prompt, pieces in zip(prompts, made, strict=True):
        [theirs] = reference(name, [7], prompt=prompt, **SQUARE)
        [ours] = [pixels(piece.image) for piece in pieces if piece.image is not None]
        assert apart(ours, theirs) <= 1


@pytest.mark.parametrize("name", ["sd", "flux", "qwen-image"])
def test_batch_runs_the_model_once_in_each_step(name: str) -> None:
    engine = engine_of(name)
    before = engine.stats
    [pieces] = answer(engine, call(n=4, size=(64, 64)))
    steps = pieces[0].steps
    assert engine.stats.steps - before.steps == steps
    assert engine.stats.sequences - before.sequences == 4 * steps
    usage = pieces[-1].usage
    assert usage is not None
    assert (usage.images, usage.steps) == (4, 4 * steps)


def test_deterministic_engine_makes_each_picture_alone() -> None:
    engine = loaded(folder_of("sd"), replace(OPTIONS, deterministic=True))
    ours = painted(engine, call(n=3))
    theirs = reference("sd", [0, 1, 2], prompt="a red fox")
    assert all(map(np.array_equal, ours, theirs))


@pytest.mark.parametrize("name", ["sd", "flux"])
def test_numbers_of_half_the_size_make_the_picture_of_the_library(name: str) -> None:
    engine = loaded(folder_of(name), replace(OPTIONS, dtype=ComputeDtype.BFLOAT16))
    [ours] = painted(engine, call(size=(64, 64)))
    pipeline = diffusers.DiffusionPipeline.from_pretrained(
        folder_of(name), torch_dtype=torch.bfloat16, local_files_only=True
    )
    noise = torch.Generator().manual_seed(0)
    made = pipeline("a red fox", num_inference_steps=4, generator=noise, **SQUARE).images[0]
    assert np.array_equal(ours, np.asarray(made))


PARTS = {
    "sd": "unet",
    "sdxl": "unet",
    "sd3": "transformer",
    "flux": "transformer",
    "qwen-image": "transformer",
}


@pytest.mark.parametrize("name", PARTS)
def test_adapter_changes_pictures_as_in_the_library(name: str, tmp_path: Path) -> None:
    for style in ("ink", "oil"):
        write_lora(tmp_path / style, folder_of(name), PARTS[name])
    sources = {style: str(tmp_path / style) for style in ("ink", "oil")}
    engine = loaded(folder_of(name), replace(OPTIONS, adapters=Adapters(sources=sources, most=1)))
    asked = {None: call(size=(64, 64)), **{s: call(size=(64, 64), lora=s) for s in sources}}
    ours = {style: patiently(engine, asked[style]) for style in (None, "ink", "oil")}
    again = {style: patiently(engine, asked[style]) for style in (None, "ink")}
    theirs = {None: reference(name, [0], prompt="a red fox", **SQUARE)[0]}
    pipeline = library(name)
    for style in sources:
        pipeline.load_lora_weights(sources[style], adapter_name=style)
        [theirs[style]] = reference(name, [0], prompt="a red fox", **SQUARE)
        pipeline.unload_lora_weights()
    assert apart(theirs["ink"], theirs["oil"]) > 10
    for style in (None, "ink", "oil"):
        assert np.array_equal(ours[style], theirs[style]), style
    for style in (None, "ink"):
        assert np.array_equal(again[style], theirs[style]), style
