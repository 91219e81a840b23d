"""What was seen of a sync's weeks, in the form of which a pattern is made."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nexhealth_exporter.expectation.quiet import Quiet
from nexhealth_exporter.expectation.slots import SLOTS

DAYS_KEPT = 42
"""How many days before today a pattern is made of."""

DAY_MASK = (1 << SLOTS) - 1
"""All slots of a day."""


class Evidence(NamedTuple):
    """What was seen, as masks of slots from the local day `first` on (days since 1970).

    Pairs are read, write. `pauses` are the slots in which that direction paused, `absences` those
    in which it was away for longer than is tolerated before a page, and `quiets` its quiet
    stretches, the longest first. `moved` are the slots up to its mark in which the sync moved: of
    later ones it is not known yet whether it is away.
    """

    first: int
    active: int
    silent: int
    suspect: int
    pauses: tuple[int, int]
    quiets: tuple[tuple[Quiet, ...], ...]
    absences: tuple[int, int]
    moved: tuple[int, int]


class Day(NamedTuple):
    """The slots of one local day, as masks."""

    active: int
    silent: int
    suspect: int

    @property
    def known(self) -> int:
        """The slots of which anything is known."""
        return self.active | self.silent | self.suspect

    @classmethod
    def of(cls, evidence: Evidence, day: int) -> "Day":
        """That day (days since 1970); a day before the first has no slots."""
        shift = (day - evidence.first) * SLOTS
        if shift < 0:
            return cls(0, 0, 0)
        return cls(
            evidence.active >> shift & DAY_MASK,
            evidence.silent >> shift & DAY_MASK,
            evidence.suspect >> shift & DAY_MASK,
        )


def runs(mask: int) -> Iterator[int]:
    """The runs of neighbouring slots in a mask, each as a mask of its own."""
    while mask:
        run = mask & ~(mask + (mask & -mask))
        yield run
        mask ^= run


def counts(masks: Iterable[int]) -> list[int]:
    """By slot of the day, in how many of the masks it is."""
    columns = zip(*(f"{mask:048b}" for mask in masks), strict=True)
    return [column.count("1") for column in columns][::-1] or [0] * SLOTS


def added(totals: list[float], mask: int, weight: float) -> list[float]:
    """The totals by slot of the day, with `weight` added to those in the mask."""
    if not mask:
        return totals
    bits = f"{mask:048b}"[::-1]
    return [t + weight if bit == "1" else t for t, bit in zip(totals, bits, strict=True)]
