from __future__ import annotations

import pytest

from stelae.cluster.quarantine import Quarantine
from stelae.errors import PoisonInput


def test_what_was_convicted_is_refused() -> None:
    quarantine = Quarantine()
    assert isinstance(quarantine.convict([b"bad", b"call"], 0.0), PoisonInput)
    with pytest.raises(PoisonInput):
        quarantine.refuse([b"bad", b"call"], 1.0)


def test_other_inputs_pass() -> None:
    quarantine = Quarantine()
    quarantine.convict([b"bad", b"call"], 0.0)
    for other in ([b"good"], [b"badcall"], [b"ba", b"dcall"], []):
        quarantine.refuse(other, 1.0)


def test_a_conviction_is_forgotten_after_its_time() -> None:
    quarantine = Quarantine(seconds=600.0)
    quarantine.convict([b"bad"], 0.0)
    with pytest.raises(PoisonInput):
        quarantine.refuse([b"bad"], 599.0)
    quarantine.refuse([b"bad"], 600.0)


def test_only_so_many_are_remembered_and_the_oldest_go_first() -> None:
    quarantine = Quarantine(capacity=2)
    for name in (b"a", b"b", b"a", b"c"):
        quarantine.convict([name], 0.0)
    quarantine.refuse([b"b"], 1.0)
    for name in (b"a", b"c"):
        with pytest.raises(PoisonInput):
            quarantine.refuse([name], 1.0)


def test_an_input_at_two_ends_of_workers_is_refused_if_no_other_was() -> None:
    quarantine = Quarantine()
    quarantine.witness([[b"deadly"], [b"a"]], 0.0)
    quarantine.refuse([b"deadly"], 1.0)
    quarantine.witness([[b"deadly"], [b"b"]], 2.0)
    with pytest.raises(PoisonInput):
        quarantine.refuse([b"deadly"], 3.0)
    for other in ([b"a"], [b"b"]):
        quarantine.refuse(other, 3.0)


def test_nobody_is_refused_while_several_may_be_at_fault() -> None:
    quarantine = Quarantine()
    for at in (0.0, 1.0, 2.0):
        quarantine.witness([[b"deadly"], [b"always there"]], at)
    for one in ([b"deadly"], [b"always there"]):
        quarantine.refuse(one, 3.0)


def test_ends_long_ago_do_not_count() -> None:
    quarantine = Quarantine(seconds=10.0)
    quarantine.witness([[b"x"]], 0.0)
    quarantine.witness([[b"x"]], 11.0)
    quarantine.refuse([b"x"], 12.0)
