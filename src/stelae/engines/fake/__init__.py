"""Engines without a model, for tests and measurements of the machinery around models."""

from stelae.engines.base import Device, EngineManifest, WeightFormat
from stelae.types import Task

MANIFEST = EngineManifest(
    name="fake",
    tasks=frozenset({Task.ENCODE, Task.SCORE, Task.EXTRACT}),
    formats=frozenset(WeightFormat),
    devices=frozenset({Device.CPU}),
    load="stelae.engines.fake.engine:load",
)

NULL = EngineManifest(
    name="null",
    tasks=frozenset({Task.ENCODE}),
    formats=frozenset(WeightFormat),
    devices=frozenset({Device.CPU}),
    load="stelae.engines.fake.null:load",
)
