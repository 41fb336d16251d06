"""``stelae score``: which documents fit a query best."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options


def score(
    ctx: typer.Context,
    model: options.ModelArgument,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What is looked for.")],
    documents: Annotated[
        list[str] | None,
        typer.Argument(metavar="DOCUMENT", help="What is scored; without any, the lines of stdin."),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", "-k", metavar="N", min=1, help="Show the best N only."),
    ] = None,
    by: Annotated[
        options.OutputTypeName | None,
        typer.Option("--by", help="What to compare, for models that make several kinds."),
    ] = None,
    instruction: options.Instruction = None,
    lora: options.Lora = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Plain logits of models that read query and document.")
    ] = False,
    truncate: Annotated[
        options.TruncateName,
        typer.Option("--truncate", help="What to do with texts that are too long."),
    ] = "end",
    server: options.Server = None,
    local: options.Local = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Score documents against a query and list them, best first.

    Rerankers read the query with each document; of other models the representations are compared.
    A document that fails is told on stderr; the exit code is then 1.
    """
    from stelae.cli import ranking
    from stelae.cli.output import Output

    options.refuse_both(ctx, local=local)
    request = ranking.Request(
        model=model,
        query=query,
        documents=documents or [],
        top_k=top_k,
        options={
            "model": None if local else model,
            "errors": "return",
            "by": by,
            "instruction": instruction,
            "lora": lora,
            "normalize": False if raw else None,
            "truncate": truncate,
        },
        server=server,
        key=key,
        local=local,
    )
    out = Output(json=json, quiet=quiet)
    raise typer.Exit(0 if ranking.run(request, out) else 1)
