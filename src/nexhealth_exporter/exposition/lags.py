"""Lags that grow with the clock: straight lines, side by side."""

import math
from array import array

from nexhealth_exporter.expectation.expectation import Running

MS = 1000.0


class Lags:
    """The lag and the unexpected lag of one direction, row by row; NaN without a mark.

    The unexpected lag is a straight line, `base + rate * (now - origin)`. Reading the rows one by
    one as objects would cost thrice as much. In whole milliseconds: the difference of two instants
    in seconds would end in a dozen digits of noise, which cost more to compress than all the rest
    of the line.
    """

    def __init__(self, rows: int, origin: float) -> None:
        self._origin = origin
        self._marks = array("d", [math.nan]) * rows
        self._bases = array("d", [math.nan]) * rows
        self._rates = array("d", [0.0]) * rows
        self._without = rows

    @property
    def is_whole(self) -> bool:
        """Whether every row has a mark."""
        return not self._without

    def moved(self, at: int, mark: float | None) -> None:
        """That row has another mark, and no line yet."""
        self._without += (mark is None) - math.isnan(self._marks[at])
        self._marks[at] = math.nan if mark is None else round(mark * MS)
        self._bases[at] = math.nan

    def runs(self, at: int, running: Running) -> None:
        """The unexpected lag of that row follows this line."""
        since = running.at - self._origin
        self._bases[at] = round((running.value - running.rate * since) * MS)
        self._rates[at] = running.rate

    def lags(self, now: float) -> list[float]:
        """The age of each mark."""
        now *= MS
        return [0.0 if (lag := now - mark) <= 0.0 else lag / MS for mark in self._marks]

    def unexpected(self, now: float) -> list[float]:
        """The part of it that expected downtime does not explain."""
        since = (now - self._origin) * MS
        return [
            0.0 if (lag := base + rate * since) <= 0.0 else lag / MS
            for base, rate in zip(self._bases, self._rates, strict=True)
        ]
