"""What a person says about a model: its name, where it is and how to serve it."""

from __future__ import annotations

import re
from pathlib import Path
from unicodedata import normalize

import msgspec

from stelae.errors import InvalidInput, ModelNotFound
from stelae.types import ComputeDtype, ModelKind, Profile

EMBEDDED = "embedded"
"""The ``source`` of the model that comes with Stelae."""


GGUF = ".gguf"
"""How the names of files end that are a whole model each."""

PLACES = (".", "/", "~")
"""How places on this machine begin where they are written as such; no hub id does."""


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a language model is asked about a query and a document.

    The prompt is ``prefix``, then ``pair`` with ``{instruction}``, ``{query}`` and
    ``{document}`` filled in, then ``suffix``; of a long pair the end is cut.

    Attributes:
        pair: The middle of the prompt.
        prefix: Its start.
        suffix: Its end, after which the answer would come.
        instruction: What is asked if the caller does not say.
        yes: The answer that the document fits, one token.
        no: The other answer, one token.
    """

    pair: str
    prefix: str = ""
    suffix: str = ""
    instruction: str = ""
    yes: str = "yes"
    no: str = "no"


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model as it is registered, before its checkpoint is read.

    Attributes:
        name: The name it is served under.
        source: ``embedded``, a folder, a GGUF file, or a hub id.
        revision: Branch, tag or commit of a hub id; ``None`` is its main branch.
        files: Patterns of a GGUF file of a hub id, the likeliest first; empty takes the
            checkpoint.
        aliases: Other names that reach it.
        engine: Engine to use and no other; ``None`` takes the best.
        dtype: Number format to compute in.
        max_tokens: Longest input in tokens, if it should be shorter than the
            checkpoint says.
        matryoshka: Widths the model was trained to be cut to, ascending; empty
            if it was not trained for it. Checkpoints do not record this.
        prompts: Prompts by name; they go before those of the checkpoint.
        default_prompt: The prompt used when none is asked for, if not the checkpoint's.
        instruction: Prompt of queries with a place ``{instruction}``, if the model was
            trained with instructions.
        ask: What it is asked, if it is a language model that says whether a document
            fits a query.
        tool_format: Format in which it calls tools, if it is a language model whose chat
            template does not show that.
        batch_tokens: Most tokens in one batch; ``None`` takes the server's limit.
        deterministic: Whether each text runs alone, so that no neighbour changes a bit;
            ``None`` as the server does.
        loras: Adapters that it may be asked with: folder or hub id (perhaps with
            ``@revision``) by name.
        max_loras: How many of them are held in memory at once.
        profiles: Named sets of options, asked for as ``name:profile``; the options of
            ``default`` are those of calls that name none.
        preload: Whether to load it when the server starts.
        model: The model that it is a variant of, where it was launched.
        kind: What it must be for; ``None`` for anything.
        replicas: How many times it is loaded.
        gpus: GPUs of each replica, or one entry for all; ``None`` leaves it to the server.
        calls: Most calls under way at once; ``None`` for as many as the server takes.
        cache_tokens: Tokens whose keys and values it keeps at once; as the server does if
            ``None``.
        thinking: Whether it reasons where a call does not say.
        environment: Variables that its worker process gets.
        pinned: Whether it stays loaded when memory is short or nobody asks.
        idle_seconds: Time without calls after which it is unloaded; as the server does if
            ``None``.
        chat_template: Template of conversations, in place of the checkpoint's.
        stops: Texts that end what it writes, beside those of the checkpoint.
    """

    name: str
    source: str
    revision: str | None = None
    files: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    engine: str | None = None
    dtype: ComputeDtype = ComputeDtype.AUTO
    max_tokens: int | None = None
    matryoshka: tuple[int, ...] = ()
    prompts: dict[str, str] = {}
    default_prompt: str | None = None
    instruction: str | None = None
    ask: Ask | None = None
    tool_format: str | None = None
    batch_tokens: int | None = None
    deterministic: bool | None = None
    loras: dict[str, str] = {}
    max_loras: int = 10
    profiles: dict[str, Profile] = {}
    preload: bool = False
    model: str | None = None
    kind: ModelKind | None = None
    replicas: int = 1
    gpus: tuple[tuple[int, ...], ...] | None = None
    calls: int | None = None
    cache_tokens: int | None = None
    thinking: bool | None = None
    environment: dict[str, str] = {}
    pinned: bool = False
    idle_seconds: float | None = None
    chat_template: str | None = None
    stops: tuple[str, ...] = ()


DEFAULT = ModelEntry(
    name="all-MiniLM-L6-v2",
    source=EMBEDDED,
    aliases=("sentence-transformers/all-MiniLM-L6-v2", "default", "minilm"),
)
"""The model every catalog knows; its weights come from an installed package."""

NAME = re.compile(r"[\w][\w.:@+-]*(/[\w][\w.:@+-]*)*", re.ASCII)
LONGEST_NAME = 128


def is_local(source: str) -> bool:
    """Whether a source is a folder or a GGUF file of this machine."""
    if not source or "\0" in source:
        return False
    path = Path(source).expanduser()
    return path.is_dir() or is_gguf(path)


def refuse_place(source: str) -> None:
    """Refuse what is written as a place on this machine, and is none of a model.

    Raises:
        ModelNotFound: It is such.
    """
    if source.startswith(PLACES):
        raise ModelNotFound(
            f"model={source!r}: there is no folder and no GGUF file at "
            f"{Path(source).expanduser().absolute()}",
            param="model",
            hint="give the place of a checkpoint that is on this machine",
        )


def is_gguf(path: Path) -> bool:
    """Whether a path is that of a GGUF file."""
    return path.suffix == GGUF and path.is_file()


def is_name(name: str) -> bool:
    """Whether a name can stand in a URL and a command line."""
    return len(name) <= LONGEST_NAME and NAME.fullmatch(name) is not None


def name_of(folder: Path) -> str:
    """The name that a model of a folder, or of a GGUF file, gets if none is given.

    It is the folder's own, or the file's without its ending, where that can be a name. If
    not, letters lose their accents, each run of other characters becomes a ``-``, and what
    is left over is ``model``.
    """
    own = folder.resolve().name.removesuffix(GGUF)
    if is_name(own):
        return own
    plain = normalize("NFKD", own).encode("ascii", "ignore").decode()
    return re.sub(r"[^\w.:@+-]+", "-", plain).strip("-.:@+")[:LONGEST_NAME] or "model"


def check_name(name: str, what: str = "model", param: str = "name") -> None:
    """Refuse a name that cannot stand in a URL and a command line.

    Args:
        name: The name.
        what: Whose it is, for the message.
        param: Where it was given, for the message.

    Raises:
        InvalidInput: The name is empty, too long, or has other characters.
    """
    if not is_name(name):
        raise InvalidInput(
            f"{param}={name[:LONGEST_NAME]!r}: a name of this kind ({what}) has up to "
            f"{LONGEST_NAME} ASCII letters, digits and . : @ + _ -, in parts separated by /",
            param=param,
        )


def check_loras(entry: ModelEntry) -> None:
    """Refuse adapters that cannot be asked for or found.

    Raises:
        InvalidInput: A name cannot be one, a source is empty, or none may be held.
    """
    for name, source in entry.loras.items():
        check_name(name, "adapter", "loras")
        if not source.strip() or "\0" in source:
            raise InvalidInput(
                f"loras.{name}={source!r}: a folder or a hub id was expected", param="loras"
            )
    if entry.max_loras < 1:
        raise InvalidInput(
            f"max_loras={entry.max_loras}: 1 or more was expected", param="max_loras"
        )
