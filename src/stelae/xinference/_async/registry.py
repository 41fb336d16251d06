"""What a server knows of models and has of them on its disk, as a part of the client."""

from __future__ import annotations

from typing import Any, cast

from stelae.xinference import _models, _registry
from stelae.xinference._async.rest import AsyncRest

Told = dict[str, Any]


class AsyncRegistry:
    """Registrations, weights that are here, engines."""

    _rest: AsyncRest

    async def register_model(
        self, model_type: str, model: str, persist: bool, worker_ip: str | None = None
    ) -> Any:
        """Add a model to those that the server knows.

        Args:
            model_type: What it is for, as for ``launch_model``.
            model: What it is: a JSON text.
            persist: Whether a restart of the server leaves it.
            worker_ip: The machine that should know it.

        Raises:
            XinferenceError: The text is not right, or the name is taken.
        """
        ask = _registry.registration(model_type, model, persist, worker_ip)
        return await self._rest.value(ask)

    async def unregister_model(self, model_type: str, model_name: str) -> Any:
        """Take a model out that was added.

        Raises:
            XinferenceError: There is none of that name, or the server has it of its own.
        """
        return await self._rest.value(_registry.forgetting(model_type, model_name))

    async def list_model_registrations(
        self, model_type: str, detailed: bool = False
    ) -> list[dict[str, Any]]:
        """All models of a kind that the server knows.

        Args:
            model_type: The kind, as for ``launch_model``.
            detailed: Whether all is told of each.
        """
        ask = _registry.registrations(model_type, detailed)
        return cast("list[dict[str, Any]]", await self._rest.value(ask))

    async def get_model_registration(self, model_type: str, model_name: str) -> dict[str, Any]:
        """What the server knows of a model.

        Raises:
            XinferenceError: There is none of that name.
        """
        return cast("Told", await self._rest.value(_registry.registered(model_type, model_name)))

    async def list_cached_models(
        self, model_name: str | None = None, worker_ip: str | None = None
    ) -> list[dict[Any, Any]]:
        """Weights that lie on the server's disk.

        Args:
            model_name: Those of one model alone.
            worker_ip: Those of one machine alone.
        """
        told = await self._rest.value(_registry.cached(model_name, worker_ip))
        return cast("list[dict[Any, Any]]", told.get("list"))

    async def list_deletable_models(
        self, model_version: str, worker_ip: str | None = None
    ) -> dict[str, Any]:
        """The files of one of these.

        Args:
            model_version: Which, as ``list_cached_models`` tells.
            worker_ip: On which machine.
        """
        return cast(
            "Told", await self._rest.value(_registry.cached_files(model_version, worker_ip))
        )

    async def confirm_and_remove_model(
        self, model_version: str, worker_ip: str | None = None
    ) -> bool:
        """Remove them.

        Args:
            model_version: Which, as ``list_cached_models`` tells.
            worker_ip: On which machine.

        Returns:
            Whether they are gone.
        """
        told = await self._rest.value(_registry.uncached(model_version, worker_ip))
        return bool(told.get("result", False))

    async def query_engine_by_model_name(
        self,
        model_name: str,
        model_type: str | None = "LLM",
        enable_virtual_env: bool | None = None,
    ) -> dict[str, Any]:
        """With what a model can be served.

        Args:
            model_name: Its name.
            model_type: What it is for.
            enable_virtual_env: For servers with environments of their own for models.

        Returns:
            For each engine what it can load, or why nothing.
        """
        ask = _registry.engines(model_name, model_type, enable_virtual_env)
        return cast("Told", await self._rest.value(ask))

    async def get_autostart_config(self) -> dict[str, Any]:
        """What is launched when the server starts."""
        return cast("Told", await self._rest.value(_models.autostart()))

    async def get_autostart_model_summary(self) -> dict[str, Any]:
        """The same in short."""
        return cast("Told", await self._rest.value(_models.autostart_summary()))

    async def upsert_autostart_model(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Launch a model when the server starts.

        Args:
            entry: ``{"launch": ...}`` with the arguments of ``launch_model``; beside them
                ``enabled``, ``priority``, ``max_retries`` and ``retry_interval_seconds``.
        """
        return cast("Told", await self._rest.value(_models.autostarted(entry)))

    async def remove_autostart_model(self, model_uid: str) -> dict[str, Any]:
        """Do so no longer."""
        return cast("Told", await self._rest.value(_models.not_autostarted(model_uid)))
