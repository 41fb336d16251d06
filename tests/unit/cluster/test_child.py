from __future__ import annotations

from pathlib import Path

import pytest
from fix_replicas import call, deployment, pid_of, right
from msgspec.structs import replace

from stelae.cluster.child import VISIBLE, surroundings
from stelae.cluster.controller import Placement
from stelae.cluster.local import LocalController, spread
from stelae.cluster.process import ProcessReplica
from stelae.engines.base import Device, EngineOptions
from stelae.errors import InvalidInput

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="the system does not tell of processes"
)


def variables(replica: ProcessReplica) -> dict[str, str]:
    """What the worker of a replica was started with."""
    told = Path(f"/proc/{pid_of(replica)}/environ").read_bytes().split(b"\0")
    pairs = (pair.decode().partition("=") for pair in told if pair)
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize(
    ("inherited", "gpus", "seen"),
    [
        ({}, None, None),
        ({VISIBLE: "3"}, None, "3"),
        ({}, (), ""),
        ({VISIBLE: "3"}, (), ""),
        ({}, (1, 0), "1,0"),
        ({VISIBLE: "4,7"}, (1,), "7"),
        ({VISIBLE: "GPU-aa, GPU-bb"}, (0, 1), "GPU-aa,GPU-bb"),
    ],
)
def test_a_worker_sees_its_gpus_of_those_that_the_server_sees(
    inherited: dict[str, str], gpus: tuple[int, ...] | None, seen: str | None
) -> None:
    assert surroundings(inherited, {}, gpus).get(VISIBLE) == seen


def test_variables_of_its_own_go_before_those_of_the_server() -> None:
    assert surroundings({"A": "1", "B": "2"}, {"B": "3"}, None) == {"A": "1", "B": "3"}


@needs_proc
async def test_replicas_have_their_own_variables_and_gpus() -> None:
    controller = LocalController()
    like = replace(deployment(), environment={"GREETING": "hello"})
    try:
        first = await controller.launch(replace(like, gpus=()))
        second = await controller.launch(replace(like, number=1, gpus=(1,)))
        assert isinstance(first, ProcessReplica)
        assert isinstance(second, ProcessReplica)
        assert [variables(r)["GREETING"] for r in (first, second)] == ["hello"] * 2
        assert [variables(r)[VISIBLE] for r in (first, second)] == ["", "1"]
        right(await second.infer(call("a")), "a")
    finally:
        await controller.stop("fake", 0.0)
    assert controller.replicas() == []


async def test_one_replica_of_several_can_be_stopped() -> None:
    controller = LocalController(Placement.THREAD)
    for number in range(3):
        await controller.launch(replace(deployment(), number=number))
    await controller.stop("fake", 0.0, 1)
    assert [r.deployment.number for r in controller.replicas("fake")] == [0, 2]
    await controller.stop("fake", 0.0, 7)
    assert len(controller.replicas("fake")) == 2
    await controller.stop("fake", 0.0)
    assert controller.replicas() == []


@pytest.mark.parametrize("own", [{"environment": {"A": "1"}}, {"gpus": (0,)}])
async def test_models_that_share_a_process_have_no_variables_of_their_own(
    own: dict[str, object],
) -> None:
    with pytest.raises(InvalidInput, match="placement"):
        await LocalController(Placement.THREAD).launch(replace(deployment(), **own))


def test_further_replicas_have_a_gpu_of_their_own_where_there_are_several() -> None:
    def seen(cards: int, **more: object) -> list[tuple[int, ...] | None]:
        like = replace(deployment(), **more)
        return [spread(replace(like, number=n), cards).gpus for n in range(4)]

    assert seen(0) == seen(1) == [None] * 4
    assert seen(3) == [None, (1,), (2,), (0,)]
    assert seen(3, gpus=(2,)) == [(2,)] * 4
    assert seen(3, options=EngineOptions(device=Device.CPU)) == [None] * 4
