"""A histogram with one label; prometheus-client takes thirty times as long to write one."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from nexhealth_exporter.exposition.table import Family
from nexhealth_exporter.exposition.text import heading, labels, lines, numbers


class Histogram:
    """Observed values by label; `known` label values have a series from the start."""

    def __init__(self, family: Family, bounds: Sequence[float], known: Iterable[str]) -> None:
        self._family, self._bounds = family, bounds
        self._series: dict[str, Series] = {}
        for label in known:
            self.of(label)

    def of(self, label: str) -> "Series":
        """The series with that label value."""
        if label not in self._series:
            pairs = labels(dict(zip(self._family.labels, (label,), strict=True)))
            self._series[label] = Series(pairs, self._bounds)
        return self._series[label]

    def text(self, names: frozenset[str]) -> bytes:
        """The lines with these names, the same in both formats. No names means all of them."""
        wanted = [
            (head, value)
            for series in self._series.values()
            for head, value in zip(series.heads, series.values(), strict=True)
            if not names or self._family.name + head.partition(b"{")[0].decode() in names
        ]
        if not wanted:
            return b""
        heads, values = zip(*wanted, strict=True)
        text = lines(self._family.name.encode(), heads, b"} ", numbers(values))
        return heading(self._family) + text


class Series:
    """The values with one label value."""

    def __init__(self, pairs: bytes, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self.heads = [
            *(b'_bucket{%s,le="%s"' % (pairs, str(bound).encode()) for bound in bounds),
            b'_bucket{%s,le="+Inf"' % pairs,
            b"_count{" + pairs,
            b"_sum{" + pairs,
        ]
        """What follows the family's name in each line."""

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def values(self) -> list[float]:
        """The value of each line, in the order of `heads`."""
        *_, total = reached = list(accumulate(self._counts))
        return [*reached, total, self._sum]
