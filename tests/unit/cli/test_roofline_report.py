"""``stelae bench --roofline``: what it prints, and its arithmetic."""

from __future__ import annotations

import json

import pytest
from live import live
from typer.testing import CliRunner

from stelae.cli.app import app
from stelae.cli.closed_loop import Request
from stelae.cli.roofline import detailed
from stelae.cli.round_trips import Tally, measure, parts_of, stages_of
from stelae.dialects.answers import server_timing
from stelae.engines.roofline import Part
from stelae.types import Timing

QUICK = ["--roofline", "--seconds", "0.1", "--lengths", "short"]

FIELDS = {
    "dtype",
    "fingerprint",
    "rows",
    "gflop_per_s",
    "flop_per_token",
    "limit_tokens_per_s",
    "tokens_per_s",
    "fraction",
    "linears_fraction",
    "parts",
}
"""As ``docs/command-line.md`` lists them."""


def tally_of(round_trips: float, **stages: float) -> Tally:
    tally = Tally(requests=1, round_trips=round_trips)
    tally.stages.update(stages)
    return tally


def shares(parts: tuple[Part, ...]) -> dict[str, float]:
    return {part.name: part.share for part in parts} | {
        inner.name: inner.share for part in parts for inner in part.parts
    }


def test_stages_are_those_that_a_server_writes() -> None:
    timing = Timing(prepare_ms=1.0, queue_ms=2.0, run_ms=3.0, finish_ms=4.0)
    stages = dict(stages_of(server_timing(timing, 12.5)))
    assert stages == {"prepare": 1.0, "queue": 2.0, "run": 3.0, "finish": 4.0, "total": 12.5}


@pytest.mark.parametrize("header", ["", "cache", 'cdn;desc="a"'])
def test_stages_without_times_are_left_out(header: str) -> None:
    assert list(stages_of(header)) == []


def test_round_trips_are_shared_out() -> None:
    found = shares(parts_of(tally_of(100, prepare=5, queue=10, run=40, finish=5, total=80), 8))
    assert found == pytest.approx(
        {
            "in the server": 0.8,
            "tokenising": 0.05,
            "scheduling": 0.1,
            "model": 0.4,
            "putting results together": 0.05,
            "framing, serialising, event loop": 0.2,
            "outside": 0.2,
            "client's processor": 0.08,
            "sockets and waiting for either side": 0.12,
        }
    )


@pytest.mark.parametrize(
    ("tally", "client"),
    [
        (tally_of(100, prepare=50, queue=50, run=50, total=90), 5.0),  # stages overlap
        (tally_of(100, run=90, total=120), 5.0),  # clocks differ
        (tally_of(100, run=10, total=95), 30.0),  # the client works while it waits
        (tally_of(100), 0.0),  # a server that tells nothing
    ],
)
def test_shares_add_up_whatever_clocks_say(tally: Tally, client: float) -> None:
    parts = parts_of(tally, client)
    assert sum(part.share for part in parts) == pytest.approx(1)
    for part in parts:
        assert sum(inner.share for inner in part.parts) == pytest.approx(part.share)
        assert all(0 <= inner.share <= 1 for inner in part.parts)


async def test_round_trips_to_a_server_are_timed_on_both_sides() -> None:
    async with live() as server:
        request = Request(
            model="fake",
            server=server.url,
            key=None,
            texts=["a text", "another"],
            levels=[1, 3],
            batch_size=2,
            seconds=0.2,
            warm_up=0.0,
        )
        found = await measure(request, server.url)
    assert (found.fingerprint, found.concurrency, found.failures) == ("fake", 3, {})
    assert found.requests > 0
    named = shares(found.parts)
    assert named["in the server"] + named["outside"] == pytest.approx(1)
    assert named["in the server"] > 0


def test_model_behind_a_server_consists_of_what_it_does_in_process() -> None:
    inside = (
        Part(name="tokenising", share=0.2),
        Part(
            name="model",
            share=0.8,
            parts=(Part(name="linears", share=0.6), Part(name="glue", share=0.2)),
        ),
    )
    outside = parts_of(tally_of(100, prepare=5, run=40, total=80), 8)
    found = detailed(outside, inside)
    (server, _) = found
    model = next(part for part in server.parts if part.name == "model")
    assert model.share == pytest.approx(0.4)
    assert {part.name: part.share for part in model.parts} == pytest.approx(
        {"linears": 0.3, "glue": 0.1}
    )
    assert [part.share for part in found] == [part.share for part in outside]
    assert next(part for part in server.parts if part.name == "tokenising").parts == ()


def test_a_model_that_took_no_time_in_process_has_no_parts() -> None:
    still = (Part(name="model", share=0.0, parts=(Part(name="linears", share=0.0),)),)
    assert detailed([Part(name="model", share=0.5)], still) == (Part(name="model", share=0.5),)


def test_nothing_answered_has_no_parts() -> None:
    assert parts_of(Tally(), 1.0) == ()


def test_json_has_the_documented_fields() -> None:
    ended = CliRunner(env={"STELAE_URL": ""}).invoke(app, ["bench", *QUICK, "--json", "--quiet"])
    assert ended.exit_code == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert set(found) == {"model", "engine", "in_process", "http"}
    assert (found["model"], found["engine"]) == ("all-MiniLM-L6-v2", "encoder")
    assert set(found["in_process"]) == FIELDS
    assert found["http"] is None


def test_tree_names_rate_and_parts() -> None:
    ended = CliRunner(env={"STELAE_URL": ""}).invoke(app, ["bench", "default", *QUICK, "--quiet"])
    assert ended.exit_code == 0, ended.stderr
    for words in ("Gflop/s at 1024 rows", "Mflop", "tokens/s", "tokenising", "attention", "glue"):
        assert words in ended.stdout


def test_name_is_given_once() -> None:
    ended = CliRunner().invoke(app, ["bench", "a", "-m", "b"])
    assert ended.exit_code == 2
    assert "give one of them" in ended.stderr
