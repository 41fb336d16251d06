"""A call to score documents against a query, on its way through an engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stelae.catalog.abilities import Classify, YesNo
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Job, Prepared
from stelae.engines.text.assemble import error_of
from stelae.engines.text.drafts import scale
from stelae.engines.text.encode import EncodeJob
from stelae.engines.text.features import Features, Output, Row
from stelae.engines.text.given import matrix_error
from stelae.engines.text.intake import Ids, Intake, guess, light, prepared
from stelae.engines.text.options import (
    GIVEN,
    check_kind,
    item_error,
    unreadable,
)
from stelae.engines.text.pairs import Side, measured
from stelae.errors import EngineFailed, InvalidInput, StelaeError, UnsupportedTask
from stelae.types import (
    EncodeCall,
    Item,
    OutputType,
    Role,
    ScoreCall,
    ScoreResult,
    Similarity,
    Truncate,
    Usage,
)
from stelae.vectors.maxsim import maxsim

PLACES = re.compile(r"\{instruction\}|\{query\}|\{document\}")

Terms = tuple[NDArray[np.int32], Row]

ScoreJob = Job[Features, Output, ScoreResult]


def score_job(call: ScoreCall, intake: Intake, fingerprint: str) -> ScoreJob:
    """The job for a call, by what the model is.

    Raises:
        InvalidInput: The call as a whole cannot be run.
        UnsupportedTask: The model does not score in the way asked for.
    """
    spec = intake.spec
    if call.query.multivector is not None and spec.scoring is None:
        error = matrix_error(call.query, spec.token_dimensions)
    else:
        error = item_error(call.query, intake.tokenizer.vocabulary, spec.inputs)
    if error is not None:
        raise InvalidInput(f"query: {error.message}", param="query")
    scoring = spec.scoring
    if scoring is None:
        return SimilarityJob(call, intake, fingerprint)
    if call.by is not None:
        raise UnsupportedTask(
            f"by={call.by.value!r}: model {spec.name!r} reads query and document together and "
            "has one kind of score; leave by out",
            param="by",
        )
    if isinstance(scoring, YesNo) and scoring.instructed:
        return AskJob(call, intake, fingerprint, scoring)
    if call.instruction is not None:
        raise InvalidInput(
            f"instruction: model {spec.name!r} reads query and document together, with no place "
            "for an instruction; leave it out",
            param="instruction",
        )
    if isinstance(scoring, YesNo):
        return AskJob(call, intake, fingerprint, scoring)
    return PairJob(call, intake, fingerprint, scoring)


class _HeadJob:
    """What scores by a head have in common: one entry per document."""

    def __init__(
        self, call: ScoreCall, intake: Intake, fingerprint: str, scoring: Classify | YesNo
    ) -> None:
        self._call, self._intake, self._fingerprint = call, intake, fingerprint
        self._scoring = scoring

    @property
    def size(self) -> int:
        return len(self._call.documents)

    @property
    def estimate(self) -> int:
        query, limit = guess(self._call.query), self._intake.spec.max_tokens
        return sum(min(limit, 4 + query + guess(item)) for item in self._call.documents)

    @property
    def light(self) -> bool:
        return light([self._call.query, *self._call.documents])

    def _read(self, texts: Sequence[str]) -> Sequence[Ids]:
        return self._intake.read(texts, self._truncate)

    @property
    def _truncate(self) -> Truncate:
        return self._call.truncate

    def finish(
        self, prepared: Sequence[Prepared[Features]], rows: Sequence[Output | StelaeError]
    ) -> ScoreResult:
        labels = self._scoring.labels if isinstance(self._scoring, Classify) else ()
        width = max(1, len(labels))
        logits = np.full((len(rows), width), np.nan, np.float32)
        for i, row in enumerate(rows):
            if isinstance(row, Output) and row.scores is not None:
                logits[i] = row.scores
        plain = self._call.normalize is False
        scores = logits if plain else ACTIVATIONS[self._scoring.activation](logits)
        return result_of(
            self._intake.spec,
            self._fingerprint,
            prepared,
            rows,
            scores[:, 0] if width == 1 else scores,
            labels if width > 1 else (),
        )


class PairJob(_HeadJob):
    """Query and document side by side, read by a cross-encoder."""

    @cached_property
    def _query(self) -> Side:
        """The query, read once for all documents; given ids stand without a prompt."""
        query, spec = self._call.query, self._intake.spec
        prompt = spec.prompts[spec.default_prompt] if spec.default_prompt is not None else ""
        text = None if query.text is None else prompt + query.text
        ids = query.token_ids if text is None else self._read([text])[0]
        return Side(self._intake, self._truncate, text, ids or ())

    def prepare(self, start: int, stop: int) -> list[Prepared[Features]]:
        items = self._call.documents[start:stop]
        errors = [item_error(item, self._intake.tokenizer.vocabulary) for item in items]
        texts = [
            item.text
            for item, error in zip(items, errors, strict=True)
            if error is None and item.text is not None
        ]
        read = iter(self._read(texts))
        entries: list[Prepared[Features]] = []
        for item, error in zip(items, errors, strict=True):
            if error is not None:
                entries.append(Prepared(None, error=error))
                continue
            ids = item.token_ids if item.token_ids is not None else next(read)
            document = Side(self._intake, self._truncate, item.text, ids)
            pair = measured(self._query, document, self._intake.spec.max_tokens)
            entries.append(prepared(self._intake.pair(*pair, self._truncate)))
        return entries


class AskJob(_HeadJob):
    """Query and document in a prompt that ends where the answer would begin."""

    _scoring: YesNo

    @property
    def _truncate(self) -> Truncate:
        """The end is cut wherever something is: at the start stands the question."""
        asked = self._call.truncate
        return Truncate.END if asked is Truncate.START else asked

    @cached_property
    def _frame(self) -> tuple[Ids, Ids]:
        prefix, suffix = self._read([self._scoring.prefix, self._scoring.suffix])
        return prefix, suffix

    def prepare(self, start: int, stop: int) -> list[Prepared[Features]]:
        items = self._call.documents[start:stop]
        errors = [_text_error(item) for item in (self._call.query, *items)]
        if (wrong := errors.pop(0)) is not None:
            raise InvalidInput(f"query: {wrong.message}", param="query")
        asked = [
            self._ask(_text(item))
            for item, error in zip(items, errors, strict=True)
            if error is None
        ]
        read = iter(self._read(asked))
        return [
            Prepared(None, error=error)
            if error is not None
            else prepared(self._intake.asked(next(read), *self._frame, truncate=self._truncate))
            for error in errors
        ]

    def _ask(self, document: str) -> str:
        scoring, call = self._scoring, self._call
        parts = {
            "{instruction}": call.instruction or scoring.instruction,
            "{query}": _text(call.query),
            "{document}": document,
        }
        return fill(scoring.pair, parts)


class SimilarityJob:
    """Query and documents each encoded on their own, then compared; the query is entry 0."""

    def __init__(self, call: ScoreCall, intake: Intake, fingerprint: str) -> None:
        self._kind = kind_of(call, intake.spec)
        check_kind(intake.spec, self._kind, "by")
        self._intake, self._fingerprint = intake, fingerprint
        self._query, self._documents = (
            EncodeJob(
                EncodeCall(
                    model=call.model,
                    items=items,
                    outputs=(self._kind,),
                    role=role,
                    instruction=call.instruction,
                    truncate=call.truncate,
                ),
                intake,
                fingerprint,
                given=self._kind is OutputType.MULTIVECTOR,
            )
            for role, items in ((Role.QUERY, [call.query]), (Role.DOCUMENT, call.documents))
        )

    @property
    def size(self) -> int:
        return 1 + self._documents.size

    @property
    def estimate(self) -> int:
        return self._query.estimate + self._documents.estimate

    @property
    def light(self) -> bool:
        return self._query.light and self._documents.light

    def prepare(self, start: int, stop: int) -> list[Prepared[Features]]:
        first = self._query.prepare(0, 1) if start == 0 else []
        return first + self._documents.prepare(max(0, start - 1), stop - 1)

    def finish(
        self, prepared: Sequence[Prepared[Features]], rows: Sequence[Output | StelaeError]
    ) -> ScoreResult:
        if (wrong := error_of(prepared[0], rows[0])) is not None:
            raise wrong
        scores = np.full(len(rows) - 1, np.nan, np.float32)
        good = [i for i, row in enumerate(rows[1:]) if isinstance(row, Output)]
        spec = self._intake.spec
        if good:
            made = [rows[0], *(rows[i + 1] for i in good)]
            scores[good] = COMPARE[self._kind](spec, [m for m in made if isinstance(m, Output)])
        return result_of(spec, self._fingerprint, prepared[1:], rows[1:], scores, ())


def _dense(spec: ModelSpec, rows: Sequence[Output]) -> NDArray[np.float32]:
    matrix = np.stack([row.dense for row in rows if row.dense is not None])
    unit = spec.normalized or spec.similarity in (None, Similarity.COSINE)
    if unit:
        scale(matrix)
    query, documents = matrix[0], matrix[1:]
    if spec.similarity is Similarity.EUCLIDEAN:
        distance: NDArray[np.float32] = np.linalg.norm(documents - query, axis=1)
        return -distance
    if spec.similarity is Similarity.MANHATTAN:
        distance = np.abs(documents - query).sum(axis=1)
        return -distance
    product: NDArray[np.float32] = documents @ query
    return product.clip(-1, 1) if unit else product  # rounding goes a little beyond


def _sparse(spec: ModelSpec, rows: Sequence[Output]) -> NDArray[np.float32]:
    del spec
    query, *documents = [row.terms for row in rows if row.terms is not None]
    return np.array([_common(query, document) for document in documents], np.float32)


def _common(query: Terms, document: Terms) -> float:
    """Dot product of two sparse vectors."""
    _, here, there = np.intersect1d(query[0], document[0], True, return_indices=True)
    return float(query[1][here] @ document[1][there])


def _late(spec: ModelSpec, rows: Sequence[Output]) -> NDArray[np.float32]:
    query, *documents = [row.vectors for row in rows if row.vectors is not None]
    scores = maxsim(query, documents)
    marking = spec.marking
    return scores if marking is None or not marking.mean else scores / np.float32(len(query))


COMPARE: dict[OutputType, Callable[[ModelSpec, Sequence[Output]], NDArray[np.float32]]] = {
    OutputType.DENSE: _dense,
    OutputType.SPARSE: _sparse,
    OutputType.MULTIVECTOR: _late,
}


def kind_of(call: ScoreCall, spec: ModelSpec) -> OutputType:
    """What is compared: as the call says, or token vectors where some were given."""
    if call.by is not None:
        return call.by
    given = any(item.multivector is not None for item in (call.query, *call.documents))
    return OutputType.MULTIVECTOR if given else _best(spec)


def _best(spec: ModelSpec) -> OutputType:
    """What a model is compared by if nobody says: its dense vectors if it has them."""
    return OutputType.DENSE if OutputType.DENSE in spec.outputs else spec.outputs[0]


def _sigmoid(x: Row) -> Row:
    half: Row = 0.5 * (1 + np.tanh(0.5 * x))  # no overflow, unlike exp(-x)
    return half


def _softmax(x: Row) -> Row:
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    shares: Row = shifted / shifted.sum(axis=-1, keepdims=True)
    return shares


def _identity(x: Row) -> Row:
    return x


def _tanh(x: Row) -> Row:
    return np.tanh(x)


def _relu(x: Row) -> Row:
    return np.maximum(x, 0)


def _softplus(x: Row) -> Row:
    return np.logaddexp(x, 0).astype(x.dtype)


def _log_sigmoid(x: Row) -> Row:
    return -_softplus(-x)


ACTIVATIONS: dict[str, Callable[[Row], Row]] = {
    "Identity": _identity,
    "Sigmoid": _sigmoid,
    "Softmax": _softmax,
    "Tanh": _tanh,
    "ReLU": _relu,
    "Softplus": _softplus,
    "LogSigmoid": _log_sigmoid,
}
"""Activations of scores by their class name in ``torch.nn``."""


def result_of(
    spec: ModelSpec,
    fingerprint: str,
    prepared: Sequence[Prepared[Any]],
    rows: Sequence[Output | StelaeError],
    scores: NDArray[np.float32],
    labels: tuple[str, ...],
) -> ScoreResult:
    """The result; a score that is not finite is its document's error."""
    errors = {i: e for i, e in enumerate(map(error_of, prepared, rows)) if e is not None}
    finite = np.isfinite(scores.reshape(len(rows), -1)).all(axis=1)
    for i in np.flatnonzero(~finite).tolist():
        errors.setdefault(i, EngineFailed("the model gave a score that is not finite"))
    tokens = np.array([0 if i in errors else p.tokens for i, p in enumerate(prepared)], np.int32)
    return ScoreResult(
        model=spec.name,
        fingerprint=fingerprint,
        scores=scores,
        labels=labels,
        tokens=tokens,
        truncated=np.array([p.truncated for p in prepared], np.bool_),
        errors={i: error.info for i, error in sorted(errors.items())},
        usage=Usage(tokens=int(tokens.sum())),
    )


def fill(template: str, parts: dict[str, str]) -> str:
    """Put texts in a template's places; braces in the texts mean nothing."""
    return PLACES.sub(lambda place: parts[place.group()], template)


def _text(item: Item) -> str:
    return item.text or ""


def _text_error(item: Item) -> InvalidInput | None:
    if item.text is None:
        given = " and ".join(f for f in GIVEN if getattr(item, f) is not None) or "nothing"
        return InvalidInput(
            f"this model puts texts in a prompt: give text; the item has {given}",
            param="documents",
        )
    reason = unreadable(item.text)
    return InvalidInput(f"text {reason}", param="documents") if reason else None
