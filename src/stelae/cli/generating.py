"""A text that a model goes on with, printed as it is made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from stelae.cli import given, reach
from stelae.cli.output import Output, printable
from stelae.cli.reach import Where
from stelae.client import _login
from stelae.errors import BY_CODE, ServerUnreachable, StelaeError, UnsupportedTask
from stelae.types import Task
from stelae.xinference import GenerateModelHandle, XinferenceConnectionError, XinferenceError


def generate(
    model: str, prompt: str | None, made: dict[str, Any], where: Where, out: Output
) -> None:
    """Let a model go on with a text.

    Args:
        model: Name of the model.
        prompt: The text; ``None`` reads it from stdin.
        made: How it is made; what is ``None`` is left to the server.
        where: The server.
        out: Says things.

    Raises:
        InvalidInput: There is no text, or it is not as it should be.
        StelaeError: The server refuses it, or does not answer.
    """
    text = given.text_of(prompt, out, "prompt")
    asked = {name: value for name, value in made.items() if value is not None}
    with _told(model, where), _as_ours(), _handle(model, where) as handle:
        if out.json:
            out.document(handle.generate(text, asked))
            return
        for piece in cast(
            "Iterator[dict[str, Any]]", handle.generate(text, asked | {"stream": True})
        ):
            for choice in piece.get("choices") or ():
                sys.stdout.write(printable(choice.get("text") or ""))
                sys.stdout.flush()
        out.line("")


@contextmanager
def _told(model: str, where: Where) -> Iterator[None]:
    """Tell of a model that writes nothing that it does not, and which ones do.

    Raises:
        UnsupportedTask: That; any other that is not for that reason as it is.
    """
    try:
        yield
    except UnsupportedTask as error:
        with reach.connect(*where) as client:
            there = client.models()
        if any(model in (m.name, *m.aliases) and Task.CHAT in m.tasks for m in there):
            raise
        able = ", ".join(m.name for m in there if Task.CHAT in m.tasks)
        raise UnsupportedTask(
            f"model {model!r} cannot write texts",
            param="model",
            hint=f"these can: {able}" if able else "no model of this server is known to",
        ) from error


@contextmanager
def _handle(model: str, where: Where) -> Iterator[GenerateModelHandle]:
    server, key = where
    url = server or reach.DEFAULT_SERVER
    shown = key or _login.key_of(url)
    handle = GenerateModelHandle(
        model, url, {} if shown is None else {"authorization": f"Bearer {shown}"}
    )
    try:
        yield handle
    finally:
        handle.close()


@contextmanager
def _as_ours() -> Iterator[None]:
    """Errors of Xinference's handles become those of the house.

    Raises:
        StelaeError: What the server reported.
    """
    try:
        yield
    except XinferenceConnectionError as error:
        raise ServerUnreachable(error.detail) from error
    except XinferenceError as error:
        raise BY_CODE.get(error.code, StelaeError)(error.detail) from error
