"""Replicas of the fake engine, for tests of the machinery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import numpy as np

from stelae.catalog.operations import Normalize
from stelae.catalog.spec import Backbone, Chain, ModelSpec, Source
from stelae.cluster.deployment import Deployment
from stelae.cluster.patience import Patience
from stelae.cluster.process import ProcessReplica
from stelae.cluster.thread import ThreadReplica
from stelae.engines.fake.engine import vector
from stelae.scheduler.queue import Limits
from stelae.types import EncodeCall, EncodeResult, Item, OutputType


def deployment(dimensions: int = 8, limits: Limits | None = None) -> Deployment:
    """The fake engine, deployed."""
    spec = ModelSpec(
        name="fake",
        source=Source(kind="folder", location="fake"),
        folder="fake",
        backbone=Backbone(folder="", architecture="", config={}, weights=()),
        chains=(Chain(output=OutputType.DENSE, steps=(Normalize(),)),),
        dimensions=dimensions,
        max_tokens=256,
    )
    return Deployment(name="fake", spec=spec, engine="fake", limits=limits or Limits())


ONE_BY_ONE = Limits(batch_items=1)
"""Each item runs in a batch of its own, in order."""


def call(*texts: str) -> EncodeCall:
    """A call of the fake model."""
    return EncodeCall(model="fake", items=[Item(text=text) for text in texts])


@asynccontextmanager
async def worker(
    patience: Patience | None = None,
    arguments: Sequence[str] = (),
    limits: Limits | None = None,
) -> AsyncIterator[ProcessReplica]:
    """A replica in a worker process, started, and stopped in the end."""
    replica = ProcessReplica(deployment(limits=limits), patience, arguments)
    await replica.start()
    try:
        yield replica
    finally:
        await replica.stop(0.0)


@asynccontextmanager
async def thread(limits: Limits | None = None) -> AsyncIterator[ThreadReplica]:
    """A replica in this process, started, and stopped in the end."""
    replica = ThreadReplica(deployment(limits=limits))
    await replica.start()
    try:
        yield replica
    finally:
        await replica.stop(0.0)


def pid_of(replica: ProcessReplica) -> int:
    """Process id of the present worker."""
    assert replica._link is not None
    return replica._link.pid


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something holds; the test's own time limit is the bound."""
    while not condition():  # noqa: ASYNC110  # what is awaited has no event
        await asyncio.sleep(0.005)


def right(result: EncodeResult, *texts: str) -> None:
    """The vectors are those of the texts, in order."""
    np.testing.assert_array_equal(result.dense, np.stack([vector(text) for text in texts]))
