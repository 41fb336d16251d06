"""Settings: flag over ``STELAE_*`` variable over file over default, read once, then frozen."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict

from stelae.errors import InvalidInput
from stelae.types import ComputeDtype, EmbeddingDtype, OutputType

ENV_PREFIX = "STELAE_"
CLIENT_VARIABLES = frozenset({"STELAE_URL", "STELAE_API_KEY"})
"""Variables of the same prefix that the client reads."""


def _split(value: Any) -> Any:
    """Read ``a,b`` from an environment variable as two values; JSON lists work too."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return yaml.safe_load(value)
    return [part.strip() for part in value.split(",") if part.strip()]


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Folders = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]


class LogFormat(StrEnum):
    """How log events are written."""

    CONSOLE = "console"
    JSON = "json"


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class MuveraSettings(_Group):
    """How token vectors become one vector; see ``stelae.types.Muvera``."""

    repetitions: int = Field(default=40, ge=1)
    """Independent partitions of space."""
    projections: int = Field(default=6, ge=0)
    """Planes of each partition."""
    dimensions: int | None = Field(default=10240, ge=1)
    """Width of the result; all of its numbers if ``null``."""
    seed: int = 42
    """Decides the planes."""


class ProfileSettings(_Group):
    """A named set of options of a model: what a request leaves open is as it says."""

    extends: str | None = None
    """Another profile of the model, whose options count where this one has none."""
    outputs: tuple[OutputType, ...] | None = None
    """Kinds of representation."""
    dtype: EmbeddingDtype | None = None
    """Number format of the answer."""
    dimensions: int | None = None
    """Width that vectors are cut to."""
    normalize: bool | None = None
    """Whether vectors get unit length; of scores, ``false`` for plain logits."""
    pool_factor: int | None = None
    """Keep one token vector of so many."""
    muvera: MuveraSettings | None = None
    """Make the dense vector of the token vectors; ``{}`` for the usual parameters."""
    instruction: str | None = None
    """The task in words."""
    query_template: str | None = None
    """What queries are put into, with places ``{text}`` and, perhaps, ``{instruction}``."""
    doc_template: str | None = None
    """The same for documents, and for texts of no side."""
    lora: str | None = None
    """Name of one of the model's adapters."""
    by: OutputType | None = None
    """Kind of representation that scores compare."""
    labels: tuple[str, ...] | None = None
    """What to look for."""
    relations: tuple[str, ...] | None = None
    """Kinds of relation to look for."""
    threshold: float | None = None
    """Least score of what is found, 0 to 1."""
    multi_label: bool | None = None
    """Whether classes do not exclude each other."""
    hypothesis: str | None = None
    """Sentence with a place ``{}`` for a class."""
    max_new_tokens: int | None = None
    """Most tokens written, for models that write."""
    beams: int | None = None
    """Width of the search, for models that write."""


class ModelSettings(_Group):
    """A model of the configuration file, by the name it is served under."""

    source: str | None = None
    """``embedded``, a folder with a checkpoint, or a hub id; the name itself if not given."""
    revision: str | None = None
    """Commit, tag or branch of a hub checkpoint."""
    aliases: tuple[str, ...] = ()
    """Further names that reach the model."""
    engine: str | None = None
    """Engine to use and no other; by default the fastest one that takes the model."""
    dtype: ComputeDtype | None = None
    """Number format to compute in; the server's ``dtype`` if not given."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Longest input read, in tokens; only lower than the checkpoint's own limit."""
    matryoshka: tuple[int, ...] = ()
    """Widths the model was trained to be cut to, if its checkpoint does not say."""
    prompts: dict[str, str] = {}
    """Prompts by name, before those of the checkpoint: ``{query: "query: "}``."""
    default_prompt: str | None = None
    """Prompt used when a request names none."""
    instruction: str | None = None
    """Prompt of queries with the place ``{instruction}``, for models trained with such."""
    tool_format: str | None = None
    """Format in which a chat model calls tools, where its chat template does not show that."""
    batch_tokens: int | None = Field(default=None, ge=1)
    """Most tokens of one batch for this model; ``limits.batch_tokens`` if not given."""
    deterministic: bool | None = None
    """Run each text alone; the server's ``deterministic`` if not given."""
    loras: dict[str, str] = {}
    """Adapters (PEFT LoRA) that requests may name: folder or hub id by name."""
    max_loras: int = Field(default=10, ge=1)
    """Most adapters of this model in memory at once; the one longest unused goes first."""
    profiles: dict[str, ProfileSettings] = {}
    """Named sets of options, asked for as ``NAME:PROFILE``; those of ``default`` count where none
    is named."""
    preload: bool = False
    """Load at start instead of on first use."""
    replicas: int = Field(default=1, ge=1, le=64)
    """How many times it is loaded; calls go to the copy that has the fewest."""
    gpus: tuple[tuple[int, ...], ...] | None = None
    """GPUs that the worker of each copy sees, or one list for all; an empty list is the CPU."""
    calls: int | None = Field(default=None, ge=1)
    """Most calls of it worked on at once; more are refused with 429."""
    cache_tokens: int | None = Field(default=None, ge=256)
    """Tokens whose keys and values it keeps at once; ``limits.cache_tokens`` if not given."""
    thinking: bool | None = None
    """Whether it reasons before it answers, where requests do not say and it can do both."""
    environment: dict[str, str] = {}
    """Variables that its worker process gets."""
    pinned: bool = False
    """Keep it loaded when memory is short or nobody asks."""
    idle_seconds: float | None = Field(default=None, gt=0)
    """Time without calls after which it is unloaded."""
    chat_template: str | None = None
    """Template of conversations in the language of Jinja, in place of the checkpoint's."""
    stops: tuple[str, ...] = ()
    """Texts that end what it writes, beside those of the checkpoint."""


class LimitSettings(_Group):
    """What the server accepts before it refuses."""

    body_bytes: ByteSize = Field(default=ByteSize(64 * 1024**2), ge=1024)
    """Largest request body; a larger one is refused with 413."""
    items: int = Field(default=131_072, ge=1)
    """Most items or documents of one request; one with more is refused with 400."""
    in_flight_bytes: ByteSize = Field(default=ByteSize(512 * 1024**2), ge=1024)
    """Most bytes of requests held at once; more are refused with 503. CLIP's requests count as what
    they take until they are answered: four times their size, and the vectors three times."""
    queue_tokens: int = Field(default=262_144, ge=1)
    """Most tokens that may wait for one model; more are refused at once with 503."""
    batch_tokens: int = Field(default=4096, ge=1)
    """Most tokens of one batch; a longer text runs alone."""
    cache_tokens: int = Field(default=32_768, ge=256)
    """Tokens whose keys and values a model that writes keeps at once, over all its requests; none
    of them can be longer. What does not fit waits."""
    load_seconds: float = Field(default=60.0, gt=0)
    """Time that a request without a deadline waits for its model to load, and a model for room."""
    memory_bytes: ByteSize | None = Field(default=None, ge=1)
    """Memory that all models together may take, in main memory; where another one needs room, those
    longest unused are unloaded. Four fifths of what the machine or container has if not given."""
    idle_seconds: float | None = Field(default=None, gt=0)
    """Time without requests after which a model is unloaded; by default it stays. The next request
    loads it again."""
    residency_seconds: float = Field(default=30.0, ge=0)
    """Time that a model stays once it is loaded, even where another one needs its room."""
    calls: int = Field(default=4096, ge=1)
    """Most requests worked on at once; more are refused with 503."""
    watchers: int = Field(default=256, ge=0)
    """Most WebSockets open at once on which the server alone speaks; more are refused with 503."""
    streams: int = Field(default=4096, ge=1)
    """Most calls open at once over gRPC, and as many over WebSockets on which both sides speak;
    more are refused."""
    messages: int = Field(default=100, ge=1)
    """Most messages of one stream worked on at once; a caller may ask for fewer."""
    drain_seconds: float = Field(default=25.0, ge=0)
    """Time that accepted requests get to finish when the server stops."""


class LaunchSettings(_Group):
    """Models that callers launch, under names of their own."""

    sources: Literal["any", "known"] | None = None
    """``any`` lets them name hub ids and folders of this machine, ``known`` only models that the
    server knows by name. By default ``any``, unless others reach the server without a key."""
    keep: bool = True
    """Launch again at start what was launched when the server stopped."""


class ClusterSettings(_Group):
    """What this machine is among those that callers may ask for by name."""

    profile: str | None = Field(default=None, min_length=1)
    """Machine profile of this machine, such as ``l4``; by default ``cpu``, or the name of its
    GPU."""
    machine_profiles: Listed = ()
    """Further profiles that callers may ask for; they are told to come back later."""
    accept_any_profile: bool = False
    """Answer for every profile, whether configured or not."""


class StoreSettings(_Group):
    """What outlives the server: files, batches and jobs."""

    folder: Path | None = None
    """Where they are kept; ``stelae`` in the user's folder for states if not given."""
    bytes: ByteSize = Field(default=ByteSize(20 * 1024**3), ge=1024**2)
    """Size from which on nothing more is taken; it is refused with 409."""
    keep_days: float = Field(default=30.0, gt=0)
    """Age at which files, and work that is over, are forgotten."""


class CacheSettings(_Group):
    """Vectors that were made before; by default none are remembered."""

    bytes: ByteSize = Field(default=ByteSize(0), ge=0)
    """Memory for dense vectors of items that may come again, such as the labels that pictures are
    ranked against; for each model and API key apart, the least recently used go first. 0 remembers
    nothing."""


class FetchSettings(_Group):
    """Content that callers may name by an address instead of sending it; by default none."""

    hosts: Listed = ()
    """Hosts of which ``http`` and ``https`` addresses are fetched: ``example.com``,
    ``*.example.com``, ``host:8000``, or ``*`` for every public one. Only those named in full may
    lie in a private network."""
    folders: Folders = ()
    """Folders of which callers may have files read, by path or ``file:`` address."""
    bytes: ByteSize = Field(default=ByteSize(20 * 1024**2), ge=1)
    """Largest content taken, data URIs included."""
    seconds: float = Field(default=10.0, gt=0)
    """Time for one fetch."""


class GallerySettings(_Group):
    """Pictures made for callers who want an address: kept in memory, under names that nobody can
    guess and that need no key; those longest there go first where there is no room.
    """

    bytes: ByteSize = Field(default=ByteSize(256 * 1024**2), ge=1)
    """Most bytes of all of them together."""
    pictures: int = Field(default=1000, ge=1)
    """Most of them."""
    keep_minutes: float = Field(default=60.0, gt=0)
    """Age at which a picture is forgotten."""


class ClipSettings(_Group):
    """What CLIP's clients get."""

    model: str | None = None
    """Model for requests that name none: by default the only one here for texts and pictures, if
    there are several the only one of them that is loaded, else ``ViT-B-32::openai``."""
    anonymous_profile: bool = False
    """Whether ``profile()`` without content is answered over gRPC and HTTP to those who show no
    key: the client never shows one there. Nothing runs for them, and nothing else is answered."""


class TlsSettings(_Group):
    """How ``https`` and ``grpcs`` addresses are encrypted."""

    certificate: Path | None = None
    """PEM file with the server's certificate, and those between it and its root after it."""
    key: Path | None = None
    """PEM file with the key of the certificate, without a password; the file of the certificate
    itself if not given."""


class CorsSettings(_Group):
    """Which pages of other origins may ask, beside those of the server itself."""

    origins: Listed = ()
    """Origins such as ``https://shop.example``; ``*`` stands for all of them, whose browsers then
    send no cookies. By default none may."""


class LogSettings(_Group):
    """What is logged, and how."""

    format: LogFormat = LogFormat.CONSOLE
    """``console`` for people, ``json`` for machines."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is written."""
    access: bool = True
    """Write one event per request."""
    lines: int = Field(default=1000, ge=0, le=100_000)
    """Latest lines that a running server tells those who may ask it (``stelae logs``); 0 keeps
    none."""


class HubSettings(_Group):
    """How checkpoints are fetched from the hub."""

    offline: bool = False
    """Use only what is in the local cache already."""
    token: SecretStr | None = None
    """Access token for gated or private checkpoints."""
    cache: Path | None = None
    """Folder of the cache; the hub library's own place if not given."""
    endpoint: str | None = None
    """Address of the hub; the public one if not given."""
    pull: bool = False
    """Whether callers may have any model of the hub fetched and served (``/api/pull``); else only
    those that the server knows by name."""


class Settings(BaseSettings):
    """Everything that can be set, each with its meaning and default."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    listen: Listed | None = None
    """Addresses to serve on, as ``http://host:port``, ``https://``, ``grpc://`` or ``grpcs://``;
    port 0 takes any free one, and ``ollama`` is ``http://127.0.0.1:11434``. By default
    ``http://127.0.0.1:8080``, ``http://127.0.0.1:9997`` and ``grpc://127.0.0.1:51000``, each
    skipped if it is taken."""
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")
    """Address under which callers reach the server, where a proxy stands before it; addresses in
    answers begin with it, else with the one that was asked."""
    tls: TlsSettings = TlsSettings()
    """How ``https`` and ``grpcs`` addresses are encrypted."""
    cors: CorsSettings = CorsSettings()
    """Which pages of other origins may ask, beside those of the server itself."""
    reflection: bool = True
    """Whether gRPC tells callers which methods there are, and their messages; with a key where
    keys are needed."""
    models: dict[str, ModelSettings] = {}
    """Models by the name they are served under; the embedded model is always there."""
    dtype: ComputeDtype = ComputeDtype.AUTO
    """Number format to compute in; ``auto`` takes the fastest faithful one of this machine."""
    deterministic: bool = False
    """Run each text alone, so that its numbers are the same bit for bit whatever else is asked at
    the time; slower for short texts."""
    preload: bool = False
    """Load every configured model at start instead of on first use."""
    device: Literal["cpu", "cuda", "mps"] | None = None
    """Where models run; the best device there is if not given."""
    engine: str | None = None
    """Engine for models that do not name one; the fastest that takes the model if not given."""
    placement: Literal["process", "thread"] = "process"
    """A worker process for each model, or threads of the server's own process."""
    api_keys: Secrets = ()
    """Keys of which a request must show one; without any the server is open."""
    limits: LimitSettings = LimitSettings()
    """What the server accepts before it refuses."""
    cluster: ClusterSettings = ClusterSettings()
    """What this machine is among those that callers may ask for by name."""
    launch: LaunchSettings = LaunchSettings()
    """Models that callers launch, under names of their own."""
    store: StoreSettings = StoreSettings()
    """What outlives the server: files, batches and jobs."""
    cache: CacheSettings = CacheSettings()
    """Vectors that were made before; by default none are remembered."""
    fetch: FetchSettings = FetchSettings()
    """Content that callers may name by an address instead of sending it; by default none."""
    gallery: GallerySettings = GallerySettings()
    """Pictures made for callers who want an address."""
    clip: ClipSettings = ClipSettings()
    """What CLIP's clients get."""
    log: LogSettings = LogSettings()
    """What is logged, and how."""
    hub: HubSettings = HubSettings()
    """How checkpoints are fetched from the hub."""


def load_settings(file: Path | None = None, **flags: Any) -> Settings:
    """Put the settings together.

    Args:
        file: A TOML or YAML file, by its ending.
        flags: Settings from the command line by name; ``None`` means not given.

    Raises:
        InvalidInput: The file cannot be read, a name is unknown (the nearest known
            one is named) or a value does not fit.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        variables = EnvSettingsSource(Settings)()
        _check_variables(os.environ)
        return Settings(**_merge(_merge(_read(file), variables), given))
    except ValidationError as error:
        raise _explain(error, file) from error


def schema() -> dict[str, Any]:
    """JSON Schema of the configuration file."""
    return Settings.model_json_schema()


def origins(file: Path | None = None) -> dict[str, str]:
    """Where settings that are not defaults come from: ``file`` or ``environment``.

    Args:
        file: As for ``load_settings``.

    Returns:
        The origin by dotted name, such as ``limits.body_bytes``.
    """
    given = dict.fromkeys(_leaves(_read(file)), "file")
    return given | dict.fromkeys(_leaves(EnvSettingsSource(Settings)()), "environment")


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _merge(low: dict[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for name, value in high.items():
        below = merged.get(name)
        if isinstance(below, dict) and isinstance(value, Mapping):
            merged[name] = _merge(below, value)
        else:
            merged[name] = value
    return merged


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    kind = file.suffix.lower()
    if kind not in {".toml", ".yaml", ".yml"}:
        raise InvalidInput(f"configuration file '{file}': the name must end in .toml or .yaml")
    try:
        text = file.read_text(encoding="utf-8")
        content: Any = tomllib.loads(text) if kind == ".toml" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"configuration file '{file}' cannot be read: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InvalidInput(f"configuration file '{file}' must hold settings by name")
    return content


def _nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)


def _variables(model: type[BaseModel] = Settings, prefix: str = ENV_PREFIX) -> set[str]:
    found: set[str] = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        found.add(f"{prefix}{name.upper()}")
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= _variables(kind, f"{prefix}{name.upper()}__")
    return found


def _check_variables(environment: Mapping[str, str]) -> None:
    # Orchestrators set variables of our prefix too (a service called "stelae" gives
    # STELAE_SERVICE_HOST), so only what looks like a slip of the pen is refused.
    known = _variables()
    for name in environment:
        if not name.upper().startswith(ENV_PREFIX) or name.upper() in known | CLIENT_VARIABLES:
            continue
        if name.upper().startswith(f"{ENV_PREFIX}MODELS__"):
            continue
        near = _nearest(name.upper()[len(ENV_PREFIX) :], (k[len(ENV_PREFIX) :] for k in known), 0.8)
        if near is not None:
            raise InvalidInput(
                f"environment variable {name} is not a setting",
                param=name,
                hint=f"did you mean {ENV_PREFIX}{near}?",
            )


def _fields_at(path: tuple[int | str, ...]) -> list[str]:
    kind: Any = Settings
    for step in path:
        if get_origin(kind) is dict:
            kind = get_args(kind)[-1]
        elif (field := _group(kind).get(str(step))) is not None:
            kind = field.annotation
    return list(_group(kind))


def _group(kind: Any) -> dict[str, FieldInfo]:
    """The settings of a group, also of one that may be left out."""
    kinds = [one for one in (kind, *get_args(kind)) if isinstance(one, type)]
    return next((one.model_fields for one in kinds if issubclass(one, BaseModel)), {})


def _explain(error: ValidationError, file: Path | None) -> InvalidInput:
    first = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(step) for step in first["loc"])
    where = f" (flags, STELAE_* variables or file '{file}')" if file else ""
    if first["type"] != "extra_forbidden":
        return InvalidInput(f"setting '{name}'{where}: {first['msg']}", param=name)
    near = _nearest(str(first["loc"][-1]), _fields_at(first["loc"][:-1]))
    hint = f"did you mean '{near}'?" if near else "see 'stelae config schema' for all settings"
    return InvalidInput(f"setting '{name}'{where} is not known", param=name, hint=hint)
