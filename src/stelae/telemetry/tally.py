"""Numbers by labels, kept by the event loop alone, as Prometheus wants them.

Prometheus' own counters take a lock for each number; with some twenty numbers a
request that was a quarter of the gateway's time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

SECONDS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Bounds of the duration histograms."""


class Family(NamedTuple):
    """One metric: its full name, kind, labels and meaning."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


Values = Iterable[tuple[tuple[str, ...], float]]


def gauge(family: Family, values: Values) -> Metric:
    """Present values by their labels."""
    metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in values:
        metric.add_metric(labels, value)
    return metric


def counter(family: Family, values: Values) -> Metric:
    """Growing values by their labels."""
    metric = CounterMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in values:
        metric.add_metric(labels, value)
    return metric


class Tally:
    """Growing numbers by label values; written by the event loop alone, so without a lock."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.values: defaultdict[tuple[str, ...], float] = defaultdict(float)

    def add(self, amount: float, *labels: str) -> None:
        """Add to the number of these labels."""
        self.values[labels] += amount

    def metric(self) -> Metric:
        """The numbers as Prometheus wants them."""
        return counter(self.family, self.values.items())


class Level:
    """A number without labels that goes up and down.

    Attributes:
        value: The number; written by the event loop alone.
        read: Tells it when it is asked for; ``value`` unless somebody else keeps it.
    """

    def __init__(self, family: Family) -> None:
        self.family = family
        self.value = 0
        self.read: Callable[[], float] = lambda: self.value

    def metric(self) -> Metric:
        """The number as Prometheus wants it."""
        return gauge(self.family, [((), self.read())])


class Line:
    """How durations with the same labels are spread.

    Attributes:
        counts: How many there are up to each bound of ``SECONDS``, and over the last.
        seconds: Their sum.
    """

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.seconds += seconds


class Spread:
    """How durations are spread, by label values; written by the event loop alone."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self._lines: dict[tuple[str, ...], Line] = {}

    def line(self, *labels: str) -> Line:
        """Where durations with these labels are counted; to be kept by who adds many."""
        line = self._lines.get(labels)
        if line is None:
            line = self._lines[labels] = Line()
        return line

    def metric(self) -> Metric:
        """The counts as Prometheus wants them: each bound with all that is below it."""
        metric = HistogramMetricFamily(
            self.family.name, self.family.help, labels=self.family.labels
        )
        bounds = [*map(str, SECONDS), "+Inf"]
        for labels, line in self._lines.items():
            buckets = list(zip(bounds, map(float, accumulate(line.counts)), strict=True))
            metric.add_metric(labels, buckets, line.seconds)
        return metric
