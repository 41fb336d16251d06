"""OpenAI's moderations: how likely a text is of each kind that may be unwelcome.

Any model that tells classes of texts answers them; what it was not trained for it does not know
well, so its scores are no promise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stelae.catalog.abilities import Finding
from stelae.dialects.answers import json_answer
from stelae.dialects.ask import extract
from stelae.dialects.base import Operation, Rooms
from stelae.dialects.decode import decode, read
from stelae.dialects.writing import new_id
from stelae.errors import InvalidInput, ModelNotFound, UnsupportedTask, from_info
from stelae.types import ExtractCall, Extraction, ExtractResult, Item

LABELS = {
    "harassment": "harassment",
    "harassment/threatening": "threatening harassment",
    "hate": "hate",
    "hate/threatening": "threatening hate",
    "illicit": "illegal acts",
    "illicit/violent": "violent illegal acts",
    "self-harm": "self-harm",
    "self-harm/instructions": "instructions for self-harm",
    "self-harm/intent": "intent of self-harm",
    "sexual": "sexual content",
    "sexual/minors": "sexual content with minors",
    "violence": "violence",
    "violence/graphic": "graphic violence",
}
"""What models are asked for, by the categories of this protocol."""

FLAGGED = 0.5
"""Score from which on a text is of a category."""

THEIRS = ("omni-moderation", "text-moderation")
"""How names of OpenAI's own models start, which mean whatever model is here."""


class ModerationPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what is judged: ``type`` is ``text``."""

    type: str
    text: str | None = None


class ModerationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/moderations`` takes.

    Attributes:
        input: A text, several, or one in parts.
        model: Name of the model; if nobody says, one that tells classes of texts.
    """

    input: str | list[str | ModerationPart]
    model: str | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one text.

    Attributes:
        flagged: Whether it is of any category.
        categories: Of which it is.
        category_scores: How likely it is of each, 0 to 1.
        category_applied_input_types: Always texts.
    """

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[str]]


class Moderation(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /v1/moderations`` answers."""

    id: str
    model: str
    results: list[Verdict]


MODERATION: msgspec.json.Decoder[ModerationRequest] = msgspec.json.Decoder(ModerationRequest)


async def moderations(request: Request, rooms: Rooms) -> Response:
    """How likely texts are of each category."""
    asked = decode(MODERATION, await read(request))
    model = model_for(asked.model, rooms.fleet.finding(Finding.CLASSIFICATIONS))
    with classes_wanted():
        result = await extract(request, rooms, moderation_call(asked, model))
    return json_answer(moderation(result))


@contextmanager
def classes_wanted() -> Iterator[None]:
    """A model that takes no labels is told as one that tells no classes: nobody sent labels.

    Raises:
        UnsupportedTask: Instead of what is said of the labels.
    """
    try:
        yield
    except InvalidInput as error:
        if error.param != "labels":
            raise
        raise no_classes() from error


def no_classes() -> UnsupportedTask:
    """What is said of a model that finds other things."""
    return UnsupportedTask(
        "the model does not tell classes of texts",
        param="model",
        hint="ask a GLiClass checkpoint, or a cross-encoder for inference (NLI)",
    )


def moderation_call(asked: ModerationRequest, model: str) -> ExtractCall:
    """The call that a request means.

    Raises:
        InvalidInput: There is nothing to judge, or no text.
    """
    return ExtractCall(
        model=model,
        items=[Item(text=text) for text in texts(asked.input)],
        labels=tuple(LABELS.values()),
        threshold=0.0,
        multi_label=True,
    )


def moderation(result: ExtractResult) -> Moderation:
    """What was found, as this protocol tells it.

    Raises:
        StelaeError: A text could not be judged; the protocol has no place for partial answers.
    """
    for error in result.errors.values():
        raise from_info(error)
    verdicts = [verdict(item) for item in result.items]
    return Moderation(id=new_id("modr-"), model=result.model, results=verdicts)


def model_for(asked: str | None, able: list[str]) -> str:
    """The model that is to judge.

    Raises:
        ModelNotFound: None that is here can.
    """
    if asked is not None and not asked.startswith(THEIRS):
        return asked
    if not able:
        raise ModelNotFound(
            "no model here tells classes of texts",
            param="model",
            hint="serve a GLiClass checkpoint, or a cross-encoder for inference (NLI)",
        )
    return able[0]


def texts(given: str | list[str | ModerationPart]) -> list[str]:
    """What is to be judged.

    Raises:
        InvalidInput: It is nothing, or no text.
    """
    if isinstance(given, str):
        return [given]
    if not given:
        raise InvalidInput("input: the list is empty; give at least one text", param="input")
    whole = [text for text in given if isinstance(text, str)]
    if len(whole) == len(given):
        return whole
    return ["\n".join(_text(part, f"input[{index}]") for index, part in enumerate(given))]


def _text(part: str | ModerationPart, place: str) -> str:
    if isinstance(part, str) or part.type != "text" or part.text is None:
        raise InvalidInput(f"{place}: parts of type 'text' were expected", param=place)
    return part.text


def verdict(item: Extraction) -> Verdict:
    """What is said of a text, from the classes that were found.

    Raises:
        UnsupportedTask: The model finds other things.
    """
    found = {kind.label: kind.score for kind in item.classifications}
    if not found:
        raise no_classes()
    scores = {name: found.get(label, 0.0) for name, label in LABELS.items()}
    categories = {name: score >= FLAGGED for name, score in scores.items()}
    return Verdict(
        flagged=any(categories.values()),
        categories=categories,
        category_scores=scores,
        category_applied_input_types={name: ["text"] for name in scores},
    )


MODERATION_OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/moderations",
        handle=moderations,
        summary="How likely texts are of kinds that may be unwelcome.",
        request=ModerationRequest,
        example={"input": "I love this."},
        response=Moderation,
        errors=(InvalidInput, ModelNotFound, UnsupportedTask),
    ),
)
