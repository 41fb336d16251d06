"""How many threads and batches an engine takes of the processors that there are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fix_outputs import spec_of

from stelae.catalog.adapters import Adapters
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.engines.runtime import lanes_of

CPU = torch.device("cpu")


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_share_the_threads_that_were_asked_for(zoo: Path, threads: int) -> None:
    options = EngineOptions(device=Device.CPU, threads=threads)
    before = torch.get_num_threads()
    try:
        engine = load(spec_of(zoo / "bert-mean"), options)
    finally:
        torch.set_num_threads(before)
    assert engine.cores == threads
    assert 1 <= engine.lanes <= threads
    engine.close()


@pytest.mark.parametrize(
    ("threads", "free", "lanes"),
    [
        *((1, True, 1), (2, True, 2), (5, True, 1), (6, True, 3), (64, True, 8)),
        *((2, False, 1), (16, False, 2)),
    ],
)
def test_lanes_are_as_many_as_processors_bear(threads: int, free: bool, lanes: int) -> None:
    assert lanes_of(EngineOptions(threads=threads), CPU, free=free) == lanes


@pytest.mark.parametrize(
    ("options", "device"),
    [
        (EngineOptions(threads=2), torch.device("cuda")),
        (EngineOptions(threads=2, deterministic=True), CPU),
        (EngineOptions(threads=2, adapters=Adapters(sources={"one": "folder"})), CPU),
    ],
    ids=["GPU", "deterministic", "adapters"],
)
def test_nothing_runs_beside_a_batch_that_wants_to_be_alone(
    options: EngineOptions, device: torch.device
) -> None:
    assert lanes_of(options, device, free=True) == 0
