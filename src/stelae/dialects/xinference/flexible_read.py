"""What ``infer`` of a flexible model was called with: items, and what they are compared with.

Items are the first argument, or ``text``, ``image``, ``audio``, ``input`` or ``item``, or one of
these in the plural. One item gets one answer, a list gets a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from stelae.catalog.spec import ModelSpec
from stelae.dialects.decode import fit
from stelae.dialects.items import told_file, told_item
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.types import Item, Modality

GIVEN = {
    "text": Modality.TEXT,
    "image": Modality.IMAGE,
    "audio": Modality.AUDIO,
    "input": None,
    "item": None,
}
"""Fields that items come in, alone or in the plural, and what a bare text then stands for."""

LABELS = ("labels", "candidate_labels")


class InferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/flexible/infers`` takes, beside the options of models that find things.

    Attributes:
        model: Name of the model.
        args: What ``infer`` was called with: an item or a list of them, then labels to look for,
            or documents to compare with. An item is a text, an address, or an object with
            ``text``, ``image`` or ``audio``.
        labels: What to look for; for models that compare, classes of which the items are.
        candidate_labels: The same.
        documents: What every item is compared with.
    """

    model: str
    args: list[Any] = []
    labels: list[str] | str | None = None
    candidate_labels: list[str] | str | None = None
    documents: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a model.

    Attributes:
        spec: The model.
        items: What is looked at.
        alone: Whether they were given as one, not as a list.
        others: The second argument, or what was named in its place.
        labelled: Whether that was named as labels.
        options: All fields.
    """

    spec: ModelSpec
    items: list[Item]
    alone: bool
    others: list[Any]
    labelled: bool
    options: dict[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """What to look for.

        Raises:
            InvalidInput: It is no list of texts.
        """
        if not all(isinstance(each, str) for each in self.others):
            raise InvalidInput("labels: a list of texts was expected", param="labels")
        return tuple(self.others)

    def told(self, answers: Sequence[Any]) -> Any:
        """The answers as the items were given."""
        return answers[0] if self.alone else list(answers)


async def read_asked(
    spec: ModelSpec, request: InferRequest, fields: dict[str, Any], fetcher: Fetcher
) -> Asked:
    """What a request asks of a model.

    Raises:
        InvalidInput: There are no items, or one cannot be read.
    """
    args = list(request.args)
    form, given = _given(args, fields)
    items = given if isinstance(given, list) else [given]
    if not items:
        raise InvalidInput("args: the list of items is empty", param="args")
    labelled = next((fields[name] for name in LABELS if fields.get(name)), None)
    others: Any = next((each for each in (*args[:1], request.documents, labelled) if each), [])
    return Asked(
        spec=spec,
        items=await items_of(items, form or reads(spec), fetcher, "args[0]"),
        alone=not isinstance(given, list),
        others=others if isinstance(others, list) else [others],
        labelled=not args and request.documents is None and labelled is not None,
        options=fields,
    )


def stated(fields: dict[str, Any]) -> InferRequest:
    """The fields that mean the same to all models.

    Raises:
        InvalidInput: One of them cannot be read.
    """
    return fit(InferRequest, {name: each for name, each in fields.items() if each is not None})


def reads(spec: ModelSpec) -> Modality:
    """What a bare text stands for: itself, or the address of what the model reads."""
    return Modality.TEXT if Modality.TEXT in spec.inputs else next(iter(spec.inputs), Modality.TEXT)


async def items_of(
    given: Sequence[Any], form: Modality, fetcher: Fetcher, place: str
) -> list[Item]:
    """Items that are told by texts or objects.

    Raises:
        InvalidInput: One of them is neither, or cannot be read.
    """
    return [await _item(one, form, fetcher, f"{place}[{i}]") for i, one in enumerate(given)]


async def _item(given: Any, form: Modality, fetcher: Fetcher, place: str) -> Item:
    if isinstance(given, dict):
        return await told_item(given, fetcher, place)
    if not isinstance(given, str):
        raise InvalidInput(
            f"{place}: a text, or an object with text, image or audio was expected", param=place
        )
    if form is Modality.TEXT:
        return Item(text=given)
    data = await told_file(given, fetcher, place)
    return Item(image=data) if form is Modality.IMAGE else Item(audio=data)


def _given(args: list[Any], fields: dict[str, Any]) -> tuple[Modality | None, Any]:
    """What items are, if that is said, and what is given of them."""
    if args:
        return None, args.pop(0)
    for name, form in GIVEN.items():
        for each in (name, f"{name}s"):
            if fields.get(each) is not None:
                return form, fields[each]
    raise InvalidInput(
        "args is empty: give infer what to look at, as infer('a text') or infer(image='data:...')",
        param="args",
    )
