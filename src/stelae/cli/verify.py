"""``stelae verify``: are the numbers those of the reference library?"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from stelae.cli import options


def verify(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A known name, a hub id, a folder or NAME=FOLDER."),
    ] = "default",
    samples: Annotated[
        int,
        typer.Option("--samples", metavar="N", min=1, help="Number of texts, or pairs, compared."),
    ] = 64,
    against: Annotated[
        Literal["sentence_transformers"],
        typer.Option("--against", help="The reference library, run in this process in float32."),
    ] = "sentence_transformers",
    engine: options.EngineOption = None,
    dtype: options.ComputeDtypeOption = None,
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            "-s",
            metavar="URL",
            help="Check what this server makes instead of a model loaded here.",
        ),
    ] = None,
    served_as: Annotated[
        str | None,
        typer.Option("--served-as", metavar="NAME", help="The model's name on that server."),
    ] = None,
    config: options.ConfigFile = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Compare a model's numbers with those of its reference library.

    The library loads the same folder by itself; what it does not make is computed by its
    published formula. Everything that the model makes is compared, for queries and documents
    where it tells them apart: dense, sparse and token vectors, and scores of pairs; of models
    that take pictures, those of pictures too. Texts are short to over-long, of several scripts,
    with emoji and empty ones.

    float32 must agree within 1e-5 of the scale (dense vectors of unit length 2e-6) and a cosine
    of 0.999999, bfloat16 within a cosine of 0.999 (dense vectors 0.9995), int8 within 0.98, and the
    tokens must be as many. Exits with 1 if anything is farther apart, and with 5 if nothing is, but
    something could not be compared; its line says why.
    """
    from stelae.cli.output import Output
    from stelae.cli.parity import command

    if server is not None and (engine or dtype):
        raise typer.BadParameter("--engine and --dtype are the server's choice; leave them out")
    if served_as is not None and server is None:
        raise typer.BadParameter("--served-as goes with --server")
    request = command.Request(
        model=model,
        samples=samples,
        against=against,
        engine=engine,
        dtype=dtype,
        server=server,
        served_as=served_as or model,
        config=config,
        key=key,
    )
    out = Output(json=json, quiet=quiet)
    raise typer.Exit(command.run(request, out))
