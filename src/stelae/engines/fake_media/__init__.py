"""Engines without models that make pictures, listen and speak, for tests of the machinery."""

from stelae.engines.base import Device, EngineManifest, WeightFormat
from stelae.types import Task

MANIFEST = EngineManifest(
    name="fake_media",
    tasks=frozenset({Task.IMAGE, Task.TRANSCRIBE, Task.SPEAK}),
    formats=frozenset(WeightFormat),
    devices=frozenset({Device.CPU}),
    load="stelae.engines.fake_media.engine:load",
)
