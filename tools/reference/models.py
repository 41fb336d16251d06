"""Architectures, modules, engines, and the models that have names."""

from __future__ import annotations

from collections.abc import Iterator

from reference.markdown import code, codes, joined, table
from stelae.catalog.entry import DEFAULT
from stelae.catalog.families import known_models, listed, refused_models
from stelae.catalog.operations import Pooling
from stelae.engines.registry import BUILT_IN as MANIFESTS
from stelae.nn.architectures import homes
from stelae.types import Card, ModelKind

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
Where a model comes in several sizes and formats, the short name means the smallest as its authors
stored it; the others are reached by their hub ids. Whether an engine serves a model is known once
its checkpoint is here.
"""

KINDS: dict[ModelKind, str] = {
    "embedding": "Vectors",
    "rerank": "Scores of pairs",
    "extract": "Names, classes, objects, fields",
    "llm": "Language models",
    "image": "Making pictures",
    "audio": "Speech",
}

WIDTHS = "Widths are those the authors trained the vectors to be cut to (Matryoshka)."

REFUSED = "People ask for these too; the answer says why there is none."


def page() -> str:
    """What can be served."""
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
        *(part for kind, title in KINDS.items() for part in models(kind, title)),
        "### Known, and not served",
        REFUSED,
        table(("names", "reason"), refused()),
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


def models(kind: ModelKind, title: str) -> Iterator[str]:
    """The title and the table of the models of a kind."""
    yield f"### {title}"
    if kind == "embedding":
        yield WIDTHS
        yield table(
            (*SOURCE, "makes", "dimensions", "widths", LONGEST), [OWN, *map(vectors, listed(kind))]
        )
    elif kind == "llm":
        yield table(
            ("name", "abilities", "context", "billions", "formats"), map(language, listed(kind))
        )
    else:
        yield table((*SOURCE, "abilities", LONGEST), map(other, listed(kind)))


SOURCE, LONGEST = ("name", "from", "further names"), "longest input"

OWN = (code(DEFAULT.name), "installed along", codes(DEFAULT.aliases), "dense", "384", "", "256")
"""The embedded model."""


def vectors(card: Card) -> tuple[str, ...]:
    """A model that makes vectors."""
    entry = known_models()[card.name]
    widths = ", ".join(map(str, entry.matryoshka))
    made = ", ".join(card.abilities)
    return (*source(card), made, str(card.dimensions or ""), widths, str(card.context or ""))


def language(card: Card) -> tuple[str, ...]:
    """A language model."""
    sizes = sorted({v.size for v in card.variants if v.size is not None})
    formats = dict.fromkeys(v.format for v in card.variants)
    billions = ", ".join(f"{size:g}" for size in sizes)
    abilities = ", ".join(card.abilities)
    return code(card.name), abilities, str(card.context or ""), billions, ", ".join(formats)


def other(card: Card) -> tuple[str, ...]:
    """A model of another kind."""
    return (*source(card), ", ".join(card.abilities), str(card.context or ""))


def source(card: Card) -> tuple[str, str, str]:
    """Name, hub id and aliases."""
    return code(card.name), code(known_models()[card.name].source), codes(card.aliases)


def refused() -> Iterator[tuple[str, str]]:
    """Names that are known and not served, by the reason."""
    reasons: dict[str, list[str]] = {}
    for name, reason in refused_models().items():
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        yield codes(names), reason
