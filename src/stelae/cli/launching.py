"""Launching a model: what was asked, how far it is, and giving it up."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import msgspec

from stelae.cli import kinds, reach
from stelae.cli.output import Output, console, size
from stelae.cli.reach import Where
from stelae.client import Client, LaunchOptions
from stelae.errors import InvalidInput, from_info
from stelae.types import LaunchInfo, Stage

POLL_SECONDS = 0.25
"""Time between two looks at a launch."""

SECONDS = 60.0
"""For one answer of the server: what it begins it goes on with."""

UNDER_WAY = (Stage.PENDING, Stage.DOWNLOADING, Stage.LOADING)


def options_of(
    *,
    kind: str | None,
    gpus: Sequence[str] | None,
    loras: Sequence[str] | None,
    environment: Sequence[str] | None,
    **plain: object,
) -> LaunchOptions:
    """Options of ``Client.launch_model``, from words.

    Args:
        kind: Word for a type of models.
        gpus: Numbers with commas between them, or ``cpu``, for each replica or for all.
        loras: Adapters as ``NAME=SOURCE``.
        environment: Variables as ``NAME=VALUE``.
        plain: Options that stay as they are; the client looks at their types.

    Raises:
        InvalidInput: A word cannot be read.
    """
    given = {
        "kind": None if kind is None else kinds.kind_of(kind),
        "gpus": [_gpus(text) for text in gpus] if gpus else None,
        "loras": dict(_pair(text, "lora") for text in loras) if loras else None,
        "environment": dict(_pair(text, "env") for text in environment) if environment else None,
        **plain,
    }
    stated = {name: value for name, value in given.items() if value is not None}
    return cast("LaunchOptions", stated)


def launch(
    model: str, uid: str | None, asked: LaunchOptions, where: Where, out: Output, *, wait: bool
) -> None:
    """Launch a model, and print the name it is served under.

    Args:
        model: A known name, a hub id or a folder.
        uid: The name to serve it under; the server finds one if not given.
        asked: Options of ``Client.launch_model``.
        where: The server.
        out: Says things.
        wait: Whether to wait until it is ready.

    Raises:
        StelaeError: The server refuses it, or it cannot be loaded.
    """
    with reach.connect(*where, timeout=SECONDS) as client:
        info = client.launch_model(model, uid=uid, wait=False, timeout=SECONDS, **asked)
        if wait:
            info = _followed(client, info, out)
    if out.json:
        out.document(msgspec.to_builtins(info))
        return
    out.note(f"{info.call.model} is {info.stage.value}; its name is")
    out.line(info.uid)


def terminate(uid: str, where: Where, out: Output) -> None:
    """Take a launched model down.

    Raises:
        ModelNotFound: Nothing was launched under that uid.
    """
    with reach.connect(*where, timeout=SECONDS) as client:
        info = client.terminate_model(uid)
    if out.json:
        out.document(msgspec.to_builtins(info))
    else:
        out.note(f"{info.uid} is terminated")


def _followed(client: Client, info: LaunchInfo, out: Output) -> LaunchInfo:
    """Look at a launch until it is over.

    Raises:
        KeyboardInterrupt: A person gave it up; it is cancelled.
        StelaeError: It failed, and why.
    """
    with bar(out) as shown:
        try:
            while info.stage in UNDER_WAY:
                shown(info)
                time.sleep(POLL_SECONDS)
                info = client.launched(info.uid)
        except KeyboardInterrupt:
            client.cancel_launch(info.uid)
            out.note(f"the launch of {info.uid} is given up")
            raise
    if info.stage is not Stage.READY and info.error is not None:
        raise from_info(info.error)
    return info


@contextmanager
def bar(out: Output) -> Iterator[Callable[[LaunchInfo], None]]:
    """A bar in a terminal, or a line for each stage elsewhere."""
    if out.quiet or not sys.stderr.isatty():
        yield _lines(out)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as bars:
        task = bars.add_task("pending", total=1.0)
        yield lambda info: bars.update(task, description=told(info), completed=info.progress)


def told(info: LaunchInfo) -> str:
    """How far a launch is, in words."""
    if info.stage is not Stage.DOWNLOADING or not info.files:
        return info.stage.value
    done = sum(file.done for file in info.files)
    total = sum(file.total for file in info.files)
    of = f" of {size(total)}" if total >= done else ""
    return f"downloading {size(done)}{of}"


def _lines(out: Output) -> Callable[[LaunchInfo], None]:
    seen: list[Stage] = []

    def note(info: LaunchInfo) -> None:
        if info.stage not in seen:
            seen.append(info.stage)
            out.note(f"{info.uid}: {info.stage.value}")

    return note


def _gpus(text: str) -> list[int]:
    if text.strip().casefold() == "cpu":
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InvalidInput(
            f"gpus={text[:40]!r}: give numbers with commas between them, or 'cpu'", param="gpus"
        )
    return [int(part) for part in parts]


def _pair(text: str, param: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InvalidInput(f"{param}={text[:80]!r}: give NAME=VALUE", param=param)
    return name, value
