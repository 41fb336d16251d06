"""The functions of engines, which manifests name so that nothing heavy is imported before."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from stelae.engines.hardware import bound_onednn, calm_openmp


def function_of(place: str) -> Any:
    """A function, as ``module:function``, in a process whose libraries are prepared.

    They read how long threads shall spin, and how much shall be kept, when they are imported.
    """
    calm_openmp()
    bound_onednn()
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
