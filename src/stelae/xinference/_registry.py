"""What is asked about a server: what it knows and keeps, its machines. Pure."""

from __future__ import annotations

from stelae.xinference._asks import Ask, segment, segments
from stelae.xinference._models import RELOADED

REGISTRATIONS = "/v1/model_registrations"
CACHE = "/v1/cache/models"
REGISTER = "Failed to register model"
LIST_REGISTRATIONS = "Failed to list model registration"


def registration(kind: str, document: str, persist: bool, worker_ip: str | None) -> Ask:
    """To add a model to what the server knows."""
    body = {"model": document, "worker_ip": worker_ip, "persist": persist}
    return Ask(what=REGISTER, method="POST", path=f"{REGISTRATIONS}/{segment(kind)}", body=body)


def forgetting(kind: str, name: str) -> Ask:
    """To take one out."""
    return Ask(what=REGISTER, method="DELETE", path=_path(kind, name))


def registrations(kind: str, detailed: bool) -> Ask:
    """All models of a kind that the server knows."""
    return Ask(
        what=LIST_REGISTRATIONS,
        method="GET",
        path=f"{REGISTRATIONS}/{segment(kind)}",
        query={"detailed": bool(detailed)},
    )


def registered(kind: str, name: str) -> Ask:
    """What it knows of one."""
    return Ask(what=LIST_REGISTRATIONS, method="GET", path=_path(kind, name))


def engines(name: str, kind: str | None, isolated: bool | None) -> Ask:
    """With what a model can be served."""
    return Ask(
        what="Failed to query engine parameters by model name",
        method="GET",
        path=f"/v1/engines/{segment(kind)}/{segments(name)}" if kind else f"/v1/engines/{name}",
        query={"enable_virtual_env": isolated},
    )


def cached(name: str | None, worker_ip: str | None) -> Ask:
    """Weights that lie on the server's disk."""
    query = {"model_name": name, "worker_ip": worker_ip}
    return Ask(what="Failed to list cached model", method="GET", path=CACHE, query=query)


def cached_files(version: str, worker_ip: str | None) -> Ask:
    """The files of one of them."""
    query = {"model_version": version, "worker_ip": worker_ip}
    what = "Failed to get paths by model name"
    return Ask(what=what, method="GET", path=f"{CACHE}/files", query=query)


def uncached(version: str, worker_ip: str | None) -> Ask:
    """To remove them."""
    query = {"model_version": version, "worker_ip": worker_ip}
    return Ask(what="Failed to remove cached models", method="DELETE", path=CACHE, query=query)


def told(what: str, path: str) -> Ask:
    """A fact of the server."""
    return Ask(what=what, method="GET", path=path)


def stop() -> Ask:
    """To end the server."""
    return Ask(what="Failed to abort cluster", method="DELETE", path="/v1/clusters")


def relaunch(who: str, path: str, python: str | None, request_id: str | None) -> Ask:
    """To start a part of the server anew."""
    body = {"python_executable": python, "request_id": request_id}
    what = f"Failed to relaunch {who}"
    return Ask(what=what, method="POST", path=path, body=body, good=RELOADED, joint=": ")


def relaunched(who: str, operation: str) -> Ask:
    """How far that is."""
    path = f"/v1/{who.lower()}-relaunches/{segment(operation)}"
    return Ask(what=f"Failed to get {who} relaunch", method="GET", path=path, joint=": ")


def relaunches(who: str) -> Ask:
    """All of these."""
    path = f"/v1/{who.lower()}-relaunches"
    return Ask(what=f"Failed to list {who} relaunches", method="GET", path=path, joint=": ")


def _path(kind: str, name: str) -> str:
    return f"{REGISTRATIONS}/{segment(kind)}/{segments(name)}"
