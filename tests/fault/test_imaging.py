"""Pictures: callers who leave, what cannot be made, and files that are not what they say."""

from __future__ import annotations

import asyncio
import shutil
import struct
import zlib
from contextlib import aclosing
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_imaging import (
    NAME,
    OPTIONS,
    answer,
    apart,
    call,
    engine_of,
    folder_of,
    half,
    loaded,
    painted,
    photo,
    pieces_of,
    pixels,
    png,
    reference,
    spec_of,
)
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file
from tiny.files import write_tensors
from tiny.imaging import write_lora

from stelae.catalog.adapters import Adapters
from stelae.cluster.canary import canary_call
from stelae.cluster.deployment import Deployment
from stelae.cluster.process import ProcessReplica
from stelae.engines.diffusers.engine import ImageEngine
from stelae.errors import (
    EngineFailed,
    InputTooLong,
    InvalidInput,
    LoraFailed,
    LoraLoading,
    ShuttingDown,
    StelaeError,
    UnsupportedTask,
)
from stelae.types import ImageCall, ImageFormat, ImagePiece, Truncate


async def leave_at(engine: ImageEngine, asked: ImageCall, step: int) -> None:
    """Take news of a call until a step, then go."""
    async with aclosing(engine.stream(asked)) as stream:
        async for pieces in stream:
            if any(piece.step >= step for piece in pieces):
                return


async def test_work_ends_within_a_step_when_the_caller_leaves() -> None:
    engine = engine_of("sd")
    await leave_at(engine, call(steps=500), 3)
    left = engine.stats.steps
    await pieces_of(engine, call(steps=2, scheduler="DDIMScheduler"))
    assert engine.stats.steps - left - 2 <= 1


async def test_picture_of_a_neighbour_is_whole_when_another_leaves() -> None:
    engine = engine_of("sd")
    busy = asyncio.create_task(pieces_of(engine, call(steps=20)))
    other = asyncio.create_task(leave_at(engine, call("blue", steps=12), 3))
    stayed = await pieces_of(engine, call(steps=12, seed=4))
    await asyncio.gather(busy, other)
    [ours] = [pixels(piece.image) for piece in stayed if piece.image is not None]
    [theirs] = reference("sd", [4], prompt="a red fox", num_inference_steps=12)
    assert apart(ours, theirs) <= 1


@pytest.mark.slow
@pytest.mark.timeout(180)  # a worker imports two large libraries
async def test_worker_stops_when_its_caller_leaves_and_goes_on_for_others() -> None:
    spec = spec_of(folder_of("sd"))
    replica = ProcessReplica(Deployment(name=NAME, spec=spec, engine="diffusers", options=OPTIONS))
    await replica.start()
    try:
        async with aclosing(replica.stream(call(steps=900), timeout=None)) as stream:
            async for pieces in stream:
                if any(piece.step >= 3 for piece in pieces):
                    break
        made = [p async for ps in replica.stream(call(), timeout=None) for p in ps]
        assert replica.in_flight == 0
    finally:
        await replica.stop(0.0)
    [ours] = [pixels(piece.image) for piece in made if piece.image is not None]
    assert np.array_equal(ours, reference("sd", [0], prompt="a red fox")[0])


async def test_end_of_the_engine_fails_calls_under_way() -> None:
    engine = loaded(folder_of("sd"))
    stream = engine.stream(call(steps=500))
    await anext(stream)
    end = asyncio.create_task(engine.aclose())
    with pytest.raises(ShuttingDown):
        async for _ in stream:
            pass
    await end


FORMATS = {ImageFormat.PNG: "PNG", ImageFormat.JPEG: "JPEG", ImageFormat.WEBP: "WEBP"}


@pytest.mark.parametrize("form", FORMATS)
def test_picture_has_the_format_that_is_asked_for(form: ImageFormat) -> None:
    [piece] = images(answer(engine_of("sd"), call(format=form))[0])
    assert piece.image is not None
    image = Image.open(BytesIO(piece.image))
    assert (image.format, image.size, piece.size) == (FORMATS[form], (64, 64), (64, 64))
    [theirs] = reference("sd", [0], prompt="a red fox")
    grey = [
        np.asarray(each.convert("L")).astype(float) for each in (image, Image.fromarray(theirs))
    ]
    assert np.abs(grey[0] - grey[1]).mean() < 6


def grey(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image.convert("L")).astype(np.float64)


def images(pieces: list[ImagePiece]) -> list[ImagePiece]:
    return [piece for piece in pieces if piece.image is not None]


def test_seed_of_each_picture_is_told_and_gives_it_again() -> None:
    engine = engine_of("sd")
    first = images(answer(engine, call(seed=None, n=2))[0])
    seeds = [piece.seed for piece in first]
    assert None not in seeds
    assert seeds[1] == (seeds[0] or 0) + 1
    again = painted(engine, call(seed=seeds[1]))[0]
    assert apart(pixels(first[1].image), again) <= 1


LONG = "fox " * 100


def test_long_prompt_is_refused_unless_it_may_be_cut() -> None:
    engine = engine_of("sd")
    for given, param in (({}, "prompt"), ({"negative_prompt": LONG}, "negative_prompt")):
        prompt = LONG if param == "prompt" else "fox"
        with pytest.raises(InputTooLong, match=rf"{param} has \d+ tokens, the model reads 77") as e:
            answer(engine, call(prompt, **given))
        assert e.value.param == param
    [pieces] = answer(engine, call(LONG, truncate=Truncate.END))
    usage = pieces[-1].usage
    assert usage is not None
    assert (usage.truncated, usage.prompt_tokens) == (True, 77)
    [ours] = [pixels(piece.image) for piece in images(pieces)]
    assert np.array_equal(ours, reference("sd", [0], prompt=LONG)[0])


@pytest.mark.parametrize(("name", "most"), [("sd", 77), ("sd3", 256), ("flux", 512)])
def test_prompt_as_long_as_the_widest_tower_is_read_whole(name: str, most: int) -> None:
    engine = engine_of(name)
    frame = 2 if name == "sd" else 1  # start and end of CLIP, the end of T5
    word = "a " if name == "sd" else "river "
    count = most - frame
    asked = call(word * count, size=(64, 64), steps=1, guidance=1.0)
    usage = answer(engine, asked)[0][-1].usage
    assert usage is not None
    assert not usage.truncated
    with pytest.raises(InputTooLong):
        answer(engine, call(word * count + word, size=(64, 64)))


def bomb(side: int) -> bytes:
    """A PNG that says it is huge."""
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk


GIVEN = png(photo())
WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "size not a multiple": ("sd", {"size": (60, 64)}, "size"),
    "size too small": ("sd", {"size": (8, 64)}, "size"),
    "side too large": ("sd", {"size": (64, 1024)}, "size"),
    "too many pixels": ("sd", {"size": (256, 256)}, "size"),
    "more than the table of places": ("sd3", {"size": (512, 64)}, "size"),
    "scheduler": ("sd", {"scheduler": "MagicScheduler"}, "scheduler"),
    "scheduler of others": ("flux", {"scheduler": "DDIMScheduler"}, "scheduler"),
    "not a class of schedulers": ("sd", {"scheduler": "__class__"}, "scheduler"),
    "steps": ("sd", {"steps": 1000}, "steps"),
    "steps of a scheduler": ("sdxl", {"steps": 2, "scheduler": "PNDMScheduler"}, "steps"),
    "scheduler of other models": ("sdxl", {"scheduler": "EDMEulerScheduler"}, "scheduler"),
    "too little change": ("sd", {"images": [GIVEN], "strength": 0.1}, "strength"),
    "two pictures": ("sd", {"images": [GIVEN, GIVEN]}, "images"),
    "no picture": ("sd", {"images": [b"hello"]}, "images[0]"),
    "broken picture": ("sd", {"images": [GIVEN[:200]]}, "images[0]"),
    "bomb": ("sd", {"images": [bomb(60_000)]}, "images[0]"),
    "huge picture": ("sd", {"images": [png(photo(1024))]}, "size"),
    "broken mask": ("sd", {"images": [GIVEN], "mask": GIVEN[:200]}, "mask"),
    "mask of another size": ("sd", {"images": [GIVEN], "mask": png(half(32))}, "mask"),
    "nothing to oppose": ("flux", {"negative_prompt": "blue"}, "negative_prompt"),
    "adapter": ("sd", {"lora": "nobody"}, "lora"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_made_is_refused_by_name(name: str) -> None:
    model, given, param = WRONG[name]
    engine = engine_of(model)
    steps = engine.stats.steps
    with pytest.raises(InvalidInput) as caught:
        answer(engine, call(**given))
    assert caught.value.param == param
    assert engine.stats.steps == steps


@pytest.mark.parametrize("given", [{}, {"images": [GIVEN]}])
def test_what_a_model_makes_no_pictures_from_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedTask, match=r"cannot do .*; it can do inpainting"):
        answer(engine_of("sd-inpaint"), call(**given))


@pytest.mark.parametrize("name", ["sd", "sd-inpaint", "sd3", "flux", "qwen-image"])
def test_health_check_is_a_picture_that_the_model_can_make(name: str) -> None:
    asked = canary_call(Deployment(name=NAME, spec=spec_of(folder_of(name)), engine="diffusers"))
    assert isinstance(asked, ImageCall)
    [piece] = images(answer(engine_of(name), asked)[0])
    assert piece.size == asked.size


def test_model_that_makes_no_numbers_fails_by_name_and_makes_no_black_picture(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "sd"
    shutil.copytree(folder_of("sd"), folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["conv_out.weight"] = np.full_like(tensors["conv_out.weight"], np.nan)
    write_tensors(file, tensors)
    with pytest.raises(EngineFailed, match="no numbers"):
        answer(loaded(folder), call())


def test_sizes_that_can_be_made_are_told() -> None:
    with pytest.raises(InvalidInput, match=r"multiples of 8, from 64 to 256.* such as 64x64"):
        answer(engine_of("sd"), call(size=(60, 64)))


def test_schedulers_that_can_be_used_are_told() -> None:
    with pytest.raises(InvalidInput, match=r"DDIMScheduler, .*EulerDiscreteScheduler, ") as caught:
        answer(engine_of("sd"), call(scheduler="ddim"))
    assert "SDE" not in caught.value.message


def test_picture_that_is_given_decides_the_size() -> None:
    wide = Image.fromarray(np.zeros((70, 100, 3), np.uint8))
    [piece] = images(answer(engine_of("sd"), call(images=[png(wide)]))[0])
    assert piece.size == (96, 64)


def foreign(folder: Path) -> None:
    write_tensors(
        folder / "pytorch_lora_weights.safetensors",
        {
            "unet.nowhere.to_q.lora_A.weight": np.zeros((4, 16), np.float32),
            "unet.nowhere.to_q.lora_B.weight": np.zeros((16, 4), np.float32),
        },
    )


def whole_weights(folder: Path) -> None:
    tensors = {"unet.conv_in.weight": np.zeros((8, 4, 3, 3), np.float32)}
    write_tensors(folder / "pytorch_lora_weights.safetensors", tensors)


def of_another_model(folder: Path) -> None:
    write_lora(folder, folder_of("sdxl"), "unet")


def broken(folder: Path) -> None:
    (folder / "pytorch_lora_weights.safetensors").write_bytes(b"\0" * 40)


def pickled(folder: Path) -> None:
    (folder / "pytorch_lora_weights.bin").write_bytes(b"\x80\x04.")


@pytest.mark.parametrize("write", [foreign, whole_weights, of_another_model, broken, pickled])
def test_adapter_that_does_not_fit_is_refused_and_harms_nobody(write: Any, tmp_path: Path) -> None:
    write(tmp_path)
    adapters = Adapters(sources={"odd": str(tmp_path)})
    engine = loaded(folder_of("sd"), replace(OPTIONS, adapters=adapters))
    error: StelaeError | None = None
    while error is None or isinstance(error, LoraLoading):
        with pytest.raises(StelaeError) as caught:
            answer(engine, call(lora="odd"))
        error = caught.value
    assert isinstance(error, LoraFailed)
    assert np.array_equal(painted(engine, call())[0], reference("sd", [0], prompt="a red fox")[0])
