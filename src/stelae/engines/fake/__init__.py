"""A deterministic engine without a model, for tests of the machinery only."""

from stelae.engines.base import Device, EngineManifest, WeightFormat
from stelae.types import Task

MANIFEST = EngineManifest(
    name="fake",
    tasks=frozenset({Task.ENCODE, Task.SCORE, Task.EXTRACT}),
    formats=frozenset(WeightFormat),
    devices=frozenset({Device.CPU}),
    load="stelae.engines.fake.engine:load",
)
