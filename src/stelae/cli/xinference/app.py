"""Xinference's commands and their options; what they do is imported when they run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stelae.cli import exits
from stelae.cli.xinference import options
from stelae.cli.xinference.options import HERE
from stelae.version import __version__


class Commands(TyperGroup):
    """The group of all commands; errors become a line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        from stelae.xinference import XinferenceConnectionError, XinferenceError

        with exits.reported(debug=False):
            try:
                return super().invoke(ctx)
            except XinferenceError as error:
                exits.tell(str(error))
                away = isinstance(error, XinferenceConnectionError)
                raise typer.Exit(exits.UNREACHABLE if away else exits.FAILURE) from error


app = typer.Typer(
    name="xinference",
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"stelae, version {__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def local(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-v", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    log_level: Annotated[
        str, typer.Option("--log-level", metavar="LEVEL", help="Least severity that is logged.")
    ] = "INFO",
    host: Annotated[str, typer.Option("--host", "-H", metavar="HOST", help="Where to listen.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", "-p", metavar="PORT", help="Likewise.")] = 9997,
) -> None:
    """Serve models, and launch and use them, in Xinference's spelling.

    Without a command a server is started; 'stelae serve' has more options for that.
    """
    if ctx.invoked_subcommand is None:
        from stelae.cli.xinference import starting

        starting.start(host, port, log_level)


@app.command()
def registrations(
    endpoint: options.Endpoint = HERE,
    model_type: options.ModelType = "LLM",
    api_key: options.ApiKey = None,
) -> None:
    """List the models of a type that can be launched by name."""
    from stelae.cli.xinference import registry

    registry.show(endpoint, api_key, model_type)


@app.command()
def register(
    file: Annotated[Path, typer.Option("--file", "-f", metavar="FILE", help="The model, as JSON.")],
    endpoint: options.Endpoint = HERE,
    model_type: options.ModelType = "LLM",
    worker_ip: options.Worker = None,
    persist: Annotated[
        bool, typer.Option("--persist", "-p", help="Keep it when the server starts anew.")
    ] = False,
    api_key: options.ApiKey = None,
) -> None:
    """Make a model known by a name of its own."""
    from stelae.cli.xinference.session import Session

    with Session(endpoint, api_key) as session:
        session.register_model(model_type, file.read_text("utf-8"), persist, worker_ip)


@app.command()
def unregister(
    model_name: Annotated[
        str, typer.Option("--model-name", "-n", metavar="NAME", help="Its name.")
    ],
    endpoint: options.Endpoint = HERE,
    model_type: options.ModelType = "LLM",
    api_key: options.ApiKey = None,
) -> None:
    """Take a model out that was registered."""
    from stelae.cli.xinference.session import Session

    with Session(endpoint, api_key) as session:
        session.unregister_model(model_type, model_name)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def launch(
    ctx: typer.Context,
    model_name: Annotated[
        str, typer.Option("--model-name", "-n", metavar="NAME", help="Its name.")
    ],
    endpoint: options.Endpoint = HERE,
    model_type: options.ModelType = "LLM",
    model_engine: options.Engine = None,
    model_uid: Annotated[
        str | None, typer.Option("--model-uid", "-u", metavar="UID", help="Name to serve it under.")
    ] = None,
    size_in_billions: options.Size = None,
    model_format: options.Format = None,
    quantization: options.Quantization = None,
    replica: Annotated[
        int, typer.Option("--replica", "-r", metavar="N", help="How often it is loaded.")
    ] = 1,
    n_worker: Annotated[
        int, typer.Option("--n-worker", metavar="N", help="Machines that share it.")
    ] = 1,
    n_gpu: Annotated[
        str, typer.Option("--n-gpu", metavar="N", help="GPUs of a replica; auto, or None.")
    ] = "auto",
    lora_modules: Annotated[
        list[str] | None,
        typer.Option("--lora-modules", "-lm", metavar="NAME PATH", help="An adapter."),
    ] = None,
    image_lora_load_kwargs: Annotated[
        list[str] | None,
        typer.Option(
            "--image-lora-load-kwargs", "-ld", metavar="K V", help="Of pictures' adapters."
        ),
    ] = None,
    image_lora_fuse_kwargs: Annotated[
        list[str] | None,
        typer.Option("--image-lora-fuse-kwargs", "-fd", metavar="K V", help="Likewise."),
    ] = None,
    quantization_config: Annotated[
        list[str] | None,
        typer.Option("--quantization-config", "-qc", metavar="K V", help="For engines."),
    ] = None,
    worker_ip: options.Worker = None,
    replica_config: Annotated[
        str | None,
        typer.Option(
            "--replica-config",
            "--replica_config",
            metavar="JSON",
            help="Where each replica runs, as a list.",
        ),
    ] = None,
    gpu_idx: Annotated[
        str | None, typer.Option("--gpu-idx", metavar="N,N", help="The GPUs to use.")
    ] = None,
    model_path: Annotated[
        str | None, typer.Option("--model-path", "-mp", metavar="PATH", help="Its weights.")
    ] = None,
    enable_thinking: Annotated[
        bool | None,
        typer.Option("--enable-thinking/--disable-thinking", help="Whether it reasons."),
    ] = None,
    enable_virtual_env: Annotated[
        bool | None,
        typer.Option(
            "--enable-virtual-env/--disable-virtual-env", help="An environment of its own."
        ),
    ] = None,
    virtual_env_package: Annotated[
        list[str] | None,
        typer.Option("--virtual-env-package", "-vp", metavar="PACKAGE", help="What is in it."),
    ] = None,
    virtual_env_find_link: Annotated[
        list[str] | None,
        typer.Option("--virtual-env-find-link", metavar="URL", help="Where that is found."),
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", "-ev", metavar="K V", help="A variable of it.")
    ] = None,
    api_key: options.ApiKey = None,
) -> None:
    """Launch a model, and print the name it is served under.

    Further options '--key value' are handed to the server as they are.
    """
    from stelae.cli.xinference import launching

    asked = {
        "model_name": model_name,
        "model_type": model_type,
        "model_engine": model_engine,
        "model_uid": model_uid,
        "model_size_in_billions": launching.size_of(size_in_billions),
        "model_format": model_format,
        "quantization": quantization,
        **launching.replicas(replica, replica_config),
        "n_worker": n_worker,
        "n_gpu": launching.gpu_count(n_gpu),
        "peft_model_config": launching.adapters(
            lora_modules, image_lora_load_kwargs, image_lora_fuse_kwargs
        ),
        "worker_ip": worker_ip,
        "gpu_idx": launching.numbers(gpu_idx),
        "model_path": model_path,
        "enable_thinking": enable_thinking,
        "enable_virtual_env": enable_virtual_env,
        "virtual_env_packages": virtual_env_package,
        "virtual_env_find_links": virtual_env_find_link,
        "envs": launching.pairs(env),
        **launching.further(ctx.args, quantization_config),
    }
    launching.launch(endpoint, api_key, asked)


@app.command("list")
def list_models(endpoint: options.Endpoint = HERE, api_key: options.ApiKey = None) -> None:
    """List the models that are up, a table for each type."""
    from stelae.cli.xinference import listing

    listing.show(endpoint, api_key)


@app.command()
def terminate(
    model_uid: options.Uid, endpoint: options.Endpoint = HERE, api_key: options.ApiKey = None
) -> None:
    """Take a model down."""
    from stelae.cli.xinference.session import Session

    with Session(endpoint, api_key) as session:
        session.terminate_model(model_uid)


MaxTokens = Annotated[
    int,
    typer.Option("--max_tokens", "--max-tokens", metavar="N", help="Longest answer, in tokens."),
]
Stream = Annotated[
    str, typer.Option("--stream", metavar="BOOL", help="Whether it is shown as it is made.")
]


@app.command()
def generate(
    model_uid: options.Uid,
    endpoint: options.Endpoint = HERE,
    max_tokens: MaxTokens = 512,
    stream: Stream = "True",
    api_key: options.ApiKey = None,
) -> None:
    """Let a model go on with texts that are typed; an empty line ends."""
    from stelae.cli.xinference import talking

    talking.generate(endpoint, api_key, model_uid, talking.config(max_tokens, stream))


@app.command()
def chat(
    model_uid: options.Uid,
    endpoint: options.Endpoint = HERE,
    max_tokens: MaxTokens = 512,
    stream: Stream = "True",
    api_key: options.ApiKey = None,
) -> None:
    """Talk with a model; an empty line ends."""
    from stelae.cli.xinference import talking

    talking.chat(endpoint, api_key, model_uid, talking.config(max_tokens, stream))


@app.command()
def engine(
    model_name: Annotated[
        str, typer.Option("--model-name", "-n", metavar="NAME", help="Its name.")
    ],
    endpoint: options.Endpoint = HERE,
    model_type: options.ModelType = "LLM",
    model_engine: options.Engine = None,
    model_format: options.Format = None,
    size_in_billions: options.Size = None,
    quantization: options.Quantization = None,
    api_key: options.ApiKey = None,
) -> None:
    """List the engines that serve a model, in which formats."""
    from stelae.cli.xinference import registry

    wanted = {
        "engine": model_engine,
        "format": model_format,
        "size": size_in_billions,
        "quantization": quantization,
    }
    registry.engines(endpoint, api_key, (model_type, model_name), wanted)


@app.command()
def cached(
    endpoint: options.Endpoint = HERE,
    model_name: Annotated[
        str | None,
        typer.Option("--model_name", "--model-name", "-n", metavar="NAME", help="This one alone."),
    ] = None,
    worker_ip: options.Worker = None,
    api_key: options.ApiKey = None,
) -> None:
    """List the models whose files are on the server's disk."""
    from stelae.cli.xinference import registry

    registry.cached(endpoint, api_key, model_name, worker_ip)


@app.command("remove-cache")
def remove_cache(
    model_version: Annotated[
        str,
        typer.Option(
            "--model_version", "--model-version", "-n", metavar="VERSION", help="As 'cached' tells."
        ),
    ],
    endpoint: options.Endpoint = HERE,
    worker_ip: options.Worker = None,
    check: Annotated[bool, typer.Option("--check", help="Do not ask.")] = False,
    api_key: options.ApiKey = None,
) -> None:
    """Remove files of a model from the server's disk."""
    from stelae.cli.xinference import registry

    registry.remove(endpoint, api_key, model_version, worker_ip, check=check)


@app.command("vllm-models")
def vllm_models(endpoint: options.Endpoint = HERE, api_key: options.ApiKey = None) -> None:
    """List the models that vLLM can serve."""
    from stelae.cli.xinference.session import Session

    with Session(endpoint, api_key) as session:
        found = session.vllm_models()
    sys.stdout.write("VLLM supported model families:\n")
    for ability in ("chat", "generate"):
        sys.stdout.write(f"  {ability}: {found.get(ability) or []}\n")


@app.command("cal-model-mem")
def cal_model_mem(
    size_in_billions: options.NeededSize,
    model_format: options.NeededFormat,
    context_length: Annotated[
        int,
        typer.Option("--context-length", "-c", metavar="N", help="Tokens of prompt and answer."),
    ],
    model_name: Annotated[
        str | None, typer.Option("--model-name", "-n", metavar="NAME", help="Its name.")
    ] = None,
    quantization: options.Quantization = None,
    kv_cache_dtype: Annotated[
        int, typer.Option("--kv-cache-dtype", metavar="BITS", help="Of keys and values: 8, 16, 32.")
    ] = 16,
) -> None:
    """Estimate the memory that a language model takes, before it is fetched."""
    from stelae.cli.xinference import memory

    asked = memory.Asked(
        name=model_name,
        size=size_in_billions,
        form=model_format,
        quantization=quantization,
        context=context_length,
        cache_bits=kv_cache_dtype,
    )
    memory.show(asked)


@app.command()
def login(
    username: Annotated[
        str, typer.Option("--username", metavar="NAME", help="Who asks.", prompt=True)
    ],
    password: Annotated[
        str,
        typer.Option("--password", metavar="KEY", help="The key.", prompt=True, hide_input=True),
    ],
    endpoint: options.Endpoint = HERE,
) -> None:
    """Keep a key of the server, got for a name and a password."""
    from stelae.cli.xinference.session import Session

    with Session(endpoint) as session:
        session.login(username, password)
        session.keep()


@app.command("stop-cluster")
def stop_cluster(
    endpoint: options.Endpoint = HERE,
    check: Annotated[bool, typer.Option("--check", help="Do not ask.")] = False,
    api_key: options.ApiKey = None,
) -> None:
    """Stop the server."""
    from stelae.cli.xinference.session import Session

    if not check:
        typer.confirm(f"Stop the server at {endpoint}?", abort=True)
    with Session(endpoint, api_key) as session:
        session.abort_cluster()


PAIRED = frozenset(
    {"-lm", "--lora-modules", "-ld", "--image-lora-load-kwargs", "-fd"}
    | {"--image-lora-fuse-kwargs", "-qc", "--quantization-config", "-ev", "--env"}
)
"""Options that take two words."""


def joined(words: Sequence[str]) -> list[str]:
    """The words of a command line, with both words of such an option in one."""
    found: list[str] = []
    place = 0
    while place < len(words):
        paired = words[place] in PAIRED and place + 2 < len(words)
        found.append(words[place])
        if paired:
            found.append("\0".join(words[place + 1 : place + 3]))
        place += 3 if paired else 1
    return found


def run() -> None:
    """Run the command line of this process and exit with its code."""
    command = typer.main.get_command(app)
    command(args=joined(sys.argv[1:]), prog_name="xinference")
