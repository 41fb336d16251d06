"""Architectures, modules, engines, and the models that have names."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from reference.markdown import code, codes, joined, table
from stelae.catalog.entry import DEFAULT
from stelae.catalog.families import BUILT_IN, Family
from stelae.catalog.operations import Pooling
from stelae.engines.registry import BUILT_IN as MANIFESTS
from stelae.nn.architectures import homes

INTRODUCTION = """
A model is what its checkpoint says: the architecture in `config.json`, the modules in
`modules.json` and their folders, the tokenizer, the prompts. What is not listed here is refused
with its name, because a wrong vector is worse than none. `stelae doctor --model NAME` tells which
engine would serve a model on this machine, and why.
"""

ENGINES = """
Without a wish the engine of the highest preference that takes the model serves it; `--engine` or
the setting `engine` names one. An engine of preference 0 serves only those who name it.
"""

MODELS = """
These short names, and their hub ids, can be asked for at any time; the first request fetches the
checkpoint. Any other checkpoint is served by its folder or hub id: `stelae serve NAME=FOLDER`.
Widths are those the authors trained the vectors to be cut to (Matryoshka).
"""


def page() -> str:
    """What can be served."""
    names = ("name", "from", "further names", "widths", "longest input")
    return joined(
        "# Architectures and models",
        INTRODUCTION,
        "## Architectures of the encoder engine",
        table(("class in config.json", "file"), architectures()),
        f"Pooling: {codes(sorted(Pooling))}, also several side by side.",
        "## Engines",
        ENGINES,
        table(("engine", "preference", "tasks", "weights", "devices", "packages"), engines()),
        "## Models with a name",
        MODELS,
        table(names, models()),
    )


def architectures() -> Iterator[tuple[str, ...]]:
    """Class names in ``config.json``, and the file that builds each."""
    for name, module in sorted(homes().items(), key=lambda pair: (pair[1], pair[0])):
        yield code(name), code(f"src/{module.replace('.', '/')}.py")


def engines() -> Iterator[tuple[str, ...]]:
    """The engines that come with Stelae."""
    for manifest in MANIFESTS:
        yield (
            code(manifest.name),
            str(manifest.preference),
            codes(sorted(manifest.tasks)),
            codes(sorted(manifest.formats)),
            codes(sorted(manifest.devices)),
            codes(need.module for need in manifest.needs),
        )


def models() -> Iterator[tuple[str, ...]]:
    """The embedded model, then all families."""
    yield code(DEFAULT.name), "installed along", codes(DEFAULT.aliases), "", ""
    for file in sorted(BUILT_IN.glob("*.yaml")):
        for member in msgspec.yaml.decode(file.read_bytes(), type=Family).models:
            yield (
                code(member.name),
                code(member.hub),
                codes(member.aliases),
                ", ".join(map(str, member.matryoshka)),
                str(member.max_tokens or ""),
            )
