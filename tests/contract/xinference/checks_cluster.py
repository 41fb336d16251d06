"""What the clients must find of the server itself; see ``driver.py`` and ``either.py``.

Each function is one row of the compatibility table: its docstring is what the row says.
"""

from __future__ import annotations

from either import KEY, Place, Skip

__all__ = ["Place", "Skip"]


async def check_open(place: Place) -> None:
    """A server without keys needs no login, and takes any key"""
    async with place.client(api_key="any") as c:
        assert not c.inner._cluster_authed
        assert await c.login("any", "any") is None
        assert isinstance(await c.list_models(), dict)


async def check_keyed(place: Place) -> None:
    """A server with keys is asked with one of them, and refuses others with a sentence"""
    async with place.client(place.locked, api_key=KEY) as c:
        assert isinstance(await c.list_models(), dict)
    async with place.client(place.locked, api_key="wrong") as c:
        await place.raised(c.list_models(), "Failed to list model, detail: ", "key")


async def check_login(place: Place) -> None:
    """`login` takes a key of the server as the password, and refuses others with a sentence"""
    async with place.client(place.locked) as c:
        await c.login("anybody", KEY)
        assert isinstance(await c.list_models(), dict)
        call = c.login("anybody", "wrong")
        await place.raised(call, "Failed to ", "password")


async def check_machine(place: Place) -> None:
    """Supervisor, worker, address, version, devices and status of the server"""
    host = place.url.rpartition("/")[2]
    async with place.client() as c:
        assert (await c.get_supervisor_info())["supervisor_ip"] == host
        assert await c._get_supervisor_internal_address() == host
        (worker,) = await c.get_workers_info()
        assert worker["work-ip"] == host
        assert isinstance(worker["models"], dict)
    assert place.ask("/v1/cluster/version")[1].keys() == {"version", "full-revisionid"}
    assert isinstance(place.ask("/v1/cluster/devices")[1], int)
    nodes = place.ask("/v1/cluster/info?detailed=true")[1]
    assert [node["node_type"] for node in nodes] == ["Supervisor", "Worker"]
    told = place.ask("/status")[1]
    assert told["uptime"] >= 0
    assert told["workers"][host]["status"]["cpu"]["memory_total"] > 0


async def check_worker_models(place: Place) -> None:
    """The worker tells of its replicas by their names"""
    async with place.launched(model_name="bge-small-en-v1.5", model_type="embedding") as (c, uid):
        (worker,) = await c.get_workers_info()
        assert worker["models"][f"{uid}-rep0"]["model_type"] == "embedding"


async def check_slashes(place: Place) -> None:
    """An address with a slash at its end is as good as one without"""
    async with place.client(place.url + "/") as c:
        assert "fake" in await c.list_models()


async def check_errors(place: Place) -> None:
    """Every error has a sentence for this client and an object for OpenAI's"""
    wrong = [
        ("/v1/models/no-such-model", "GET", None, 404),
        ("/v1/models/no-such-model", "DELETE", None, 400),
        ("/v1/models", "POST", {}, 400),
        ("/v1/models", "POST", {"model_name": "no-such-model"}, 400),
        ("/v1/models/no-such-model/replicas", "GET", None, 400),
        ("/v1/models/no-such-model/cancel", "POST", None, 409),
        ("/v1/embeddings", "POST", {"model": "no-such-model", "input": "a"}, 404),
        ("/v1/nothing", "GET", None, 404),
        ("/v1/clusters", "DELETE", None, 403),
    ]
    for path, method, body, status in wrong:
        got, told = place.ask(path, method, body)
        assert got == status, (path, got, told)
        assert isinstance(told["detail"], str)
        assert told["detail"]
        assert {"message", "type", "param", "code"} <= told["error"].keys()


async def check_stop(place: Place) -> None:
    """`abort_cluster` and the `relaunch` calls are refused: the server is stopped by hand"""
    async with place.client() as c:
        call = c.abort_cluster()
        await place.raised(call, "Failed to abort cluster, detail: ", "whoever runs it")
        assert await c.list_worker_relaunches() == []
        call = c.relaunch_worker("127.0.0.1:1")
        await place.raised(call, "Failed to relaunch worker: ", "whoever runs it")
        call = c.get_worker_relaunch("an-operation")
        await place.raised(call, "Failed to get worker relaunch: ", "an-operation")


async def check_stop_parts(place: Place) -> None:
    """The same of the API and the supervisor"""
    async with place.client() as c:
        assert await c.list_api_relaunches() == await c.list_supervisor_relaunches() == []
        await place.raised(c.relaunch_api(), "Failed to relaunch API: ", "whoever runs it")
        call = c.relaunch_supervisor()
        await place.raised(call, "Failed to relaunch Supervisor: ", "whoever runs it")
        await place.raised(c.get_api_relaunch("a"), "Failed to get API relaunch: ", "a")
        call = c.get_supervisor_relaunch("a")
        await place.raised(call, "Failed to get Supervisor relaunch: ", "a")
