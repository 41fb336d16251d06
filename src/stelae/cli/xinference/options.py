"""Options that several of Xinference's commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Endpoint = Annotated[
    str,
    typer.Option(
        "--endpoint",
        "-e",
        envvar="XINFERENCE_ENDPOINT",
        metavar="URL",
        help="Address of the server.",
    ),
]
HERE = "http://127.0.0.1:9997"

ApiKey = Annotated[
    str | None, typer.Option("--api-key", "-ak", metavar="KEY", help="Key to show to the server.")
]
ModelType = Annotated[
    str,
    typer.Option("--model-type", "-t", metavar="TYPE", help="LLM, embedding, rerank and so on."),
]
Uid = Annotated[
    str, typer.Option("--model-uid", metavar="UID", help="The name it is served under.")
]
Worker = Annotated[
    str | None, typer.Option("--worker-ip", "-w", metavar="IP", help="The machine to use.")
]
Engine = Annotated[
    str | None, typer.Option("--model-engine", "-en", metavar="NAME", help="Engine to use.")
]
_SIZE = typer.Option("--size-in-billions", "-s", metavar="B", help="Size, as 7, 1.8 or 1_8.")
_FORMAT = typer.Option("--model-format", "-f", metavar="FORMAT", help="Format of weights.")
Size = Annotated[str | None, _SIZE]
NeededSize = Annotated[str, _SIZE]
Format = Annotated[str | None, _FORMAT]
NeededFormat = Annotated[str, _FORMAT]
Quantization = Annotated[
    str | None, typer.Option("--quantization", "-q", metavar="Q", help="Quantisation of weights.")
]
