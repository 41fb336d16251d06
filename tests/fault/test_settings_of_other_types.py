"""Settings of a type that the libraries do not take: a typed error that names the setting."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.errors import ModelLoadFailed

CASES = [
    ("colpali", "config.json", ("vlm_config", "text_config"), "num_attention_heads"),
    ("colqwen2", "config.json", ("vlm_config", "text_config"), "num_attention_heads"),
    ("gliner-span", "gliner_config.json", ("encoder_config",), "hidden_act"),
    ("gliclass", "config.json", ("encoder_config",), "hidden_act"),
]


@pytest.mark.parametrize(("name", "file", "path", "setting"), CASES)
def test_list_in_the_place_of_one_value_is_named(
    zoo: Path, tmp_path: Path, name: str, file: str, path: tuple[str, ...], setting: str
) -> None:
    folder = shutil.copytree(zoo / name, tmp_path / name)
    config = json.loads((folder / file).read_text("utf-8"))
    part = config
    for key in path:
        part = part.get(key, part)
    part[setting] = [1]
    (folder / file).write_text(json.dumps(config), "utf-8")
    spec = Catalog([ModelEntry(name="odd", source=str(folder))]).spec("odd")
    options = EngineOptions(device=Device.CPU, threads=1)
    with pytest.raises(ModelLoadFailed, match=f"'{setting}' expected"):
        registry.load(registry.choose(spec).manifest, spec, options)
