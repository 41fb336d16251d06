"""The frame of a comparison over HTTP: servers in turn, round after round, a table, a file."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path

from msgspec.structs import replace

from benchmarks import answers, checkpoint, load, pages, report, results, servers, tables
from benchmarks.texts import texts
from benchmarks.usage import settle

Ask = Callable[[servers.Running, int], load.Outcome]
"""Measures a server once; told the number of the round."""

PEERS: dict[str, Callable[[], servers.Contender]] = {
    "infinity-as-shipped": lambda: servers.infinity("as shipped"),
    "infinity-bfloat16": lambda: servers.infinity("bfloat16"),
    "sie": servers.sie,
    "fastapi": servers.fastapi,
}
"""Other servers that speak OpenAI's embeddings once they are started."""

PATIENCE = 300.0
"""Seconds in which the last answers must come; in an open loop they are those of a turn."""


def parser(
    name: str,
    about: str | None,
    peers: Sequence[str] = ("infinity-as-shipped", "infinity-bfloat16"),
    dtypes: Sequence[str] = ("auto",),
) -> argparse.ArgumentParser:
    """What every comparison can be told.

    Args:
        name: Of the comparison.
        about: A sentence.
        peers: Those that take part if nothing is said; with none, there is no choice.
        dtypes: Number formats of this project that take part if nothing is said.
    """
    found = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", description=about)
    found.add_argument("--rounds", type=int, default=3)
    found.add_argument("--seconds", type=float, default=6.0, help="counted, of each turn")
    found.add_argument("--warmup", type=float, default=2.0, help="seconds before, not counted")
    found.add_argument("--out", type=Path, help="a folder for figures, pages and pictures")
    found.add_argument("--dtypes", nargs="+", default=list(dtypes), help="of this project")
    if peers:
        found.add_argument("--peers", nargs="*", choices=PEERS, default=list(peers))
        found.add_argument("--no-peers", dest="peers", action="store_const", const=[])
    return found


def contenders(options: argparse.Namespace) -> list[servers.Contender]:
    """The peers that were asked for, then this project."""
    ours = [servers.stelae(dtype) for dtype in options.dtypes]
    return [*(PEERS[name]() for name in options.peers), *ours]


class Comparison:
    """Cells that were measured so far.

    Attributes:
        started: The servers.
        options: Of the command line.
    """

    def __init__(
        self,
        name: str,
        about: str | None,
        options: argparse.Namespace,
        started: Sequence[servers.Running],
    ) -> None:
        self.started = list(started)
        self.options = options
        self._name = name
        self._about = about or name
        self._cells: list[results.Cell] = []
        self._taken = results.now()
        self._machine = results.machine()

    @cached_property
    def reference(self) -> answers.Reference:
        """What vectors are compared with."""
        return answers.Reference(str(checkpoint.folder()))

    def texts(self, cell: results.Cell) -> Ask:
        """Measures embeddings of texts, as the cell describes them, and checks the answers."""
        given = samples(cell)

        def ask(server: servers.Running, turn: int) -> load.Outcome:
            todo = _load(cell, server, turned(given, turn), self.options, turn)
            outcome = load.run(todo, server.process)
            answers.check(todo, outcome, self.reference.vectors)
            if cell.rate:
                settle(server.process)
            return outcome

        return ask

    def measure(self, cell: results.Cell, ask: Ask, rounds: int | None = None) -> results.Cell:
        """Ask every server in turn, round after round; print a table, and keep it."""
        found: dict[str, list[results.Turn]] = {s.contender.name: [] for s in self.started}
        for turn in range(rounds or self.options.rounds):
            for server in self.started:
                told = results.turn(ask(server, turn))
                found[server.contender.name].append(told)
                _progress(cell, server, turn, told)
        done = replace(cell, servers=found)
        self._cells.append(done)
        report.table(cell.title, tables.COLUMNS, tables.rows(done))
        return done

    def write(self) -> None:
        """Write figures, pages and pictures, if they were asked for."""
        if not self.options.out:
            return
        used = {s.contender.name: s.contender.command for s in self.started}
        run = results.Run(
            comparison=self._name,
            about=self._about,
            taken=self._taken,
            machine=self._machine,
            versions={name: results.versions(command) for name, command in used.items()},
            method=self._method(),
            cells=self._cells,
        )
        results.save(run, self.options.out)
        pages.draw(run, self.options.out)
        pages.write(self.options.out)

    def _method(self) -> dict[str, str]:
        given = {name: getattr(self.options, name) for name in ("rounds", "seconds", "warmup")}
        return {name: str(value) for name, value in given.items()}


@contextmanager
def comparing(
    name: str,
    about: str | None,
    options: argparse.Namespace,
    starting: AbstractContextManager[Sequence[servers.Running]] | None = None,
) -> Iterator[Comparison]:
    """Start servers, the contenders if nothing else is said; compare; write what was found."""
    report.machine("torch", "stelae")
    with starting or servers.running(contenders(options)) as started:
        comparison = Comparison(name, about, options, started)
        yield comparison
        comparison.write()


def _load(
    cell: results.Cell,
    server: servers.Running,
    given: Sequence[str],
    options: argparse.Namespace,
    turn: int,
) -> load.Load:
    """The load that a cell describes; in an open loop each round has arrivals of its own."""
    return load.Load(
        server.url,
        "bench",
        given,
        cell.in_flight,
        cell.per_request,
        options.seconds * cell.stretch,
        options.warmup * cell.stretch,
        rate=cell.rate,
        steady=getattr(options, "steady", False),
        seed=turn,
        whole=cell.per_request >= results.WHOLE,
        patience=options.seconds if cell.rate else PATIENCE,
    )


def samples(cell: results.Cell) -> list[str]:
    """The texts of a cell."""
    return texts(cell.kind, max(1024, cell.per_request), checkpoint.tokenizer())


def turned(given: Sequence[str], turn: int) -> list[str]:
    """Each round begins elsewhere, so that nobody gains from having seen the texts."""
    first = turn * 97 % len(given)
    return [*given[first:], *given[:first]]


def _progress(cell: results.Cell, server: servers.Running, turn: int, told: results.Turn) -> None:
    checked = f", worst cosine {told.worst_cosine:.4f}" if told.worst_cosine is not None else ""
    report.progress(
        f"{cell.name}, round {turn + 1}: {server.contender.name}: "
        f"{told.texts_per_second:,.1f} texts/s, p50 {told.latency(50):,.2f} ms, "
        f"{told.failed} failed{checked}"
    )
