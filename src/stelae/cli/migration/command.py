"""``stelae migrate``: reading, writing, and saying what was left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from stelae.cli.migration.files import found_in
from stelae.cli.migration.models import models_of
from stelae.cli.migration.reading import Left, Reading, reading_of
from stelae.cli.migration.writing import check_free, count, left_out, tell, write, written
from stelae.cli.needs import need
from stelae.cli.output import Output
from stelae.errors import InvalidInput, StelaeError


def sie(folder: Path, output: Path | None, out: Output) -> None:
    """Turn the model files of a folder into one configuration.

    Raises:
        InvalidInput: A file is wrong, or the output cannot be written; names file and key.
        MissingDependency: The server's packages are not installed.
    """
    need("stelae migrate", "pydantic_settings", "yaml", extra="server")
    if output is not None:
        check_free(output)
    readings = [reading_of(file) for file in found_in(folder)]
    models = _together(readings)
    left = [one for reading in readings for one in reading.left]
    origin = f"'stelae migrate sie' from {count(len(readings), 'model file')} of SIE"
    text = written({"models": models}, left, origin)
    if output is not None:
        write(output, text)
    profiles = sum(len(model.get("profiles", {})) for model in models.values())
    out.note(f"{count(len(readings), 'file')}: {count(len(models), 'model')}, "
             f"{count(profiles, 'profile')}" + (f", in {output}" if output else ""))  # fmt: skip
    tell(left, out)
    if out.json:
        out.document(_document(models, left, len(readings), output))
    elif output is None:
        out.line(text.rstrip("\n"))


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


def _document(
    models: dict[str, Any], left: Iterable[Left], files: int, output: Path | None
) -> dict[str, Any]:
    return {
        "files": files,
        "written": None if output is None else str(output),
        "configuration": {"models": models},
        "left": left_out(left),
    }
