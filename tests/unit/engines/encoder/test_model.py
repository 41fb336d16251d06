"""What is left of a model when nobody has it any more."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import torch

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines.encoder.model import TextEncoder
from stelae.engines.text.features import Features


def test_a_model_that_is_let_go_leaves_nothing_to_the_collector(zoo: Path) -> None:
    """Calibration loads one after the other, and has room for two."""
    spec = Catalog([ModelEntry(name="m", source=str(zoo / "bert-mean"))]).spec("m")

    def let_go() -> weakref.ref[TextEncoder]:
        model = TextEncoder(spec, torch.float32, torch.device("cpu"))
        model.run([Features(np.array([2, 5, 3], np.int32))])
        return weakref.ref(model)

    let_go()  # what is done once in a process may fail, and failures keep what they passed
    gc.disable()
    try:
        assert let_go()() is None
    finally:
        gc.enable()
