"""What a call may ask of a model that finds things."""

from __future__ import annotations

from collections.abc import Collection

from stelae.catalog.abilities import Finding
from stelae.catalog.spec import ModelSpec
from stelae.engines.text.options import unreadable
from stelae.errors import InvalidInput, UnsupportedTask
from stelae.types import ExtractCall, Item

OPTIONS = {
    "output_schema": None,
    "relations": (),
    "instruction": None,
    "hypothesis": None,
    "max_new_tokens": None,
    "beams": None,
    "nested": False,
    "multi_label": None,
}
"""Options that only some models take, and their value if they are not given."""


LEAST_ROOM = 16
"""Tokens that labels must leave for the text."""

MOST_LABELS = 1000
"""Labels of a call, for models that do not read them together with the text."""

LONGEST_LABEL = 4_000
"""Characters of a label, or of the sentence that is made of each."""

MOST_CHARACTERS = 200_000
"""Characters of all labels of a call, with the sentences made of them: 0.2 s of reading."""


def check_call(spec: ModelSpec, call: ExtractCall, takes: Collection[str]) -> None:
    """Refuse a call that this model cannot run, whatever its items are; it needs labels.

    Args:
        spec: The model.
        call: What is asked.
        takes: Those of ``OPTIONS`` that have a meaning for it.

    Raises:
        InvalidInput: An option is wrong; ``param`` names it.
        UnsupportedTask: The model does not do what is asked.
    """
    check_options(spec, call, takes)
    if not labels_of(spec, call):
        raise InvalidInput(
            f"labels is empty: model {spec.name!r} has to be told what to look for, such as "
            f"{_example(spec)}",
            param="labels",
        )


def check_options(spec: ModelSpec, call: ExtractCall, takes: Collection[str]) -> None:
    """Refuse options that mean nothing to a model or cannot be read.

    Args:
        spec: The model.
        call: What is asked.
        takes: Those of ``OPTIONS`` that have a meaning for it.

    Raises:
        InvalidInput: An option is wrong; ``param`` names it.
        UnsupportedTask: The model does not do what is asked.
    """
    for name, absent in OPTIONS.items():
        if name not in takes and getattr(call, name) != absent:
            raise _not_taken(spec, name)
    for name in ("labels", "relations"):
        for label in getattr(call, name):
            if (reason := unreadable(label)) is not None:
                raise InvalidInput(f"{name}: a label {reason}", param=name)
        _check_sizes(name, getattr(call, name), call.hypothesis or "")


def _check_sizes(name: str, labels: tuple[str, ...], sentence: str) -> None:
    """Refuse labels that take long to read, before anything reads them."""
    longest = max(map(len, labels), default=0)
    if max(longest, len(sentence)) > LONGEST_LABEL:
        what = "hypothesis" if longest <= LONGEST_LABEL else name
        raise InvalidInput(
            f"{what}: {max(longest, len(sentence)):,} characters were given in one, at most "
            f"{LONGEST_LABEL:,} are read; say it in a few words",
            param=what,
        )
    total = len(labels) * len(sentence) + sum(map(len, labels))
    if total > MOST_CHARACTERS:
        raise InvalidInput(
            f"{name}: {len(labels):,} labels were given, with {total:,} characters in all; at most "
            f"{MOST_CHARACTERS:,} are read; ask for fewer or shorter ones at a time",
            param=name,
        )


def labels_of(spec: ModelSpec, call: ExtractCall) -> tuple[str, ...]:
    """What is looked for: what the caller names, or what the model was trained to find."""
    return call.labels or ((spec.extraction and spec.extraction.labels) or ())


def check_count(labels: tuple[str, ...]) -> None:
    """Refuse more labels than are looked for at a time.

    Raises:
        InvalidInput: There are more.
    """
    if len(labels) > MOST_LABELS:
        raise InvalidInput(
            f"labels: {len(labels)} labels were given, at most {MOST_LABELS} are looked for at a "
            "time; ask for fewer",
            param="labels",
        )


def threshold_of(spec: ModelSpec, call: ExtractCall) -> float:
    """Least score of what is returned."""
    if call.threshold is not None:
        return call.threshold
    return spec.extraction.threshold if spec.extraction is not None else 0.5


def item_error(item: Item) -> InvalidInput | None:
    """Why an item cannot be read, or ``None`` if it can."""
    if item.text is None:
        return InvalidInput("for this model an item needs text", param="items")
    reason = unreadable(item.text)
    return InvalidInput(f"text {reason}", param="items") if reason else None


def _example(spec: ModelSpec) -> str:
    finds = spec.extraction.finds if spec.extraction is not None else ()
    return "['person', 'place']" if Finding.ENTITIES in finds else "['sport', 'politics']"


def _not_taken(spec: ModelSpec, name: str) -> InvalidInput | UnsupportedTask:
    if name == "output_schema":
        return UnsupportedTask(
            f"output_schema: model {spec.name!r} does not write; chat models fill in a schema",
            param=name,
        )
    if name == "relations":
        return UnsupportedTask(
            f"relations: model {spec.name!r} finds no relations; leave them out", param=name
        )
    return InvalidInput(
        f"{name}: it means nothing to model {spec.name!r}; leave it out", param=name
    )
