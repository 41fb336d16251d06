"""A deterministic engine without a model that answers in pieces, for tests of the machinery."""

from stelae.engines.base import Device, EngineManifest, WeightFormat
from stelae.types import Task

MANIFEST = EngineManifest(
    name="fake_text",
    tasks=frozenset({Task.CHAT}),
    formats=frozenset(WeightFormat),
    devices=frozenset({Device.CPU}),
    load="stelae.engines.fake_text.engine:load",
)
