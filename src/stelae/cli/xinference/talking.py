"""Texts and conversations, typed line by line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stelae.cli.output import printable
from stelae.cli.xinference.session import Session
from stelae.xinference import ChatModelHandle, GenerateModelHandle

Answer = Mapping[str, Any]
"""What a server answers, or a piece of it."""


def config(max_tokens: int, stream: str) -> dict[str, Any]:
    """How answers are made."""
    return {"max_tokens": max_tokens, "stream": stream.strip().casefold() in ("true", "1", "yes")}


def generate(endpoint: str, key: str | None, uid: str, made: dict[str, Any]) -> None:
    """Let a model go on with what is typed.

    Raises:
        XinferenceError: There is no such model, or it does not write.
    """
    with Session(endpoint, key) as session:
        model = GenerateModelHandle(uid, session.base_url, session.headers)
        try:
            for text in _typed("Prompt: "):
                sys.stdout.write("Completion: ")
                _show(_pieces(model.generate(text, made), "text"))
        finally:
            model.close()


def chat(endpoint: str, key: str | None, uid: str, made: dict[str, Any]) -> None:
    """Talk with a model about what is typed.

    Raises:
        XinferenceError: There is no such model, or it does not talk.
    """
    told: list[dict[str, Any]] = []
    with Session(endpoint, key) as session:
        model = ChatModelHandle(uid, session.base_url, session.headers)
        try:
            for text in _typed("User: "):
                told.append({"role": "user", "content": text})
                sys.stdout.write("Assistant: ")
                answer = _show(_pieces(model.chat(told, generate_config=made), "content"))
                told.append({"role": "assistant", "content": answer})
        finally:
            model.close()


def _typed(mark: str) -> Iterator[str]:
    while True:
        try:
            text = input(mark)
        except EOFError:
            return
        if not text:
            return
        yield text


def _pieces(answer: Answer | Iterable[Answer], field: str) -> Iterator[str]:
    """The text of an answer, as it comes or at once."""
    for piece in [answer] if isinstance(answer, Mapping) else answer:
        for choice in piece.get("choices") or ():
            told = choice.get("delta") or choice.get("message") or choice
            if text := told.get(field):
                yield text


def _show(pieces: Iterable[str]) -> str:
    said = []
    for text in pieces:
        said.append(text)
        sys.stdout.write(printable(text))
        sys.stdout.flush()
    sys.stdout.write("\n")
    return "".join(said)
