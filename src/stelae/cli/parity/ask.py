"""Asking both sides: a model loaded here, one on a server, and the reference library."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from stelae.cli.parity.values import Kind, Probe, Rows, Samples, Value
from stelae.client import Client
from stelae.scheduler.runner import Runner
from stelae.types import EncodeCall, Item, OutputType, Role, ScoreCall


class Side(Protocol):
    """Whoever makes numbers of texts and pairs."""

    def encode(self, items: list[Item], output: OutputType, role: Role | None) -> Rows:
        """What it makes of each text or picture."""
        ...

    def score(self, query: str, documents: list[str], *, plain: bool) -> Rows:
        """Scores of each document, or the logits they come from."""
        ...


def ask(side: Side, probe: Probe, samples: Samples) -> Rows:
    """What a side makes of the samples."""
    output = probe.kind.output
    if output is not None:
        return side.encode(samples.items(probe), output, probe.role)
    plain = probe.kind is Kind.LOGITS
    parts = [side.score(group.query, group.documents, plain=plain) for group in samples.groups]
    return Rows(
        values=[value for part in parts for value in part.values],
        tokens=[count for part in parts for count in part.tokens],
    )


class Loaded:
    """A model loaded in this process.

    Args:
        runner: Runs its engine.
        name: Its name.
    """

    def __init__(self, runner: Runner, name: str) -> None:
        self._runner, self._name = runner, name

    def encode(self, items: list[Item], output: OutputType, role: Role | None) -> Rows:
        """What it makes of each text or picture."""
        call = EncodeCall(model=self._name, items=items, outputs=(output,), role=role)
        return encoded(self._runner.submit(call).result(), output)

    def score(self, query: str, documents: list[str], *, plain: bool) -> Rows:
        """Scores of each document, or their logits."""
        call = ScoreCall(
            model=self._name,
            query=Item(text=query),
            documents=[Item(text=text) for text in documents],
            normalize=False if plain else None,
        )
        return scored(self._runner.submit(call).result())


class Served:
    """A model on a server.

    Args:
        client: A client of the server.
        name: The model's name there.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client, self._name = client, name

    def encode(self, items: list[Item], output: OutputType, role: Role | None) -> Rows:
        """What it makes of each text or picture."""
        found = self._client.encode(
            items, model=self._name, outputs=output.value, role=role, errors="return"
        )
        return encoded(found, output)

    def score(self, query: str, documents: list[str], *, plain: bool) -> Rows:
        """Scores of each document, or their logits."""
        normalize = False if plain else None
        found = self._client.score(
            query, documents, model=self._name, normalize=normalize, errors="return"
        )
        return scored(found)


class Library:
    """The reference library.

    Args:
        reference: The model as the library reads it.
    """

    def __init__(self, reference: Any) -> None:
        self._reference = reference

    def encode(self, items: list[Item], output: OutputType, role: Role | None) -> Rows:
        """What it makes of each text or picture."""
        del output
        return _made(self._one(item, role) for item in items)

    def _one(self, item: Item, role: Role | None) -> Any:
        if item.image is not None:
            return self._reference.see(item.image)
        if item.audio is not None:
            return self._reference.hear(item.audio)
        return self._reference.encode(item.text, role)

    def score(self, query: str, documents: list[str], *, plain: bool) -> Rows:
        """Scores of each document, or their logits."""
        return _made(self._reference.score(query, text, plain=plain) for text in documents)


def _made(made: Iterable[Any]) -> Rows:
    rows = list(made)
    return Rows(values=[row.value for row in rows], tokens=[row.tokens for row in rows])


def encoded(result: Any, output: OutputType) -> Rows:
    """Rows of an ``EncodeResult``, or of a client's ``Encodings``."""
    column = getattr(result, output.value)
    values: list[Value] = [
        None if i in result.errors else _value(column[i]) for i in range(len(result.tokens))
    ]
    return Rows(values=values, tokens=result.tokens.tolist())


def _value(row: Any) -> Value:
    return tuple(row) if isinstance(row, tuple) else np.asarray(row, np.float32)


def scored(result: Any) -> Rows:
    """Rows of a ``ScoreResult``, or of a client's ``Scores``."""
    values: list[Value] = [
        None if i in result.errors else np.atleast_1d(row) for i, row in enumerate(result.scores)
    ]
    return Rows(values=values, tokens=result.tokens.tolist())
