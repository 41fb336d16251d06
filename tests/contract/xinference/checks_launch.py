"""What the clients must find when they launch models; see ``driver.py`` and ``either.py``."""

from __future__ import annotations

import asyncio

from either import OLD, Place, Skip, fresh

__all__ = ["Place", "Skip"]

EMBEDDER = {"model_name": "bge-small-en-v1.5", "model_type": "embedding"}
WRITER = {"model_name": "glm4-chat", "model_type": "LLM"}
HANDLES = {
    "bge-small-en-v1.5": ("embedding", "EmbeddingModelHandle"),
    "bge-reranker-base": ("rerank", "RerankModelHandle"),
    "glm4-chat": ("LLM", "ChatModelHandle"),
    "sd-turbo": ("image", "ImageModelHandle"),
    "whisper-large-v3": ("audio", "AudioModelHandle"),
    "kokoro": ("audio", "AudioModelHandle"),
}


async def check_launch(place: Place) -> None:
    """`launch_model` answers with the uid of a model that can be asked at once"""
    async with place.client() as c:
        uid = await c.launch_model(**EMBEDDER, model_uid=fresh())
        answer = await (await c.get_model(uid)).create_embedding("a text")
        assert answer["model"] == uid
        assert len(answer["data"]) == 1
        await c.terminate_model(uid)


async def check_own_name(place: Place) -> None:
    """Without a uid a model has its own name, and a second one some letters behind it"""
    async with place.client() as c:
        first = await c.launch_model(**EMBEDDER)
        second = await c.launch_model(**EMBEDDER)
        assert first == "bge-small-en-v1.5"
        assert second.startswith("bge-small-en-v1.5-")
        assert {first, second} <= (await c.list_models()).keys()
        for uid in (first, second):
            await c.terminate_model(uid)


async def check_later(place: Place) -> None:
    """`wait_ready=False` answers before the model does, and its progress comes to 1"""
    if OLD and place.is_async:
        raise Skip("this client fails before it sends that")
    async with place.client() as c:
        uid = await c.launch_model(**EMBEDDER, model_uid=fresh(), wait_ready=False)
        while (told := await c.get_launch_model_progress(uid))["progress"] < 1:
            assert told["stage"] in ("pending", "downloading", "loading")
        assert told["stage"] == "ready"
        assert (await c.describe_model(uid))["model_uid"] == uid
        await c.terminate_model(uid)


async def check_handles(place: Place) -> None:
    """`get_model` gives the handle that fits each type of model"""
    for name, (kind, handle) in HANDLES.items():
        async with place.launched(model_name=name, model_type=kind) as (c, uid):
            model = await c.get_model(uid)
            prefix = "AsyncRESTful" if place.is_async else "RESTful"
            assert type(model.inner).__name__ == prefix + handle


async def check_describe(place: Place) -> None:
    """`describe_model` and `list_models` tell what the model is, with the keys of its type"""
    async with place.launched(**EMBEDDER) as (c, uid):
        answer = await (await c.get_model(uid)).create_embedding("a text")
        vector = answer["data"][0]["embedding"]
        told = await c.describe_model(uid)
        listed = (await c.list_models())[uid]
        for found in (told, listed):
            assert found["model_type"] == "embedding"
            assert found["model_name"] == "bge-small-en-v1.5"
            assert found["model_uid"] == found["id"] == uid
            assert found["dimensions"] == len(vector)
            assert found["replica"] == 1
            assert {"address", "accelerators", "max_tokens", "language"} <= found.keys()
    async with place.launched(**WRITER) as (c, uid):
        told = await c.describe_model(uid)
        keys = {"model_lang", "model_ability", "model_format", "quantization", "context_length"}
        assert keys | {"model_size_in_billions", "model_description"} <= told.keys()
        assert "chat" in told["model_ability"]


async def check_terminate(place: Place) -> None:
    """`terminate_model` takes a model down; its uid is free, and unknown from then on"""
    async with place.client() as c:
        uid = await c.launch_model(**EMBEDDER, model_uid=fresh())
        await c.terminate_model(uid)
        assert uid not in await c.list_models()
        await place.raised(c.terminate_model(uid), "Failed to terminate model, detail: ", uid)
        await place.raised(c.get_model(uid), "Failed to get the model description, detail: ", uid)
        assert await c.launch_model(**EMBEDDER, model_uid=uid) == uid
        await c.terminate_model(uid)


async def check_taken(place: Place) -> None:
    """A uid that is taken is refused, and the model that has it is unharmed"""
    async with place.launched(**EMBEDDER) as (c, uid):
        call = c.launch_model(**EMBEDDER, model_uid=uid)
        await place.raised(call, "Failed to launch model, detail: ", "model_uid=", uid)
        assert (await c.describe_model(uid))["model_uid"] == uid


async def check_uids(place: Place) -> None:
    """A uid may have slashes and dots; one that cannot be a name is refused with the reason"""
    for uid in (f"org/{fresh()}", f"v1.5/{fresh()}/b"):
        async with place.launched(**EMBEDDER, model_uid=uid) as (c, made):
            assert made == uid
            assert (await c.describe_model(uid))["id"] == uid
            assert (await c.get_launch_model_progress(uid))["progress"] == 1
            answer = await (await c.get_model(uid)).create_embedding("a")
            assert answer["model"] == uid
    async with place.client() as c:
        for uid in ("a-rep0", "a" * 101, "../etc", "a b", "ü", ""):
            if uid == "":
                continue  # as if none were given
            call = c.launch_model(**EMBEDDER, model_uid=uid)
            await place.raised(call, "Failed to launch model, detail: ", "model_uid")


async def check_unknown(place: Place) -> None:
    """Unknown models, types, engines and variants are refused; messages say what there is"""
    wrong = [
        ({"model_name": "no-such-model"}, "no-such-model"),
        ({"model_name": ""}, "model_name"),
        ({**EMBEDDER, "model_type": "nonsense"}, "embedding"),
        ({**EMBEDDER, "model_type": "video"}, "no engine"),
        ({**EMBEDDER, "model_type": "world"}, "no engine"),
        ({**EMBEDDER, "model_type": "rerank"}, "rerank"),
        ({**EMBEDDER, "model_engine": "SGLang"}, "vllm"),
        ({**WRITER, "model_size_in_billions": 77}, "9"),
        ({**WRITER, "quantization": "q99"}, "Q4_K"),
        ({**WRITER, "model_format": "tape"}, "ggufv2"),
    ]
    async with place.client() as c:
        for call, word in wrong:
            made = c.launch_model(**call, model_uid=fresh())
            await place.raised(made, "Failed to launch model, detail: ", word)


async def check_seed_launch(place: Place) -> None:
    """The variant that is asked for is the one that is described"""
    variant = {"model_size_in_billions": 9, "model_format": "ggufv2", "quantization": "Q4_K"}
    async with place.launched(**WRITER, **variant) as (c, uid):
        told = await c.describe_model(uid)
        assert (told["model_size_in_billions"], told["model_format"]) == (9, "ggufv2")
        assert told["quantization"] == "Q4_K"


async def check_refused(place: Place) -> None:
    """What would change answers and cannot be done is refused by its name"""
    wrong = {
        "replica": 0,
        "n_gpu": 64,
        "gpu_idx": [0, 1, 2],
        "request_limits": -1,
        "download_hub": "modelscope",
        "quantization_config": {"load_in_8bit": True},
        "envs": {"LD_PRELOAD": "x.so"},
        "peft_model_config": {"image_lora_fuse_kwargs": {"a": 1}},
        "replica_config": [{"devices": []}],
        "model_path": "/no/such/folder",
        "torch_dtype": "float7",
        "device": "abacus",
        "enable_thinking": "maybe",
        "max_model_len": -1,
    }
    async with place.client() as c:
        for name, value in wrong.items():
            asked = {**EMBEDDER, "replica": 2, "model_uid": fresh(), name: value}
            await place.raised(c.launch_model(**asked), "Failed to launch model, detail: ", name)
    assert place.ask("/v1/models?wait_ready=perhaps", "POST", EMBEDDER)[0] == 400


async def check_ignored(place: Place) -> None:
    """What means nothing on one machine is passed over, and told back by name"""
    passed_over = {
        "n_worker": 2,
        "worker_ip": "10.0.0.7:9999",
        "enable_virtual_env": True,
        "virtual_env_packages": ["numpy"],
        "trust_remote_code": True,
        "enable_xavier": True,
    }
    async with place.launched(**EMBEDDER, **passed_over) as (c, uid):
        assert uid in await c.list_models()
    body = {**EMBEDDER, **passed_over, "model_uid": fresh()}
    status, told, headers = place.talk("/v1/models", "POST", body)
    assert (status, told) == (200, {"model_uid": body["model_uid"]})
    assert set(headers["X-Stelae-Ignored"].replace("'", "").split(", ")) == passed_over.keys()
    assert place.ask(f"/v1/models/{body['model_uid']}", "DELETE") == (200, None)


async def check_options(place: Place) -> None:
    """`model_path`, `n_gpu=None`, `enable_thinking` and lengths are honoured"""
    options = {"request_limits": 3, "enable_thinking": False, "max_model_len": 16}
    async with place.launched(**EMBEDDER, **options) as (c, uid):
        told = await c.describe_model(uid)
        assert told["max_tokens"] == 16
    folder = place.folder()
    async with place.launched(**EMBEDDER, model_path=folder, n_gpu=None) as (c, uid):
        told = await c.describe_model(uid)
        assert folder in told["source"]
        assert told["accelerators"] == []


async def check_replicas(place: Place) -> None:
    """Replicas are started with a model, listed, added and taken away one by one"""
    async with place.launched(**EMBEDDER, replica=2) as (c, uid):
        assert (await c.describe_model(uid))["replica"] == 2
        replicas = place.ask(f"/v1/models/{uid}/replicas")[1]
        assert [each["replica_model_uid"] for each in replicas] == [f"{uid}-rep0", f"{uid}-rep1"]
        assert {each["status"] for each in replicas} == {"READY"}
        assert await c.terminate_model_replica(uid, 0) == 1
        added = place.ask(f"/v1/models/{uid}/replicas", "POST", {})[1]
        assert added["replica_model_uid"] == f"{uid}-rep{added['replica_id']}"
        assert await c.terminate_model_replica(uid, added["replica_id"]) == 1
        assert await c.terminate_model_replica(uid, 1) == 0
        assert uid not in await c.list_models()


async def check_add_replica(place: Place) -> None:
    """`add_model_replica` tells the replica's number and name"""
    async with place.launched(**EMBEDDER) as (c, uid):
        added = await c.add_model_replica(uid)
        assert added["replica_model_uid"] == f"{uid}-rep{added['replica_id']}"
        assert (await c.describe_model(uid))["replica"] == 2
        several = await c.add_model_replica(uid, replica=2)
        assert several["replica"] == len(several["replicas"]) == 2
        call = c.add_model_replica("no-such-model")
        await place.raised(call, "Failed to add model replica, detail: ", "no-such-model")


async def check_instances(place: Place) -> None:
    """`get_instance_info` tells of one model, by its name and its uid"""
    async with place.launched(**EMBEDDER, replica=2) as (c, uid):
        (told,) = await c.get_instance_info("bge-small-en-v1.5", uid)
        assert (told["model_uid"], told["status"], told["replica"]) == (uid, "READY", 2)
        assert len(told["replica_statuses"]) == 2
        assert await c.get_instance_info("another", uid) == []


async def check_progress(place: Place) -> None:
    """The progress of an unknown model is 0, and no error"""
    async with place.client() as c:
        told = await c.get_launch_model_progress(fresh())
        assert (told["progress"], told["stage"], told["replicas"]) == (0.0, "pending", [])


async def check_cancel(place: Place) -> None:
    """`cancel_launch_model` of what is not being launched says so"""
    async with place.launched(**EMBEDDER) as (c, uid):
        call = c.cancel_launch_model(uid)
        await place.raised(call, "Fail to cancel launching model, detail: ", uid)
        assert uid in await c.list_models()


async def check_versions(place: Place) -> None:
    """A version of a model can be listed and launched by its name"""
    versions = place.ask("/v1/models/LLM/glm4-chat/versions")[1]
    names = [version["model_version"] for version in versions]
    assert "glm4-chat--9B--ggufv2--Q4_K" in names
    body = {"model_version": names[-1], "model_type": "LLM", "model_uid": fresh()}
    assert place.ask("/v1/models/instance", "POST", body) == (200, {"model_uid": body["model_uid"]})
    assert place.ask(f"/v1/models/{body['model_uid']}", "DELETE") == (200, None)


async def check_events(place: Place) -> None:
    """Events of a model begin with its launch; an unknown one has none"""
    async with place.launched(**EMBEDDER) as (_, uid):
        events = place.ask(f"/v1/models/{uid}/events")[1]
        assert events[0]["event_type"] == "INFO"
        assert {"event_type", "event_ts", "event_content"} == events[0].keys()
    assert place.ask(f"/v1/models/{fresh()}/events") == (200, [])


async def check_abort(place: Place) -> None:
    """`abort_request` of a request that is not under way says that there is none"""
    async with place.launched(**WRITER) as (c, uid):
        assert await c.abort_request(uid, fresh()) == {"msg": "NOT_FOUND"}
        await place.raised(c.get_progress(fresh()), "Failed to get progress, detail: ")


async def check_reload(place: Place) -> None:
    """`reload_model` loads a model anew; a changed configuration is refused"""
    async with place.launched(**EMBEDDER) as (c, uid):
        told = await c.reload_model(uid, {})
        assert told["model_uid"] == uid
        async with asyncio.timeout(60):
            while (await c.get_model_reload_status(uid))["status"] != "ready":  # noqa: ASYNC110  # what is asked has no event to wait for
                await asyncio.sleep(0.01)
        assert (await c.get_model_reload_config(uid))["model_name"] == "bge-small-en-v1.5"
        call = c.reload_model(uid, {"model_engine": "vllm"})
        await place.raised(call, "Failed to reload model, detail: ", "model_config")


async def check_autostart(place: Place) -> None:
    """Models that are launched at start are added, listed, told in sum and removed"""
    uid = f"org/{fresh()}"
    entry = {"launch": {**EMBEDDER, "model_uid": uid}, "enabled": False, "priority": 7}
    async with place.client() as c:
        assert uid in str(await c.upsert_autostart_model(entry))
        assert uid in str(await c.get_autostart_config())
        assert (await c.get_autostart_model_summary())["total"] >= 1
        flat = {**EMBEDDER, "model_uid": uid, "enabled": False, "max_retries": 1}
        assert str(await c.upsert_autostart_model(flat)).count(uid) == 1
        assert uid not in str(await c.remove_autostart_model(uid))
        call = c.remove_autostart_model(uid)
        await place.raised(call, "Failed to remove autostart model, detail: ", uid)
