"""Settings as they are in effect, each with where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stelae.cli.needs import need
from stelae.cli.output import Output


def show(file: Path | None, out: Output) -> None:
    """Print every setting with its value and its origin.

    Raises:
        InvalidInput: The file or a variable is wrong.
        MissingDependency: The server's packages are not installed.
    """
    need("stelae config", "pydantic_settings", "yaml", extra="server")
    from stelae import config

    settings = config.load_settings(file)
    origins = config.origins(file)
    values = dict(leaves(settings.model_dump(mode="json")))
    if out.json:
        rows = [origin(name, value, origins) for name, value in values.items()]
        out.document(rows)
        return
    rows = [origin(name, shown(value), origins) for name, value in values.items()]
    out.table(rows, ("setting", "value", "origin"))


def origin(name: str, value: object, origins: Mapping[str, str]) -> dict[str, Any]:
    """One setting with where it comes from."""
    return {"setting": name, "value": value, "origin": origins.get(name, "default")}


def schema(out: Output) -> None:
    """Print the JSON Schema of the configuration file."""
    need("stelae config", "pydantic_settings", "yaml", extra="server")
    from stelae import config

    out.document(config.schema())


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Values with their dotted names; an empty group is a value."""
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def shown(value: object) -> object:
    """A value as people read it: words as they are, nothing as a dash."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None if value == {} else value
