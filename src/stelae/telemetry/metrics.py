"""Every metric of Stelae: its name, labels and meaning, and where it is counted.

Labels never hold text of a caller: ``model`` is a served name (or empty),
``route`` a template, ``code`` a status or an error's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stelae.telemetry.tally import Family, Level, Line, Spread, Tally, counter, gauge
from stelae.types import ModelState, Timing

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REQUESTS = Family(
    "stelae_requests_total",
    "counter",
    ("route", "dialect", "model", "code"),
    "Requests answered, by HTTP status (499: the caller left).",
)
DURATION = Family(
    "stelae_request_duration_seconds",
    "histogram",
    ("route", "dialect", "model"),
    "Time from the request's head to the answer's end.",
)
IN_FLIGHT = Family("stelae_requests_in_flight", "gauge", (), "Requests being worked on.")
BODY_BYTES = Family("stelae_body_bytes_in_flight", "gauge", (), "Request bodies held in memory.")
WATCHERS = Family("stelae_watchers", "gauge", (), "WebSockets open.")
STAGE = Family(
    "stelae_stage_duration_seconds",
    "histogram",
    ("model", "stage"),
    "Time of a call per stage: prepare, queue, run, finish.",
)
STAGES = ("prepare", "queue", "run", "finish")
"""Stages of a call."""

TOKENS = Family("stelae_tokens_total", "counter", ("model",), "Tokens run.")
ITEMS = Family("stelae_items_total", "counter", ("model",), "Items answered, failed ones included.")
REMEMBERED = Family(
    "stelae_remembered_total", "counter", ("model",), "Items answered from what was made before."
)
TRUNCATED = Family("stelae_truncated_total", "counter", ("model",), "Items that were cut.")
ERRORS = Family(
    "stelae_errors_total",
    "counter",
    ("code",),
    "Failed requests, and failed items of others, by error.",
)
QUEUE_CALLS = Family("stelae_queue_depth", "gauge", ("model",), "Calls admitted and not answered.")
QUEUE_TOKENS = Family(
    "stelae_queue_tokens", "gauge", ("model",), "Tokens admitted and not answered."
)
BATCHES = Family("stelae_batches_total", "counter", ("model",), "Batches run.")
BATCH_ENTRIES = Family("stelae_batch_entries_total", "counter", ("model",), "Items run in batches.")
BATCH_TOKENS = Family("stelae_batch_tokens_total", "counter", ("model",), "Tokens run in batches.")
RESTARTS = Family(
    "stelae_worker_restarts_total", "counter", ("model",), "Workers replaced after they ended."
)
EVICTIONS = Family(
    "stelae_model_evictions_total",
    "counter",
    ("model", "reason"),
    "Times a model was unloaded because it was idle, or for memory.",
)
STATE = Family(
    "stelae_model_state", "gauge", ("model", "state"), "1 for the state that a model is in."
)
MEMORY = Family(
    "stelae_worker_memory_bytes", "gauge", ("model",), "Resident memory of a model's worker."
)
SERVER_MEMORY = Family("stelae_server_memory_bytes", "gauge", (), "Resident memory of the gateway.")
INFO = Family("stelae_info", "gauge", ("version",), "1, with the version of the server.")

FAMILIES = (
    REQUESTS, DURATION, IN_FLIGHT, BODY_BYTES, WATCHERS, STAGE, TOKENS, ITEMS, REMEMBERED,
    TRUNCATED, ERRORS, QUEUE_CALLS, QUEUE_TOKENS, BATCHES, BATCH_ENTRIES, BATCH_TOKENS,
    RESTARTS, EVICTIONS, STATE, MEMORY, SERVER_MEMORY, INFO,
)  # fmt: skip
"""All metrics, in the order in which they are documented."""


Counted = Tally | Spread | Level


class ModelSample(msgspec.Struct, frozen=True, kw_only=True):
    """A model's figures at the moment of a scrape."""

    model: str
    state: ModelState
    memory_bytes: int = 0
    restarts: int = 0
    evictions: dict[str, int] = {}
    queue_calls: int = 0
    queue_tokens: int = 0
    batches: int = 0
    batch_entries: int = 0
    batch_tokens: int = 0


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What an answered call adds to the counters of its model."""

    model: str
    tokens: int
    items: int
    truncated: int
    timing: Timing
    remembered: int = 0
    error_codes: tuple[str, ...] = ()


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Tally(REQUESTS)
        self._duration = Spread(DURATION)
        self._stage = Spread(STAGE)
        self._stages: dict[str, list[Line]] = {}
        self._tokens = Tally(TOKENS)
        self._items = Tally(ITEMS)
        self._remembered = Tally(REMEMBERED)
        self._truncated = Tally(TRUNCATED)
        self._errors = Tally(ERRORS)
        self.in_flight = Level(IN_FLIGHT)
        self.body_bytes = Level(BODY_BYTES)
        self.watchers = Level(WATCHERS)
        self.registry.register(_Counted(self._all()))

    def _all(self) -> tuple[Counted, ...]:
        counted = (self._requests, self._duration, self._stage, self._tokens, self._items)
        return (
            *counted,
            self._remembered,
            self._truncated,
            self._errors,
            self.in_flight,
            self.body_bytes,
            self.watchers,
        )

    def request(self, route: str, dialect: str, model: str, code: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.values[route, dialect, model, str(code)] += 1
        self._duration.line(route, dialect, model).add(seconds)

    def error(self, code: str) -> None:
        """Count a failed request or item by the error's code."""
        self._errors.add(1, code)

    def served(self, served: Served) -> None:
        """Count what a call ran, and where its time went."""
        model, timing = served.model, served.timing
        labels = (model,)
        self._tokens.values[labels] += served.tokens
        self._items.values[labels] += served.items
        if served.remembered:
            self._remembered.add(served.remembered, model)
        self._truncated.values[labels] += served.truncated
        lines = self._stages.get(model)
        if lines is None:
            lines = self._stages[model] = [self._stage.line(model, stage) for stage in STAGES]
        prepare, queue, run, finish = lines
        prepare.add(timing.prepare_ms / 1000)
        queue.add(timing.queue_ms / 1000)
        run.add(timing.run_ms / 1000)
        finish.add(timing.finish_ms / 1000)

    def watch(
        self, samples: Callable[[], Iterable[ModelSample]], memory: Callable[[], int], version: str
    ) -> None:
        """Ask for the models' and the gateway's figures at each scrape."""
        self.registry.register(_Gauges(samples, memory, version))

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _Counted(Collector):
    """What the server counts itself."""

    def __init__(self, counted: Iterable[Counted]) -> None:
        self._counted = tuple(counted)

    def collect(self) -> Iterable[Metric]:
        return [each.metric() for each in self._counted]


class _Gauges(Collector):
    """Figures that others keep, read when they are asked for."""

    def __init__(
        self, samples: Callable[[], Iterable[ModelSample]], memory: Callable[[], int], version: str
    ) -> None:
        self._samples = samples
        self._memory = memory
        self._version = version

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        samples = list(self._samples())
        yield gauge(INFO, [((self._version,), 1)])
        yield gauge(SERVER_MEMORY, [((), self._memory())])
        yield gauge(
            STATE, [((s.model, state), s.state is state) for s in samples for state in ModelState]
        )
        yield gauge(MEMORY, [((s.model,), s.memory_bytes) for s in samples])
        yield gauge(QUEUE_CALLS, [((s.model,), s.queue_calls) for s in samples])
        yield gauge(QUEUE_TOKENS, [((s.model,), s.queue_tokens) for s in samples])
        yield counter(BATCHES, [((s.model,), s.batches) for s in samples])
        yield counter(BATCH_ENTRIES, [((s.model,), s.batch_entries) for s in samples])
        yield counter(BATCH_TOKENS, [((s.model,), s.batch_tokens) for s in samples])
        yield counter(RESTARTS, [((s.model,), s.restarts) for s in samples])
        yield counter(
            EVICTIONS,
            [((s.model, why), times) for s in samples for why, times in s.evictions.items()],
        )
