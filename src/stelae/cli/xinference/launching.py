"""Launching as ``xinference launch`` does: asked once, then followed until it is over."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from stelae.cli.output import Output, console
from stelae.cli.xinference.session import Session
from stelae.errors import InvalidInput
from stelae.xinference import XinferenceError

POLL_SECONDS = 0.5
"""Time between two looks at a launch."""

OVER = ("failed", "cancelled", "error")
"""Stages of launches that come to nothing."""

PAIR = "\0"
"""Between the two words of an option that takes two; no word of a command line holds it."""

WORDS = {"true": True, "false": False, "none": None, "null": None}

GONE = ("ERROR", "TERMINATED")
"""What servers that have no such stages say of instances."""


def launch(endpoint: str, key: str | None, asked: dict[str, Any]) -> None:
    """Launch a model, show how far it is, and print its uid on stderr.

    Args:
        endpoint: Address of the server.
        key: Key to show.
        asked: Arguments of ``Client.launch_model``.

    Raises:
        XinferenceError: The server refuses it, or it cannot be loaded.
        KeyboardInterrupt: A person gave it up; the launch is cancelled.
    """
    with Session(endpoint, key) as session:
        uid = session.launch_model(**asked, wait_ready=False)
        try:
            _follow(session, asked["model_name"], uid)
        except KeyboardInterrupt:
            session.cancel_launch_model(uid)
            raise
    sys.stderr.write(f"Model uid: {uid}\n")


def _follow(session: Session, name: str, uid: str) -> None:
    from rich.progress import BarColumn, Progress, TextColumn

    shown = Output().gauged(None)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
    with Progress(
        *columns, console=console(sys.stderr), transient=True, disable=not shown
    ) as progress:
        task = progress.add_task("Launching", total=1.0)
        while not is_over(session, name, uid, told := session.get_launch_model_progress(uid)):
            stage = str(told.get("stage") or "launching")
            progress.update(task, description=stage, completed=told.get("progress") or 0.0)
            time.sleep(POLL_SECONDS)


def is_over(session: Session, name: str, uid: str, told: dict[str, Any]) -> bool:
    """Whether a launch is over.

    Args:
        session: Asks the server.
        name: Name of the model.
        uid: Its uid.
        told: How far it is, as the server says.

    Raises:
        XinferenceError: It has come to nothing, and why.
    """
    if told.get("stage") == "ready" or (told.get("progress") or 0.0) >= 1.0:
        return True
    statuses = [one.get("status") for one in session.get_instance_info(name, uid)]
    if told.get("stage") in OVER or not statuses or all(each in GONE for each in statuses):
        reason = told.get("error") or "the launch came to nothing; the server's log says why"
        raise XinferenceError(f"Failed to launch model, detail: {reason}")
    return "READY" in statuses


def size_of(text: str | None) -> int | str | None:
    """A size in billions: a whole number if it is one."""
    return int(text) if text is not None and text.isdecimal() else text


def gpu_count(text: str) -> int | str | None:
    """GPUs of a replica: a number, ``auto``, or none.

    Raises:
        InvalidInput: It is none of these.
    """
    plain = text.strip().casefold()
    if plain == "none":
        return None
    if plain == "auto":
        return plain
    return _number(plain, "n-gpu")


def numbers(text: str | None) -> list[int] | None:
    """Numbers with commas between them.

    Raises:
        InvalidInput: One of them is none.
    """
    return None if text is None else [_number(part, "gpu-idx") for part in text.split(",")]


def adapters(
    modules: Sequence[str] | None, loading: Sequence[str] | None, fusing: Sequence[str] | None
) -> dict[str, Any] | None:
    """Adapters as the server takes them; ``None`` if there are none."""
    if not (modules or loading or fusing):
        return None
    listed = pairs(modules) or {}
    return {
        "lora_list": [{"lora_name": name, "local_path": path} for name, path in listed.items()],
        "image_lora_load_kwargs": pairs(loading) or {},
        "image_lora_fuse_kwargs": pairs(fusing) or {},
    }


def replicas(count: int, places: str | None) -> dict[str, object]:
    """How many replicas there are, and where each of them runs.

    Raises:
        InvalidInput: The places are no list in JSON.
    """
    if places is None:
        return {"replica": count}
    try:
        listed = msgspec.json.decode(places, type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidInput(
            f"replica-config={places[:80]!r}: a list in JSON was expected, as "
            '\'[{"devices": [{"gpu_idx": [0]}]}]\'',
            param="replica-config",
        ) from error
    return {"replica": len(listed) if count == 1 else count, "replica_config": listed}


def pairs(texts: Sequence[str] | None) -> dict[str, str] | None:
    """Names and what is said of them; ``None`` if nothing is.

    Raises:
        InvalidInput: One of the two words is missing.
    """
    for text in texts or ():
        if PAIR not in text:
            raise InvalidInput(
                f"{text!r}: two words were expected, a name and its value", param=text
            )
    return None if not texts else dict(text.split(PAIR, 1) for text in texts)


def further(words: Sequence[str], quantization: Sequence[str] | None) -> dict[str, Any]:
    """What the server is told beside what it is known to take.

    Args:
        words: ``--key value``, again and again.
        quantization: Pairs for engines.

    Raises:
        InvalidInput: A word has no partner.
    """
    names, values = words[::2], words[1::2]
    odd = [name for name in names if not name.startswith("--")]
    if odd or len(names) != len(values):
        what = odd[0] if odd else names[-1]
        raise InvalidInput(f"{what[:80]!r}: further options are '--key value'", param="options")
    told = {
        name[2:].replace("-", "_"): value_of(value)
        for name, value in zip(names, values, strict=True)
    }
    config = pairs(quantization)
    if config is not None:
        told["quantization_config"] = {name: value_of(text) for name, text in config.items()}
    return told


def value_of(text: str) -> Any:
    """A word as the value that it stands for: a number, a truth, nothing, or itself."""
    if text.casefold() in WORDS:
        return WORDS[text.casefold()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _number(text: str, param: str) -> int:
    if not text.strip().isdecimal():
        raise InvalidInput(f"{param}={text[:40]!r}: a number was expected", param=param)
    return int(text)
