"""Language models that were converted for OpenVINO: a graph and its numbers beside config.json.

Source: optimum-intel, ``optimum/intel/openvino/utils.py`` (names of files).
"""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.backbone import architecture_of, read_config
from stelae.catalog.files import exists
from stelae.catalog.spec import Backbone
from stelae.errors import ModelLoadFailed

GRAPH = "openvino_model.xml"
NUMBERS = "openvino_model.bin"


def read_converted(root: Path) -> Backbone | None:
    """The transformer of a converted checkpoint, if the folder holds one.

    Raises:
        ModelLoadFailed: ``config.json`` or the numbers are missing or broken.
    """
    if not exists(root, GRAPH):
        return None
    if not exists(root, NUMBERS):
        raise ModelLoadFailed(f"{GRAPH} in {root} has no {NUMBERS} beside it")
    config = read_config(root, "")
    return Backbone(
        folder="",
        architecture=architecture_of(config, root, ""),
        config=config,
        weights=(GRAPH, NUMBERS),
    )
