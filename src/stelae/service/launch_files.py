"""What the files that a launch names must be, as far as this machine has them."""

from __future__ import annotations

from pathlib import Path

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
        InvalidInput: A folder is no checkpoint.
    """
    if call.path is not None:
        _check_checkpoint(call.path, "path")
    elif Path(call.model).is_absolute():
        _check_checkpoint(call.model, "model")


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
