from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stelae.telemetry.metrics import FAMILIES, Metrics, ModelSample, Served
from stelae.types import ModelState, Timing


def values(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def one(metrics: Metrics, name: str, **labels: str) -> float:
    return values(metrics)[name, frozenset(labels.items())]


def sample(**fields: Any) -> ModelSample:
    return ModelSample(model="m", state=ModelState.READY, **fields)


def test_request_is_counted_by_route_and_code() -> None:
    metrics = Metrics()
    metrics.request("/v1/embeddings", "openai", "m", 200, 0.02)
    labels = {"route": "/v1/embeddings", "dialect": "openai", "model": "m"}
    assert one(metrics, "stelae_requests_total", code="200", **labels) == 1
    assert one(metrics, "stelae_request_duration_seconds_sum", **labels) == pytest.approx(0.02)


def test_served_call_is_counted_by_model_and_stage() -> None:
    metrics = Metrics()
    timing = Timing(prepare_ms=1, queue_ms=2, run_ms=3, finish_ms=4)
    metrics.served(Served(model="m", tokens=30, items=3, truncated=1, timing=timing))
    assert one(metrics, "stelae_tokens_total", model="m") == 30
    assert one(metrics, "stelae_items_total", model="m") == 3
    assert one(metrics, "stelae_truncated_total", model="m") == 1
    name = "stelae_stage_duration_seconds_sum"
    sums = [one(metrics, name, model="m", stage=s) for s in ("prepare", "queue", "run", "finish")]
    assert sums == pytest.approx([0.001, 0.002, 0.003, 0.004])


def test_models_are_asked_at_each_scrape() -> None:
    metrics = Metrics()
    batches = iter([1, 5])
    metrics.watch(lambda: [sample(batches=next(batches))], lambda: 7, "0.1")
    assert one(metrics, "stelae_batches_total", model="m") == 1
    assert one(metrics, "stelae_batches_total", model="m") == 5


def test_evictions_are_counted_by_reason() -> None:
    metrics = Metrics()
    metrics.watch(lambda: [sample(evictions={"idle": 2, "memory": 3})], lambda: 7, "0.1")
    name = "stelae_model_evictions_total"
    assert one(metrics, name, model="m", reason="idle") == 2
    assert one(metrics, name, model="m", reason="memory") == 3


def test_state_is_one_for_the_present_state_only() -> None:
    metrics = Metrics()
    metrics.watch(lambda: [sample()], lambda: 7, "0.1")
    found = {s: one(metrics, "stelae_model_state", model="m", state=s) for s in ModelState}
    assert [s for s, value in found.items() if value] == [ModelState.READY]


def test_every_metric_written_is_a_documented_one() -> None:
    metrics = Metrics()
    metrics.watch(lambda: [sample()], lambda: 7, "0.1")
    metrics.request("/", "server", "", 200, 0.1)
    metrics.error("queue_full")
    metrics.served(Served(model="m", tokens=1, items=1, truncated=0, timing=Timing()))
    written = set(re.findall(r"^# TYPE (\S+) ", metrics.render().decode(), re.MULTILINE))
    assert written == {family.name for family in FAMILIES}


def test_names_follow_the_rules_of_prometheus() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"stelae_[a-z_]+", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert family.help.endswith(".")


def test_servers_do_not_share_counters() -> None:
    first, second = Metrics(), Metrics()
    first.error("queue_full")
    assert ("stelae_errors_total", frozenset({("code", "queue_full")})) not in values(second)
