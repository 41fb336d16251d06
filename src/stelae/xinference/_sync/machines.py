# Generated from src/stelae/xinference/_async/machines.py by tools/unasync.py: do not edit.
"""A server and its machines, as a part of the client."""

from __future__ import annotations

from typing import Any, cast

from stelae.xinference import _models, _registry
from stelae.xinference._asks import segment
from stelae.xinference._sync.rest import Rest

Told = dict[str, Any]


class Machines:
    """Workers, and loading and starting anew."""

    _rest: Rest

    def get_workers_info(self) -> list[dict[str, Any]]:
        """The machines and what is loaded there."""
        ask = _registry.told("Failed to get workers info", "/v1/workers")
        return cast("list[Told]", self._rest.value(ask))

    def get_supervisor_info(self) -> dict[str, Any]:
        """The machine that was asked."""
        ask = _registry.told("Failed to get supervisor info", "/v1/supervisor")
        return cast("Told", self._rest.value(ask))

    def abort_cluster(self) -> dict[str, Any]:
        """End the server."""
        return cast("Told", self._rest.value(_registry.stop()))

    def reload_model(
        self,
        model_uid: str,
        model_config: dict[str, Any],
        drain_timeout: float = 300,
        python_executable: str | None = None,
    ) -> dict[str, Any]:
        """Load a model anew with other options.

        Args:
            model_uid: The model.
            model_config: What is other.
            drain_timeout: Seconds that its requests have to finish.
            python_executable: For servers that start models with a Python of their own.
        """
        ask = _models.reload(model_uid, model_config, drain_timeout, python_executable)
        return cast("Told", self._rest.value(ask))

    def get_model_reload_status(self, model_uid: str) -> dict[str, Any]:
        """How far that is."""
        return cast("Told", self._rest.value(_models.reloading(model_uid)))

    def get_model_reload_config(self, model_uid: str) -> dict[str, Any]:
        """With what it was done last."""
        return cast("Told", self._rest.value(_models.reloaded_with(model_uid)))

    def relaunch_worker(
        self,
        worker_address: str,
        python_executable: str | None = None,
        request_id: str | None = None,
    ) -> dict[str, Any]:
        """Start a worker anew.

        Args:
            worker_address: The worker.
            python_executable: The Python to start it with.
            request_id: A name for this request.
        """
        path = f"/v1/workers/{segment(worker_address)}/relaunch"
        ask = _registry.relaunch("worker", path, python_executable, request_id)
        return cast("Told", self._rest.value(ask))

    def get_worker_relaunch(self, operation_id: str) -> dict[str, Any]:
        """How far that is."""
        ask = _registry.relaunched("worker", operation_id)
        return cast("Told", self._rest.value(ask))

    def list_worker_relaunches(self) -> list[dict[str, Any]]:
        """All of these."""
        ask = _registry.relaunches("worker")
        return cast("list[Told]", self._rest.value(ask))

    def relaunch_api(
        self, python_executable: str | None = None, request_id: str | None = None
    ) -> dict[str, Any]:
        """Start what answers requests anew; see ``relaunch_worker``."""
        ask = _registry.relaunch("API", "/v1/api/relaunch", python_executable, request_id)
        return cast("Told", self._rest.value(ask))

    def get_api_relaunch(self, operation_id: str) -> dict[str, Any]:
        """How far that is."""
        ask = _registry.relaunched("API", operation_id)
        return cast("Told", self._rest.value(ask))

    def list_api_relaunches(self) -> list[dict[str, Any]]:
        """All of these."""
        ask = _registry.relaunches("API")
        return cast("list[Told]", self._rest.value(ask))

    def relaunch_supervisor(
        self, python_executable: str | None = None, request_id: str | None = None
    ) -> dict[str, Any]:
        """Start what places models anew; see ``relaunch_worker``."""
        path = "/v1/supervisor/relaunch"
        ask = _registry.relaunch("Supervisor", path, python_executable, request_id)
        return cast("Told", self._rest.value(ask))

    def get_supervisor_relaunch(self, operation_id: str) -> dict[str, Any]:
        """How far that is."""
        ask = _registry.relaunched("Supervisor", operation_id)
        return cast("Told", self._rest.value(ask))

    def list_supervisor_relaunches(self) -> list[dict[str, Any]]:
        """All of these."""
        ask = _registry.relaunches("Supervisor")
        return cast("list[Told]", self._rest.value(ask))
