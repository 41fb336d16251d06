"""What is asked about models: launching, looking, replicas, autostart, reloading. Pure."""

from __future__ import annotations

from typing import Any

from stelae.xinference._asks import Ask, segment, segments
from stelae.xinference.errors import invalid

MODELS = "/v1/models"
AUTOSTART = "/v1/autostart/models"
LAUNCH = "Failed to launch model"
TERMINATE_REPLICA = "Failed to terminate model replica"
RELOADED = 202
"""Status of what is begun and not waited for."""


def size_of(size: float | str | None) -> int | str | None:
    """A size in billions as it is sent: whole numbers as such, others as text."""
    if isinstance(size, float):
        return int(size) if size.is_integer() else str(size)
    return size


def launch(body: dict[str, Any], more: dict[str, Any]) -> Ask:
    """To bring a model up.

    Args:
        body: The protocol's own arguments.
        more: What the caller gave beside them; ``wait_ready`` says whether to wait.
    """
    wait = more.pop("wait_ready", True)
    query = {} if wait else {"wait_ready": False}
    sized = {**body, "model_size_in_billions": size_of(body["model_size_in_billions"])}
    return Ask(what=LAUNCH, method="POST", path=MODELS, query=query, body={**sized, **more})


def listing() -> Ask:
    """All models that are up."""
    return Ask(what="Failed to list model", method="GET", path=MODELS)


def description(uid: str) -> Ask:
    """One of them."""
    return Ask(what="Failed to get the model description", method="GET", path=place(uid))


def termination(uid: str) -> Ask:
    """To take one down."""
    return Ask(what="Failed to terminate model", method="DELETE", path=place(uid))


def addition(
    uid: str, config: Any, replica: int, engine: str | None, n_gpu: int | str | None
) -> Ask:
    """To add replicas to one."""
    given = {"replica_config": config, "model_engine": engine, "n_gpu": n_gpu}
    body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if replica != 1:
        body["replica"] = replica
    what = "Failed to add model replica"
    return Ask(what=what, method="POST", path=f"{place(uid)}/replicas", body=body)


def removal(uid: str, number: int) -> Ask:
    """To take one replica down."""
    path = f"{place(uid)}/replicas/{segment(str(number))}"
    return Ask(what=TERMINATE_REPLICA, method="DELETE", path=path)


def progress(uid: str) -> Ask:
    """How far a launch is."""
    what = "Fail to get model launching progress"
    return Ask(what=what, method="GET", path=f"{place(uid)}/progress")


def cancellation(uid: str) -> Ask:
    """To give a launch up."""
    return Ask(what="Fail to cancel launching model", method="POST", path=f"{place(uid)}/cancel")


def instances(name: str, uid: str) -> Ask:
    """What runs of a model."""
    query = {"model_name": name, "model_uid": uid}
    what = "Failed to get instance info"
    return Ask(what=what, method="GET", path=f"{MODELS}/instances", query=query)


def autostart() -> Ask:
    """What is launched when the server starts."""
    return Ask(what="Failed to get autostart config", method="GET", path=AUTOSTART)


def autostart_summary() -> Ask:
    """The same in short."""
    what = "Failed to get autostart model summary"
    return Ask(what=what, method="GET", path=f"{AUTOSTART}/summary")


def autostarted(entry: dict[str, Any]) -> Ask:
    """To launch a model when the server starts."""
    what = "Failed to upsert autostart model"
    return Ask(what=what, method="POST", path=AUTOSTART, body=entry)


def not_autostarted(uid: str) -> Ask:
    """To do so no longer."""
    path = f"{AUTOSTART}/{segment(_named(uid))}"
    return Ask(what="Failed to remove autostart model", method="DELETE", path=path)


def reload(uid: str, config: dict[str, Any], drain: float, python: str | None) -> Ask:
    """To load a model anew with other options."""
    body: dict[str, Any] = {"model_config": config, "drain_timeout": drain}
    if python is not None:
        body["python_executable"] = python
    path = f"{MODELS}/{segment(_named(uid))}/reload"
    return Ask(what="Failed to reload model", method="POST", path=path, body=body, good=RELOADED)


def reloading(uid: str) -> Ask:
    """How far that is."""
    path = f"{MODELS}/{segment(_named(uid))}/reload"
    return Ask(what="Failed to get reload status", method="GET", path=path)


def reloaded_with(uid: str) -> Ask:
    """With what it was done last."""
    path = f"{MODELS}/{segment(_named(uid))}/reload/config"
    return Ask(what="Failed to get reload config", method="GET", path=path)


def abortion(uid: str, request_id: str, seconds: int) -> Ask:
    """To give one request up."""
    path = f"{place(uid)}/requests/{segment(request_id)}/abort"
    body = {"block_duration": seconds}
    return Ask(what="Failed to abort request", method="POST", path=path, body=body)


def requested(request_id: str) -> Ask:
    """How far one request is."""
    path = f"/v1/requests/{segment(request_id)}/progress"
    return Ask(what="Failed to get progress", method="GET", path=path)


def place(uid: str) -> str:
    """Where a model is found.

    Raises:
        XinferenceError: No uid was given.
    """
    return f"{MODELS}/{segments(_named(uid))}"


def _named(uid: str) -> str:
    if not isinstance(uid, str) or not uid.strip("/. "):
        raise invalid(f"model_uid={uid!r}: give the uid of a model")
    return uid
