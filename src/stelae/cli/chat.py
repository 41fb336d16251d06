"""``stelae chat``: talk with a model."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options


def chat(
    ctx: typer.Context,
    model: options.ModelArgument,
    message: Annotated[
        str | None,
        typer.Argument(
            metavar="MESSAGE",
            help="What to say; without it, lines of the terminal, or all of stdin.",
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", metavar="TEXT", help="What the model is told first.")
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option("--max-tokens", metavar="N", min=1, help="Longest answer, in tokens."),
    ] = None,
    temperature: Annotated[
        float,
        typer.Option("--temperature", "-t", metavar="X", min=0.0, help="0 is the same each time."),
    ] = 1.0,
    top_p: Annotated[
        float, typer.Option("--top-p", metavar="P", help="Keep the likeliest tokens up to P.")
    ] = 1.0,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Makes answers repeatable.")
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option("--stop", metavar="TEXT", help="Where an answer ends.")
    ] = None,
    server: options.Server = None,
    local: options.Local = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    r"""Talk with a model; what it says is printed as it is made.

    In a terminal each line is a message; one that ends with a backslash goes on in the next, and
    three double quotes begin and end one of several lines. Arrow keys reach what was typed before.
    /system TEXT tells the model something first, /clear begins a new conversation, /help lists all,
    /exit or the end of the input ends. Ctrl-C stops an answer. Thoughts are shown dim before what
    is said. Tokens per second are told on stderr.
    """
    from stelae.cli import talking
    from stelae.cli.output import Output

    options.refuse_both(ctx, local=local)
    request = talking.Request(
        model=model,
        message=message,
        system=system,
        options={
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "seed": seed,
            "stop": stop or [],
        },
        server=server,
        key=key,
        local=local,
    )
    talking.run(request, Output(json=json, quiet=quiet))
