"""What a checkpoint does to pictures: ``preprocessor_config.json``, or open_clip's own form.

Source: transformers 5.17, ``image_processing_utils.py`` and the ``...ImageProcessorPil``
classes; open_clip 3.3, ``transform.py``.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from stelae.catalog.files import Json, join, read_object
from stelae.catalog.options import need, positive, refuse_unknown, require, take
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.images.processing import Exact, PatchBudget, Processing, ShortestEdge

OPENAI_MEAN = [0.48145466, 0.4578275, 0.40821073]
OPENAI_STD = [0.26862954, 0.26130258, 0.27577711]
HALF = [0.5, 0.5, 0.5]

COMMON: Json = {
    "do_resize": True,
    "do_center_crop": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "default_to_square": True,
}
CLIP: Json = COMMON | {
    "resample": 3,
    "size": {"shortest_edge": 224},
    "default_to_square": False,
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "image_mean": OPENAI_MEAN,
    "image_std": OPENAI_STD,
}
SQUARE: Json = COMMON | {
    "size": {"height": 224, "width": 224},
    "image_mean": HALF,
    "image_std": HALF,
}

DEFAULTS: dict[str, Json] = {
    "CLIPImageProcessor": CLIP,
    "ChineseCLIPImageProcessor": CLIP,
    "SiglipImageProcessor": SQUARE | {"resample": 3, "default_to_square": False},
    "Siglip2ImageProcessor": SQUARE | {"resample": 2, "patch_size": 16, "max_num_patches": 256},
    "ViTImageProcessor": SQUARE | {"resample": 2},
}
"""What each class of processor does where the file says nothing."""

NULLS: Json = {
    "do_resize": False,
    "do_center_crop": False,
    "do_rescale": False,
    "do_normalize": False,
    "default_to_square": False,
}
"""What an option that is ``null`` means; of the others it means nothing, not the default."""

FIXED = {
    "do_pad": (False, None),
    "data_format": ("channels_first", None),
    "input_data_format": (None,),
    "use_square_size": (False, None),
}
"""Options of which only these values are implemented."""

HARMLESS = {
    "image_processor_type", "feature_extractor_type", "processor_class", "do_convert_rgb",
    "_valid_processor_keys", "return_tensors", "device", "disable_grouping", "pad_size",
    "image_seq_length",
}  # fmt: skip
"""Options that change no number here: pictures are always made RGB."""

KNOWN = {*CLIP, *FIXED, *HARMLESS, "patch_size", "max_num_patches"}

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}
"""Pillow's numbers of the filters that open_clip names."""

OPEN_CLIP_KEYS = {"size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color"}


def read_processing(root: Path, folder: str) -> Processing:
    """What is done to pictures, by the files of transformers.

    Raises:
        UnsupportedCheckpoint: A class, an option or a value is not implemented.
        ModelLoadFailed: There is no file, or it is broken.
    """
    config, file = processor_options(root, folder)
    given = {key: NULLS.get(key) if value is None else value for key, value in config.items()}
    kind = processor_class(given, file, DEFAULTS)
    refuse_unknown(given, KNOWN, file)
    require(given, FIXED, file)
    return _processing(DEFAULTS[kind] | given, file, budget=kind == "Siglip2ImageProcessor")


def processor_options(root: Path, folder: str) -> tuple[Json, str]:
    """The options of what reads pictures, and their file for messages.

    Those inside ``processor_config.json`` count first, as in the library.

    Raises:
        ModelLoadFailed: There is no such file, or it is broken.
    """
    both = join(folder, "processor_config.json")
    outer = read_object(root, both) or {}
    if (inner := take(outer, "image_processor", dict, f"{both} in {root}")) is not None:
        return inner, f"image_processor of {both} in {root}"
    name = join(folder, "preprocessor_config.json")
    config = read_object(root, name)
    if config is None:
        raise ModelLoadFailed(
            f"no {name} in {root}; it says how pictures are resized and normalised",
            hint="fetch the checkpoint again, with all its files",
        )
    return config, f"{name} in {root}"


def processor_class(config: Json, file: str, known: Collection[str]) -> str:
    """The class of what reads pictures, by its plain name.

    Args:
        config: Its options.
        file: Where they stand, for messages.
        known: Classes that are implemented.

    Raises:
        UnsupportedCheckpoint: It is none of them.
        ModelLoadFailed: The name is no text.
    """
    given = take(config, "image_processor_type", str, file) or take(
        config, "feature_extractor_type", str, file, "nothing"
    )
    kind = str(given).removesuffix("Fast").removesuffix("Pil")
    kind = kind.replace("FeatureExtractor", "ImageProcessor")
    if kind not in known:
        raise UnsupportedCheckpoint(
            f"{file} names the processor {given!r}, which is not implemented; "
            f"known are {', '.join(known)}"
        )
    return kind


def _processing(config: Json, file: str, *, budget: bool) -> Processing:
    normal = need(config, "do_normalize", bool, file)
    resize = _resize(config, file, budget=budget)
    return Processing(
        resize=resize,
        resample=0 if resize is None else _filter(config, file),
        crop=_crop(config, file) if need(config, "do_center_crop", bool, file) else None,
        scale=_number(config, "rescale_factor", file)
        if need(config, "do_rescale", bool, file)
        else None,
        mean=colours(config.get("image_mean"), "image_mean", file) if normal else None,
        std=colours(config.get("image_std"), "image_std", file) if normal else None,
    )


def _filter(config: Json, file: str) -> int:
    require(config, {"resample": range(6)}, file)
    return need(config, "resample", int, file)


def _resize(config: Json, file: str, *, budget: bool) -> ShortestEdge | Exact | PatchBudget | None:
    if budget:
        require(config, {"do_resize": (True,), "do_center_crop": (False,)}, file)
        side, most = (positive(config, key, file) or 1 for key in ("patch_size", "max_num_patches"))
        return PatchBudget(side, most)
    if not need(config, "do_resize", bool, file):
        return None
    match config.get("size"):
        case int(side) if side > 0 and need(config, "default_to_square", bool, file):
            return Exact(side, side)
        case int(side) if side > 0:
            return ShortestEdge(side)
        case {"shortest_edge": int(side), **rest} if side > 0 and not rest:
            return ShortestEdge(side)
        case size:
            height, width = _pair(size, "size", file)
            return Exact(height, width)


def _crop(config: Json, file: str) -> tuple[int, int]:
    return _pair(config.get("crop_size"), "crop_size", file)


def _pair(value: Any, key: str, file: str) -> tuple[int, int]:
    match value:
        case {"height": int(height), "width": int(width), **rest} if not rest:
            pass
        case [int(height), int(width)]:
            pass
        case int(height):
            width = height
        case _:
            raise UnsupportedCheckpoint(
                f"{file} sets {key}={value!r}, which is not implemented; known is a number, "
                "or height and width" + (", or shortest_edge" if key == "size" else "")
            )
    if min(height, width) < 1:
        raise ModelLoadFailed(f"{file} sets {key}={value!r}; numbers >= 1 were expected")
    return height, width


def _number(config: Json, key: str, file: str) -> float:
    value = config.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ModelLoadFailed(f"{file} sets {key}={value!r}; a number was expected")
    return float(value)


def colours(value: Any, key: str, file: str) -> tuple[float, float, float]:
    """A number for each of red, green and blue, or one for all.

    Raises:
        ModelLoadFailed: It is something else.
    """
    match value:
        case int() | float() if not isinstance(value, bool):
            return float(value), float(value), float(value)
        case [int() | float() as red, int() | float() as green, int() | float() as blue]:
            return float(red), float(green), float(blue)
    raise ModelLoadFailed(f"{file} sets {key}={value!r}; three numbers were expected")


def open_clip_processing(config: Json, image_size: int, file: str) -> Processing:
    """What is done to pictures, by the ``preprocess_cfg`` of open_clip.

    Args:
        config: That object.
        image_size: Side of the pictures that the tower reads.
        file: Whose it is, for messages.

    Raises:
        UnsupportedCheckpoint: An option or a value is not implemented.
        ModelLoadFailed: A value is of another type.
    """
    refuse_unknown(config, OPEN_CLIP_KEYS, file)
    require(config, {"mode": ("RGB",), "fill_color": (0,)}, file)
    require(config, {"interpolation": ("bicubic", "bilinear")}, file)
    require(config, {"resize_mode": ("shortest", "squash")}, file)
    height, width = _pair(config.get("size", image_size), "size", file)
    squash = config.get("resize_mode") == "squash"
    if not squash and height != width:
        raise UnsupportedCheckpoint(f"{file} sets size={config['size']!r}; known are squares")
    return Processing(
        resize=Exact(height, width) if squash else ShortestEdge(height),
        as_stored=True,
        resample=FILTERS[config.get("interpolation", "bicubic")],
        crop=None if squash else (height, width),
        even=True,
        mean=colours(config.get("mean", OPENAI_MEAN), "mean", file),
        std=colours(config.get("std", OPENAI_STD), "std", file),
    )
