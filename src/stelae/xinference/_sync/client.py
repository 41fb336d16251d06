# Generated from src/stelae/xinference/_async/client.py by tools/unasync.py: do not edit.
"""Xinference's client: its names, its arguments, its dicts."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, cast

from stelae.client import _errors, _login, _transport
from stelae.xinference import _answers, _models, _registry
from stelae.xinference._asks import Ask
from stelae.xinference._sync.handles import (
    ChatModelHandle,
    EmbeddingModelHandle,
    FlexibleModelHandle,
    GenerateModelHandle,
    ModelHandle,
    RerankModelHandle,
)
from stelae.xinference._sync.machines import Machines
from stelae.xinference._sync.media import (
    AudioModelHandle,
    ImageModelHandle,
    VideoModelHandle,
    WorldModelHandle,
)
from stelae.xinference._sync.registry import Registry
from stelae.xinference._sync.rest import Rest
from stelae.xinference.errors import UnknownModelKind, renamed

LOGIN = "Failed to login"

HANDLES: dict[str, type[ModelHandle]] = {
    "embedding": EmbeddingModelHandle,
    "rerank": RerankModelHandle,
    "image": ImageModelHandle,
    "audio": AudioModelHandle,
    "video": VideoModelHandle,
    "world": WorldModelHandle,
    "flexible": FlexibleModelHandle,
}
"""Handles by what a model is for, but for those that write."""


class Client(Registry, Machines):
    """Asks a server as Xinference's own client does.

    Making one sends nothing.

    Attributes:
        base_url: Address of the server.

    Args:
        base_url: The same.
        api_key: Key to show to the server; ``None`` shows the one that ``stelae login`` has kept
            for the address, if there is one.

    Raises:
        XinferenceError: The address or the key is none.
    """

    def __init__(self, base_url: str, api_key: str | None = None) -> None:
        with renamed("Failed to connect"):
            kept = _login.key_of(_errors.base_url(base_url)) if api_key is None else api_key
            shown = _transport.identity(kept).get("authorization")
        self._rest = Rest(base_url, {} if shown is None else {"authorization": shown})
        self.base_url = self._rest.address

    def __repr__(self) -> str:
        return f"Client({self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; models that were launched stay up."""
        self._rest.close()

    def login(self, username: str, password: str) -> None:
        """Get a key for a name and a password; does nothing where no key is needed.

        Raises:
            XinferenceError: The pair is not right, or the server has no such way in.
        """
        probe = Ask(what=LOGIN, method="GET", path="/v1/cluster/auth")
        if not (self._rest.value(probe)).get("auth"):
            return
        body = {"username": username, "password": password}
        told = self._rest.value(Ask(what=LOGIN, method="POST", path="/token", body=body))
        token = _answers.part(LOGIN, told, "access_token")
        self._rest.headers["authorization"] = f"Bearer {token}"

    def launch_model(
        self,
        model_name: str,
        model_type: str = "LLM",
        model_engine: str | None = None,
        model_uid: str | None = None,
        model_size_in_billions: float | str | None = None,
        model_format: str | None = None,
        quantization: str | None = None,
        replica: int = 1,
        n_worker: int = 1,
        n_gpu: int | str | None = "auto",
        peft_model_config: dict[str, Any] | None = None,
        request_limits: int | None = None,
        worker_ip: str | None = None,
        gpu_idx: int | list[int] | None = None,
        replica_config: list[dict[str, Any]] | None = None,
        model_path: str | None = None,
        enable_thinking: bool | None = None,
        enable_virtual_env: bool | None = None,
        virtual_env_packages: list[str] | None = None,
        envs: dict[str, str] | None = None,
        virtual_env_find_links: list[str] | None = None,
        **kwargs: Any,
    ) -> str:
        """Bring a model up, and wait until it answers.

        Args:
            model_name: A name that the server knows, or a hub id.
            model_type: ``LLM``, ``embedding``, ``rerank``, ``image``, ``audio``, ``video``,
                ``world`` or ``flexible``.
            model_engine: Engine to use and no other.
            model_uid: The name it is served under; the server's choice if not given.
            model_size_in_billions: Size, where it has several.
            model_format: Format of the weights.
            quantization: Quantisation of the weights.
            replica: How many times it is loaded.
            n_worker: Machines that share it.
            n_gpu: GPUs of each replica; ``None`` for the CPU.
            peft_model_config: Adapters: ``{"lora_list": [{"lora_name", "local_path"}]}``.
            request_limits: Most requests under way; further ones are refused.
            worker_ip: The machine to use.
            gpu_idx: The GPUs to use.
            replica_config: The same for each replica.
            model_path: Folder or file with the weights.
            enable_thinking: Whether it reasons where a chat does not say.
            enable_virtual_env: For servers with environments of their own for models.
            virtual_env_packages: Packages of such an environment.
            envs: Variables that the model's process gets.
            virtual_env_find_links: Where those packages are.
            kwargs: ``wait_ready=False`` comes back at once; what else the server should know.

        Returns:
            The name it is served under.

        Raises:
            XinferenceError: The server refuses it, it cannot be loaded, or nobody answers.
        """
        body = {
            "model_uid": model_uid,
            "model_name": model_name,
            "model_engine": model_engine,
            "peft_model_config": peft_model_config,
            "model_type": model_type,
            "model_size_in_billions": model_size_in_billions,
            "model_format": model_format,
            "quantization": quantization,
            "replica": replica,
            "n_worker": n_worker,
            "n_gpu": n_gpu,
            "request_limits": request_limits,
            "worker_ip": worker_ip,
            "gpu_idx": gpu_idx,
            "replica_config": replica_config,
            "model_path": model_path,
            "enable_thinking": enable_thinking,
            "enable_virtual_env": enable_virtual_env,
            "virtual_env_packages": virtual_env_packages,
            "virtual_env_find_links": virtual_env_find_links,
            "envs": envs,
        }
        told = self._rest.value(_models.launch(body, kwargs))
        return cast("str", _answers.part(_models.LAUNCH, told, "model_uid"))

    def list_models(self) -> dict[str, dict[str, Any]]:
        """All models that are up, by uid."""
        ask = _models.listing()
        listed = _answers.part(ask.what, self._rest.value(ask), "data")
        return {_answers.part(ask.what, model, "id"): model for model in listed}

    def describe_model(self, model_uid: str) -> dict[str, Any]:
        """What a model is.

        Raises:
            XinferenceError: There is none of that uid, or it is not up yet.
        """
        return cast("dict[str, Any]", self._rest.value(_models.description(model_uid)))

    def get_model(self, model_uid: str) -> ModelHandle:
        """What a model can be asked with; its class says for what.

        Raises:
            XinferenceError: There is none of that uid, or it is not up yet.
            UnknownModelKind: No handle is for models of its kind.
        """
        told = self.describe_model(model_uid)
        return _handle_of(told)(model_uid, self.base_url, rest=self._rest)

    def terminate_model(self, model_uid: str) -> None:
        """Take a model down.

        Raises:
            XinferenceError: There is none of that uid.
        """
        self._rest.data(_models.termination(model_uid))

    def add_model_replica(
        self,
        model_uid: str,
        replica_config: dict[str, Any] | list[dict[str, Any]] | None = None,
        replica: int = 1,
        model_engine: str | None = None,
        n_gpu: int | str | None = None,
    ) -> dict[str, Any]:
        """Load a model once more.

        Args:
            model_uid: The model.
            replica_config: Where.
            replica: How many times more.
            model_engine: With what.
            n_gpu: On how many GPUs.
        """
        ask = _models.addition(model_uid, replica_config, replica, model_engine, n_gpu)
        return cast("dict[str, Any]", self._rest.value(ask))

    def terminate_model_replica(self, model_uid: str, replica_id: int) -> int:
        """Take one replica of a model down; returns how many it still has."""
        ask = _models.removal(model_uid, replica_id)
        return cast(
            "int", _answers.part(ask.what, self._rest.value(ask), "remaining_replicas")
        )

    def get_launch_model_progress(self, model_uid: str) -> dict[str, Any]:
        """How far a launch is: ``progress`` from 0 to 1 and ``stage``."""
        return cast("dict[str, Any]", self._rest.value(_models.progress(model_uid)))

    def cancel_launch_model(self, model_uid: str) -> None:
        """Give a launch up.

        Raises:
            XinferenceError: Nothing of that uid is being launched.
        """
        self._rest.data(_models.cancellation(model_uid))

    def get_instance_info(self, model_name: str, model_uid: str) -> list[dict[str, Any]]:
        """What runs of a model, and where it stands."""
        ask = _models.instances(model_name, model_uid)
        return cast("list[dict[str, Any]]", self._rest.value(ask))

    def get_progress(self, request_id: str) -> dict[str, Any]:
        """How far a request is that was given an id."""
        return cast("dict[str, Any]", self._rest.value(_models.requested(request_id)))

    def abort_request(
        self, model_uid: str, request_id: str, block_duration: int = 30
    ) -> dict[str, Any]:
        """Give a request up that was given an id.

        Args:
            model_uid: The model it went to.
            request_id: Its id.
            block_duration: Seconds in which no other of that id is taken.
        """
        ask = _models.abortion(model_uid, request_id, block_duration)
        return cast("dict[str, Any]", self._rest.value(ask))

    def vllm_models(self) -> dict[str, Any]:
        """Names of models that vLLM can serve, by what they can do."""
        ask = _registry.told("Failed to list models of vLLM", "/v1/models/vllm-supported")
        return cast("dict[str, Any]", self._rest.value(ask))


def _handle_of(told: dict[str, Any]) -> type[ModelHandle]:
    kind = told.get("model_type")
    if kind == "LLM":
        can = told.get("model_ability") or []
        if "chat" in can:
            return ChatModelHandle
        if "generate" in can:
            return GenerateModelHandle
        raise UnknownModelKind(f"Unrecognized model ability: {can}")
    if kind not in HANDLES:
        raise UnknownModelKind(f"Unknown model type: {kind}")
    return HANDLES[kind]
