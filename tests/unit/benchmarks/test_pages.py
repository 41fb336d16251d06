from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from repo import ROOT

from benchmarks import pages, plots, report, results, tables
from benchmarks.results import Cell, Run, Turn


def turn(rate: float, latency: float, cpu: float = 2.0, megabytes: float = 100.0) -> Turn:
    return Turn(
        texts_per_second=rate,
        elapsed=4.0,
        requests=int(4 * rate),
        failed=1,
        checked=8,
        wrong=0,
        worst_cosine=0.9999,
        cpu_seconds=cpu,
        peak_mb=megabytes,
        latency_ms={"50": latency, "99": 2 * latency},
    )


PEER = [turn(10, 8), turn(20, 4), turn(30, 6)]
OURS = [turn(40, 4, megabytes=150), turn(60, 2, megabytes=150), turn(150, 2, megabytes=150)]


def run(peer: Sequence[Turn] = PEER, ours: Sequence[Turn] = OURS, **given: object) -> Run:
    servers = {"infinity bfloat16": list(peer), "stelae auto": list(ours)}
    cell = Cell(name="mixed-16", title="mixed texts, 16 in flight", servers=servers)
    return Run(
        comparison="http",
        about="Two servers.",
        taken="2031-05-04 03:02 UTC",
        machine={"processor": "Abacus", "cores": "2"},
        versions={"stelae auto": {"python": "3.11.7", "stelae": "0.1.0"}},
        method={"rounds": "3"},
        cells=[replace(cell, **given)],
    )


def test_ratios_are_medians_of_the_rounds_not_ratios_of_the_medians() -> None:
    # 40/10, 60/20, 150/30; the medians are 60 and 20.
    assert tables.ratio(OURS, PEER, tables.RATE) == 4.0
    assert tables.ratio(OURS, PEER, tables.MIDDLE) == pytest.approx(0.5)


@pytest.mark.parametrize("measure", tables.MEASURES, ids=lambda measure: measure.label)
def test_nobody_is_ahead_of_himself(measure: tables.Measure) -> None:
    assert tables.ahead(OURS, OURS, measure) == 1.0


def test_whoever_is_quicker_cheaper_or_smaller_is_ahead() -> None:
    times = {m.label: tables.ahead(OURS, PEER, m) for m in tables.MEASURES}
    assert times == pytest.approx(
        {
            "texts per second": 4.0,
            "median latency": 2.0,
            "99th percentile of latency": 2.0,
            "texts per CPU second": 4.0,
            "peak memory": 2 / 3,
        }
    )


def test_nothing_is_said_of_what_was_not_measured() -> None:
    blind = [replace(each, cpu_seconds=None) for each in OURS]
    assert tables.rows(run(ours=blind).cells[0])[1][5] == "-"


def test_ratio_to_nothing_is_infinite() -> None:
    assert report.ratio([1.0], [0.0]) == float("inf")


def test_figures_come_back_from_their_file(tmp_path: Path) -> None:
    results.save(run(), tmp_path)
    (tmp_path / "gpu.json").write_text('[{"rows": []}]')
    assert results.read(tmp_path) == [run()]


def test_a_page_holds_medians_spread_failures_and_ratios() -> None:
    page = pages.page(run())
    assert "| stelae auto | 60.0 | 40 to 150 | 2.00 | 4.00 | 120 | 150 | 3 | 4.00 | 0.50 |" in page
    assert "| infinity bfloat16 | 20.0 | 10 to 30 | 6.00 | 12.00 | 40 | 100 | 3 | 1.00 |" in page
    assert "processor: Abacus, cores: 2" in page
    assert "stelae 0.1.0" in page


def test_a_page_says_where_a_peer_is_ahead_and_by_how_much() -> None:
    row = "| mixed texts, 16 in flight | infinity bfloat16 | peak memory | 100.0 MB | 150.0 MB |"
    assert pages.page(run()).count(row) == 1
    summed = "| Over HTTP | infinity bfloat16 | peak memory | 1 of 1 | 1.50 |"
    assert pages.index([(run(), [])]).count(summed) == 1


def test_a_page_says_so_where_no_peer_is_ahead() -> None:
    lean = [replace(each, peak_mb=50.0) for each in OURS]
    assert pages.NOWHERE in pages.page(run(ours=lean))
    assert pages.NOWHERE in pages.index([(run(ours=lean), [])])


def test_in_an_open_loop_rates_do_not_tell_servers_apart() -> None:
    slower = [replace(each, texts_per_second=each.texts_per_second - 1) for each in PEER]
    page = pages.page(run(ours=slower, rate=20.0))
    assert "| texts per second |" not in page.partition("## Where a peer is ahead")[2]


def test_waiting_is_told_beside_the_servers_own_idle_times() -> None:
    idle = run().cells[0]
    busy = [turn(10, 3 * each.latency(50)) for each in OURS]
    flooded = replace(idle, name="flooded", beside="mixed-16", servers={"stelae auto": busy})
    page = pages.page(replace(run(), cells=[idle, flooded]))
    assert "| stelae auto | 3.00 | 3.00 |" in page


def test_pictures_are_curves_for_a_series_and_bars_for_the_rest() -> None:
    steps = [
        replace(run().cells[0], name=str(n), series="sizes", axis="texts", at=float(n))
        for n in (1, 10)
    ]
    found = plots.pictures(replace(run(), cells=[*run().cells, *steps]))
    assert {picture.file: len(picture.cells) for picture in found} == {
        "http-sizes.svg": 2,
        "http-rate.svg": 1,
        "http-cpu.svg": 1,
    }


def test_pictures_are_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = [[file.read_bytes() for file in plots.draw(run(), tmp_path)] for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert all(picture.startswith(b"<?xml") for picture in drawn[0])


def test_pages_show_the_pictures_that_are_there(tmp_path: Path) -> None:
    results.save(run(), tmp_path)
    (tmp_path / "http-cpu.svg").touch()
    texts = pages.texts(tmp_path)
    for name in ("http.md", "README.md"):
        assert "(http-cpu.svg)" in texts[name]
        assert "(http-rate.svg)" not in texts[name]


def test_other_pages_of_the_folder_are_linked(tmp_path: Path) -> None:
    (tmp_path / "gpu.md").write_text("# On a GPU\n")
    assert "(gpu.md)" in pages.texts(tmp_path)["README.md"]


def test_committed_pages_are_those_of_the_committed_figures() -> None:
    folder = ROOT / pages.FOLDER
    wanted = pages.texts(folder)
    assert {name: (folder / name).read_text(encoding="utf-8") for name in wanted} == wanted
