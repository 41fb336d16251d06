"""A job on an encoder without a server: rows in order, refusals that change nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import bulk_job
import numpy as np
import pytest
from bulk_job import SHAPE, Scripted, plan, run
from msgspec.structs import replace

from stelae.cli.bulk import job as jobs
from stelae.cli.bulk import state as states
from stelae.cli.bulk.progress import Silent
from stelae.engines.fake.engine import vector
from stelae.errors import Conflict, InvalidInput, ServerUnreachable


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "in.txt"
    path.write_text("".join(f"text {n}\n" for n in range(200)))
    return str(path)


class Failing(Scripted):
    def stop(self) -> None:
        raise ServerUnreachable("gone")


def broken_off(source: str, output: Path, after: int) -> None:
    with pytest.raises(ServerUnreachable):
        run(source, output, Failing(after))


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_item_has_its_row_in_order(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    run(source, out, Scripted())
    expected = np.stack([vector(f"text {n}", bulk_job.WIDTH) for n in range(200)])
    np.testing.assert_array_equal(np.load(out), expected)


def test_items_that_cannot_be_sent_keep_their_place(tmp_path: Path) -> None:
    path, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    path.write_bytes(b"\xff\na\n\xfe\n\xfd\nb\n\xfc")
    job = run(str(path), out, Scripted())
    found = read(out)
    assert [row["index"] for row in found] == [0, 1, 2, 3, 4, 5]
    assert [row["embedding"] is None for row in found] == [True, False, True, True, False, True]
    assert (job.counts.rows, job.counts.failed) == (6, 4)


def test_empty_input_gives_an_empty_matrix(tmp_path: Path) -> None:
    path, out = tmp_path / "in.txt", tmp_path / "out.npy"
    path.write_text("")
    run(str(path), out, Scripted())
    assert np.load(out).shape == (0, bulk_job.WIDTH)


def test_counts_span_all_runs(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    broken_off(source, out, 150)
    job = run(source, out, Scripted())
    assert (job.counts.rows, job.counts.tokens) == (200, 400)


def test_error_keeps_everything_answered_before_it(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    broken_off(source, out, 150)
    encoder = Scripted()
    run(source, out, encoder)
    assert encoder.seen == [f"text {n}" for n in range(150, 200)]


def other_input(before: jobs.Plan, path: Path) -> jobs.Plan:
    path.write_text("another\n" * 200)
    return replace_plan(before, bulk_job.plan(str(path), before.output))


def replace_plan(before: jobs.Plan, after: jobs.Plan) -> jobs.Plan:
    return jobs.Plan(after.source, after.options, before.output, before.resume)


CHANGES: dict[str, Callable[[jobs.Plan, Path], jobs.Plan]] = {
    "the input was": lambda p, tmp: other_input(p, tmp / "other.txt"),
    "was changed since": lambda p, tmp: other_input(p, tmp / "in.txt"),
    "--dtype was 'float32' and is 'float16'": lambda p, tmp: jobs.Plan(
        p.source, replace(p.options, dtype="float16"), p.output, p.resume
    ),
}


@pytest.mark.parametrize("message", CHANGES)
def test_other_job_is_refused_and_nothing_touched(
    source: str, tmp_path: Path, message: str
) -> None:
    out = tmp_path / "out.jsonl"
    broken_off(source, out, 150)
    before = out.read_bytes()
    with pytest.raises(Conflict, match="cannot resume after 150 items") as refused:
        jobs.start(CHANGES[message](plan(source, out), tmp_path), SHAPE, Silent())
    assert message in refused.value.message
    assert "--no-resume" in (refused.value.hint or "")
    assert out.read_bytes() == before


def test_other_model_is_refused(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    broken_off(source, out, 150)
    with pytest.raises(Conflict, match="fingerprint was 'one' and is 'two'"):
        jobs.start(plan(source, out), replace(SHAPE, fingerprint="two"), Silent())


def test_model_that_changes_in_a_run_ends_it(source: str, tmp_path: Path) -> None:
    job = jobs.start(plan(source, tmp_path / "out.npy"), replace(SHAPE, fingerprint="0"), Silent())
    with pytest.raises(Conflict, match="changed while it was in use"):
        job.run(Scripted())
    job.sink.close()


def test_finished_output_is_not_overwritten(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    run(source, out, Scripted())
    with pytest.raises(Conflict, match="exists, and no unfinished run"):
        run(source, out, Scripted())


def test_no_resume_replaces_the_output(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    run(source, out, Scripted())
    job = jobs.start(plan(source, out, resume=False), SHAPE, Silent())
    job.run(encoder := Scripted())
    job.sink.close()
    assert len(encoder.seen) == len(np.load(out)) == 200


def test_same_size_and_age_but_other_items_are_noticed(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    broken_off(source, out, 150)
    state = states.read(states.state_path(out))
    assert state is not None
    states.save(states.state_path(out), replace(state, digest="0"))
    with pytest.raises(Conflict, match="first 150 items of the input are not those"):
        jobs.start(plan(source, out), SHAPE, Silent())


@pytest.mark.parametrize("same", [True, False])
def test_stdin_is_known_again_by_its_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    out = tmp_path / "out.npy"

    def piped(text: str) -> None:
        content = "".join(f"{text} {n}\n" for n in range(200)).encode()
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))

    piped("text")
    broken_off("-", out, 150)
    piped("text" if same else "other")
    if same:
        assert run("-", out, Scripted()).counts.rows == 200
    else:
        with pytest.raises(Conflict, match="not those embedded before"):
            run("-", out, Scripted())


def test_second_run_at_the_same_time_is_refused(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    first = jobs.start(plan(source, out), SHAPE, Silent())
    with pytest.raises(Conflict, match="being written by another"):
        jobs.start(plan(source, out), SHAPE, Silent())
    first.sink.close()


def test_unreadable_state_is_refused(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    states.state_path(out).write_text("{}")
    with pytest.raises(Conflict, match="is not a state"):
        jobs.start(plan(source, out), SHAPE, Silent())


@pytest.mark.parametrize("place", ["no/folder/out.npy", "."])
def test_impossible_output_is_wrong_usage(source: str, tmp_path: Path, place: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        jobs.start(plan(source, tmp_path / place), SHAPE, Silent())
    assert refused.value.param == "output"


def test_input_is_read_no_further_than_needed(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("a\n" * 1000)
    job = jobs.start(plan(str(path), tmp_path / "out.npy"), SHAPE, Silent())
    texts = job.intake.texts()
    assert [next(texts) for _ in range(3)] == ["a", "a", "a"]
    assert job.plan.source.done == len("a\n") * 3
    job.sink.close()
