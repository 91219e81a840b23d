"""What was seen of a sync's weeks, as a pattern is made of it."""

from typing import NamedTuple

from nexhealth_exporter.expectation.quiet import Quiet
from nexhealth_exporter.expectation.slots import SLOTS

DAYS_KEPT = 42
DAY_MASK = (1 << SLOTS) - 1


class Evidence(NamedTuple):
    """What was seen, as masks of slots from the local day `first` on (days since 1970).

    `quiets` are the quiet stretches of reads and of writes, the longest first; `absences` is
    when each was away for longer than is tolerated before a page.
    """

    first: int
    active: int
    silent: int
    suspect: int
    pauses: tuple[int, int]
    quiets: tuple[tuple[Quiet, ...], ...]
    absences: tuple[int, int] = (0, 0)


class Day(NamedTuple):
    """The slots of one local day, as masks."""

    active: int
    silent: int
    suspect: int

    @classmethod
    def of(cls, evidence: Evidence, day: int) -> "Day":
        """That day (days since 1970); nothing of one before the first."""
        shift = (day - evidence.first) * SLOTS
        if shift < 0:
            return cls(0, 0, 0)
        return cls(
            evidence.active >> shift & DAY_MASK,
            evidence.silent >> shift & DAY_MASK,
            evidence.suspect >> shift & DAY_MASK,
        )


def added(totals: list[float], mask: int, weight: float) -> list[float]:
    """The totals by slot of the day with a weight put to those of the mask."""
    if not mask:
        return totals
    bits = f"{mask:048b}"[::-1]
    return [t + weight if bit == "1" else t for t, bit in zip(totals, bits, strict=True)]
