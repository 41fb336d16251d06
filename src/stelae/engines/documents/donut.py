"""Donut: a task by its token, a picture of a page, and an answer of nested fields.

Source: transformers 5.17, ``DonutProcessor.token2json``, for what the tags mean.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stelae.catalog.spec import ModelSpec
from stelae.engines.documents.features import Asked
from stelae.engines.extract.upstream import part_of, tokenizer_of
from stelae.errors import InputTooLong, InvalidInput, ModelLoadFailed
from stelae.types import Extraction

OPEN = re.compile(r"<s_([^>]*)>", re.IGNORECASE)
TASK = re.compile(r"<s_[^<>]+>")
FIRST_TAG = re.compile(r"<.*?>")
NEXT = "<sep/>"
QUESTION = "<s_question>"
START = "decoder_start_token_id"

DEEPEST = 32
"""Deepest nesting of an answer; what lies deeper stays text."""


class Donut:
    """Prompts and answers of one model.

    Args:
        spec: The model.

    Raises:
        ModelLoadFailed: The tokenizer has no tokens for tasks.
    """

    patches = 0

    def __init__(self, spec: ModelSpec) -> None:
        self.tokenizer = tokenizer_of(spec)
        self._known: dict[str, int] = self.tokenizer.get_added_vocab()
        self._longest = spec.max_tokens
        self._tasks = self._find_tasks(spec)
        if not self._tasks:
            raise ModelLoadFailed(
                f"model {spec.name!r}: the tokenizer in {Path(spec.folder)} has no token such as "
                "<s_cord-v2> that names a task"
            )

    def _find_tasks(self, spec: ModelSpec) -> list[str]:
        """Tokens that name tasks: they open and nothing closes them; the model's own is last.

        That is the one its configuration starts with, or else the one added last: each
        training adds its own.
        """
        opening = {token: at for token, at in self._known.items() if TASK.fullmatch(token)}
        tasks = [t for t in opening if t.replace("<s_", "</s_", 1) not in self._known]
        config = part_of(spec).config
        first = config["generation"].get(START, config.get(START))
        return sorted(tasks, key=lambda token: (opening[token] == first, opening[token]))

    def prompt(self, instruction: str | None) -> tuple[str, tuple[int, ...]]:
        """Name and token ids of a task; a question in words is put where the model reads one.

        Raises:
            InvalidInput: There is no such task, and no place for a question.
            InputTooLong: The words leave no room for an answer.
        """
        text = self._worded(self._tasks[-1] if instruction is None else instruction.strip())
        ids = tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        if len(ids) >= self._longest:
            raise InputTooLong(
                f"instruction: it has {len(ids)} tokens, the model reads and writes at most "
                f"{self._longest}",
                param="instruction",
            )
        return text, ids

    def _worded(self, instruction: str) -> str:
        if any(instruction.startswith(task) for task in self._tasks):
            return instruction
        if not TASK.match(instruction) and instruction and QUESTION in self._known:
            closed = QUESTION.replace("<s_", "</s_")
            return f"{self._tasks[-1]}{QUESTION}{instruction}{closed}<s_answer>"
        raise InvalidInput(
            f"instruction={instruction[:100]!r}: the model knows the tasks "
            f"{', '.join(self._tasks)}",
            param="instruction",
        )

    def begins(self, asked: Asked) -> int:
        """Tokens of an answer that the model did not write: the prompt."""
        return len(asked.ids)

    def inputs(self, asked: Asked, count: int) -> dict[str, Tensor]:
        """What the model reads beside each of so many pictures."""
        return {"decoder_input_ids": torch.tensor([asked.ids]).repeat(count, 1)}

    def options(self) -> dict[str, Any]:
        """What else is said of the writing: what stands for unknown letters is not written."""
        unknown = self.tokenizer.unk_token_id
        return {} if unknown is None else {"bad_words_ids": [[unknown]]}

    def read(self, task: str, text: str, size: tuple[int, int]) -> Extraction:
        """The fields of an answer.

        Args:
            task: What was asked.
            text: The answer, the question before it.
            size: Width and height of the picture.
        """
        del task, size
        for token in (self.tokenizer.eos_token, self.tokenizer.pad_token):
            text = text.replace(token, "")
        found = fields(FIRST_TAG.sub("", text, count=1).strip(), self._known)
        return Extraction(data=found if isinstance(found, dict) else {"items": found})


def fields(text: str, known: Collection[str]) -> dict[str, Any] | list[dict[str, Any]]:
    """Fields of an answer; a list where it is one, and ``text_sequence`` where it has none.

    Args:
        text: Such as ``<s_name>Tea</s_name><s_price>2<sep/>3</s_price>``.
        known: Tokens of the model, of which those like ``<yes/>`` are values.
    """
    rows, rest, several = _rows(text, known, 0)
    if several:
        return rows
    return rows[0] if rows else {"text_sequence": rest}


def _rows(text: str, known: Collection[str], depth: int) -> tuple[list[dict[str, Any]], str, bool]:
    """Fields between separators, what is left of the text, and whether it was separated."""
    rows: list[dict[str, Any]] = []
    row: dict[str, Any] = {}
    while (start := OPEN.search(text)) is not None:
        closing = re.compile(f"</s_{re.escape(start[1])}>", re.IGNORECASE)
        if (first := closing.search(text)) is None:
            text = text.replace(start[0], "")
            continue
        if (end := closing.search(text, start.end())) is not None:
            value = _value(text[start.end() : end.start()].strip(), known, depth)
            if value is not None:
                row[start[1]] = value
        text = text[first.end() :].strip()
        if text.startswith(NEXT):
            rows.append(row)
            row, text = {}, text.removeprefix(NEXT)
    several = bool(rows)
    return ([*rows, row] if row else rows), text, several


def _value(content: str, known: Collection[str], depth: int) -> Any:
    """What stands between two tags: text, fields, or several of them; ``None`` for nothing."""
    if "<s_" in content and "</s_" in content and depth < DEEPEST:
        rows, _, _ = _rows(content, known, depth + 1)
        return _one_or_all(rows) if rows else None
    return _one_or_all([_leaf(leaf.strip(), known) for leaf in content.split(NEXT)])


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _leaf(text: str, known: Collection[str]) -> str:
    is_value = text in known and text.startswith("<") and text.endswith("/>")
    return text[1:-2] if is_value else text
