"""Assembly: dialects on their paths, the edge around them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.hub import HubOptions
from stelae.catalog.state import state_folder
from stelae.cluster.controller import Placement
from stelae.cluster.local import LocalController
from stelae.cluster.memory import resident_bytes
from stelae.config import ModelSettings, ProfileSettings, Settings
from stelae.dialects.anthropic import DIALECT as ANTHROPIC
from stelae.dialects.base import (
    About,
    Dialect,
    Rooms,
)
from stelae.dialects.clip import DIALECT as CLIP
from stelae.dialects.native import DIALECT as NATIVE
from stelae.dialects.ollama import DIALECT as OLLAMA
from stelae.dialects.openai import DIALECT as OPENAI
from stelae.dialects.rerank import DIALECT as RERANK
from stelae.dialects.sie import DIALECT as SIE
from stelae.dialects.xinference import DIALECT as XINFERENCE
from stelae.engines import hardware
from stelae.engines.base import Device, EngineOptions
from stelae.scheduler.queue import Limits
from stelae.security.browsers import BrowserGuard
from stelae.security.fetch import Fetcher, rules_of
from stelae.security.key_file import FILE as KEYS
from stelae.security.key_file import KeyFile
from stelae.security.keys import KeyRing
from stelae.server.edge import Edge
from stelae.server.inbox import Ledger
from stelae.server.listeners import Claim, settle
from stelae.server.openapi import document
from stelae.server.pages import pages
from stelae.server.paths import Paths, renderer
from stelae.server.reception import Reception
from stelae.server.rpc_health import health
from stelae.server.rpc_reflection import reflection
from stelae.server.sockets import SocketBounds, Sockets
from stelae.server.tidying import Tidier
from stelae.service.admission import Bounds
from stelae.service.budget import budget
from stelae.service.deployments import Defaults
from stelae.service.features import Features
from stelae.service.gallery import Gallery
from stelae.service.house import House, build
from stelae.service.keeping import Keep
from stelae.service.lookout import Machine
from stelae.service.profiles import Profiles, profile_of
from stelae.service.store import Store
from stelae.telemetry import log
from stelae.telemetry.metrics import Metrics
from stelae.types import Profile
from stelae.version import __version__

DIALECTS = (NATIVE, OPENAI, ANTHROPIC, OLLAMA, RERANK, XINFERENCE, SIE, CLIP)
"""Every HTTP dialect; each is answered on every HTTP port."""


LAUNCHED = (
    "replicas", "gpus", "calls", "cache_tokens", "thinking", "environment", "pinned",
    "idle_seconds", "chat_template", "stops",
)  # fmt: skip
"""What a configured model states in the words of a launched one."""


def build_catalog(settings: Settings) -> Catalog:
    """The models that the settings name, beside the embedded one."""
    hub = settings.hub
    token = hub.token.get_secret_value() if hub.token else None
    entries = [_entry(name, model, settings) for name, model in settings.models.items()]
    cache = None if hub.cache is None else str(hub.cache)
    options = HubOptions(offline=hub.offline, token=token, cache=cache, endpoint=hub.endpoint)
    return Catalog(entries, hub=options)


def build_house(settings: Settings, catalog: Catalog, *, exposed: bool = False) -> House:
    """The rooms behind the dialects, as the settings want them.

    Args:
        settings: Devices, limits, what is kept.
        catalog: Knows which models there are.
        exposed: Whether others on the network reach the server without a key.
    """
    limits = settings.limits
    device = None if settings.device is None else Device(settings.device)
    defaults = Defaults(
        options=EngineOptions(
            dtype=settings.dtype,
            device=device,
            deterministic=settings.deterministic,
            cache_tokens=limits.cache_tokens,
        ),
        engine=settings.engine,
        limits=Limits(batch_tokens=limits.batch_tokens, queue_tokens=limits.queue_tokens),
        load_wait=limits.load_seconds,
        pulls=settings.hub.pull,
        anywhere=settings.launch.sources == "any" or not (settings.launch.sources or exposed),
        keeps=settings.launch.keep,
        keep=build_keep(settings),
    )
    log = ("--log", settings.log.format.value, "--log-level", settings.log.level)
    return build(
        catalog,
        LocalController(Placement(settings.placement), arguments=log),
        defaults=defaults,
        bounds=Bounds(calls=limits.calls, items=limits.items),
        machine=build_machine(settings),
        store=build_store(settings),
        kinds=[kind for dialect in DIALECTS for kind in dialect.works],
        features=Features(settings.cache.bytes),
    )


def build_keep(settings: Settings) -> Keep:
    """How long models stay loaded, and in how much memory."""
    limits = settings.limits
    return Keep(
        memory_bytes=int(limits.memory_bytes or budget()),
        idle=limits.idle_seconds,
        residency=limits.residency_seconds,
        patience=limits.load_seconds,
        on_cards=settings.device in (None, "cuda") and bool(hardware.gpus()),
    )


def build_store(settings: Settings) -> Store:
    """What outlives the server."""
    kept = settings.store
    return Store(
        store_folder(settings), most_bytes=kept.bytes, keep_seconds=kept.keep_days * 86_400
    )


def store_folder(settings: Settings) -> Path:
    """Where things are kept that outlive the server."""
    return settings.store.folder or state_folder()


def key_file(settings: Settings) -> KeyFile:
    """The keys that people make for the server while it runs."""
    return KeyFile(store_folder(settings) / KEYS)


def build_keys(settings: Settings) -> KeyRing:
    """Who may ask.

    Raises:
        InvalidInput: The file of keys cannot be read.
    """
    return KeyRing(
        (key.get_secret_value() for key in settings.api_keys),
        key_file(settings),
        lambda reason: log.get().error("keys_unreadable", reason=reason),
    )


def build_fetcher(settings: Settings) -> Fetcher:
    """What may be fetched for callers.

    Raises:
        InvalidInput: A folder of the settings is not one.
    """
    allowed = settings.fetch
    return Fetcher(rules_of(allowed.hosts, allowed.folders, allowed.bytes, allowed.seconds))


def build_gallery(settings: Settings) -> Gallery:
    """What keeps pictures for callers who want their addresses."""
    kept = settings.gallery
    return Gallery(kept.bytes, kept.pictures, kept.keep_minutes * 60)


def build_machine(settings: Settings) -> Machine:
    """What this machine is among those that callers may ask for."""
    cards = hardware.gpus() if settings.device in (None, "cuda") else ()
    own = settings.cluster.profile or (settings.device == "mps" and "mps") or profile_of(cards)
    profiles = Profiles(
        own,
        settings.cluster.machine_profiles,
        accept_any=settings.cluster.accept_any_profile,
    )
    return Machine(profiles, cards)


def _entry(name: str, model: ModelSettings, settings: Settings) -> ModelEntry:
    return ModelEntry(
        name=name,
        source=model.source or name,
        revision=model.revision,
        aliases=model.aliases,
        engine=model.engine,
        dtype=model.dtype or settings.dtype,
        max_tokens=model.max_tokens,
        matryoshka=model.matryoshka,
        prompts=model.prompts,
        default_prompt=model.default_prompt,
        instruction=model.instruction,
        tool_format=model.tool_format,
        batch_tokens=model.batch_tokens,
        deterministic=model.deterministic,
        loras=model.loras,
        max_loras=model.max_loras,
        profiles={name: _profile(profile) for name, profile in model.profiles.items()},
        preload=model.preload or settings.preload,
        **{name: getattr(model, name) for name in LAUNCHED},
    )


def _profile(profile: ProfileSettings) -> Profile:
    return msgspec.convert(profile.model_dump(exclude_unset=True), Profile)


@dataclass(frozen=True, slots=True)
class Assembly:
    """What transports carry.

    Attributes:
        edge: Answers HTTP and WebSockets.
        dialects: Protocols spoken.
        rooms: What they enter.
    """

    edge: Edge
    dialects: tuple[Dialect, ...]
    rooms: Rooms


def build_app(
    settings: Settings,
    house: House,
    *,
    listen: Sequence[str] = (),
    dialects: Iterable[Dialect] = DIALECTS,
) -> Assembly:
    """The whole application, for all transports.

    Args:
        settings: Limits, keys and what is logged.
        house: The rooms behind the dialects.
        listen: Addresses served on, for those who ask.
        dialects: Protocols to speak.

    Raises:
        Conflict: Two dialects claim one path and no rule decides.
    """
    spoken = list(dialects)
    if not settings.clip.anonymous_profile:
        spoken = [dialect.for_keys_alone() for dialect in spoken]
    claims: list[Claim] = []
    own = pages(_document(claims))
    claims += settle([*spoken, own])
    keys = build_keys(settings)
    metrics = Metrics()
    metrics.watch(house.fleet.samples, resident_bytes, __version__)
    rooms = Rooms(
        inference=house.inference,
        fleet=house.fleet,
        launches=house.launches,
        autostarts=house.autostarts,
        registry=house.registry,
        pools=house.pools,
        lookout=house.lookout,
        works=house.works,
        search=house.search,
        metrics=metrics,
        keys=keys,
        about=_about(settings, listen),
        fetcher=build_fetcher(settings),
        gallery=build_gallery(settings),
        clip_model=settings.clip.model,
    )
    reception = build_reception(settings, (keys, metrics), listen, claims)
    limits = settings.limits
    bounds = SocketBounds(watchers=limits.watchers, talks=limits.streams, messages=limits.messages)
    edge = Edge(
        Paths(claims, rooms, spoken),
        reception,
        errors=renderer(spoken),
        sockets=Sockets(spoken, rooms, reception, bounds),
        cors=settings.cors.origins,
        open_paths=[claim.operation.path for claim in claims if claim.open],
        strangers=[claim.operation.path for claim in claims if claim.operation.stranger],
    )
    told = [*spoken, health(spoken)]
    if settings.reflection:
        told.append(reflection(told))
    return Assembly(edge, tuple(told), rooms)


def build_reception(
    settings: Settings,
    shared: tuple[KeyRing, Metrics],
    listen: Sequence[str],
    claims: Iterable[Claim],
) -> Reception:
    """What all transports share."""
    limits, (keys, metrics) = settings.limits, shared
    pages = [url for url in listen if url.startswith("http")]
    ledger = Ledger(limits.body_bytes, limits.in_flight_bytes, Tidier().note)
    metrics.body_bytes.read = lambda: ledger.held
    return Reception(
        keys=keys,
        browsers=BrowserGuard(pages, keys, origins=settings.cors.origins),
        ledger=ledger,
        metrics=metrics,
        quiet=[c.operation.path for c in claims if c.operation.quiet],
        access=settings.log.access,
    )


def _document(claims: list[Claim]) -> Callable[[], bytes]:
    @cache
    def make() -> bytes:
        return msgspec.json.encode(document(claims, __version__))

    return make


def _about(settings: Settings, listen: Sequence[str]) -> About:
    return About(
        version=__version__,
        pid=os.getpid(),
        started=time.time(),
        listen=tuple(listen),
        public_url=settings.public_url or "",
        limits=settings.limits.model_dump(),
    )
