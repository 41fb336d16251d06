"""``stelae registrations`` and its kin: what can be launched, with what, and what is here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stelae.cli import options
from stelae.cli.completing import complete_known

TypeOption = Annotated[
    str,
    typer.Option(
        "--type",
        "--model-type",
        "-t",
        metavar="TYPE",
        help="LLM, embedding, rerank, image, audio or extract.",
    ),
]


def registrations(
    kind: TypeOption = "LLM",
    server: options.Server = None,
    local: Annotated[
        bool,
        typer.Option("--local", help="List what this machine's catalog knows, without a server."),
    ] = False,
    json: options.Json = False,
    key: options.Key = None,
) -> None:
    """List the models of a type that can be launched by name."""
    from stelae.cli import registering
    from stelae.cli.output import Output

    registering.show(kind, None if local else (server, key), Output(json=json))


def register(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="The model as JSON; see the page on launching."),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            "--type",
            "-t",
            metavar="TYPE",
            help="What it is for; documents of Xinference do not say it themselves.",
        ),
    ] = None,
    persist: Annotated[
        bool, typer.Option("--persist/--no-persist", help="Whether it outlives the server.")
    ] = True,
    server: options.Server = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Make a model known by a name, so that it can be launched."""
    from stelae.cli import registering
    from stelae.cli.output import Output

    out = Output(json=json, quiet=quiet)
    registering.register(file, kind, (server, key), out, persist=persist)


def unregister(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name it was registered by.")],
    server: options.Server = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Take a registration back. Models that were launched of it go on."""
    from stelae.cli import registering
    from stelae.cli.output import Output

    registering.unregister(name, (server, key), Output(json=json, quiet=quiet))


def engine(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A known name.", autocompletion=complete_known),
    ],
    name: Annotated[
        str | None, typer.Option("--engine", metavar="NAME", help="Show this one alone.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", "-f", metavar="FORMAT", help="Show this one alone.")
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="B", help="Show this one alone, in billions.")
    ] = None,
    quantization: Annotated[
        str | None, typer.Option("--quantization", metavar="Q", help="Show this one alone.")
    ] = None,
    server: options.Server = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """List the engines that serve a model.

    Why others do not is told on stderr; with --json each has its reason.
    """
    from stelae.cli import shelving
    from stelae.cli.output import Output

    only = shelving.Only(engine=name, format=form, size=size, quantization=quantization)
    shelving.engines(model, only, (server, key), Output(json=json, quiet=quiet))


def cached(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Show the files of this one alone.")
    ] = None,
    server: options.Server = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """List the models whose files a server has fetched."""
    from stelae.cli import shelving
    from stelae.cli.output import Output

    shelving.cached(model, (server, key), Output(json=json, quiet=quiet))


def rm(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="As 'stelae cached' tells it, or a name.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    server: options.Server = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Remove files that were fetched.

    Those that a loaded model uses are not removed.
    """
    from stelae.cli import shelving
    from stelae.cli.output import Output

    shelving.remove(version, (server, key), Output(json=json, quiet=quiet), sure=yes)
