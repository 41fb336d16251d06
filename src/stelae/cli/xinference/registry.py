"""What can be launched, with what, and which files are here, in Xinference's tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

from stelae.cli.output import console
from stelae.cli.sheets import sheet, shown
from stelae.cli.xinference.session import Session

REGISTERED: dict[str, dict[str, str]] = {
    "LLM": {"Language": "model_lang", "Ability": "model_ability"},
    "embedding": {"Language": "language", "Dimensions": "dimensions"},
    "rerank": {"Language": "language"},
    "image": {"Family": "model_family"},
    "audio": {"Family": "model_family", "Multilingual": "multilingual"},
    "video": {"Family": "model_family"},
    "flexible": {},
}
"""Columns between ``Name`` and ``Is-built-in`` by type, and the keys they show."""

ENGINE = ("Name", "Engine", "Format", "Size (in billions)", "Quantization")
CACHED = {
    "model_name": "model_name",
    "model_format": "model_format",
    "size": "model_size_in_billions",
    "quantization": "quantization",
    "model_version": "model_version",
    "path": "path",
}


def show(endpoint: str, key: str | None, kind: str) -> None:
    """Print the models of a type on stderr, as Xinference does.

    Raises:
        XinferenceError: There is no such type, or no server answers.
    """
    with Session(endpoint, key) as session:
        found = session.list_model_registrations(kind, detailed=True)
    columns = REGISTERED.get(kind, {})
    rows = [
        [kind, told.get("model_name"), *map(told.get, columns.values()), told.get("is_builtin")]
        for told in found
    ]
    _tell(sheet(("Type", "Name", *columns, "Is-built-in"), rows))


def engines(
    endpoint: str, key: str | None, model: tuple[str, str], wanted: dict[str, str | None]
) -> None:
    """Print what can serve a model.

    Args:
        endpoint: Address of the server.
        key: Key to show.
        model: Type and name of the model.
        wanted: What lines are cut down to, by the names of ``ENGINE`` in lower case.

    Raises:
        XinferenceError: There is no such model, or no server answers.
    """
    kind, name = model
    with Session(endpoint, key) as session:
        found = session.query_engine_by_model_name(name, kind)
    rows = [row for row in _combinations(name, found) if _takes(row, wanted)]
    _tell(sheet(ENGINE, rows))


def cached(endpoint: str, key: str | None, name: str | None, worker: str | None) -> None:
    """Print which files are on the server's disk.

    Raises:
        XinferenceError: No server answers.
    """
    from rich.box import ASCII
    from rich.table import Table

    with Session(endpoint, key) as session:
        found = session.list_cached_models(name, worker)
    if not found:
        sys.stdout.write(f"There is no cache{f' of {name}' if name else ''}.\n")
        return
    table = Table(*CACHED, box=ASCII)
    for told in found:
        table.add_row(*(shown(told.get(column)) for column in CACHED.values()))
    sys.stdout.write("cached_model: \n")
    console(sys.stdout).print(table)


def remove(
    endpoint: str, key: str | None, version: str, worker: str | None, *, check: bool
) -> None:
    """Remove files from the server's disk; a person is asked first.

    Raises:
        XinferenceError: There are none, or a model uses them.
    """
    with Session(endpoint, key) as session:
        paths = session.list_deletable_models(version, worker).get("paths") or []
        if not paths:
            sys.stdout.write(f"There is no cache of {version}.\n")
            return
        for path in paths:
            sys.stdout.write(f"{shown(path)}\n")
        if not check:
            typer.confirm(f"Remove these files of {version}?", abort=True)
        gone = session.confirm_and_remove_model(version, worker)
    sys.stdout.write(f"Cache {version} has {'' if gone else 'not '}been removed.\n")


def _combinations(name: str, found: dict[str, Any]) -> Iterator[list[Any]]:
    for engine, told in found.items():
        for each in told if isinstance(told, list) else []:  # else why it cannot serve the model
            several = each.get("quantizations") or [each.get("quantization")]
            for quantization in several:
                size = each.get("model_size_in_billions")
                yield [name, engine, each.get("model_format"), size, quantization]


def _takes(row: list[Any], wanted: dict[str, str | None]) -> bool:
    told = dict(zip(("name", "engine", "format", "size", "quantization"), row, strict=True))
    return all(
        value is None or _same(value, told[name]) for name, value in wanted.items() if name in told
    )


def _same(wanted: str, told: object) -> bool:
    plain = wanted.casefold().replace("_", ".")
    return plain == str(told).casefold().replace("_", ".")


def _tell(lines: Iterator[str]) -> None:
    for line in lines:
        sys.stderr.write(line + "\n")
