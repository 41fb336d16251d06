"""The typer application: which commands there are and what all of them share.

Only signatures are imported here. What a command does is imported when it runs,
so ``stelae --help`` costs no more than typer itself.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stelae.cli import (
    bench,
    calibrate,
    chat,
    config,
    doctor,
    embed,
    exits,
    extract,
    generate,
    image,
    keys,
    launch,
    login,
    logs,
    migrate,
    models,
    pull,
    registry,
    score,
    serve,
    speak,
    top,
    transcribe,
    verify,
    version,
)
from stelae.version import __version__


class Commands(TyperGroup):
    """The group of all commands: reports errors, and lists commands by purpose."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; its errors become exit codes."""
        with exits.reported(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands under the headings they were registered with."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                heading = getattr(command, "rich_help_panel", None)
                text = command.get_short_help_str(formatter.width - 16)
                sections.setdefault(heading or "Commands", []).append((name, text))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


# rich_markup_mode=None: the plain help is five times faster than the framed one.
app = typer.Typer(
    name="stelae",
    cls=Commands,
    no_args_is_help=True,
    epilog=exits.EPILOG,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"stelae {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", hidden=True, help="Show tracebacks of errors.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Serve models, and use them, from one command line."""


SERVING, USING, MODELS, HERE = "Serve", "Use", "Models", "This machine"

app.command("serve", rich_help_panel=SERVING)(serve.serve)
app.add_typer(keys.app, name="keys", rich_help_panel=SERVING)
app.command("top", rich_help_panel=SERVING)(top.top)
app.command("logs", rich_help_panel=SERVING)(logs.logs)
app.command("embed", rich_help_panel=USING)(embed.embed)
app.command("score", rich_help_panel=USING)(score.score)
app.command("chat", rich_help_panel=USING)(chat.chat)
app.command("generate", rich_help_panel=USING)(generate.generate)
app.command("extract", rich_help_panel=USING)(extract.extract)
app.command("image", rich_help_panel=USING)(image.image)
app.command("transcribe", rich_help_panel=USING)(transcribe.transcribe)
app.command("speak", rich_help_panel=USING)(speak.speak)
app.command("login", rich_help_panel=USING)(login.login)
app.command("verify", rich_help_panel=USING)(verify.verify)
app.command("bench", rich_help_panel=USING)(bench.bench)
app.command("calibrate", rich_help_panel=MODELS)(calibrate.calibrate)
app.command("launch", rich_help_panel=MODELS)(launch.launch)
app.command("list", rich_help_panel=MODELS)(launch.list_launched)
app.command("terminate", rich_help_panel=MODELS)(launch.terminate)
app.command("registrations", rich_help_panel=MODELS)(registry.registrations)
app.command("register", rich_help_panel=MODELS)(registry.register)
app.command("unregister", rich_help_panel=MODELS)(registry.unregister)
app.command("engine", rich_help_panel=MODELS)(registry.engine)
app.command("cached", rich_help_panel=MODELS)(registry.cached)
app.command("rm", rich_help_panel=MODELS)(registry.rm)
app.command("models", rich_help_panel=MODELS)(models.models)
app.command("ps", rich_help_panel=MODELS)(models.ps)
app.command("load", rich_help_panel=MODELS)(models.load)
app.command("unload", rich_help_panel=MODELS)(models.unload)
app.command("pull", rich_help_panel=MODELS)(pull.pull)
app.add_typer(migrate.app, name="migrate", rich_help_panel=MODELS)
app.command("doctor", rich_help_panel=HERE)(doctor.doctor)
app.add_typer(config.app, name="config", rich_help_panel=HERE)
app.command("version", rich_help_panel=HERE)(version.version)


def _unexpected(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if "--debug" in sys.argv:
        sys.__excepthook__(kind, error, trace)
        return
    exits.tell(
        f"unexpected {kind.__name__}: {error}",
        "this is a mistake in stelae; 'stelae --debug …' shows where it happened",
    )


def run() -> None:
    """Run the command line of this process and exit with its code."""
    command = typer.main.get_command(app)
    sys.excepthook = _unexpected
    command(prog_name="stelae")
