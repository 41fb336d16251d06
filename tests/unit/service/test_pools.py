from __future__ import annotations

from dataclasses import dataclass

import pytest

from stelae.errors import Conflict, Forbidden, InvalidInput, PoolNotFound, Provisioning
from stelae.service import pools
from stelae.service.pools import Pools
from stelae.service.profiles import Profiles
from stelae.types import PoolSpec, PoolState

LEASE = 1200.0


@dataclass
class Hands:
    """A clock that moves when it is told to."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def rooms(clock: Hands) -> Pools:
    """The pools of a machine with an L4, in a configuration that knows an A100 too."""
    return Pools(Profiles("l4-spot", ["A100-40gb"]), clock)


def test_a_pool_is_there_once_it_is_made(rooms: Pools, clock: Hands) -> None:
    made = rooms.create(PoolSpec(name="eval", gpus={"l4-spot": 1}))
    assert made == rooms.get("eval")
    assert (made.created_at, made.last_renewed) == (clock.now, clock.now)
    assert [pool.spec.name for pool in rooms.all()] == ["default", "eval"]


def test_names_are_one_whatever_their_capitals_and_stay_as_first_written(rooms: Pools) -> None:
    rooms.create(PoolSpec(name="Eval"))
    assert rooms.create(PoolSpec(name="EVAL", gpus={"l4-spot": 2})).spec.name == "Eval"
    assert rooms.get("eval").spec.gpus == {"l4-spot": 2}
    assert len(rooms.all()) == 2


def test_making_a_pool_again_renews_it_and_keeps_when_it_was_made(
    rooms: Pools, clock: Hands
) -> None:
    begun = clock.now
    rooms.create(PoolSpec(name="eval"))
    clock.now += 1000
    again = rooms.create(PoolSpec(name="eval"))
    assert (again.created_at, again.last_renewed) == (begun, clock.now)


def test_a_lease_ends_after_its_time_and_not_before(rooms: Pools, clock: Hands) -> None:
    rooms.create(PoolSpec(name="eval"))
    clock.now += LEASE - 1
    rooms.get("eval")
    clock.now += 1
    with pytest.raises(PoolNotFound, match="eval"):
        rooms.get("eval")
    assert [pool.spec.name for pool in rooms.all()] == ["default"]


def test_a_renewed_lease_begins_anew(rooms: Pools, clock: Hands) -> None:
    rooms.create(PoolSpec(name="eval"))
    for _ in range(5):
        clock.now += LEASE - 1
        assert rooms.renew("EVAL").last_renewed == clock.now
    clock.now += LEASE
    with pytest.raises(PoolNotFound):
        rooms.renew("eval")


def test_a_call_for_a_pool_renews_its_lease(rooms: Pools, clock: Hands) -> None:
    rooms.create(PoolSpec(name="eval"))
    for _ in range(3):
        clock.now += LEASE - 1
        rooms.admit("eval", None)
    clock.now += LEASE
    with pytest.raises(PoolNotFound):
        rooms.admit("eval", None)


def test_a_pool_may_ask_for_another_lease(rooms: Pools, clock: Hands) -> None:
    rooms.create(PoolSpec(name="short", ttl_seconds=2.0))
    clock.now += 2
    with pytest.raises(PoolNotFound):
        rooms.delete("short")


def test_a_deleted_pool_is_gone(rooms: Pools) -> None:
    rooms.create(PoolSpec(name="eval"))
    rooms.delete("Eval")
    with pytest.raises(PoolNotFound):
        rooms.get("eval")


def test_the_default_pool_neither_ends_nor_can_be_deleted(rooms: Pools, clock: Hands) -> None:
    clock.now += 100 * LEASE
    assert rooms.get("Default").state is PoolState.ACTIVE
    with pytest.raises(Forbidden, match="default"):
        rooms.delete("DEFAULT")


@pytest.mark.parametrize(
    ("gpus", "state", "workers"),
    [
        ({}, "active", 1),
        ({"l4-spot": 2}, "active", 1),
        ({"L4": 1}, "active", 1),
        ({"l4-spot": 0}, "active", 1),
        ({"l4-spot": 1, "a100-40gb": 1}, "pending", 1),
        ({"a100-40gb": 1}, "pending", 0),
        ({"h100": 1}, "pending", 0),
    ],
)
def test_a_pool_is_active_when_all_its_profiles_are_here(
    gpus: dict[str, int], state: str, workers: int, rooms: Pools
) -> None:
    made = rooms.create(PoolSpec(name="eval", gpus=gpus))
    assert made.state == state
    assert [worker.profile for worker in made.workers] == ["l4-spot"] * workers


@pytest.mark.parametrize(
    "spec",
    [
        PoolSpec(name=""),
        PoolSpec(name="a/b"),
        PoolSpec(name="a b"),
        PoolSpec(name="a\n"),
        PoolSpec(name="x" * 129),
        PoolSpec(name="p", gpus={"l4": -1}),
        PoolSpec(name="p", gpu_caps={"l4": -1}),
        PoolSpec(name="p", minimum_worker_count=-1),
        PoolSpec(name="p", pinned_models=("x" * 20_000,)),
        PoolSpec(name="p", ttl_seconds=0),
        PoolSpec(name="p", ttl_seconds=float("nan")),
        PoolSpec(name="p", ttl_seconds=float("inf")),
    ],
    ids=str,
)
def test_a_pool_that_cannot_be_is_refused(spec: PoolSpec, rooms: Pools) -> None:
    with pytest.raises(InvalidInput):
        rooms.create(spec)


def test_pools_are_bounded(rooms: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MOST_POOLS", 2)
    rooms.create(PoolSpec(name="one"))
    rooms.create(PoolSpec(name="two"))
    with pytest.raises(Conflict, match="2 pools"):
        rooms.create(PoolSpec(name="three"))
    rooms.create(PoolSpec(name="ONE"))


# -- who is served -------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", [None, "l4-spot", "L4-Spot", "l4", "L4"])
@pytest.mark.parametrize("pool", [None, "default", "any", "mine"])
def test_calls_for_what_is_here_are_served(
    pool: str | None, machine: str | None, rooms: Pools
) -> None:
    rooms.create(PoolSpec(name="any"))
    rooms.create(PoolSpec(name="mine", gpus={"l4": 1}))
    rooms.admit(pool, machine)


def test_a_call_for_an_unknown_pool_is_refused(rooms: Pools) -> None:
    with pytest.raises(PoolNotFound) as caught:
        rooms.admit("none", "l4")
    assert (caught.value.code, caught.value.status) == ("pool_not_found", 404)


def test_a_machine_that_is_configured_and_not_here_is_awaited(rooms: Pools) -> None:
    with pytest.raises(Provisioning) as caught:
        rooms.admit(None, "A100-40GB")
    assert (caught.value.code, caught.value.status) == ("provisioning", 503)
    assert caught.value.details == {"gpu": "A100-40GB"}
    assert caught.value.retry_after == 5.0


def test_a_machine_that_is_not_configured_is_refused_for_good(rooms: Pools) -> None:
    with pytest.raises(InvalidInput, match="l4-spot, a100-40gb") as caught:
        rooms.admit(None, "h100")
    assert caught.value.details["requested_profile"] == "h100"
    assert caught.value.details["worker_identity"] == "worker-0/l4-spot"


def test_a_pool_is_asked_for_its_own_machines_only(rooms: Pools) -> None:
    rooms.create(PoolSpec(name="big", gpus={"a100-40gb": 1}))
    with pytest.raises(InvalidInput, match="no machine 'l4'"):
        rooms.admit("big", "l4")


def test_a_pool_without_a_machine_here_is_awaited(rooms: Pools) -> None:
    rooms.create(PoolSpec(name="big", gpus={"a100-40gb": 1}))
    with pytest.raises(Provisioning):
        rooms.admit("big", None)


def test_a_pool_of_machines_that_nobody_configured_is_refused_for_good(rooms: Pools) -> None:
    rooms.create(PoolSpec(name="big", gpus={"h100": 1}))
    with pytest.raises(InvalidInput, match="h100"):
        rooms.admit("big", None)


def test_a_server_may_answer_for_every_profile() -> None:
    rooms = Pools(Profiles("cpu", accept_any=True))
    assert rooms.create(PoolSpec(name="eval", gpus={"l4": 2})).state is PoolState.ACTIVE
    rooms.admit("eval", "l4")
    rooms.admit("eval", None)
    rooms.admit(None, "h100")
    with pytest.raises(PoolNotFound):
        rooms.admit("none", None)
