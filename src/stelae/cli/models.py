"""``stelae models``, ``ps``, ``load`` and ``unload``: what a server has, and may drop."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options

Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", metavar="SECONDS", min=1, help="How long to wait; fetching takes its time."
    ),
]


def models(
    server: options.Server = None,
    local: Annotated[
        bool,
        typer.Option("--local", help="List what this machine's catalog knows, without a server."),
    ] = False,
    config: options.ConfigFile = None,
    json: options.Json = False,
    key: options.Key = None,
) -> None:
    """List the models of a server, or of this machine's catalog."""
    from stelae.cli import shelf
    from stelae.cli.output import Output

    if config is not None and not local:
        raise typer.BadParameter("--config goes with --local: a server has its own settings")
    found = shelf.local(config) if local else shelf.served(server, key)
    shelf.show(found, Output(json=json))


def ps(
    server: options.Server = None,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print names only.")] = False,
    key: options.Key = None,
) -> None:
    """List the models that a server has loaded."""
    from stelae.cli import shelf
    from stelae.cli.output import Output

    shelf.show_loaded(shelf.served(server, key), Output(json=json, quiet=quiet))


def load(
    model: options.ModelArgument,
    engine: options.EngineOption = None,
    dtype: options.ComputeDtypeOption = None,
    server: options.Server = None,
    timeout: Timeout = 600,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Load a model, so that the first request for it does not wait."""
    from stelae.cli import reach, shelf
    from stelae.cli.output import Output

    with reach.connect(server, key, timeout=timeout) as client:
        info = client.load(model, engine=engine, dtype=dtype)
    shelf.show_one(info, Output(json=json, quiet=quiet))


def unload(
    model: options.ModelArgument,
    server: options.Server = None,
    timeout: Timeout = 60,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Unload a model; what it has accepted is answered first."""
    from stelae.cli import reach, shelf
    from stelae.cli.output import Output

    with reach.connect(server, key, timeout=timeout) as client:
        info = client.unload(model)
    shelf.show_one(info, Output(json=json, quiet=quiet))
