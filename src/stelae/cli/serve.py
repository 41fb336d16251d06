"""``stelae serve``: models behind HTTP, until told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stelae.cli import options


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Models to load at start: a known name, a hub id or a folder, "
            "or NAME=FOLDER to name it. Others are loaded on first use.",
        ),
    ] = None,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            "--listen",
            "-l",
            metavar="URL",
            help="Address to listen on, as http://HOST:PORT, https://, grpc:// or grpcs://; may be "
            "repeated. Port 0 takes any free one; ollama is http://127.0.0.1:11434. Default: "
            "http://127.0.0.1:8080 and :9997, grpc://127.0.0.1:51000, skipped where taken.",
        ),
    ] = None,
    dtype: options.ComputeDtypeOption = None,
    engine: options.EngineOption = None,
    device: Annotated[
        Literal["cpu", "cuda", "mps"] | None,
        typer.Option("--device", help="Where models run; the best there is by default."),
    ] = None,
    config: options.ConfigFile = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(
            "--ready-file",
            metavar="FILE",
            help="Write a JSON object with the real addresses here when the server is ready.",
        ),
    ] = None,
    preload: Annotated[
        bool, typer.Option("--preload", help="Load every configured model at start.")
    ] = False,
    deterministic: Annotated[
        bool,
        typer.Option(
            "--deterministic",
            help="Run each text alone: no neighbour changes a bit of its numbers; slower.",
        ),
    ] = False,
    log_format: Annotated[
        options.LogFormatName | None,
        typer.Option("--log-format", help="Logs for people or for machines."),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option("--log-level", help="Least severity that is logged."),
    ] = None,
    key: options.ServedKeys = None,
) -> None:
    """Serve models until stopped by Ctrl-C or SIGTERM.

    API keys come from the variable STELAE_API_KEYS or from the configuration file, never from
    the command line, where other users of the machine could read them.
    """
    del key  # the settings read it themselves; the option only says where it belongs
    from stelae.cli.needs import need

    need("stelae serve", "pydantic_settings", "starlette", "uvicorn", "structlog", extra="server")
    from stelae.config import load_settings
    from stelae.server.run import serve as run

    log = {"format": log_format, "level": log_level}
    settings = load_settings(
        config,
        listen=tuple(listen) if listen else None,
        dtype=dtype,
        device=device,
        engine=engine,
        preload=preload or None,
        deterministic=deterministic or None,
        log={name: value for name, value in log.items() if value is not None} or None,
    )
    raise typer.Exit(run(settings, models or (), ready_file=ready_file, preload=settings.preload))
