"""Routes: modules of which some are for queries, others for documents.

Source: sentence-transformers 6.0.1, ``base/modules/router.py``, called ``Asym`` before
release 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from stelae.catalog.files import Json, join, read_object
from stelae.catalog.options import refuse_unknown, require, take
from stelae.catalog.rows import ROUTERS, Row, class_of
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Role

FILES = ("router_config.json", "config.json")
"""Names the file has had; the first that is there counts."""

PARAMETERS = {"default_route", "allow_empty_key", "route_mappings"}

Routes = dict[Role | None, tuple[Row, ...]]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A router's file."""

    types: dict[str, str]
    structure: dict[str, list[str]]
    parameters: Json = {}


def read_routes(root: Path, rows: Sequence[Row]) -> Routes:
    """The modules for each side of a search; those for whom no side is told under ``None``.

    Raises:
        UnsupportedCheckpoint: A route is for something else than queries or documents.
        ModelLoadFailed: A file is missing or broken.
    """
    places = [i for i, row in enumerate(rows) if class_of(row.type) in ROUTERS]
    if not places:
        return {None: tuple(rows)}
    if len(places) > 1:
        raise UnsupportedCheckpoint(f"modules.json in {root} has {len(places)} routers; one is")
    at = places[0]
    before, after = rows[:at], rows[at + 1 :]
    inner = _inner(root, rows[at])
    return {role: (*before, *route, *after) for role, route in inner.items()}


def _inner(root: Path, router: Row) -> Routes:
    name, table = _table(root, router.folder)
    default = _default(table, name)
    routes: Routes = {}
    for key, modules in table.structure.items():
        role = None if key == default else _role(key, name)
        routes[role] = tuple(_row(router.folder, module, table, name) for module in modules)
    return routes


def _table(root: Path, folder: str) -> tuple[str, Table]:
    for file in FILES:
        config = read_object(root, join(folder, file))
        if config is None:
            continue
        name = f"{join(folder, file)} in {root}"
        try:
            return name, msgspec.convert(config, Table)
        except msgspec.ValidationError as error:
            raise ModelLoadFailed(f"{name} is not a router's file: {error}") from error
    raise ModelLoadFailed(f"no {join(folder, FILES[0])} in {root}, so its routes are not known")


def _default(table: Table, name: str) -> str | None:
    """The route of those for whom no side is told."""
    parameters = table.parameters
    refuse_unknown(parameters, PARAMETERS, f"parameters of {name}")
    require(parameters, {"route_mappings": ({}, None)}, f"parameters of {name}")
    for key in table.structure:
        _role(key, name)
    stated = take(parameters, "default_route", str, name)
    if stated is not None and stated not in table.structure:
        raise ModelLoadFailed(
            f"{name} sets default_route={stated!r}; its routes are {', '.join(table.structure)}"
        )
    if stated is None and take(parameters, "allow_empty_key", bool, name, True):
        return next(iter(table.structure), None)
    return stated


def _role(key: str, name: str) -> Role:
    if key not in set(Role):
        raise UnsupportedCheckpoint(
            f"{name} has the route {key!r}, which is not implemented; known are {', '.join(Role)}"
        )
    return Role(key)


def _row(folder: str, module: str, table: Table, name: str) -> Row:
    if module not in table.types:
        raise ModelLoadFailed(f"{name} names the module {module!r} without its type")
    return Row(type=table.types[module], path=join(folder, module), name=module)
