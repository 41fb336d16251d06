"""``stelae launch``, ``list`` and ``terminate``: models under names of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options
from stelae.cli.completing import complete_known, complete_launched

Uid = Annotated[
    str,
    typer.Argument(
        metavar="UID", help="The name it is served under.", autocompletion=complete_launched
    ),
]


def launch(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A known name, a hub id or a folder of the server.",
            autocompletion=complete_known,
        ),
    ],
    uid: Annotated[
        str | None,
        typer.Option("--uid", "-u", metavar="NAME", help="Name to serve it under; its own else."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--type",
            "-t",
            metavar="TYPE",
            help="What it should be for: LLM, embedding, rerank, image, audio or extract.",
        ),
    ] = None,
    engine: options.EngineOption = None,
    dtype: options.ComputeDtypeOption = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="B", help="Billions of parameters, where it has several."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", "-f", metavar="FORMAT", help="Format of the weights."),
    ] = None,
    quantization: Annotated[
        str | None,
        typer.Option("--quantization", "-q", metavar="Q", help="Quantisation of the weights."),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option("--path", metavar="PATH", help="Folder or GGUF file with the weights."),
    ] = None,
    replicas: Annotated[
        int, typer.Option("--replicas", "-r", metavar="N", min=1, help="How often it is loaded.")
    ] = 1,
    gpus: Annotated[
        list[str] | None,
        typer.Option(
            "--gpus",
            metavar="N,N",
            help="GPUs of a replica, or 'cpu'; once for all of them, or once for each.",
        ),
    ] = None,
    calls: Annotated[
        int | None,
        typer.Option("--calls", metavar="N", min=1, help="Most calls at once; 429 beyond."),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option("--max-tokens", metavar="N", min=1, help="Longest input, if shorter."),
    ] = None,
    cache_tokens: Annotated[
        int | None,
        typer.Option(
            "--cache-tokens",
            metavar="N",
            min=256,
            help="Tokens that it keeps at once, if it writes.",
        ),
    ] = None,
    batch_tokens: Annotated[
        int | None,
        typer.Option("--batch-tokens", metavar="N", min=1, help="Most tokens of one batch."),
    ] = None,
    loras: Annotated[
        list[str] | None,
        typer.Option("--lora", metavar="NAME=SOURCE", help="An adapter: a folder or a hub id."),
    ] = None,
    environment: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="A variable of its process."),
    ] = None,
    thinking: Annotated[
        bool | None,
        typer.Option("--thinking/--no-thinking", help="Whether it reasons where a call is silent."),
    ] = None,
    pinned: Annotated[
        bool, typer.Option("--pin", help="Never unload it to make room for another.")
    ] = False,
    idle: Annotated[
        float | None,
        typer.Option("--idle", metavar="SECONDS", min=0, help="Unload it after so long unused."),
    ] = None,
    server: options.Server = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it is ready, and show how far.")
    ] = True,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the uid and errors only.")] = False,
    key: options.Key = None,
) -> None:
    """Launch a model under a name of its own, and print that name.

    While it is fetched and loaded a bar shows how far it is; Ctrl-C gives the launch up.
    """
    from stelae.cli import launching
    from stelae.cli.output import Output

    asked = launching.options_of(
        kind=kind,
        engine=engine,
        dtype=dtype,
        size=size,
        format=form,
        quantization=quantization,
        path=path,
        replicas=replicas,
        gpus=gpus,
        calls=calls,
        max_tokens=max_tokens,
        cache_tokens=cache_tokens,
        batch_tokens=batch_tokens,
        loras=loras,
        environment=environment,
        thinking=thinking,
        pinned=pinned or None,
        idle_seconds=idle,
    )
    out = Output(json=json, quiet=quiet)
    launching.launch(model, uid, asked, (server, key), out, wait=wait)


def list_launched(
    server: options.Server = None,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print uids only.")] = False,
    key: options.Key = None,
) -> None:
    """List the launched models, a table for each type."""
    from stelae.cli import launched
    from stelae.cli.output import Output

    launched.show((server, key), Output(json=json, quiet=quiet))


def terminate(
    uid: Uid,
    server: options.Server = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Take a launched model down. What it has accepted is answered first."""
    from stelae.cli import launching
    from stelae.cli.output import Output

    launching.terminate(uid, (server, key), Output(json=json, quiet=quiet))
