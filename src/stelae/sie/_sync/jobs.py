# Generated from src/stelae/sie/_async/jobs.py by tools/unasync.py: do not edit.
"""Jobs: many items in one request, encoded in the background."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from stelae.client._sync._crew import Crew
from stelae.sie import _jobs
from stelae.sie._sync.rest import Rest
from stelae.sie._rest import path_of
from stelae.sie.errors import renamed
from stelae.sie.works import JobResults, JobStatus, JobSubmitResult


class Jobs:
    """The jobs of a server.

    Args:
        rest: Asks it.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def submit(
        self,
        *,
        source: Any,
        model: str,
        operation: str = "encode",
        sink: Any = None,
        connection: str | None = None,
        sink_connection: str | None = None,
        field_map: Mapping[str, Any] | None = None,
        output_field: str | None = None,
        execution: Literal["plan", "run"] | None = None,
        when: Any = None,
        output_types: Sequence[str] | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> JobSubmitResult | JobStatus:
        """Let items be encoded in the background.

        Args:
            source: A text, or a list of texts and items.
            model: Name of the model.
            operation: What to do: ``encode``.
            sink: Nothing, or ``return``.
            connection: Of connectors to other stores, which are refused here, as are
                ``sink_connection``, ``field_map``, ``output_field``, ``execution`` and
                ``idempotency_key``.
            when: Nothing, or ``now``.
            output_types: Kinds of representation; dense if not given.
            options: What the model is told beside.

        Raises:
            RequestError: It asks for what jobs here do not do.
        """
        with renamed(model=model):
            body = _jobs.job_body(
                source,
                model,
                operation,
                sink=sink,
                connection=connection,
                sink_connection=sink_connection,
                field_map=field_map,
                output_field=output_field,
                execution=execution,
                when=when,
                output_types=output_types,
                options=options,
                idempotency_key=idempotency_key,
            )
        return cast("JobSubmitResult", self._rest.ask("POST", "/v1/jobs", body))

    def get(self, job_id: str) -> JobStatus:
        """One job and how far it is."""
        return cast("JobStatus", self._rest.ask("GET", self._path(job_id)))

    def list(self) -> Sequence[JobStatus]:
        """All jobs, the newest first."""
        listed = self._rest.ask("GET", "/v1/jobs")
        return cast("Sequence[JobStatus]", listed["data"])

    def cancel(self, job_id: str) -> JobStatus:
        """Stop a job; the results that are there stay."""
        return cast("JobStatus", self._rest.ask("POST", self._path(job_id, "cancel")))

    def wait(
        self,
        job_id: str,
        *,
        timeout_s: float = 600.0,
        poll_s: float = 2.0,
        raise_on_failure: bool = False,
    ) -> JobStatus:
        """A job once it is over.

        Args:
            job_id: The job.
            timeout_s: Seconds to wait at most.
            poll_s: Seconds between two looks.
            raise_on_failure: Whether one that did not succeed is an error.

        Raises:
            RequestError: It is still under way after that time.
            JobFailedError: It did not succeed, if that was asked for.
        """
        end = time.monotonic() + timeout_s
        while not _jobs.is_over(job := self.get(job_id)):
            if time.monotonic() + poll_s > end:
                raise _jobs.too_late(job_id, job, timeout_s)
            with Crew() as crew:
                crew.pause(poll_s)
        return _jobs.checked(job_id, job) if raise_on_failure else job

    def results(self, job_id: str) -> JobResults:
        """What was made of each item of a job that is over; those that failed say why.

        Warns:
            UserWarning: Some results are not there, or cannot be read.

        Raises:
            RequestError: The job is still under way.
        """
        job = self.get(job_id)
        chunks = _jobs.chunks_of(job_id, job)
        refs = [ref for chunk in chunks if (ref := _jobs.ref_of(chunk)) is not None]
        fetched = [self._rest.shown(ref) for ref in refs]
        return _jobs.results(job_id, job, chunks, fetched)

    def _path(self, job_id: str, verb: str = "") -> str:
        with renamed():
            return path_of("jobs", job_id, verb)
