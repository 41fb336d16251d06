"""``stelae extract``: what texts hold."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options


def extract(
    ctx: typer.Context,
    model: options.ModelArgument,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Where to look; without any, the lines of stdin."),
    ] = None,
    labels: Annotated[
        str, typer.Option("--labels", "-l", metavar="A,B", help="What to look for.")
    ] = "",
    relations: Annotated[
        str, typer.Option("--relations", metavar="A,B", help="Relations between the names found.")
    ] = "",
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="X", min=0, max=1, help="Least score shown."),
    ] = None,
    nested: Annotated[
        bool, typer.Option("--nested", help="Names may lie within each other.")
    ] = False,
    multi_label: Annotated[
        bool | None,
        typer.Option("--many/--one", help="Whether several classes may fit one text."),
    ] = None,
    hypothesis: Annotated[
        str | None,
        typer.Option(
            "--hypothesis",
            metavar="TEXT",
            help="The sentence judged, with {} for a label, for models that judge sentences.",
        ),
    ] = None,
    server: options.Server = None,
    local: options.Local = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Find names, relations and classes in texts.

    A text that fails is told on stderr; the exit code is then 1.
    """
    from stelae.cli import finding
    from stelae.cli.output import Output

    options.refuse_both(ctx, local=local)
    request = finding.Request(
        model=model,
        texts=texts or [],
        options={
            "model": None if local else model,
            "errors": "return",
            "labels": finding.listed(labels),
            "relations": finding.listed(relations),
            "threshold": threshold,
            "nested": nested,
            "multi_label": multi_label,
            "hypothesis": hypothesis,
        },
        server=server,
        key=key,
        local=local,
    )
    out = Output(json=json, quiet=quiet)
    raise typer.Exit(0 if finding.run(request, out) else 1)
