"""The size table counts what it says it counts."""

from __future__ import annotations

from pathlib import Path

import measure
import pytest

ONE = '''"""A module."""

import os


class Public:
    """Documented."""

    def told(self, a: int, b, *rest: str) -> int:
        """Documented.

        With a long text that is not counted.
        """
        if a and b:
            return [x for x in rest if x]
        return 0

    def untold(self): ...

    def _private(self): ...


def guarded() -> None:
    try:
        os.getcwd()
    except Exception:
        pass
    except (OSError, ValueError):
        pass
'''

COPIED = "".join(f"value_{number} = {number}\n" for number in range(6))


def sums(folder: Path) -> measure.Sums:
    return measure.rooms_of(folder)["(files)"]


@pytest.fixture
def one(tmp_path: Path) -> measure.Sums:
    (tmp_path / "one.py").write_text(ONE)
    return sums(tmp_path)


def test_functions_are_counted_without_their_docstring(one: measure.Sums) -> None:
    lines = {shape.place.rpartition(" ")[2]: shape.lines for shape in one.functions}
    assert lines == {"told": 4, "untold": 1, "_private": 1, "guarded": 7}


def test_each_way_to_go_on_is_a_decision(one: measure.Sums) -> None:
    decisions = {shape.place.rpartition(" ")[2]: shape.decisions for shape in one.functions}
    # if, and, the loop of the list and its condition; two handlers.
    assert decisions == {"told": 4, "untold": 0, "_private": 0, "guarded": 2}


def test_parameters_and_returns_are_typed_or_not(one: measure.Sums) -> None:
    # told: a, rest and the return, but not b; untold and _private: no return; guarded: a return.
    assert sorted(one.typed) == [False] * 3 + [True] * 4


def test_public_things_are_documented_or_not(one: measure.Sums) -> None:
    # Public and told are; untold and guarded are not; _private does not count.
    assert sorted(one.documented) == [False, False, True, True]


def test_handlers_are_broad_or_not(one: measure.Sums) -> None:
    assert one.broad == [True, False]


def test_six_equal_lines_are_shared_and_five_are_not(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(COPIED + "a = 1\n")
    (tmp_path / "b.py").write_text("b = 1\n\n# a note\n" + COPIED)
    (tmp_path / "c.py").write_text(COPIED.partition("\n")[2] + "c = 1\n")
    found = sums(tmp_path).shared
    assert sum(found) == 12
    assert len(found) == 7 + 7 + 6


def test_generated_code_shares_nothing(tmp_path: Path) -> None:
    for folder in ("_async", "_sync"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text(COPIED)
    rooms = measure.rooms_of(tmp_path)
    assert not any(rooms["_async/"].shared)
    assert rooms["_sync/"].shared == []


def test_spread_is_median_ninetieth_and_largest() -> None:
    assert measure.spread(list(range(1, 12))) == "6 / 10 / 11"
    assert measure.spread([]) == "-"


def test_a_path_that_is_not_there_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure.main(["no/such/folder"]) == 2
    assert "no/such/folder" in capsys.readouterr().err
