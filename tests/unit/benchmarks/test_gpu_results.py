from __future__ import annotations

import json
from pathlib import Path

from benchmarks.gpu_results import markdown, rows_of, write

TAKEN = {"library": [2.0, 4.0, 3.0], "stelae": [1.0, 1.0, 2.0]}


def test_rates_are_of_the_median_round_and_ratios_round_by_round() -> None:
    library, ours = rows_of("mixed", "tokens", 600, TAKEN, None, 0.999)
    assert (library.rate, library.slowest, library.quickest) == (200.0, 150.0, 300.0)
    assert (ours.rate, ours.slowest, ours.quickest) == (600.0, 300.0, 600.0)
    assert (library.ratio, ours.ratio) == (1.0, 2.0)  # of 2, 4 and 1.5


def test_fraction_is_that_of_the_time_at_the_matrix_rate() -> None:
    library, ours = rows_of("mixed", "tokens", 600, TAKEN, 0.75, 0.999)
    assert (library.reached, ours.reached) == (0.25, 0.75)


def test_only_those_compared_have_a_cosine() -> None:
    library, ours = rows_of("mixed", "tokens", 600, TAKEN, None, 0.999)
    assert (library.cosine, ours.cosine) == (None, 0.999)


def test_page_has_a_cell_for_each_column_of_each_row() -> None:
    page = markdown({"torch": "2.11"}, rows_of("mixed", "tokens", 600, TAKEN, None, 0.999))
    first, _, *table = page.splitlines()
    assert first == "* torch: 2.11"
    assert {line.count("|") for line in table} == {8}


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    write(tmp_path / "out", {"torch": "2.11"}, rows_of("m", "tokens", 600, TAKEN, None, 0.999))
    kept = json.loads((tmp_path / "out/gpu.json").read_text())
    assert kept["about"] == {"torch": "2.11"}
    assert [row["rate"] for row in kept["rows"]] == [200.0, 600.0]
