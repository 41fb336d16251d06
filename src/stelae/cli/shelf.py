"""Models as tables and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from stelae.cli import reach
from stelae.cli.output import Output, size
from stelae.errors import StelaeError
from stelae.types import ModelInfo, ModelState

if TYPE_CHECKING:
    from stelae.catalog.catalog import Catalog
    from stelae.catalog.entry import ModelEntry
    from stelae.service.deployments import Standing

SHORT = 12
"""Digits of a fingerprint that people see."""


def served(server: str | None, key: str | None) -> list[ModelInfo]:
    """The models that a server knows.

    Raises:
        ServerUnreachable: No server answers there.
    """
    with reach.connect(server, key, timeout=15.0) as client:
        return client.models()


def local(config: Path | None) -> list[ModelInfo]:
    """The models of this machine's catalog, as a server started here would list them.

    Checkpoints that lie here are read; those of the hub are only named.

    Raises:
        InvalidInput: The configuration is wrong.
        MissingDependency: The server's packages are not installed.
    """
    from stelae.catalog.entry import is_local
    from stelae.cli.fetching import catalog_of
    from stelae.service.deployments import Standing
    from stelae.service.describe import describe

    catalog = catalog_of(config)
    found = []
    for entry in map(catalog.entry, catalog.names()):
        standing = Standing()
        state = ModelState.AVAILABLE
        if entry.source == "embedded" or is_local(entry.source):
            state = _look(catalog, entry, standing)
        found.append(describe(entry, standing, state, ()))
    return found


def _look(catalog: Catalog, entry: ModelEntry, standing: Standing) -> ModelState:
    """Read a checkpoint and choose its engine; an error is noted, not raised."""
    from stelae.engines import registry

    try:
        standing.spec = catalog.spec(entry.name)
        standing.choice = registry.choose(standing.spec, entry.engine)
    except StelaeError as error:
        standing.failed(error)
        return ModelState.FAILED
    return ModelState.AVAILABLE


def plain(info: ModelInfo) -> dict[str, Any]:
    """A model for programs: every field, whether it has a value or not."""
    return {name: msgspec.to_builtins(getattr(info, name)) for name in info.__struct_fields__}


def show(found: Sequence[ModelInfo], out: Output) -> None:
    """List models, with the reason for each engine."""
    if out.json:
        out.document([plain(info) for info in found])
        return
    out.table([row(info) for info in found], COLUMNS)
    for info in found:
        if info.error is not None:
            out.warn(f"{info.name}: {info.error.message}")


COLUMNS = ("name", "state", "engine", "why", "dimensions", "max tokens", "dtype", "fingerprint")
LOADED = (
    "name",
    "state",
    "engine",
    "dtype",
    "device",
    "pid",
    "memory",
    "in flight",
    "restarts",
    "fingerprint",
)


def row(info: ModelInfo) -> dict[str, Any]:
    """A model as people read it."""
    return {
        "name": info.name,
        "state": info.state.value,
        "engine": info.engine or None,
        "why": info.reason or None,
        "dimensions": info.dimensions or None,
        "max tokens": info.max_tokens or None,
        "dtype": info.dtype or None,
        "device": info.device or None,
        "pid": info.pid,
        "in flight": info.in_flight,
        "restarts": info.restarts,
        "memory": size(info.memory_bytes) if info.memory_bytes else None,
        "fingerprint": info.fingerprint[:SHORT] or None,
    }


def show_loaded(found: Sequence[ModelInfo], out: Output) -> None:
    """List the models that take memory now."""
    loaded = [info for info in found if info.state is not ModelState.AVAILABLE]
    if out.json:
        out.document([plain(info) for info in loaded])
    elif out.quiet:
        for info in loaded:
            out.line(info.name)
    elif loaded:
        out.table([row(info) for info in loaded], LOADED)
    else:
        out.note("no model is loaded; 'stelae load MODEL' loads one")


def show_one(info: ModelInfo, out: Output) -> None:
    """Say how a model stands now."""
    if out.json:
        out.document(plain(info))
    elif not out.quiet:
        shown = row(info)
        facts = ("engine", "dtype", "device", "memory", "fingerprint")
        known = ", ".join(f"{name} {shown[name]}" for name in facts if shown[name])
        out.note(f"{info.name} is {info.state.value}{': ' if known else ''}{known}")
