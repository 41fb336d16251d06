"""``stelae migrate``: reading, writing, and saying what was left."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from stelae.cli.migration.files import ENDINGS, found_in
from stelae.cli.migration.models import models_of
from stelae.cli.migration.reading import Left, Reading, reading_of
from stelae.cli.needs import need
from stelae.cli.output import Output
from stelae.errors import InvalidInput, StelaeError

PROFILE = re.compile(r"^profiles\.(?:[^.]*)\.")


def sie(folder: Path, output: Path | None, out: Output) -> None:
    """Turn the model files of a folder into one configuration.

    Raises:
        InvalidInput: A file is wrong, or the output cannot be written; names file and key.
        MissingDependency: The server's packages are not installed.
    """
    need("stelae migrate", "pydantic_settings", "yaml", extra="server")
    if output is not None:
        _check_free(output)
    readings = [reading_of(file) for file in found_in(folder)]
    models = _together(readings)
    left = [one for reading in readings for one in reading.left]
    text = _written(models, left, len(readings))
    if output is not None:
        _write(output, text)
    profiles = sum(len(model.get("profiles", {})) for model in models.values())
    out.note(f"{_count(len(readings), 'file')}: {_count(len(models), 'model')}, "
             f"{_count(profiles, 'profile')}" + (f", in {output}" if output else ""))  # fmt: skip
    _tell(left, out)
    if out.json:
        out.document(_document(models, left, len(readings), output))
    elif output is None:
        out.line(text.rstrip("\n"))


def _check_free(output: Path) -> None:
    if output.suffix.lower() not in ENDINGS:
        raise InvalidInput(f"'{output}': the name must end in .yaml", param="--output")
    if output.exists():
        raise InvalidInput(
            f"'{output}' is there already; give another name, or remove it", param="--output"
        )


def _together(readings: Sequence[Reading]) -> dict[str, dict[str, Any]]:
    """The models of all files, each of which can be registered.

    Raises:
        InvalidInput: Two files have one name, or what a model says makes no sense.
    """
    owners: dict[str, Path] = {}
    for reading in readings:
        name = reading.model.sie_id
        if name in owners:
            raise reading.wrong("sie_id", f"{name!r} is the name of a model in {owners[name]} too")
        owners[name] = reading.file
    hubs = Counter(reading.model.hf_id for reading in readings if reading.model.hf_id)
    taken = {*owners, *(hub for hub, times in hubs.items() if times > 1)}
    models: dict[str, dict[str, Any]] = {}
    for reading in readings:
        made = _plain(models_of(reading, taken))
        _check(made, reading.file)
        models |= made
    _check(models, readings[0].file.parent)
    return models


def _plain(value: Any) -> Any:
    """Words, numbers, lists and maps only, as YAML has them."""
    return msgspec.to_builtins(value)


def _check(models: dict[str, Any], place: Path) -> None:
    """Refuse models that a server would not start with.

    Raises:
        InvalidInput: Why.
    """
    from stelae.config import load_settings
    from stelae.server.app import build_catalog

    try:
        build_catalog(load_settings(models=models))
    except StelaeError as error:
        raise InvalidInput(f"{place}: {error}") from error


def _written(models: dict[str, Any], left: Iterable[Left], files: int) -> str:
    """The configuration file."""
    import yaml

    lines = [f"Written by 'stelae migrate sie' from {_count(files, 'model file')} of SIE."]
    said = [f"  {one.file.name}: {one.key}: {one.reason}" for one in left]
    lines += ["Not taken over:", *said] if said else []
    comments = "".join(f"# {' '.join(line.splitlines())}\n" for line in lines)
    return comments + yaml.safe_dump(
        {"models": models}, sort_keys=False, allow_unicode=True, width=100
    )


def _write(output: Path, text: str) -> None:
    try:
        with output.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise InvalidInput(f"'{output}' cannot be written: {error}") from error


def _tell(left: Iterable[Left], out: Output) -> None:
    """Say what was left, each kind once."""
    kinds = Counter((PROFILE.sub("profiles.*.", one.key), one.reason, one.harmless) for one in left)
    for (key, reason, harmless), times in kinds.items():
        text = f"not taken over: {key} ({_count(times, 'time')}): {reason}"
        if harmless:
            out.note(text)
        else:
            out.warn(text)


def _document(
    models: dict[str, Any], left: Iterable[Left], files: int, output: Path | None
) -> dict[str, Any]:
    return {
        "files": files,
        "written": None if output is None else str(output),
        "configuration": {"models": models},
        "left": [
            {"file": str(x.file), "key": x.key, "reason": x.reason, "harmless": x.harmless}
            for x in left
        ],
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
