"""What the files that a launch names must be, as far as this machine has them."""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.adapters import CONFIG
from stelae.catalog.hub import is_hub_id
from stelae.catalog.registered import is_checkpoint
from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.errors import InvalidInput
from stelae.types import LaunchCall

SHOWN = 256
"""Characters of a place that a message repeats."""


def check_files(call: LaunchCall) -> None:
    """Refuse places of this machine that do not hold what the launch takes them for.

    Blocks while it looks at folders; what is on a hub is not looked at.

    Raises:
        InvalidInput: A folder is no checkpoint, or no adapter.
    """
    if call.path is not None:
        _check_checkpoint(call.path, "path")
    elif Path(call.model).is_absolute():
        _check_checkpoint(call.model, "model")
    for name, source in call.loras.items():
        _check_adapter(name, source)


def check_engine(engine: str | None, spec: ModelSpec) -> None:
    """Refuse an engine that cannot serve the model that it is asked for.

    Raises:
        InvalidInput: It cannot, and why.
    """
    if engine is None:
        return
    if (why := registry.refused(registry.manifests()[engine], spec)) is not None:
        raise InvalidInput(
            f"engine={engine!r}: it cannot serve model {spec.name!r}: {why}",
            param="engine",
            hint="leave the engine out, and one that can is chosen",
        )


def _check_checkpoint(place: str, param: str) -> None:
    if not is_checkpoint(Path(place)):
        raise InvalidInput(
            f"{param}={place[:SHOWN]!r}: there is no checkpoint that this server can read",
            param=param,
            hint="a folder with config.json or its kin was expected, or a GGUF file",
        )


def _check_adapter(name: str, source: str) -> None:
    folder = Path(source).expanduser()
    if folder.is_dir():
        if (folder / CONFIG).is_file():
            return
        fault = f"the folder has no {CONFIG}"
    elif is_hub_id(source.partition("@")[0]):
        return
    else:
        fault = "it is neither a folder of the server nor a hub id"
    raise InvalidInput(
        f"loras.{name[:SHOWN]}={source[:SHOWN]!r}: {fault}; an adapter (LoRA) as peft stores it "
        "was expected",
        param="loras",
    )
