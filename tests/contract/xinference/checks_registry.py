"""What the clients must find in the registry and the cache; see ``driver.py``, ``either.py``."""

from __future__ import annotations

import json

from either import Place, Skip, fresh

__all__ = ["Place", "Skip"]

TYPES = {
    "LLM": ("model_name", "model_lang", "model_ability"),
    "embedding": ("model_name", "language", "dimensions"),
    "rerank": ("model_name", "language"),
    "image": ("model_name", "model_family"),
    "audio": ("model_name", "model_family", "multilingual"),
    "flexible": ("model_name",),
}
"""Types, and the keys of their models that the command line of Xinference's reads."""

SEED = {
    "LLM": ("baichuan", "baichuan-2", "baichuan-2-chat", "glm4-chat", "chatglm3", "qwen3"),
    "embedding": ("bge-base-en", "bge-base-en-v1.5", "bge-base-zh", "bge-small-en-v1.5"),
    "rerank": ("bge-reranker-base",),
    "image": (
        "sd-turbo",
        "sdxl-turbo",
        "stable-diffusion-v1.5",
        "stable-diffusion-xl-base-1.0",
    ),
    "audio": (
        "whisper-base",
        "whisper-base.en",
        "whisper-large-v3",
        "whisper-medium",
        "whisper-medium.en",
        "whisper-tiny",
        "whisper-tiny.en",
    ),
}
"""Names that every server knows."""


def document(name: str, folder: str) -> str:
    """A model to register, by its document of the present version."""
    spec = {"model_format": "pytorch", "model_uri": folder, "quantization": "none"}
    told = {"version": 2, "model_name": name, "dimensions": 384, "max_tokens": 512}
    return json.dumps({**told, "language": ["en"], "model_specs": [spec]})


def old_document(name: str, folder: str) -> str:
    """The same by its document of the first version."""
    told = {"model_name": name, "dimensions": 384, "max_tokens": 512, "language": ["en"]}
    return json.dumps({**told, "model_id": "org/name", "model_uri": f"file://{folder}"})


async def check_list(place: Place) -> None:
    """`list_model_registrations` of each type has every name of Xinference's documentation"""
    async with place.client() as c:
        for kind, names in SEED.items():
            listed = await c.list_model_registrations(kind)
            told = [model["model_name"] for model in listed]
            assert set(names) <= set(told)
            assert told == sorted(told, key=str.lower)
            assert len(told) == len(set(told))
            assert all(model["is_builtin"] for model in listed)


async def check_get(place: Place) -> None:
    """`get_model_registration` has what tables of models show, for each type"""
    async with place.client() as c:
        for kind, keys in TYPES.items():
            first = (await c.list_model_registrations(kind))[0]["model_name"]
            told = await c.get_model_registration(kind, first)
            assert set(keys) <= told.keys()
            assert told["model_name"] == first
        call = c.get_model_registration("LLM", "no-such-model")
        await place.raised(call, "Failed to list model registration, detail: ", "no-such-model")
        call = c.list_model_registrations("nonsense")
        await place.raised(call, "Failed to list model registration, detail: ", "embedding")


async def check_detailed(place: Place) -> None:
    """`detailed=True` tells of variants, what is here of them and what is launched"""
    async with place.client() as c:
        if not c.takes("list_model_registrations", "detailed"):
            raise Skip("the asynchronous client has no such argument")
        listed = await c.list_model_registrations("LLM", detailed=True)
    (told,) = [model for model in listed if model["model_name"] == "glm4-chat"]
    formats = {spec["model_format"] for spec in told["model_specs"]}
    assert {"pytorch", "ggufv2"} <= formats
    assert {"model_version_count", "model_instance_count", "download_hubs"} <= told.keys()


async def check_register(place: Place) -> None:
    """A model is registered, listed, launched and unregistered, by documents old and new"""
    folder = place.folder()
    for write in (document, old_document):
        name = fresh("custom")
        async with place.client() as c:
            assert await c.register_model("embedding", write(name, folder), persist=False) is None
            listed = {m["model_name"]: m for m in await c.list_model_registrations("embedding")}
            assert listed[name]["is_builtin"] is False
            told = await c.get_model_registration("embedding", name)
            assert (told["dimensions"], told["language"]) == (384, ["en"])
            uid = await c.launch_model(model_name=name, model_type="embedding")
            answer = await (await c.get_model(uid)).create_embedding("a text")
            assert len(answer["data"]) == 1
            await c.terminate_model(uid)
            assert await c.unregister_model("embedding", name) is None
            call = c.get_model_registration("embedding", name)
            await place.raised(call, "Failed to list model registration, detail: ", name)


async def check_bad_documents(place: Place) -> None:
    """Documents that make no sense, names that are taken and built-in models are refused"""
    folder = place.folder()
    wrong = [
        ("embedding", "{", "not well-formed"),
        ("embedding", "[]", "object"),
        ("embedding", "{}", "model_name"),
        ("embedding", document("bge-small-en-v1.5", folder), "bge-small-en-v1.5"),
        ("embedding", document("a b", folder), "a b"),
        ("embedding", document(fresh(), "/etc"), "checkpoint"),
        ("nonsense", document(fresh(), folder), "model_type"),
        ("video", document(fresh(), folder), "no engine"),
    ]
    async with place.client() as c:
        for kind, text, word in wrong:
            call = c.register_model(kind, text, persist=False)
            await place.raised(call, "Failed to register model, detail: ", word)
        for kind, name in (("embedding", "bge-base-en"), ("LLM", "no-such-model")):
            call = c.unregister_model(kind, name)
            await place.raised(call, "Failed to register model, detail: ", name)


async def check_engines(place: Place) -> None:
    """`query_engine_by_model_name` tells which engines serve a model, and why others do not"""
    async with place.client() as c:
        told = await c.query_engine_by_model_name("glm4-chat")
        fits = [each for found in told.values() if isinstance(found, list) for each in found]
        assert {"model_name", "model_format", "quantizations"} <= fits[0].keys()
        told = await c.query_engine_by_model_name("bge-base-en", model_type="embedding")
        fits = [each for found in told.values() if isinstance(found, list) for each in found]
        assert {"model_name", "model_format", "quantization"} <= fits[0].keys()
        assert all(isinstance(found, list | str) for found in told.values())
        call = c.query_engine_by_model_name("no-such-model")
        await place.raised(
            call, "Failed to query engine parameters by model name, detail: ", "no-such-model"
        )


async def check_cached(place: Place) -> None:
    """`list_cached_models` tells what of the hub is here; what is not cannot be removed"""
    async with place.client() as c:
        assert isinstance(await c.list_cached_models(), list)
        assert await c.list_cached_models(model_name="no-such-model") == []
        told = await c.list_deletable_models("no-such-model--pytorch--none")
        assert told["paths"] == []
        call = c.confirm_and_remove_model("no-such-model--pytorch--none")
        await place.raised(call, "Failed to remove cached models, detail: ", "no-such-model")


async def check_vllm(place: Place) -> None:
    """`vllm_models` names language models that chat, and those that only go on writing"""
    async with place.client() as c:
        told = await c.vllm_models()
    assert "qwen3" in told["chat"]
    assert told["generate"]


async def check_families(place: Place) -> None:
    """Language models are told by what they can do; prompts and environments: there are none"""
    status, told = place.ask("/v1/models/families")
    assert status == 200
    words = ("generate", "chat", "vision", "reasoning", "tools", "audio", "omni", "hybrid")
    assert set(words) <= told.keys()
    assert "qwen3" in told["chat"]
    assert place.ask("/v1/models/prompts") == (200, {})
    assert place.ask("/v1/virtualenvs") == (200, {"list": []})
    assert place.ask("/v1/virtualenvs", "DELETE") == (200, {"result": False})
