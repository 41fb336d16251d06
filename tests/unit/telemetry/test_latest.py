from __future__ import annotations

import io

from stelae.telemetry.latest import LONGEST, Copied, Latest, Told


def kept(*lines: str, most: int = 3) -> Latest:
    latest = Latest(most)
    for line in lines:
        latest.add(line)
    return latest


def test_the_last_lines_are_told_first() -> None:
    latest = kept("a", "b", "c", "d")
    assert latest.since(None, 2) == Told(lines=["c", "d"], next=4, lost=0)
    assert latest.since(None, 9) == Told(lines=["b", "c", "d"], next=4, lost=0)


def test_what_follows_goes_on_where_the_part_before_ended() -> None:
    latest = kept("a", "b")
    seen = latest.since(None, 1).next
    assert latest.since(seen, 9) == Told(lines=[], next=2, lost=0)
    latest.add("c\nd")
    first = latest.since(seen, 1)
    assert first == Told(lines=["c"], next=3, lost=0)
    assert latest.since(first.next, 9) == Told(lines=["d"], next=4, lost=0)


def test_lines_that_are_gone_are_counted() -> None:
    latest = kept("a", "b", "c", "d", "e")
    assert latest.since(1, 9) == Told(lines=["c", "d", "e"], next=5, lost=1)
    assert latest.since(99, 9) == Told(lines=[], next=5, lost=0)


def test_nothing_is_kept_where_nothing_is_wanted() -> None:
    latest = kept("a", most=0)
    assert latest.since(None, 9) == Told(lines=[], next=1, lost=0)


def test_fewer_lines_are_kept_from_now_on() -> None:
    latest = kept("a", "b", "c")
    latest.keep(1)
    assert latest.since(None, 9).lines == ["c"]


def test_lines_are_kept_without_colours_and_cut() -> None:
    latest = kept("\x1b[32mgreen\x1b[0m", "x" * 2 * LONGEST)
    assert latest.since(None, 9).lines == ["green", "x" * LONGEST]


def test_what_is_written_is_kept_beside() -> None:
    out, latest = io.StringIO(), Latest()
    Copied(out, latest).write("one\n")
    assert (out.getvalue(), latest.since(None, 9).lines) == ("one\n", ["one"])
