from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from stelae.dialects.base import About
from stelae.dialects.sie.callers import place_of
from stelae.dialects.sie.cluster import models_of, summary_of, worker_status, workers_of
from stelae.dialects.sie.health import status_of
from stelae.types import Capacity, ModelInfo, ModelLoad, ModelState, Worker

ABOUT = About(
    version="1",
    pid=7,
    started=90.0,
    listen=("http://h:1",),
    limits={"calls": 10, "batch_tokens": 8},
)
SEEN = Capacity(
    time=100.0,
    workers=(Worker(name="w", profile="l4", gpus=("A", "B"), models=("ready",), queue_calls=9),),
    models=(
        ModelLoad(info=ModelInfo(name="ready", source="x", state=ModelState.READY), queue_calls=9),
        ModelLoad(info=ModelInfo(name="cold", source="x")),
    ),
    profiles=("l4", "t4"),
    calls_per_second=1.23456,
)


@pytest.mark.parametrize(
    ("headers", "place"),
    [
        ({}, (None, None)),
        ({"x-sie-pool": "", "x-sie-machine-profile": " "}, (None, None)),
        ({"X-SIE-Pool": "eval", "X-SIE-MACHINE-PROFILE": "l4"}, ("eval", "l4")),
        ({"x-sie-machine-profile": "eval/l4"}, ("eval", "l4")),
        ({"x-sie-machine-profile": "eval/"}, ("eval", None)),
        ({"x-sie-machine-profile": "/l4"}, (None, "l4")),
    ],
)
def test_headers_tell_pool_and_machine(
    headers: dict[str, str], place: tuple[str | None, str | None]
) -> None:
    assert place_of(Headers(headers)) == place


def test_the_whole_is_counted() -> None:
    summary = summary_of(SEEN)
    assert (summary.worker_count, summary.gpu_count, summary.models_loaded) == (1, 2, 1)
    assert summary.total_qps == 1.235


def test_a_worker_tells_where_it_is_and_what_it_can_take() -> None:
    (worker,) = workers_of(SEEN, ABOUT)
    assert (worker.url, worker.gpu, worker.ready_gpu_slots) == ("http://h:1", "l4", 2)


def test_models_are_on_the_machines_that_have_them_loaded() -> None:
    ready, cold = models_of(SEEN)
    assert (ready.state, ready.worker_count, ready.gpu_types) == ("loaded", 1, ("l4",))
    assert (cold.state, cold.worker_count, cold.gpu_types) == ("available", 0, ())


def test_a_worker_near_its_bound_calls_itself_saturated() -> None:
    status = worker_status(SEEN, ABOUT)
    assert status["saturated"]
    assert status["server"]["uptime_seconds"] == 10
    assert [gpu["gpu_type"] for gpu in status["gpus"]] == ["l4", "l4"]


def test_a_server_that_shuts_down_is_not_ready() -> None:
    nobody = Capacity(time=100.0)
    assert not worker_status(nobody, ABOUT)["ready"]
    assert (status_of(nobody), status_of(SEEN)) == ("no_workers", "healthy")


def test_a_worker_whose_models_do_not_answer_is_degraded() -> None:
    sick = Capacity(time=100.0, workers=(Worker(name="w", profile="cpu", healthy=False),))
    assert status_of(sick) == "degraded"
    assert workers_of(sick, ABOUT)[0].ready_gpu_slots == 0
