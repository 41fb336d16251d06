"""Jobs: what is sent for one, and what its results mean."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from stelae.errors import InvalidInput
from stelae.sie.errors import JobFailedError, RequestError
from stelae.sie.works import JobChunk, JobResultItem, JobResults, JobStatus
from stelae.wire.sie.arrays import read

ENDS = frozenset({"succeeded", "failed", "suspended", "cancelled"})
"""States that a job stays in."""

ADDRESSES = ("http://", "https://")


def job_body(source: Any, model: str, operation: str, **more: Any) -> dict[str, Any]:
    """The body that takes a job on.

    Args:
        source: A text, or a list of texts and items.
        model: Name of the model.
        operation: What to do.
        more: What else was given; ``None`` where nothing was.

    Raises:
        InvalidInput: It asks for what only the managed cloud does, or for nothing.
    """
    given = {name: value for name, value in more.items() if value is not None}
    for name, plain in (("sink", "return"), ("when", "now")):
        if given.get(name) == plain:
            del given[name]
    elsewhere = sorted(given.keys() - {"output_types", "options"})
    if elsewhere or (isinstance(source, str) and "://" in source):
        raise InvalidInput(
            f"{', '.join(elsewhere) or 'source'}: a job here takes its items along and runs at "
            "once; give them as source, and nothing of connectors",
            param=elsewhere[0] if elsewhere else "source",
        )
    body: dict[str, Any] = {"operation": operation, "model": model, "items": _items(source)}
    if given.get("output_types"):
        body["output_types"] = list(given["output_types"])
    if given.get("options"):
        body["options"] = dict(given["options"])
    return body


def _items(source: Any) -> list[dict[str, Any]]:
    listed = [source] if isinstance(source, str) else source
    if not isinstance(listed, list) or not all(isinstance(i, str | Mapping) for i in listed):
        raise InvalidInput("source: a text, or a list of texts and items was expected")
    if not source:
        raise InvalidInput("source: there is nothing in it")
    return [{"text": item} if isinstance(item, str) else dict(item) for item in listed]


def is_over(job: JobStatus) -> bool:
    """Whether a job stays as it is."""
    return job["state"] in ENDS


def too_late(name: str, job: JobStatus, seconds: float) -> RequestError:
    """A job took longer than its caller waits."""
    message = f"job {name} is still {job['state']!r} after {seconds:g} s; ask for it again later"
    return RequestError(message, "job_wait_timeout", 504)


def checked(name: str, job: JobStatus) -> JobStatus:
    """A job that ended well.

    Raises:
        JobFailedError: It did not.
    """
    if job["state"] == "succeeded":
        return job
    why, outcome, code = job.get("error"), job.get("outcome"), job.get("error_code")
    message = f"job {name} has {job['state']!r}: {why or code or 'nothing more is told'}"
    raise JobFailedError(message, job_id=name, state=job["state"], outcome=outcome, error_code=code)


def chunks_of(name: str, job: JobStatus) -> list[JobChunk]:
    """Where the results of a job lie.

    Raises:
        RequestError: It is still under way.
    """
    if not is_over(job):
        raise RequestError(
            f"job {name} is {job['state']!r}: its results are there when it is over; wait for it",
            "job_not_terminal",
            409,
        )
    return cast("list[JobChunk]", job.get("output", {}).get("chunks", []))


def ref_of(chunk: JobChunk) -> str | None:
    """The address of a chunk, if it has one that is fetched."""
    ref = chunk.get("ref")
    return ref if ref is not None and ref.startswith(ADDRESSES) else None


def results(
    name: str, job: JobStatus, chunks: Sequence[JobChunk], fetched: Sequence[bytes]
) -> JobResults:
    """The results of a job, of its chunks as they were fetched."""
    items = [item for data in fetched for item in _rows(name, data)]
    total = job.get("total_items")
    if total is not None and len(items) < total:
        warnings.warn(f"{len(items)} of the {total} results of job {name} are there", stacklevel=3)
    return {
        "job_id": job["id"],
        "state": job["state"],
        "total_items": total,
        "chunks": list(chunks),
        "retrieved": len(items),
        "dims": next((item["dims"] for item in items if item["dims"] is not None), None),
        "items": items,
    }


def _rows(name: str, data: bytes) -> list[JobResultItem]:
    try:
        return [_item(row) for row in msgspec.msgpack.decode(data, type=list[dict[str, Any]])]
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, LookupError) as error:
        warnings.warn(f"a chunk of job {name} cannot be read: {error}", stacklevel=4)
        return []


def _item(row: dict[str, Any]) -> JobResultItem:
    made: dict[str, Any] = {}
    if row.get("result_msgpack"):
        made = msgspec.msgpack.decode(row["result_msgpack"], type=dict[str, Any])
    dense = read(made["dense"]["values"]) if "dense" in made else None
    item: JobResultItem = {
        "id": row.get("work_item_id", made.get("id")),
        "success": row.get("success"),
        "units": row.get("units"),
        "dims": None if dense is None else dense.size,
        "dense": dense,
    }
    if sparse := made.get("sparse"):
        item["sparse"] = {"indices": read(sparse["indices"]), "values": read(sparse["values"])}
    if many := made.get("multivector"):
        item["multivector"] = read(many["values"])
    if row.get("error"):
        item["error"] = {"code": row.get("error_code", ""), "message": row["error"]}
    return item
