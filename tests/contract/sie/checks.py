"""What the SDK must find, written with the SDK itself; see ``driver.py``.

Each function is one row of the compatibility table: its docstring is what the row says.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import io
import json
import logging
import time
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image
from sie_sdk import SIEAsyncClient, SIEClient
from sie_sdk.client.errors import (
    PoolError,
    ProvisioningError,
    RequestError,
    ServerError,
    SIEConnectionError,
)
from sie_sdk.scoring import maxsim
from sie_sdk.types import Item

with contextlib.suppress(ImportError):
    from sie_sdk.client.errors import JobFailedError

VERSION = tuple(int(part) for part in importlib.metadata.version("sie-sdk").split(".")[:3])
NEW = VERSION >= (0, 6, 5)

MODEL, FAULTY, FINDER = "fake", "faulty", "finder"
SEEING, RERANKER, LATE, TUNED = "clip", "reranker", "late", "tuned"
WRITER = "org/writer"
KEY = "sesame"


class Skip(Exception):
    """The SDK of this version does not have it."""


@contextlib.contextmanager
def client(url: str, **more: Any) -> Iterator[SIEClient]:
    made = SIEClient(url, **{"api_key": KEY, **more})
    try:
        yield made
    finally:
        made.close()


def fault(code: str, seconds: object = "-", times: object = "-") -> Item:
    """An item that makes the faulty model fail so."""
    return Item(text=f"!raise {code} {seconds} {times} {uuid.uuid4().hex}")


def raised(kind: type[Exception] | tuple[type[Exception], ...], call: Any) -> Any:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was expected")


def check_encode_one(url: str) -> None:
    """`encode` of one item gives its vector, echoes its id and says where the time went"""
    with client(url) as c:
        result = c.encode(MODEL, Item(id="a", text="Hello world"))
    assert result["id"] == "a"
    assert result["dense"].dtype == np.float32
    assert result["dense"].shape == (384,)
    assert abs(float(np.linalg.norm(result["dense"])) - 1) < 1e-5
    assert result["timing"]["total_ms"] >= 0


def check_encode_several(url: str) -> None:
    """`encode` of a list keeps order and ids; no id is made up"""
    with client(url) as c:
        results = c.encode(MODEL, [Item(text="a"), Item(id="x", text="b"), Item(text="a")])
    assert [r.get("id") for r in results] == [None, "x", None]
    assert np.array_equal(results[0]["dense"], results[2]["dense"])
    assert not np.array_equal(results[0]["dense"], results[1]["dense"])


def check_outputs(url: str) -> None:
    """Dense, sparse and multi-vector from one call"""
    with client(url) as c:
        result = c.encode(
            MODEL, Item(text="one two one"), output_types=["dense", "sparse", "multivector"]
        )
    assert result["dense"].shape == (384,)
    sparse = result["sparse"]
    assert sparse["indices"].dtype == np.int32
    assert sorted(sparse["values"].tolist()) == [1.0, 2.0]
    assert result["multivector"].shape == (3, 4)


def check_dtypes(url: str) -> None:
    """The six output dtypes, with the published formulas"""
    with client(url) as c:
        item = Item(text="numbers")
        x = c.encode(MODEL, item)["dense"]
        got = {
            name: c.encode(MODEL, item, output_dtype=name)["dense"]
            for name in ("float16", "int8", "uint8", "binary", "ubinary")
        }
    assert np.array_equal(got["float16"], x.astype(np.float16))
    assert np.array_equal(got["int8"], np.round(x / np.abs(x).max() * 127).astype(np.int8))
    span = x.max() - x.min()
    assert np.array_equal(got["uint8"], np.round((x - x.min()) / span * 255).astype(np.uint8))
    for name in ("binary", "ubinary"):
        assert np.array_equal(got[name], np.packbits(x > 0))


def check_profiles(url: str) -> None:
    """Profiles by `options` and as a part of the name; unknown ones are refused"""
    with client(url) as c:
        item = Item(text="a b")
        plain = c.encode(TUNED, item)["dense"]
        by_option = c.encode(TUNED, item, options={"profile": "short"})["dense"]
        by_name = c.encode(f"{TUNED}:short", item)["dense"]
        assert by_option.dtype == np.float16
        assert np.array_equal(by_option, by_name)
        assert np.allclose(by_option, plain, atol=1e-3)
        asked = {"profile": "none"}
        error = raised(RequestError, lambda: c.encode(TUNED, item, options=asked))
        assert (error.code, error.status_code) == ("INVALID_INPUT", 400)
        assert "short" in str(error)
        models = {m["name"]: m for m in c.list_models()}
    assert f"{TUNED}:short" in models


def check_query_and_options(url: str) -> None:
    """`is_query`, `instruction` and `options` reach the model; options of the client count too"""
    with client(url, options={"normalize": True}) as c:
        result = c.encode(MODEL, Item(text="a"), is_query=True, options={"truncate": True})
        assert result["dense"].shape == (384,)
        many = ["multivector"]
        item = Item(text="a")
        error = raised(
            RequestError, lambda: c.encode(LATE, item, instruction="find", output_types=many)
        )
    assert (error.code, error.status_code) == ("INVALID_INPUT", 400)


def check_images(url: str) -> None:
    """Pictures as Pillow image, array, bytes and path, with or without the dict, whatever label"""
    picture = Image.new("RGB", (40, 30), (200, 30, 30))
    png = io.BytesIO()
    picture.save(png, "PNG")
    with client(url) as c:
        for given in (
            [picture],
            [{"data": picture}],
            [np.array(picture)],
            [{"data": png.getvalue(), "format": "png"}],
            [png.getvalue()],
        ):
            if isinstance(given[0], bytes) and VERSION < (0, 4, 0):
                continue
            result = c.encode(SEEING, Item(images=given))
            assert result["dense"].ndim == 1
        words = c.encode(SEEING, Item(text="a red square"))
    assert words["dense"].shape == result["dense"].shape


def check_large_encode(url: str) -> None:
    """2,000 items in one call"""
    with client(url) as c:
        results = c.encode(MODEL, [Item(id=str(i), text=f"text {i}") for i in range(2000)])
    assert [r["id"] for r in results] == [str(i) for i in range(2000)]


def check_large_score(url: str) -> None:
    """1,000 documents in one `score`"""
    with client(url) as c:
        items = [Item(id=str(i), text=f"text {i}") for i in range(1000)]
        result = c.score(MODEL, Item(text="text 7"), items)
    assert len(result["scores"]) == 1000
    assert result["scores"][0]["item_id"] == "7"


def check_score(url: str) -> None:
    """`score` is sorted and ranked, stable, with the caller's ids or `item-N`"""
    with client(url) as c:
        items = [Item(text="none"), Item(id="b", text="one two"), Item(text="two"), Item(text="x")]
        result = c.score(MODEL, Item(id="q", text="one two"), items)
    assert result["model"] == MODEL
    assert result["query_id"] == "q"
    assert [s["item_id"] for s in result["scores"]] == ["b", "item-2", "item-0", "item-3"]
    assert [s["rank"] for s in result["scores"]] == [0, 1, 2, 3]
    assert all(isinstance(s["score"], float) for s in result["scores"])


def check_made_up_names(url: str) -> None:
    """Names made up for items are never those that the caller gave to others"""
    items = [Item(id="item-1", text="one"), Item(text="two"), Item(id="item-1-2", text="Ada")]
    with client(url) as c:
        scores = c.score(MODEL, Item(text="two"), items)["scores"]
        found = c.extract(FINDER, items, labels=["person"])
    assert scores[0]["item_id"] == found[1]["id"] == "item-1-3"
    assert sorted(s["item_id"] for s in scores) == ["item-1", "item-1-2", "item-1-3"]
    assert [f["id"] for f in found] == ["item-1", "item-1-3", "item-1-2"]


def check_cross_encoder(url: str) -> None:
    """`score` with a cross-encoder"""
    with client(url) as c:
        result = c.score(RERANKER, Item(text="what"), [Item(text="this"), Item(text="that")])
    assert len(result["scores"]) == 2


def check_late_interaction(url: str) -> None:
    """Late interaction: `score` agrees with `maxsim` here, and takes vectors made before"""
    texts = ["the ferry leaves", "a cow", "boats at dawn"]
    with client(url) as c:
        query = c.encode(LATE, Item(text="ferry"), output_types=["multivector"], is_query=True)
        documents = c.encode(LATE, [Item(text=t) for t in texts], output_types=["multivector"])
        made = [d["multivector"] for d in documents]
        here = np.asarray(maxsim(query["multivector"], made))
        there = c.score(LATE, Item(text="ferry"), [Item(text=t) for t in texts])
        given = c.score(
            LATE, Item(multivector=query["multivector"]), [Item(multivector=m) for m in made]
        )
    for result in (there, given):
        by_name = {s["item_id"]: s["score"] for s in result["scores"]}
        ranked = np.array([by_name[f"item-{i}"] for i in range(3)])
        assert np.allclose(ranked, here, atol=1e-4)


def check_vectors_in_small_formats(url: str) -> None:
    """`score` refuses token vectors whose scale is lost, and takes `float16`"""
    texts = [Item(text="ferry"), Item(text="the ferry leaves"), Item(text="a cow")]
    with client(url) as c:
        for dtype in ("int8", "uint8", "binary"):
            made = c.encode(LATE, texts, output_types=["multivector"], output_dtype=dtype)
            query, *items = [Item(multivector=m["multivector"]) for m in made]
            error = raised(RequestError, lambda q=query, i=items: c.score(LATE, q, i))
            assert (error.code, error.status_code) == ("INVALID_INPUT", 400)
            assert "float32 or float16" in str(error)
        made = c.encode(LATE, texts, output_types=["multivector"], output_dtype="float16")
        query, *items = [Item(multivector=m["multivector"]) for m in made]
        assert len(c.score(LATE, query, items)["scores"]) == 2


def check_extract(url: str) -> None:
    """`extract` finds names with their places; ids are made up where none is given"""
    with client(url) as c:
        results = c.extract(
            FINDER, [Item(text="see Ada"), Item(id="x", text="no")], labels=["person"]
        )
        one = c.extract(FINDER, Item(text="Ada"), labels=["person"])
    assert [r["id"] for r in results] == ["item-0", "x"]
    entity = results[0]["entities"][0]
    assert (entity["text"], entity["label"], entity["start"], entity["end"]) == (
        "Ada",
        "person",
        4,
        7,
    )
    assert results[1]["entities"] == []
    assert one["entities"][0]["score"] == 1.0


def check_items_that_fail(url: str) -> None:
    """An item of `extract` that fails says why; where the version cannot tell, the call fails"""
    items = [Item(text="see Ada"), Item(id="b", text="!bad")]
    with client(url) as c:
        if VERSION < (0, 7, 0):
            error = raised(RequestError, lambda: c.extract(FINDER, items, labels=["person"]))
            assert (error.code, error.status_code) == ("INVALID_INPUT", 400)
            assert "items[1]" in str(error)
            return
        good, bad = c.extract(FINDER, items, labels=["person"])
    assert "error" not in good
    assert (bad["id"], bad["entities"], bad["error"]["code"]) == ("b", [], "INVALID_INPUT")


def check_models(url: str) -> None:
    """`list_models` and `get_model`"""
    with client(url) as c:
        models = {m["name"]: m for m in c.list_models()}
        assert {"name", "loaded", "inputs", "outputs", "dims"} <= models[MODEL].keys()
        assert models[MODEL]["dims"] == {"dense": 384}
        assert models[LATE]["outputs"] == ["multivector", "score"]
        if hasattr(c, "get_model"):
            assert c.get_model(MODEL)["name"] == MODEL
            assert raised(RequestError, lambda: c.get_model("none")).status_code == 404


def check_names_in_paths(url: str) -> None:
    """Names with `/`, `:` and a space in the path"""
    with client(url) as c:
        assert c.encode("org/fake", Item(text="a"))["dense"].shape == (384,)
        error = raised(RequestError, lambda: c.encode("no/such:model x", Item(text="a")))
    assert (error.code, error.status_code) == ("MODEL_NOT_FOUND", 404)


def check_key(url: str) -> None:
    """A wrong key is refused"""
    with client(url, api_key="wrong") as c:
        for call in (
            lambda: c.encode(MODEL, Item(text="a")),
            lambda: c.list_models(),
            lambda: c.create_pool("p", {"cpu": 1}),
        ):
            # Pools have an error class of their own.
            error = raised((RequestError, PoolError), call)
            assert "key" in str(error)


def check_no_skew_warning(url: str) -> None:
    """No version warning is logged"""
    seen: list[str] = []

    class Listen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    handler = Listen()
    logging.getLogger("sie_sdk").addHandler(handler)
    try:
        with client(url) as c:
            c.encode(MODEL, Item(text="a"))
            c.list_models()
    finally:
        logging.getLogger("sie_sdk").removeHandler(handler)
    assert not [line for line in seen if "version" in line.lower()], seen


def check_bad_items(url: str) -> None:
    """Items without anything, of wrong types or without a modality the model has"""
    with client(url) as c:
        for item in ({"id": "x"}, {"id": 3, "text": "a"}, {"text": 5}, {"audio": {"data": b"x"}}):
            error = raised(RequestError, lambda item=item: c.encode(MODEL, item))
            assert (error.code, error.status_code) == ("INVALID_INPUT", 400)
        raised(RequestError, lambda: c.encode(MODEL, Item(text="a"), output_dtype="int4"))
        raised(RequestError, lambda: c.encode(MODEL, Item(text="a"), options={"profile": "none"}))
        raised(RequestError, lambda: c.score(RERANKER, Item(text="q"), []))
        raised(RequestError, lambda: c.extract(MODEL, Item(text="a"), labels=["x"]))
        raised(RequestError, lambda: c.encode(RERANKER, Item(text="a")))


def check_bad_picture(url: str) -> None:
    """A picture that is none is the request's fault"""
    with client(url) as c:
        item = Item(images=[{"data": b"\xff\xd8\xffgarbage", "format": "jpeg"}])
        error = raised(RequestError, lambda: c.encode(SEEING, item))
    assert error.code == "INVALID_INPUT"


def check_too_long(url: str) -> None:
    """Too long, where cutting is not allowed"""
    with client(url) as c:
        text = "word " * 1000
        error = raised(
            RequestError, lambda: c.encode(MODEL, Item(text=text), options={"truncate": False})
        )
    assert error.code == "INPUT_TOO_LONG"
    if NEW:
        assert type(error).__name__ == "InputTooLongError"


def check_failing_model(url: str) -> None:
    """500: the model failed"""
    with client(url) as c:
        error = raised(ServerError, lambda: c.encode(FAULTY, fault("engine_failed")))
    assert (error.code, error.status_code) == ("INFERENCE_ERROR", 500)


def check_load_failed(url: str) -> None:
    """502: the model cannot be loaded, or its files cannot be had; told at once"""
    with client(url) as c:
        for name, kind in (("broken", "UNKNOWN"), ("absent", "NOT_FOUND")):
            started = time.monotonic()
            error = raised(ServerError, lambda name=name: c.encode(name, Item(text="a")))
            assert time.monotonic() - started < 5
            assert error.status_code == 502
            if VERSION >= (0, 3, 0):
                assert type(error).__name__ == "ModelLoadFailedError"
                assert (error.error_class, error.permanent) == (kind, True)
            failed = next(m for m in c.list_models() if m["name"] == name)
            assert not failed["loaded"]
            if NEW:
                assert failed["last_error"]["code"] == kind


def check_loading_is_waited_for(url: str) -> None:
    """503 MODEL_LOADING is asked again after the hint, which is under a second"""
    with client(url) as c:
        started = time.monotonic()
        result = c.encode(FAULTY, fault("model_not_ready", 0.25, 2))
        assert 0.4 < time.monotonic() - started < 5
    assert result["dense"].shape == (384,)


def check_adapters(url: str) -> None:
    """LoRA adapters by `options`; one that is loading is asked for again; others are refused"""
    with client(url) as c:
        plain = c.encode(TUNED, Item(text="a b"))["dense"]
        tuned = c.encode(TUNED, Item(text="a b"), options={"lora_id": "legal"})["dense"]
        same = c.encode(TUNED, Item(text="a b"), options={"lora": "legal"})["dense"]
        assert not np.allclose(plain, tuned, atol=1e-3)
        assert np.array_equal(tuned, same)
        result = c.encode(FAULTY, fault("lora_loading", 0.25, 1))
        assert result["dense"].shape == (384,)
        error = raised(
            RequestError, lambda: c.encode(TUNED, Item(text="a"), options={"lora_id": "none"})
        )
    assert (error.code, error.status_code) == ("INVALID_INPUT", 400)


def check_queue_full_is_waited_for(url: str) -> None:
    """503 QUEUE_FULL is asked again after the hint"""
    with client(url) as c:
        result = c.encode(FAULTY, fault("queue_full", 0.1, 2), wait_for_capacity=True)
    assert result["dense"].shape == (384,)


def check_out_of_memory(url: str) -> None:
    """503 RESOURCE_EXHAUSTED is asked again"""
    with client(url) as c:
        result = c.encode(FAULTY, fault("out_of_memory", 0.1, 1), wait_for_capacity=True)
    assert result["dense"].shape == (384,)


def check_worker_died(url: str) -> None:
    """503 QUEUE_UNAVAILABLE (a worker died, the server stops) is asked again"""
    with client(url) as c:
        result = c.encode(FAULTY, fault("worker_died", 0.1, 1), wait_for_capacity=True)
    assert result["dense"].shape == (384,)


def check_provisioning(url: str) -> None:
    """Provisioning: `ProvisioningError` with the hint in every version"""
    with client(url, gpu="cpu") as c:
        error = raised(
            ProvisioningError,
            lambda: c.encode(FAULTY, fault("no_capacity", 0.5), wait_for_capacity=False),
        )
        assert error.retry_after == 0.5
        assert error.gpu == "cpu"
        result = c.encode(FAULTY, fault("no_capacity", 0.1, 2), wait_for_capacity=True)
    assert result["dense"].shape == (384,)


def check_capacity(url: str) -> None:
    """`get_capacity` and `wait_for_capacity`, with and without a model"""
    with client(url) as c:
        seen = c.get_capacity()
        assert seen["worker_count"] >= 1
        assert c.get_capacity(gpu="CPU")["worker_count"] >= 1
        started = time.monotonic()
        assert c.wait_for_capacity("cpu", timeout_s=20)["worker_count"] >= 1
        assert c.wait_for_capacity("cpu", model=MODEL, timeout_s=20)["worker_count"] >= 1
        assert time.monotonic() - started < 5


def check_machine_profiles(url: str) -> None:
    """`gpu=`: served if it is here, told to come back if it is configured, refused if unknown"""
    with client(url) as c:
        assert c.encode(MODEL, Item(text="a"), gpu="CPU")["dense"].shape == (384,)
        error = raised(
            ProvisioningError,
            lambda: c.encode(MODEL, Item(text="a"), gpu="l4", wait_for_capacity=False),
        )
        assert error.gpu == "l4"
        assert error.retry_after > 0
        wrong = raised(RequestError, lambda: c.encode(MODEL, Item(text="a"), gpu="zx81"))
    assert (wrong.code, wrong.status_code) == ("INVALID_INPUT", 400)


def check_pools(url: str) -> None:
    """Pools: made, seen, used, renewed, taken down; unknown ones are told"""
    name = f"Pool-{uuid.uuid4().hex[:8]}"
    with client(url) as c:
        assert c.get_pool(name) is None
        assert c.delete_pool(name) is False
        raised(RequestError, lambda: c.encode(MODEL, Item(text="a"), gpu=f"{name}/cpu"))
        c.create_pool(name, {"cpu": 1})
        pool = c.get_pool(name)
        assert pool["status"]["state"] == "active"
        assert len(pool["status"]["assigned_workers"]) == 1
        assert c.encode(MODEL, Item(text="a"), gpu=f"{name}/cpu")["dense"].shape == (384,)
        c.create_pool(name, {"cpu": 1})
        assert c.delete_pool(name) is True
        assert c.get_pool(name) is None
        raised(PoolError, lambda: c.delete_pool("default"))
        c.create_pool(f"{name}-l4", {"l4": 2})
        assert c.get_pool(f"{name}-l4")["status"]["state"] == "pending"
        c.delete_pool(f"{name}-l4")


def check_pool_of_the_client(url: str) -> None:
    """A pool named to the constructor is made on the first call"""
    name = f"own-{uuid.uuid4().hex[:8]}"
    with client(url, pool={"name": name, "gpus": {"cpu": 1}}) as c:
        assert c.encode(MODEL, Item(text="a"))["dense"].shape == (384,)
        assert c.get_pool(name) is not None
        c.delete_pool(name)


def check_watch(url: str) -> None:
    """`watch`: the cluster and the worker"""
    with client(url) as c:
        if not hasattr(c, "watch"):
            raise Skip("no watch in this version")
        for mode, key in (("auto", "workers"), ("cluster", "workers"), ("worker", "models")):
            for message in c.watch(mode=mode):
                assert key in message, message
                break


def check_deadline(url: str) -> None:
    """504: the time given has passed"""
    with client(url) as c:
        error = raised(
            ServerError,
            lambda: c.encode(FAULTY, fault("deadline_exceeded"), wait_for_capacity=False),
        )
    assert error.status_code == 504


def check_files_and_batches(url: str) -> None:
    """`files` and `batches` over `/v1/embeddings`"""
    row = {"custom_id": "a", "method": "POST", "url": "/v1/embeddings"}
    line = json.dumps({**row, "body": {"model": MODEL, "input": "hello"}}).encode()
    with client(url) as c:
        if not hasattr(c, "batches"):
            raise Skip("no batches in this version")
        file = c.files.upload(line, filename="f.jsonl")
        assert c.files.content(file["id"]) == line
        batch = c.batches.create(input_file_id=file["id"], endpoint="/v1/embeddings")
        end = time.monotonic() + 20
        while batch["status"] not in ("completed", "failed") and time.monotonic() < end:
            time.sleep(0.02)  # between two looks: the API tells no end of a batch
            batch = c.batches.retrieve(batch["id"])
        answer = json.loads(c.files.content(batch["output_file_id"]))
        assert len(answer["response"]["body"]["data"][0]["embedding"]) == 384
        c.files.delete(file["id"])


def check_jobs(url: str) -> None:
    """`jobs`: inline encode jobs, their results by chunk"""
    with client(url) as c:
        if not hasattr(c, "jobs"):
            raise Skip("no jobs in this version")
        items = [{"id": str(i), "text": f"text {i}"} for i in range(300)]
        items[5] = {"id": "5", "text": "!bad"}
        made = c.jobs.submit(source=items, operation="encode", model=MODEL)
        assert made["total_items"] == 300
        c.jobs.wait(made["id"], timeout_s=30, poll_s=0.05)
        results = c.jobs.results(made["id"])["items"]
        assert [r["id"] for r in results] == [str(i) for i in range(300)]
        expected = c.encode(MODEL, Item(text="text 7"))["dense"]
        assert np.array_equal(results[7]["dense"], expected)
        assert results[5]["success"] is False
        assert results[5]["error"]["code"] == "INVALID_INPUT"
        assert any(job["id"] == made["id"] for job in c.jobs.list())


def check_failed_jobs(url: str) -> None:
    """`jobs`: one of which every item failed has failed and says why; some failures are partial"""
    with client(url) as c:
        if not hasattr(c, "jobs"):
            raise Skip("no jobs in this version")
        bad = [{"id": str(i), "text": "!bad"} for i in range(200)]
        made = c.jobs.submit(source=bad, operation="encode", model=MODEL)
        error = raised(
            JobFailedError,
            lambda: c.jobs.wait(made["id"], timeout_s=30, poll_s=0.05, raise_on_failure=True),
        )
        assert (error.state, error.error_code) == ("failed", "INVALID_INPUT")
        results = c.jobs.results(made["id"])["items"]
        assert [r["id"] for r in results] == [str(i) for i in range(200)]
        assert not any(r["success"] for r in results)
        made = c.jobs.submit(source=[*bad, {"text": "good"}], operation="encode", model=MODEL)
        job = c.jobs.wait(made["id"], timeout_s=30, poll_s=0.05, raise_on_failure=True)
        assert (job["state"], job["outcome"]) == ("succeeded", "partial")


@contextlib.contextmanager
def writer(url: str) -> Iterator[SIEClient]:
    """A client that asks for texts, if this version does."""
    with client(url) as c:
        if not hasattr(c, "responses"):
            raise Skip("no generate in this version")
        yield c


HELLO = [{"role": "user", "content": "one two three"}]

CALL = [
    {"reasoning": "so add"},
    {"text": "Let me see."},
    {"tool": {"index": 0, "id": "c0", "name": "add", "arguments": '{"a": 1}'}},
]
"""What the model is told to write: a thought, words and a call of a tool."""

ADD = {
    "type": "function",
    "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}},
}


def check_generate(url: str) -> None:
    """`generate`: text, why it ends, tokens and times; names with `/` in the path"""
    with writer(url) as c:
        made = c.generate(WRITER, "one two three", max_new_tokens=8)
        assert (made["model"], made["text"]) == (WRITER.replace("/", "__"), "one two three")
        assert made["finish_reason"] == "stop"
        used = made["usage"]
        assert (used["prompt_tokens"], used["completion_tokens"], used["total_tokens"]) == (3, 3, 6)
        assert made["ttft_ms"] >= 0
        assert made["tpot_ms"] >= 0
        assert made["request"]["usage"]["output_tokens"] == 3
        cut = c.generate(WRITER, "one two", max_new_tokens=1, stop=["x"], seed=7, temperature=0.5)
    assert (cut["text"], cut["finish_reason"]) == ("one", "length")


def check_generate_stream(url: str) -> None:
    """`stream_generate`: numbered chunks, the last one `done` with the tokens"""
    with writer(url) as c:
        chunks = list(c.stream_generate(WRITER, "one two three", max_new_tokens=8))
    assert [chunk["seq"] for chunk in chunks] == [0, 1, 2, 3]
    assert "".join(chunk["text_delta"] for chunk in chunks) == "one two three"
    assert [chunk["done"] for chunk in chunks] == [False, False, False, True]
    assert chunks[-1]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["total_tokens"] == 6
    assert chunks[-1]["ttft_ms"] >= 0
    assert len({chunk["request_id"] for chunk in chunks}) == 1


def check_generate_options(url: str) -> None:
    """`generate` with `options`, pictures and grammars; what is none of these is refused"""
    picture = Image.new("RGB", (8, 8), (200, 30, 30))
    with writer(url) as c:
        made = c.generate(WRITER, "what?", max_new_tokens=3, images=[picture])
        assert made["text"] == "what?"
        options = {"top_k": 3, "spice": 7}
        assert c.generate(WRITER, "hi", max_new_tokens=3, options=options)["text"] == "hi"
        grammar = {"regex": "[a-z ]+"}
        assert c.generate(WRITER, "one", max_new_tokens=3, grammar=grammar)["text"] == "one"
        for wrong in (
            lambda: c.generate(WRITER, "hi", max_new_tokens=0),
            lambda: c.generate(WRITER, "hi", max_new_tokens=3, temperature=-1.0),
            lambda: c.generate(WRITER, "hi", max_new_tokens=3, logit_bias={"many": 1.0}),
            lambda: c.generate(WRITER, "", max_new_tokens=3, options={"top_k": "many"}),
        ):
            error = raised(RequestError, wrong)
            assert (error.code, error.status_code) == ("INVALID_INPUT", 400)


def check_generate_failures(url: str) -> None:
    """`generate` that fails: before the first chunk, in the middle, and for want of a model"""
    with writer(url) as c:
        error = raised(ServerError, lambda: c.generate(WRITER, "!fail", max_new_tokens=3))
        assert error.code == "INFERENCE_ERROR"
        heard: list[Any] = []
        stream = c.stream_generate(WRITER, "one two !fail", max_new_tokens=9)
        error = raised(ServerError, lambda: heard.extend(stream))
        assert error.code == "INFERENCE_ERROR"
        assert not any(chunk["done"] for chunk in heard)
        error = raised(RequestError, lambda: c.generate("none", "hi", max_new_tokens=3))
        assert (error.code, error.status_code) == ("MODEL_NOT_FOUND", 404)
        error = raised(RequestError, lambda: c.generate("org/fake", "hi", max_new_tokens=3))
        assert (error.code, error.status_code) == ("INVALID_INPUT", 400)
        assert "cannot chat" in str(error)
        with contextlib.closing(c.stream_generate(WRITER, "!more", max_new_tokens=99)) as left:
            assert next(left)["text_delta"] == "!more"
        assert c.generate(WRITER, "hi", max_new_tokens=3)["text"] == "hi"


def check_chat(url: str) -> None:
    """`chat_completions` and `stream_chat_completions`: texts, tools, tokens"""
    with writer(url) as c:
        made = c.chat_completions(WRITER, HELLO, max_completion_tokens=8)
        assert made["choices"][0]["message"]["content"] == "one two three"
        assert made["usage"]["total_tokens"] == 6
        asked = [{"role": "user", "content": json.dumps(CALL)}]
        choice = c.chat_completions(WRITER, asked, tools=[ADD])["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        (call,) = choice["message"]["tool_calls"]
        assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == (
            "add",
            {"a": 1},
        )
        told = {"include_usage": True}
        parts = list(c.stream_chat_completions(WRITER, HELLO, stream_options=told))
    texts = [p["choices"][0]["delta"].get("content") or "" for p in parts if p["choices"]]
    assert "".join(texts) == "one two three"
    assert parts[-1]["usage"]["total_tokens"] == 6


def check_chat_failures(url: str) -> None:
    """Chats that fail, whole and in the middle: the SDK's own codes"""
    fails = [{"role": "user", "content": "one !fail"}]
    with writer(url) as c:
        error = raised(RequestError, lambda: c.chat_completions("none", HELLO))
        assert (error.code, error.status_code) == ("MODEL_NOT_FOUND", 404)
        error = raised(RequestError, lambda: c.chat_completions(MODEL, HELLO))
        assert (error.code, error.status_code) == ("INVALID_INPUT", 400)
        error = raised(ServerError, lambda: c.chat_completions(WRITER, fails))
        assert error.code == "INFERENCE_ERROR"
        error = raised(ServerError, lambda: list(c.stream_chat_completions(WRITER, fails)))
        assert "told to fail" in str(error)


def check_responses(url: str) -> None:
    """`responses`: a text, several messages, a length; and a model that does not write"""
    with writer(url) as c:
        made = c.responses(WRITER, "one two three", max_output_tokens=8, temperature=0.5)
        assert (made["object"], made["status"]) == ("response", "completed")
        (item,) = [item for item in made["output"] if item["type"] == "message"]
        assert item["content"][0]["text"] == "one two three"
        assert made["usage"]["total_tokens"] == 6
        again = c.responses(WRITER, HELLO)
        assert again["output"][-1]["content"][0]["text"] == "one two three"
        error = raised(RequestError, lambda: c.responses(MODEL, "hi"))
    assert (error.code, error.status_code) == ("INVALID_INPUT", 400)


async def check_async_writing(url: str) -> None:
    """The asynchronous client: generate, chats, responses, whole and in streams"""
    async with SIEAsyncClient(url, api_key=KEY) as c:
        if not hasattr(c, "responses"):
            raise Skip("no generate in this version")
        made = await c.generate(WRITER, "one two", max_new_tokens=8)
        assert made["text"] == "one two"
        chunks = [x async for x in c.stream_generate(WRITER, "one two", max_new_tokens=8)]
        assert "".join(chunk["text_delta"] for chunk in chunks) == "one two"
        said = await c.chat_completions(WRITER, HELLO)
        assert said["choices"][0]["message"]["content"] == "one two three"
        parts = [x async for x in c.stream_chat_completions(WRITER, HELLO)]
        assert parts[0]["choices"][0]["delta"]["role"] == "assistant"
        answered = await c.responses(WRITER, "one two")
        assert answered["output"][-1]["content"][0]["text"] == "one two"


def check_unreachable(url: str) -> None:
    """No server"""
    del url
    with client("http://127.0.0.1:9") as c:
        raised(
            SIEConnectionError,
            lambda: c.encode(MODEL, Item(text="a"), wait_for_capacity=False),
        )


async def check_async_pools(url: str) -> None:
    """The asynchronous client: pools, capacity, watch"""
    name = f"aio-{uuid.uuid4().hex[:8]}"
    async with SIEAsyncClient(url, api_key=KEY) as c:
        assert (await c.get_capacity())["worker_count"] >= 1
        await c.create_pool(name, {"cpu": 1})
        assert (await c.get_pool(name))["status"]["state"] == "active"
        result = await c.encode(MODEL, Item(text="a"), gpu=f"{name}/cpu")
        assert result["dense"].shape == (384,)
        assert await c.delete_pool(name) is True
        if hasattr(c, "watch"):
            async for message in c.watch(mode="cluster"):
                assert "workers" in message
                break


async def check_async(url: str) -> None:
    """The asynchronous client: encode, score, extract, models"""
    async with SIEAsyncClient(url, api_key=KEY) as c:
        results = await c.encode(MODEL, [Item(id="a", text="x"), Item(text="y")])
        assert [r.get("id") for r in results] == ["a", None]
        scores = await c.score(MODEL, Item(text="x"), [Item(text="x"), Item(text="y")])
        assert scores["scores"][0]["item_id"] == "item-0"
        found = await c.extract(FINDER, Item(text="see Ada"), labels=["person"])
        assert found["entities"][0]["text"] == "Ada"
        assert any(m["name"] == MODEL for m in await c.list_models())
        (error,) = await asyncio.gather(c.encode("none", Item(text="a")), return_exceptions=True)
    assert isinstance(error, RequestError)
    assert error.code == "MODEL_NOT_FOUND"
