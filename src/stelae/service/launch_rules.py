"""What can be said of a launch before anything is fetched or loaded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from stelae.catalog.entry import GGUF, ModelEntry, is_gguf, is_local, is_name
from stelae.catalog.spec import ModelSpec
from stelae.catalog.variants import PLAIN
from stelae.engines import hardware, registry
from stelae.errors import InvalidInput
from stelae.types import LaunchCall, Modality, ModelKind, Task

LONGEST_UID = 100
"""Letters of a uid at most."""

MOST_REPLICAS = 64
"""Replicas of one model, in all."""

MOST = 2**31
MOST_VARIABLES, LONGEST_VALUE = 64, 32_768

HIDDEN = "***"
"""Stands for the values of variables where launches are shown."""

_REPLICA = re.compile(r".+-rep\d+")
_PATH = re.compile(
    r"instances?|families|prompts|vllm-supported|update_type|llm/auto-register"
    r"|.+/(progress|cancel|events|versions|replicas(/\d+)?|reload(/config)?|requests/[^/]+/abort)"
)
"""Uids that could not be told from other paths of the protocols."""

_QUANTIZATION = re.compile(r"[\w-]{1,32}", re.ASCII)
GGUF_FORMATS = frozenset({"gguf", "ggufv2"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

GUARDED = re.compile(
    r"(LD_|DYLD_|PYTHON|STELAE_|GLIBC_|GCONV_|MALLOC_|OPENSSL_|BASH_|CUDA_INJECTION).*"
    r"|PATH|ENV|HOME|IFS|SHELL|TMPDIR|CDPATH|CUDA_VISIBLE_DEVICES|NVIDIA_VISIBLE_DEVICES"
)
"""Variables that decide which programs and libraries a process runs, or what it may use."""

LEAST: dict[str, int] = {
    "replicas": 1, "calls": 1, "max_tokens": 1, "cache_tokens": 256, "batch_tokens": 1,
}  # fmt: skip
"""Least of each number."""

ABLE: dict[ModelKind, Callable[[ModelSpec], bool]] = {
    "llm": lambda spec: spec.generation is not None,
    "embedding": lambda spec: Task.ENCODE in spec.tasks,
    "rerank": lambda spec: Task.SCORE in spec.tasks,
    "extract": lambda spec: Task.EXTRACT in spec.answers,
    "image": lambda spec: spec.imaging is not None or spec.reads_pictures,
    "audio": lambda spec: (
        spec.hearing is not None or spec.speaking is not None or Modality.AUDIO in spec.inputs
    ),
}
"""Whether a model can be for a kind."""


def check_launch(call: LaunchCall) -> None:
    """Refuse what no model can be launched with.

    Raises:
        InvalidInput: What is wrong, and where.
    """
    _check_numbers(call)
    _check_gpus(call)
    for name, value in call.environment.items():
        _check_variable(name, value)
    if len(call.environment) > MOST_VARIABLES:
        raise _wrong("environment", f"has {len(call.environment)} variables", MOST_VARIABLES)
    if call.engine is not None and call.engine not in registry.manifests():
        known = ", ".join(sorted(registry.manifests()))
        raise InvalidInput(
            f"engine={call.engine[:64]!r}: no such engine; there are {known}", param="engine"
        )
    if call.path is not None:
        check_place(call.path, "path")


def check_uid(uid: str) -> str:
    """A uid without the spaces around it.

    Raises:
        InvalidInput: It is empty or too long, has letters that no name has, looks like that of a
            replica, or like another path.
    """
    plain = uid.strip()
    if not 1 <= len(plain) <= LONGEST_UID or _REPLICA.fullmatch(plain):
        raise InvalidInput(
            f"uid={uid[:LONGEST_UID]!r}: a uid has 1 to {LONGEST_UID} letters and does not end in "
            "-rep and a number, as those of replicas do",
            param="uid",
        )
    if not is_name(plain):
        raise InvalidInput(
            f"uid={plain!r}: a uid has up to {LONGEST_UID} ASCII letters, digits and . : @ + _ -, "
            "in parts separated by /",
            param="uid",
        )
    if _PATH.fullmatch(plain):
        raise InvalidInput(
            f"uid={plain!r}: that is what a path of the server ends with, so that a model of this "
            "uid could not be asked for; choose another",
            param="uid",
        )
    return plain


def check_more(name: str, there: int, more: int) -> None:
    """Refuse replicas beyond those that one model may have.

    Raises:
        InvalidInput: There would be too many.
    """
    if there + more > MOST_REPLICAS:
        raise InvalidInput(
            f"replicas: model {name[:128]!r} has {there} of them, and {more} more are asked for; "
            f"one model has at most {MOST_REPLICAS} in all",
            param="replicas",
            hint="launch it once more under another uid",
        )


def check_place(path: str, param: str) -> None:
    """Refuse a place of this machine that holds no checkpoint.

    Raises:
        InvalidInput: It is not written from the root, or there is no folder or GGUF file.
    """
    if "\0" in path or not Path(path).is_absolute():
        raise InvalidInput(
            f"{param}={path[:256]!r}: a folder or a GGUF file of the server was expected, "
            "written from the root: /models/name",
            param=param,
        )
    if not is_local(path):
        raise InvalidInput(
            f"{param}={path[:256]!r}: the server has no such folder, nor a GGUF file",
            param=param,
        )


def unnamed_variant(entry: ModelEntry, call: LaunchCall) -> ModelEntry:
    """A folder or repository that nobody named here, in the variant that is asked for.

    Of GGUF files it is the one with the quantisation in its name. Others are as they are: a size
    may be stated with a ``path``, where it tells what lies there and chooses nothing.

    Raises:
        InvalidInput: There is nothing of the kind to choose.
    """
    if call.size is not None and call.path is None:
        raise InvalidInput(f"size={call.size}: {entry.source!r} has one size", param="size")
    wanted = (call.quantization or PLAIN).strip()
    if wanted.casefold() == PLAIN or is_gguf(Path(entry.source)):
        return entry
    if (call.format or "").casefold() not in GGUF_FORMATS:
        raise InvalidInput(
            f"quantization={wanted[:64]!r}: {entry.source!r} is served as it is; of GGUF files "
            "one may be chosen, with format='ggufv2'",
            param="quantization",
        )
    if not _QUANTIZATION.fullmatch(wanted):
        raise InvalidInput(
            f"quantization={wanted[:64]!r}: letters, digits, - and _ were expected",
            param="quantization",
        )
    spellings = dict.fromkeys((wanted, wanted.upper(), wanted.lower()))
    return replace(entry, files=tuple(f"*{spelling}*{GGUF}" for spelling in spellings))


def check_kind(name: str, kind: ModelKind | None, spec: ModelSpec) -> None:
    """Refuse a model that is for something else than what it is launched for.

    Raises:
        InvalidInput: It is.
    """
    if kind is None or ABLE[kind](spec):
        return
    able = [other for other, can in ABLE.items() if can(spec)]
    raise wrong_kind(name, kind, " or ".join(able) or "nothing that is launched")


def wrong_kind(name: str, kind: str, able: str) -> InvalidInput:
    """The refusal of a model that is for something else."""
    return InvalidInput(
        f"kind={kind!r}: model {name[:128]!r} is for {able}, not for that", param="kind"
    )


def _check_numbers(call: LaunchCall) -> None:
    for name, least in LEAST.items():
        value = getattr(call, name)
        most = MOST_REPLICAS if name == "replicas" else MOST
        if value is not None and not least <= value <= most:
            raise InvalidInput(f"{name} is {value}; choose {least} to {most}", param=name)
    idle = call.idle_seconds
    if idle is not None and not (math.isfinite(idle) and idle > 0):
        raise InvalidInput(f"idle_seconds is {idle}; choose more than 0", param="idle_seconds")


def _check_gpus(call: LaunchCall) -> None:
    if call.gpus is None:
        return
    if len(call.gpus) not in (1, call.replicas):
        raise InvalidInput(
            f"gpus has {len(call.gpus)} entries for {call.replicas} replicas; give one for all, or "
            "one for each",
            param="gpus",
        )
    for gpus in call.gpus:
        check_gpus(gpus)


def check_gpus(gpus: tuple[int, ...]) -> None:
    """Refuse GPUs that are not here, or are named twice.

    Raises:
        InvalidInput: They are.
    """
    there = len(hardware.gpus())
    if len(set(gpus)) != len(gpus) or any(not 0 <= gpu < there for gpu in gpus):
        said = f"it has {there}, the first is 0" if there else "it has none"
        raise InvalidInput(
            f"gpus={list(gpus)}: not GPUs of this machine, each once; {said}", param="gpus"
        )


def _check_variable(name: str, value: str) -> None:
    shown = name[:64]
    if not _VARIABLE.fullmatch(name) or "\0" in value or len(value) > LONGEST_VALUE:
        raise InvalidInput(
            f"environment.{shown!r}: a name has letters, digits and _, a value at most "
            f"{LONGEST_VALUE} letters and no NUL",
            param="environment",
        )
    if value == HIDDEN:
        raise InvalidInput(
            f"environment.{shown}={HIDDEN}: that stands for a value that is not shown; give the "
            "value itself",
            param="environment",
        )
    if GUARDED.fullmatch(name.upper()):
        raise InvalidInput(
            f"environment.{shown}: a launch may not set it, since it decides which programs and "
            "libraries the process runs",
            param="environment",
        )


def _wrong(param: str, fault: str, most: int) -> InvalidInput:
    return InvalidInput(f"{param} {fault}; at most {most} are taken", param=param)
