"""Adapters of a model: which are registered, where they are, what their files say.

Source: peft 0.21, ``tuners/lora/config.py`` and ``tuners/tuners_utils.py``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

from stelae.catalog.files import Json, exists, read_object
from stelae.catalog.hub import HubOptions, fetch_files, is_hub_id
from stelae.errors import ModelLoadFailed, ModelNotFound, UnsupportedCheckpoint

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
"""Files with an adapter's tensors, the first that is there counts."""

UNUSED = frozenset({
    "auto_mapping", "base_model_name_or_path", "corda_config", "eva_config", "fan_in_fan_out",
    "inference_mode", "loftq_config", "lora_dropout", "lora_ga_config", "megatron_core",
    "peft_type", "peft_version", "qalora_group_size", "revision", "runtime_config", "task_type",
})  # fmt: skip
"""Options that decide nothing once an adapter is trained."""

ANY_LAYER = r".*?\.[^.]*\.(\d+)\."
"""What stands before and after the number of a layer, if nothing is said of it."""

HARMLESS = (True, False, "gaussian", "orthogonal", "eva")
"""Ways to begin training that leave the model's own weights as they are."""


N = TypeVar("N", int, float)


class Adapters(msgspec.Struct, frozen=True, kw_only=True):
    """The adapters that a model may be asked with.

    Attributes:
        sources: Folder or hub id (perhaps with ``@revision``) of each, by name.
        most: How many are held in memory at once.
        hub: How to reach the hub.
    """

    sources: dict[str, str] = {}
    most: int = 10
    hub: HubOptions = HubOptions()


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter as its ``adapter_config.json`` describes it.

    Attributes:
        folder: Where its files lie.
        weights: The one with its tensors.
        base: The model that it was trained for, as its author calls it.
        rank: Of its matrices, where ``rank_pattern`` says nothing else.
        alpha: Numerator of the scale, where ``alpha_pattern`` says nothing else.
        rank_pattern: Ranks by the end of a layer's name (regular expression).
        alpha_pattern: Numerators, likewise.
        rslora: Whether the scale is ``alpha / sqrt(rank)`` instead of ``alpha / rank``.
        targets: Ends of the names of the layers it changes, or a regular expression for
            whole names; ``None`` if that is not stated.
        excluded: The same for layers that it leaves alone.
        layers: Numbers of the layers it changes; all if empty.
        layers_pattern: What stands before that number; anything if empty.
        saved: Modules of which it holds new weights.
    """

    folder: str
    weights: str
    base: str
    rank: int
    alpha: float
    rank_pattern: dict[str, int] = {}
    alpha_pattern: dict[str, float] = {}
    rslora: bool = False
    targets: str | tuple[str, ...] | None = None
    excluded: str | tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    layers_pattern: tuple[str, ...] = ()
    saved: tuple[str, ...] = ()

    def rank_of(self, path: str) -> int:
        """Rank of the matrices of a layer."""
        return _by_pattern(self.rank_pattern, path, self.rank)

    def scale_of(self, path: str) -> float:
        """Factor on the product of the matrices of a layer."""
        rank, alpha = self.rank_of(path), _by_pattern(self.alpha_pattern, path, self.alpha)
        return alpha / (rank**0.5 if self.rslora else rank)

    def aims_at(self, path: str) -> bool:
        """Whether a layer is one of those that the adapter says it changes."""
        if _names(self.excluded, path):
            return False
        if self.targets is None or self.targets == "all-linear":
            return True
        return _names(self.targets, path) and (
            isinstance(self.targets, str) or self._numbered(path)
        )

    def replaces(self, path: str) -> bool:
        """Whether a module is one of those of which it says that it holds new weights."""
        return any(re.match(rf"(^|.*\.){re.escape(m)}($|\..*)", path) for m in self.saved)

    def _numbered(self, path: str) -> bool:
        if not self.layers:
            return True
        patterns = [rf"(?:^|.*?\.){pattern}\.(\d+)\." for pattern in self.layers_pattern]
        found = (re.match(pattern, path) for pattern in patterns or [ANY_LAYER])
        return any(match is not None and int(match[1]) in self.layers for match in found)


def _by_pattern(pattern: dict[str, N], path: str, otherwise: N) -> N:
    keys = (key for key in pattern if re.match(rf"(.*\.)?({key})$", path))
    return pattern.get(next(keys, path), otherwise)


def _names(names: str | tuple[str, ...], path: str) -> bool:
    if isinstance(names, str):
        return re.fullmatch(names, path) is not None
    return any(path == name or path.endswith(f".{name}") for name in names)


def adapter_folder(source: str, hub: HubOptions) -> Path:
    """The folder of an adapter on this machine; fetches it from the hub if it must.

    Raises:
        ModelNotFound: It is neither a folder nor a hub id that exists.
        StelaeError: The hub does not let it be fetched, and why.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder.absolute()
    repo, _, revision = source.partition("@")
    if not is_hub_id(repo):
        raise ModelNotFound(f"{source!r} is neither a folder nor a hub id")
    fetched = fetch_files(repo, revision or None, hub, (CONFIG, WEIGHTS[0]))
    if not exists(fetched, WEIGHTS[0]):
        fetched = fetch_files(repo, revision or None, hub, (CONFIG, WEIGHTS[1]))
    return fetched


class _Options(msgspec.Struct, kw_only=True):
    """The options that decide an adapter's numbers."""

    r: int = msgspec.field(default=8)
    lora_alpha: float = 8
    rank_pattern: dict[str, int] | None = None
    alpha_pattern: dict[str, float] | None = None
    use_rslora: bool = False
    bias: str = "none"
    target_modules: str | list[str] | None = None
    exclude_modules: str | list[str] | None = None
    layers_to_transform: int | list[int] | None = None
    layers_pattern: str | list[str] | None = None
    modules_to_save: list[str] | None = None
    init_lora_weights: bool | str = True


def read_adapter(folder: Path) -> Adapter:
    """What an adapter is, from its folder; its tensors are not read.

    Raises:
        UnsupportedCheckpoint: It is of another kind, or has an option that is not implemented.
        ModelLoadFailed: A file is missing or broken.
    """
    config = read_object(folder, CONFIG)
    if config is None:
        raise ModelLoadFailed(f"no {CONFIG} in {folder}; it must be the folder of a PEFT adapter")
    options = _options(config, f"{CONFIG} in {folder}")
    weights = next((name for name in WEIGHTS if exists(folder, name)), None)
    if weights is None:
        raise ModelLoadFailed(f"no {WEIGHTS[0]} in {folder}")
    numbers = options.layers_to_transform
    return Adapter(
        folder=str(folder),
        weights=weights,
        base=str(config.get("base_model_name_or_path") or ""),
        rank=options.r,
        alpha=options.lora_alpha,
        rank_pattern=options.rank_pattern or {},
        alpha_pattern=options.alpha_pattern or {},
        rslora=options.use_rslora,
        targets=_listed(options.target_modules),
        excluded=_listed(options.exclude_modules) or (),
        layers=(numbers,) if isinstance(numbers, int) else tuple(numbers or ()),
        layers_pattern=_several(options.layers_pattern),
        saved=tuple(options.modules_to_save or ()),
    )


def _options(config: Json, file: str) -> _Options:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise UnsupportedCheckpoint(f"{file} sets peft_type={kind!r}; only 'LORA' is implemented")
    known = {*_Options.__struct_fields__, *UNUSED}
    for name, value in config.items():
        if name not in known and value not in (None, False, "", [], {}):
            raise _refused(file, name, value)
    try:
        options = msgspec.convert({n: v for n, v in config.items() if n not in UNUSED}, _Options)
    except msgspec.ValidationError as error:
        raise ModelLoadFailed(f"{file} is not understood: {error}") from error
    if options.bias != "none":
        raise _refused(file, "bias", options.bias)
    if options.init_lora_weights not in HARMLESS:
        raise _refused(file, "init_lora_weights", options.init_lora_weights)
    _check(options, file)
    return options


def _refused(file: str, name: str, value: object) -> UnsupportedCheckpoint:
    return UnsupportedCheckpoint(f"{file} sets {name}={value!r}, which is not implemented")


def _check(options: _Options, file: str) -> None:
    """Refuse ranks that no matrix has, and patterns that are none."""
    ranks = {"r": options.r} | {
        f"rank_pattern.{k}": v for k, v in (options.rank_pattern or {}).items()
    }
    for name, rank in ranks.items():
        if rank < 1:
            raise ModelLoadFailed(f"{file} sets {name}={rank}; 1 or more was expected")
    whole = (options.target_modules, options.exclude_modules)
    patterns = [text for text in whole if isinstance(text, str)]
    patterns += [*(options.rank_pattern or {}), *(options.alpha_pattern or {})]
    for pattern in [*patterns, *_several(options.layers_pattern)]:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ModelLoadFailed(
                f"{file} has {pattern!r}, which is no regular expression: {error}"
            ) from error


def _listed(names: str | list[str] | None) -> str | tuple[str, ...] | None:
    return tuple(names) if isinstance(names, list) else names


def _several(names: str | list[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) and names else tuple(names or ())
