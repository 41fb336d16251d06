"""``stelae bench --roofline``: what a model reaches of this machine's multiply rate, and why."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace
from rich.text import Text
from rich.tree import Tree

from stelae.cli import fetching, round_trips
from stelae.cli.closed_loop import Request
from stelae.cli.needs import need
from stelae.cli.output import Output, console
from stelae.cli.round_trips import RoundTrips
from stelae.engines.base import EngineOptions
from stelae.engines.roofline import Part, Roofline, measure

COLUMN = 48
"""Where shares stand, in columns from a name at the root."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured.

    Attributes:
        model: The model.
        engine: Who runs it.
        in_process: Of one thread of this process.
        http: Of the server; ``None`` if none was given.
    """

    model: str
    engine: str
    in_process: Roofline
    http: RoundTrips | None


def run(request: Request, out: Output) -> bool:
    """Measure and print.

    Returns:
        Whether the server, if one was given, answered any request.

    Raises:
        ModelNotFound: There is no such model.
        UnsupportedTask: It is not one of the encoder engine's, or makes no vectors of texts.
        ServerUnreachable: No server answers there.
    """
    need("stelae bench --roofline", "torch", "tokenizers", extra="server")
    report = measured(request, out)
    if out.json:
        out.document(msgspec.to_builtins(report))
    else:
        show(tree_of(report))
    other = report.http is not None and report.http.fingerprint != report.in_process.fingerprint
    if other:
        out.warn("the server's model has another fingerprint: other weights or number format")
    return report.http is None or report.http.requests > 0


def measured(request: Request, out: Output) -> Report:
    """Measure in process, then over HTTP if a server was given."""
    catalog = fetching.catalog_of(None)
    entry = catalog.register_argument(request.model)
    spec, choice = fetching.read(catalog, entry, out)
    out.note(f"{spec.name} in this process, on one thread, for {request.seconds:g} s …")
    options = EngineOptions(dtype=entry.dtype)
    reached = measure(spec, choice.manifest, options, request.texts, request.seconds)
    found = None
    if request.server is not None:
        out.note(f"{request.server}, {max(request.levels)} at once, for {request.seconds:g} s …")
        found = asyncio.run(round_trips.measure(request, request.server))
        found = replace(found, parts=detailed(found.parts, reached.parts))
    return Report(model=spec.name, engine=choice.manifest.name, in_process=reached, http=found)


def detailed(parts: Iterable[Part], known: Iterable[Part]) -> tuple[Part, ...]:
    """Parts in which the model, wherever it stands, consists of what it does in process.

    A server tells how long the model took, but not what for: its parts get the proportions
    that they have among the parts of the same name that are known.
    """
    named = {part.name: part for part in known if part.parts and part.share}
    return tuple(_detailed(part, named) for part in parts)


def _detailed(part: Part, known: dict[str, Part]) -> Part:
    if part.parts or part.name not in known:
        return replace(part, parts=tuple(_detailed(inner, known) for inner in part.parts))
    like = known[part.name]
    scale = part.share / like.share
    inner = (Part(name=each.name, share=scale * each.share) for each in like.parts)
    return replace(part, parts=tuple(inner))


def tree_of(report: Report) -> Tree:
    """The figures as people read them."""
    reached = report.in_process
    tree = Tree(f"{report.model}, {report.engine} {reached.dtype}", guide_style="dim")
    machine = tree.add("this machine, one thread")
    machine.add(f"its multiplies alone: {reached.gflop_per_s:,.0f} Gflop/s at {reached.rows} rows")
    machine.add(f"arithmetic of a token: {reached.flop_per_token / 1e6:,.1f} Mflop")
    machine.add(f"so at most: {reached.limit_tokens_per_s:,.0f} tokens/s")
    inside = tree.add(
        f"in process: {reached.tokens_per_s:,.0f} tokens/s, {reached.fraction:.0%} of that "
        f"(linears alone {reached.linears_fraction:.0%})"
    )
    branch(inside, reached.parts, 2)
    if (http := report.http) is not None:
        outside = tree.add(
            f"over HTTP: {http.tokens_per_s:,.0f} tokens/s, {http.concurrency} at once, as "
            f"{http.tokens_per_s / reached.tokens_per_s:.2f} threads in process"
        )
        branch(outside, http.parts, 2)
    return tree


def branch(tree: Tree, parts: Iterable[Part], depth: int) -> None:
    """Add parts and what they consist of, their shares below one another."""
    for part in parts:
        name = part.name.ljust(COLUMN - 4 * depth)
        below = tree.add(Text.assemble(name, (f"{part.share:6.1%}", "bold")))
        branch(below, part.parts, depth + 1)


def show(tree: Tree) -> None:
    """Print a tree on stdout, without padding."""
    out = console(sys.stdout)
    with out.capture() as captured:
        out.print(tree)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
