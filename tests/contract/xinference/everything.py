"""Calls everything that a client and its handles can do, once; for either client.

python everything.py MODULE URL {sync,async}

The server is told of each call by a ``GET /mark/NAME`` before it, so that it knows which requests
belong to it. One line of JSON for each call: what came back, or what was raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

Call = tuple[str, tuple[Any, ...], dict[str, Any]]

UID = "a-model"
PICTURE = b"a picture"
SOUND = b"a recording"
TOOL = {"type": "function", "function": {"name": "ride", "parameters": {"type": "object"}}}
SAID = [{"role": "user", "content": "What is the largest animal?"}]

CLIENT: list[Call] = [
    ("login", ("a", "b"), {}),
    ("vllm_models", (), {}),
    ("list_models", (), {}),
    (
        "launch_model",
        (),
        {
            "model_name": "glm4-chat",
            "model_engine": "llama.cpp",
            "model_format": "ggufv2",
            "model_size_in_billions": 9,
            "quantization": "Q4_K",
        },
    ),
    ("launch_model", ("bge-small-en-v1.5", "embedding"), {"wait_ready": False}),
    (
        "launch_model",
        ("qwen3",),
        {
            "model_uid": "mine",
            "model_size_in_billions": 1.8,
            "replica": 2,
            "n_gpu": None,
            "gpu_idx": [0, 1],
            "request_limits": 3,
            "model_path": "/weights",
            "enable_thinking": False,
            "envs": {"A": "b"},
            "peft_model_config": {"lora_list": [{"lora_name": "x", "local_path": "/x"}]},
            "wait_ready": True,
            "max_model_len": 512,
        },
    ),
    ("launch_model", ("qwen3",), {"model_size_in_billions": 7.0}),
    ("launch_model", ("qwen3",), {"model_size_in_billions": "0_5"}),
    ("describe_model", (UID,), {}),
    ("describe_model", ("BAAI/bge-m3",), {}),
    ("terminate_model", (UID,), {}),
    ("add_model_replica", (UID,), {}),
    (
        "add_model_replica",
        (UID,),
        {
            "replica_config": {"devices": []},
            "replica": 2,
            "model_engine": "vllm",
            "n_gpu": 1,
        },
    ),
    ("terminate_model_replica", (UID, 1), {}),
    ("get_launch_model_progress", (UID,), {}),
    ("cancel_launch_model", (UID,), {}),
    ("get_instance_info", ("a-name", UID), {}),
    ("get_autostart_config", (), {}),
    ("get_autostart_model_summary", (), {}),
    ("upsert_autostart_model", ({"launch": {"model_name": "qwen3"}},), {}),
    ("remove_autostart_model", ("org/model",), {}),
    ("reload_model", ("org/model", {"a": 1}), {}),
    ("reload_model", (UID, {}), {"drain_timeout": 3.0, "python_executable": "/python"}),
    ("get_model_reload_status", (UID,), {}),
    ("get_model_reload_config", (UID,), {}),
    ("register_model", ("embedding", '{"model_name": "mine"}', True), {}),
    ("register_model", ("LLM", "{}", False), {"worker_ip": "127.0.0.1"}),
    ("unregister_model", ("embedding", "mine"), {}),
    ("list_model_registrations", ("LLM",), {}),
    ("get_model_registration", ("LLM", "qwen3"), {}),
    ("list_cached_models", (), {}),
    ("list_cached_models", ("qwen3", "127.0.0.1"), {}),
    ("list_deletable_models", ("qwen3--pytorch",), {}),
    ("list_deletable_models", ("qwen3--pytorch", "127.0.0.1"), {}),
    ("confirm_and_remove_model", ("qwen3--pytorch",), {}),
    ("confirm_and_remove_model", ("qwen3--pytorch", "127.0.0.1"), {}),
    ("query_engine_by_model_name", ("qwen3",), {}),
    ("query_engine_by_model_name", ("bge-m3", "embedding"), {"enable_virtual_env": True}),
    ("abort_request", (UID, "a-request"), {}),
    ("abort_request", (UID, "a-request", 5), {}),
    ("get_workers_info", (), {}),
    ("relaunch_worker", ("127.0.0.1:1",), {"request_id": "r"}),
    ("get_worker_relaunch", ("an-operation",), {}),
    ("list_worker_relaunches", (), {}),
    ("relaunch_api", (), {}),
    ("get_api_relaunch", ("an-operation",), {}),
    ("list_api_relaunches", (), {}),
    ("relaunch_supervisor", (), {"python_executable": "/python"}),
    ("get_supervisor_relaunch", ("an-operation",), {}),
    ("list_supervisor_relaunches", (), {}),
    ("get_supervisor_info", (), {}),
    ("get_progress", ("a-request",), {}),
    ("abort_cluster", (), {}),
]

HANDLES: dict[str, list[Call]] = {
    "embedding": [
        ("create_embedding", ("What is the capital of China?",), {}),
        ("create_embedding", ([{"text": "a"}],), {"return_sparse": True}),
        ("convert_ids_to_tokens", ([[1, 2]],), {}),
    ],
    "rerank": [
        ("rerank", (["a", "b"], "q"), {}),
        ("rerank", (["a"], "q", 1, 2, True, True), {"batch_size": 3}),
    ],
    "LLM-chat": [
        ("chat", (SAID,), {"generate_config": {"max_tokens": 1024}}),
        ("chat", (SAID,), {}),
        ("chat", (SAID, [TOOL]), {"enable_thinking": False}),
        (
            "chat",
            (SAID,),
            {
                "enable_thinking": True,
                "generate_config": {"chat_template_kwargs": '{"a": 1}', "stream": True},
            },
        ),
        ("generate", ("Once", {"max_tokens": 3}), {}),
    ],
    "LLM-generate": [
        ("generate", ("Once",), {}),
        ("generate", ("Once", {"stream": True, "temperature": 0.5}), {}),
    ],
    "image": [
        ("text_to_image", ("an apple",), {}),
        ("text_to_image", ("an apple", 2, "512*512", "b64_json"), {"seed": 7}),
        ("image_to_image", (PICTURE, "a pear"), {}),
        ("image_to_image", ([PICTURE, PICTURE], "a pear", "red", 2, "64*64"), {"seed": 7}),
        ("image_edit", (PICTURE, "a pear"), {}),
        ("image_edit", ([PICTURE, PICTURE], "a pear", PICTURE, 2, "64*64"), {"seed": 7}),
        ("inpainting", (PICTURE, PICTURE, "a pear"), {}),
        ("inpainting", (PICTURE, PICTURE, "a pear", "red", 2, "64*64", "b64_json"), {"seed": 7}),
        ("ocr", (PICTURE,), {"pages": "1"}),
    ],
    "audio": [
        ("transcriptions", (SOUND,), {}),
        (
            "transcriptions",
            (SOUND, "en", "Names", "verbose_json", 0.5, ["word", "segment"]),
            {"request_id": "r"},
        ),
        ("translations", (SOUND,), {}),
        ("translations", (SOUND, "de", "Names", "verbose_json", 0.5, ["word"]), {}),
        ("speech", ("Hello",), {}),
        ("speech", ("Hello", "anna", "wav", 1.5, True), {"seed": 7}),
        ("speech", ("Hello",), {"prompt_speech": SOUND, "prompt_latent": SOUND}),
        ("create_embedding", (SOUND,), {}),
    ],
    "video": [
        ("text_to_video", ("an apple",), {"seed": 7}),
        ("image_to_video", (PICTURE, "an apple"), {}),
        ("image_to_video", (PICTURE, "an apple", "red", 2, PICTURE), {"seed": 7}),
        ("flf_to_video", (PICTURE, PICTURE, "an apple", "red"), {"seed": 7}),
    ],
    "world": [
        ("generate", ("a town",), {}),
        ("generate", ("a town", "https://example.org/a.png"), {"generation_config": {"a": 1}}),
        ("generate", ("a town", b"\x89PNG\r\n\x1a\n"), {"seed": 7}),
    ],
    "flexible": [("infer", ("a", 1), {"b": 2})],
}
"""What is asked of the handle of each kind; the server describes a model of the kind's name so."""


def marks(client: Any) -> Iterator[tuple[str, str | None, Call]]:
    """The calls that a client has, each with a name and the kind of its handle."""
    for number, call in enumerate(CLIENT):
        if hasattr(client, call[0]):
            yield f"client.{call[0]}.{number}", None, call
    for kind, calls in HANDLES.items():
        for number, call in enumerate(calls):
            yield f"{kind}.{call[0]}.{number}", kind, call


def shown(value: Any) -> Any:
    """The same as JSON can tell it."""
    return {"bytes": value.decode("latin-1")} if isinstance(value, bytes) else value


async def told(value: Any) -> Any:
    """What a call comes to, with or without ``await``."""
    if inspect.isawaitable(value):
        value = await value
    if hasattr(value, "__aiter__"):
        return [shown(piece) async for piece in value]
    if hasattr(value, "__next__"):
        return [shown(piece) for piece in value]
    return shown(value)


def begin(url: str, mark: str) -> None:
    """Tell the server what comes next."""
    with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc)) as line:
        line.request("GET", f"/mark/{mark}")
        line.getresponse().read()


async def main(module: str, url: str, way: str) -> None:
    """Call everything."""
    package = importlib.import_module(module)
    names = ("Client", "RESTfulClient") if way == "sync" else ("AsyncClient", "AsyncRESTfulClient")
    kind_of_client = next(getattr(package, name) for name in names if hasattr(package, name))
    client = kind_of_client(url)
    for mark, kind, (name, args, kwargs) in marks(client):
        target = client if kind is None else await told(client.get_model(kind))
        await asyncio.to_thread(begin, url, mark)
        row: dict[str, Any] = {"call": mark}
        try:
            row["answer"] = await told(getattr(target, name)(*args, **kwargs))
        except Exception as error:
            row["raised"] = [type(error).__name__, str(error)]
        if kind is not None:
            await told(target.close())
        sys.stdout.write(json.dumps(row) + "\n")
    await told(client.close())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
