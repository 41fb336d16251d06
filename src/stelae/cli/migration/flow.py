"""A flow file of clip-server, as a configuration: what it serves, where and how.

Source: CLIP-as-service 0.8, ``clip_server/*-flow.yml``, and the options of Jina's ``Flow``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from stelae.cli.migration.files import LARGEST
from stelae.cli.migration.reading import Left
from stelae.cli.migration.writing import check_free, left_out, tell, write, written
from stelae.cli.needs import need
from stelae.cli.output import Output
from stelae.errors import InvalidInput, StelaeError

PORT = 51000
SCHEMES = {"grpc": "grpc", "http": "http", "websocket": "http"}
ENCODERS = ("CLIPEncoder",)
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}
"""Formats that every model can be computed in."""

HARMLESS = {
    "jtype": "it only says that this is a flow",
    "version": "it only says that this is a flow",
    "executors.name": "workers are named by their models",
    "executors.timeout_ready": "a model that loads is waited for",
    "executors.uses.jtype": "the engine is chosen by the checkpoint",
    "executors.uses.metas": "the engine is chosen by the checkpoint",
    "executors.uses.with.jit": "the engine is chosen by the checkpoint",
    "executors.uses.with.minibatch_size": "batches are made of what waits, by tokens",
    "executors.uses.with.num_worker_preprocess": "pictures are read in as many threads as pay",
    "with.monitoring": "figures are always at /metrics",
    "with.port_monitoring": "figures are always at /metrics",
    "executors.monitoring": "figures are always at /metrics",
    "executors.port_monitoring": "figures are always at /metrics",
    "with.host": "the server listens on this machine alone unless 'listen' names another address",
    "with.prefetch": "limits.messages says how many are under way",
}
"""Keys that are not needed here, and why."""

SEARCHES = "collections are part of the server"


class _Loader(yaml.SafeLoader):
    """Plain YAML in which a tag such as ``!Flow`` says no more than that."""


def _untagged(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]  # the third kind


_Loader.add_multi_constructor("!", _untagged)


def clip(file: Path, output: Path | None, out: Output) -> None:
    """Turn a flow file into a configuration.

    Raises:
        InvalidInput: It is wrong, or the output cannot be written; names file and key.
        MissingDependency: The server's packages are not installed.
    """
    need("stelae migrate", "pydantic_settings", "yaml", extra="server")
    if output is not None:
        check_free(output)
    settings, left = Flow(file).settings()
    _check(settings, file)
    text = written(settings, left, f"'stelae migrate clip' from {file.name}")
    if output is not None:
        write(output, text)
    model = settings.get("clip", {}).get("model", "the usual model")
    out.note(f"{file}: {model}, on {', '.join(settings['listen'])}")
    tell(left, out)
    if out.json:
        target = None if output is None else str(output)
        out.document({"written": target, "configuration": settings, "left": left_out(left)})
    elif output is None:
        out.line(text.rstrip("\n"))


class Flow:
    """A flow file.

    Args:
        file: Where it is.

    Raises:
        InvalidInput: It cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._left: list[Left] = []
        self._content = _read(file)

    def settings(self) -> tuple[dict[str, Any], list[Left]]:
        """The configuration, and what is not in it.

        Raises:
            InvalidInput: A value is wrong, or nothing in it serves CLIP.
        """
        options = dict(self._map(self._content.get("with"), "with"))
        settings: dict[str, Any] = {"listen": list(self._listen(options))}
        if certificate := options.pop("ssl_certfile", None):
            settings["tls"] = {"certificate": certificate, "key": options.pop("ssl_keyfile", None)}
        if options.pop("cors", False):
            settings["cors"] = {"origins": ["*"]}
        settings |= self._encoder()
        self._rest(options, "with")
        self._rest({k: v for k, v in self._content.items() if k not in ("with", "executors")}, "")
        return settings, self._left

    def _listen(self, options: dict[str, Any]) -> Iterator[str]:
        protocols, ports = options.pop("protocol", "grpc"), options.pop("port", PORT)
        names = protocols if isinstance(protocols, list) else [protocols]
        numbers = ports if isinstance(ports, list) else [ports]
        if len(numbers) != len(names):
            raise self._wrong("with.port", f"{len(numbers)} ports for {len(names)} protocols")
        secure = "s" if options.get("ssl_certfile") else ""
        for name, number in zip(names, numbers, strict=True):
            scheme = SCHEMES.get(str(name).lower())
            if scheme is None:
                raise self._wrong("with.protocol", f"{name!r} is none of {', '.join(SCHEMES)}")
            if not isinstance(number, int) or not 0 <= number < 65536:
                raise self._wrong("with.port", f"{number!r} is no port")
            yield f"{scheme}{secure}://127.0.0.1:{number}"

    def _encoder(self) -> dict[str, Any]:
        """What the first executor that makes vectors says."""
        executors = self._content.get("executors") or []
        if not isinstance(executors, list):
            raise self._wrong("executors", "a list was expected")
        encoder: dict[str, Any] | None = None
        for executor in executors:
            given = dict(self._map(executor, "executors"))
            uses = given.pop("uses", None)
            kind = str(uses.get("jtype", "")) if isinstance(uses, Mapping) else str(uses)
            if encoder is not None or not any(name in kind for name in ENCODERS):
                reason = SEARCHES if "Index" in kind else "nothing here is made of executors"
                self._leave("executors.uses", f"{kind or 'an executor'}: {reason}", "Index" in kind)
                continue
            chosen = dict(self._map(uses, "executors.uses"))
            encoder = self._model(dict(self._map(chosen.pop("with", None), "executors.uses.with")))
            self._rest(chosen, "executors.uses")
            self._rest(given, "executors")
        if encoder is None:
            raise self._wrong("executors", f"none of them is a {ENCODERS[0]}")
        return encoder

    def _model(self, options: dict[str, Any]) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        if name := options.pop("name", None):
            settings["clip"] = {"model": name}
        if device := options.pop("device", None):
            settings["device"] = str(device).partition(":")[0]
        if options.get("dtype") in DTYPES:
            settings["dtype"] = DTYPES[options.pop("dtype")]
        if path := options.pop("model_path", None):
            if name is None:
                raise self._wrong("executors.uses.with.name", "a folder needs a name to go by")
            settings["models"] = {name: {"source": str(path)}}
        self._rest(options, "executors.uses.with")
        return settings

    def _rest(self, options: Mapping[str, Any], place: str) -> None:
        """Note what was not taken over."""
        for key in options:
            name = f"{place}.{key}" if place else str(key)
            reason = HARMLESS.get(name)
            self._leave(name, reason or "nothing here is like it", reason is not None)

    def _leave(self, key: str, reason: str, harmless: bool) -> None:
        self._left.append(Left(self._file, key, reason, harmless))

    def _map(self, value: Any, key: str) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self._wrong(key, "keys with values were expected")
        return value

    def _wrong(self, key: str, fault: str) -> InvalidInput:
        return InvalidInput(f"{self._file}: {key}: {fault}", param=key)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise InvalidInput(f"{file}: the file is larger than {LARGEST} bytes")
        content: Any = _Loader(data).get_single_data()
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInput(f"{file}: cannot be read as YAML: {reason}") from error
    if not isinstance(content, Mapping) or "executors" not in content:
        raise InvalidInput(f"{file}: a flow with 'executors' was expected")
    return content


def _check(settings: dict[str, Any], file: Path) -> None:
    """Refuse what a server would not start with.

    Raises:
        InvalidInput: Why.
    """
    from stelae.config import load_settings
    from stelae.server.app import build_catalog

    try:
        build_catalog(load_settings(**settings))
    except StelaeError as error:
        raise InvalidInput(f"{file}: {error}") from error
