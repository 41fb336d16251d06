"""``stelae pull``: fetching, with a bar, and the check that what came can be served."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from msgspec.structs import replace

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.hub_progress import Progress
from stelae.catalog.spec import ModelSpec
from stelae.cli.needs import need
from stelae.cli.output import Output, console
from stelae.engines import registry
from stelae.engines.registry import Choice


def pull(model: str, revision: str | None, config: Path | None, out: Output) -> None:
    """Fetch a model and say what it is.

    Raises:
        ModelNotFound: There is no such model.
        UnsupportedCheckpoint: It cannot be served; the message says why.
        HubUnreachable: The hub does not answer.
    """
    catalog = catalog_of(config)
    entry = catalog.register_argument(model)
    if revision is not None:
        entry = catalog.register(replace(entry, revision=revision))
    spec, choice = read(catalog, entry, out)
    if out.json:
        out.document(described(spec, choice))
        return
    out.note(f"{spec.name} is here and can be served: {source_of(spec)}")
    if not out.quiet:
        out.facts(facts(spec, choice))


def catalog_of(config: Path | None) -> Catalog:
    """The catalog that a server started here would have.

    Raises:
        InvalidInput: The configuration is wrong.
        MissingDependency: The server's packages are not installed.
    """
    need("the catalog", "pydantic_settings", "starlette", "tokenizers", extra="server")
    from stelae.config import load_settings
    from stelae.server.app import build_catalog

    return build_catalog(load_settings(config))


def read(catalog: Catalog, entry: ModelEntry, out: Output) -> tuple[ModelSpec, Choice]:
    """Read a model's checkpoint, fetching what is missing, and choose its engine."""
    with _shown(out) as progress:
        spec = catalog.spec(entry.name, progress)
    return spec, registry.choose(spec, entry.engine)


@contextmanager
def _shown(out: Output) -> Iterator[Progress | None]:
    if out.quiet or not sys.stderr.isatty():
        yield None
        return
    # Only for a terminal, and only where something is fetched.
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console(sys.stderr), transient=True) as bars:
        tasks: dict[str, Any] = {}
        lock = Lock()

        def progress(repo: str, done: int, total: int) -> None:
            with lock:
                if repo not in tasks:
                    tasks[repo] = bars.add_task(f"fetching {repo}", total=None)
            bars.update(tasks[repo], completed=done, total=total or None)

        yield progress


def source_of(spec: ModelSpec) -> str:
    """Where a checkpoint came from, and where it lies."""
    return f"{spec.source} in {spec.folder}"


def facts(spec: ModelSpec, choice: Choice) -> dict[str, Any]:
    """A checkpoint as people read it."""
    return {
        "architecture": spec.backbone.architecture,
        "dimensions": str(spec.dimensions),
        "max tokens": str(spec.max_tokens),
        "similarity": spec.similarity.value if spec.similarity else None,
        "prompts": sorted(spec.prompts),
        "engine": f"{choice.manifest.name} ({choice.reason})",
    }


def described(spec: ModelSpec, choice: Choice) -> dict[str, Any]:
    """A checkpoint for programs."""
    return {
        "name": spec.name,
        "source": str(spec.source),
        "revision": spec.source.revision,
        "folder": spec.folder,
        "architecture": spec.backbone.architecture,
        "dimensions": spec.dimensions,
        "max_tokens": spec.max_tokens,
        "similarity": spec.similarity.value if spec.similarity else None,
        "prompts": spec.prompts,
        "engine": choice.manifest.name,
        "reason": choice.reason,
    }
