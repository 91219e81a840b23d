"""Lags, which grow with the clock, as straight lines in arrays."""

import math
from array import array
from itertools import compress

from nexhealth_exporter.expectation.expectation import Running
from nexhealth_exporter.exposition.text import numbers

MS = 1000.0


class Lags:
    """The lag and the unexpected lag of one direction, row by row; NaN without a mark.

    The unexpected lag is a straight line, `base + rate * (now - origin)`. Where no downtime was
    expected since the mark, it equals the lag, and so does its text. Rows as objects would take
    three times as long. Values are whole milliseconds: the difference of two floats would end in a
    dozen digits of noise, which take more to compress than the rest of the line.
    """

    def __init__(self, rows: int, origin: float) -> None:
        self._origin = origin
        self._marks = array("d", [math.nan]) * rows
        self._bases = array("d", [math.nan]) * rows
        self._rates = array("d", [0.0]) * rows
        self._sinces = array("d", [math.inf]) * rows
        """From when on a mark may be, so that the rate holds for it as well."""
        self._is_apart = bytearray(rows)
        """1 where the unexpected lag differs from the lag."""
        self._without = rows

    @property
    def is_whole(self) -> bool:
        """Whether every row has a mark."""
        return not self._without

    @property
    def is_growing(self) -> bool:
        """Whether any unexpected lag depends on the clock now."""
        return any(self._rates)

    def moved(self, at: int, mark: float | None) -> bool:
        """Give that row another mark; returns whether its unexpected lag is known.

        It is if the line that the row has holds for that mark as well, as it does within hours.
        """
        self._without += (mark is None) - math.isnan(self._marks[at])
        self._marks[at] = math.nan if mark is None else round(mark * MS)
        if mark is not None and mark >= self._sinces[at]:
            rate = self._rates[at]
            self._follows(at, round(rate * (self._origin - mark) * MS), rate)
            return True
        self._sinces[at] = math.inf
        self._follows(at, math.nan, 0.0)
        return False

    def runs(self, at: int, running: Running) -> None:
        """Give that row's unexpected lag this line."""
        since = running.at - self._origin
        self._sinces[at] = running.since
        self._follows(at, round((running.value - running.rate * since) * MS), running.rate)

    def _follows(self, at: int, base: float, rate: float) -> None:
        self._bases[at], self._rates[at] = base, rate
        self._is_apart[at] = rate != 1.0 or base + self._marks[at] != self._origin * MS

    def lags(self, now: float) -> list[bytes]:
        """The age of each mark, as text."""
        now *= MS
        return numbers([0.0 if (lag := now - mark) <= 0.0 else lag / MS for mark in self._marks])

    def unexpected(self, now: float, lags: list[bytes]) -> list[bytes]:
        """The unexpected lags as text; `lags` are the result of `lags(now)`."""
        apart = list(compress(range(len(lags)), self._is_apart))
        since = (now - self._origin) * MS
        bases, rates = self._bases, self._rates
        others = [
            0.0 if (lag := bases[at] + rates[at] * since) <= 0.0 else lag / MS for at in apart
        ]
        texts = lags.copy()
        for at, text in zip(apart, numbers(others), strict=True):
            texts[at] = text
        return texts
