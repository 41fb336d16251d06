from __future__ import annotations

from pathlib import Path

import pytest

from stelae.service.budget import budget, usable_bytes

TOTAL = 64 << 30


def test_without_limits_it_is_the_machine(tmp_path: Path) -> None:
    assert usable_bytes(TOTAL, tmp_path) == TOTAL
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    assert usable_bytes(TOTAL, tmp_path) == TOTAL


@pytest.mark.parametrize("tightest", ["", "a/", "a/b/"])
def test_the_tightest_group_around_the_process_counts(tmp_path: Path, tightest: str) -> None:
    groups = tmp_path / "sys/fs/cgroup"
    (groups / "a/b").mkdir(parents=True)
    for group in ("", "a/", "a/b/"):
        (groups / group / "memory.max").write_text(f"{8 << 30 if group == tightest else 9 << 30}")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/a/b\n")
    assert usable_bytes(TOTAL, tmp_path) == 8 << 30


def test_groups_of_the_older_kind_count_too(tmp_path: Path) -> None:
    group = tmp_path / "sys/fs/cgroup/memory/box"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text(str(4 << 30))
    (group.parent / "memory.limit_in_bytes").write_text("9223372036854771712")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("5:cpu:/other\n4:memory:/box\n0::/\n")
    assert usable_bytes(TOTAL, tmp_path) == 4 << 30


def test_a_limit_above_the_machine_is_none(tmp_path: Path) -> None:
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(str(2 * TOTAL))
    assert usable_bytes(TOTAL, tmp_path) == TOTAL


def test_a_part_of_this_machine_is_left_to_others() -> None:
    assert 0 < budget() < 2**50
