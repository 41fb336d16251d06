"""Figures as a file: the machine, the versions, how they were taken, and every turn of them."""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

import msgspec
import psutil

from benchmarks.load import Outcome
from stelae.engines.hardware import BFLOAT16_FLAGS, cores, cpu_flags

PERCENTS = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9, 100)
"""Of latency, which are kept."""

PACKAGES = (
    "stelae", "infinity-emb", "sie-server", "xinference", "fastapi", "uvicorn", "onnxruntime",
    "openvino", "optimum", "sentence-transformers", "transformers", "torch", "numpy",
)  # fmt: skip
"""Whose versions are told, where an environment has them."""

NAN = math.nan

WHOLE = 100
"""Requests of so many texts count as a whole, however long they take."""

TOKENS = {"short": 12, "passage": 128, "mixed": 105, "wide": 200}
"""Of a text of each kind, about."""

BRIEF = 600.0
"""Tokens in flight that every server has answered well within a turn."""

LONGEST = 6.0
"""Most times that a turn is lengthened."""


class Turn(msgspec.Struct, frozen=True):
    """What a server did in one turn.

    Attributes:
        texts_per_second: Answered texts over the counted time.
        elapsed: The counted time in seconds.
        requests: Counted ones.
        failed: Requests that failed or were answered wrongly.
        checked: Answers that were compared with the reference.
        wrong: Those among them that were wrong.
        worst_cosine: Smallest cosine of a compared vector with the reference's.
        cpu_seconds: Of all processes of the server.
        peak_mb: Peaks of their resident memory, added up.
        latency_ms: By percent.
    """

    texts_per_second: float
    elapsed: float
    requests: int
    failed: int
    checked: int
    wrong: int
    worst_cosine: float | None
    cpu_seconds: float | None
    peak_mb: float | None
    latency_ms: dict[str, float]

    @property
    def texts_per_cpu_second(self) -> float:
        """Answered texts for each CPU second; NaN where that is not known."""
        return self.texts_per_second * self.elapsed / self.cpu_seconds if self.cpu_seconds else NAN

    def latency(self, percent: float) -> float:
        """In milliseconds; infinite when nothing was answered."""
        return self.latency_ms.get(f"{percent:g}", math.inf)


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of work, and how each server did it, turn by turn.

    Attributes:
        name: Unique in its comparison.
        title: Of its table.
        series: Cells of one name are points of the same curves.
        axis: Along which these are drawn.
        at: Where this cell is on it.
        beside: Name of the cell whose latency this one's is compared with, if any.
        kind: Of the texts.
        in_flight: Requests at a time.
        per_request: Texts in each.
        rate: Requests offered per second; 0 in a closed loop.
        servers: By name; the first is what others are compared with.
    """

    name: str
    title: str
    series: str = ""
    axis: str = ""
    at: float = 0.0
    beside: str = ""
    kind: str = "mixed"
    in_flight: int = 1
    per_request: int = 1
    rate: float = 0.0
    servers: dict[str, list[Turn]] = {}

    @property
    def stretch(self) -> float:
        """How many times as long as others its turns take: slow servers need seconds for much."""
        if self.rate or self.per_request >= WHOLE:
            return 1.0
        waiting = self.in_flight * self.per_request * TOKENS[self.kind]
        return min(LONGEST, max(1.0, waiting / BRIEF))


class Run(msgspec.Struct, frozen=True):
    """A comparison as it was run.

    Attributes:
        comparison: Its name.
        about: A sentence.
        taken: When, in UTC.
        machine: What it ran on.
        versions: Of the packages in the environment of each server.
        method: Rounds, seconds and the like.
        cells: The figures.
    """

    comparison: str
    about: str
    taken: str
    machine: dict[str, str]
    versions: dict[str, dict[str, str]]
    method: dict[str, str]
    cells: list[Cell]


def turn(outcome: Outcome) -> Turn:
    """An outcome in the form that is kept, rounded to what means something."""
    shares = {f"{p:g}": round(outcome.percentile(p), 3) for p in PERCENTS if outcome.seconds}
    return Turn(
        texts_per_second=round(outcome.texts_per_second, 3),
        elapsed=round(outcome.elapsed, 3) if math.isfinite(outcome.elapsed) else 0.0,
        requests=len(outcome.seconds),
        failed=outcome.failed,
        checked=outcome.checked,
        wrong=outcome.wrong,
        worst_cosine=_known(outcome.worst, 6),
        cpu_seconds=_known(outcome.cpu, 2),
        peak_mb=_known(outcome.peak_mb, 1),
        latency_ms=shares,
    )


def _known(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def machine() -> dict[str, str]:
    """What the figures are taken on."""
    flags = [flag for flag in (*BFLOAT16_FLAGS, "avx512f", "avx2") if flag in cpu_flags()]
    return {
        "processor": _processor(),
        "cores": str(cores()),
        "instructions": ", ".join(flags),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "load average before": f"{os.getloadavg()[0]:.2f}",
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def versions(command: Sequence[str]) -> dict[str, str]:
    """Python's version and those of ``PACKAGES`` in the environment of a server's program."""
    for part in command:
        for folder in sorted(Path(part).parent.parent.glob("lib/python3*/site-packages")):
            name = folder.parent.name
            found = {
                d.metadata["Name"].lower(): d.version for d in distributions(path=[str(folder)])
            }
            told = {name: found[name] for name in PACKAGES if name in found}
            return {"python": _exact(name), **told}
    return {}


def _exact(name: str) -> str:
    """``python3.11``: of this program with its last number, of others as far as known."""
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return platform.python_version() if name == here else name.removeprefix("python")


def now() -> str:
    """The time in UTC, to the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def save(run: Run, folder: Path) -> Path:
    """Write a run as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{run.comparison}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
    return file


def read(folder: Path) -> list[Run]:
    """All runs of a folder, by name; other files of JSON are left alone."""
    found = [msgspec.json.decode(file.read_bytes()) for file in sorted(folder.glob("*.json"))]
    runs = [told for told in found if isinstance(told, dict) and "comparison" in told]
    return [msgspec.convert(told, Run) for told in runs]
