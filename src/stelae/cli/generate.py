"""``stelae generate``: a model goes on with a text."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options


def generate(
    model: options.ModelArgument,
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="How the text begins; all of stdin without it."),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option("--max-tokens", metavar="N", min=1, help="Longest answer, in tokens."),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", "-t", metavar="X", min=0.0, help="0 is the same each time."),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option("--top-p", metavar="P", help="Keep the likeliest tokens up to P."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Makes answers repeatable.")
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option("--stop", metavar="TEXT", help="Where an answer ends.")
    ] = None,
    server: options.Server = None,
    json: options.Json = False,
    key: options.Key = None,
) -> None:
    """Let a model go on with a text, which is given to it as it is.

    No template is put around it; 'stelae chat' talks with a model.
    """
    from stelae.cli import generating
    from stelae.cli.output import Output

    made = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
        "stop": stop,
    }
    generating.generate(model, prompt, made, (server, key), Output(json=json))
