"""Outages of a sync, of a server, of an office's line, and incidents of the vendor."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from nexhealth_exporter.simulator.draws import sixteen, subseed, uniform
from nexhealth_exporter.simulator.offices import BOTH, Direction

_BLOCK = 28 * 86400.0
_YEAR = 365 * 86400.0
_HOUR = 3600.0
_MEMO = 8


class Outage(NamedTuple):
    """The marks of `directions` do not move from `start` until `end` (POSIX seconds)."""

    start: float
    end: float
    directions: tuple[Direction, ...] = BOTH
    kind: str = "outage"
    """`outage` (of this sync), `long` (the same for weeks), `machine` (of all syncs on a server),
    `line` (of all syncs of an institution) or `incident` (of the vendor)."""


@dataclass(frozen=True)
class Hazard:
    """Random outages, at most one in each block of 28 days, and shorter than that.

    `hours` limits the duration, drawn log-uniformly; `one_way` is the share that stops only one
    direction, reads as often as writes.
    """

    seed: int
    a_year: float = 0.8
    hours: tuple[float, float] = (2.0, 96.0)
    one_way: float = 0.4
    kind: str = "outage"
    between: tuple[float, float] = (-inf, inf)

    def in_block(self, block: int) -> tuple[Outage, ...]:
        """The outages that begin in that block of 28 days since 1970."""
        draw = sixteen(self.seed, self.kind, block)
        if draw[0] >= self.a_year * _BLOCK / _YEAR:
            return ()
        start = (block + draw[1]) * _BLOCK
        if not self.between[0] <= start < self.between[1]:
            return ()
        low, high = self.hours
        length = _HOUR * low * (high / low) ** draw[2]
        ways = BOTH if draw[3] >= self.one_way else BOTH[int(2 * draw[4]) :][:1]
        return (Outage(start, start + length, ways, self.kind),)

    def within(self, start: float, end: float) -> Iterator[Outage]:
        """The outages that touch [start, end), in order."""
        for block in range(int(start // _BLOCK) - 1, int(end // _BLOCK) + 1):
            for outage in self.in_block(block):
                if outage.start < end and outage.end > start:
                    yield outage


@dataclass(frozen=True)
class Shared:
    """A hazard that affects many syncs: each outage stops this one with probability `share`."""

    hazard: Hazard
    seed: int
    share: float = 1.0

    def in_block(self, block: int) -> tuple[Outage, ...]:
        """The outages of the hazard that stop this sync."""
        return tuple(
            outage
            for outage in self.hazard.in_block(block)
            if uniform(subseed(self.seed, "struck"), int(outage.start)) < self.share
        )


@dataclass(frozen=True)
class Troubles:
    """All outages of one sync, fixed and random ones."""

    fixed: tuple[Outage, ...] = ()
    chances: tuple[Hazard | Shared, ...] = ()
    _blocks: dict[int, tuple[Outage, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def around(self, t: float) -> tuple[Outage, ...]:
        """Every outage that may cover `t`, and some others."""
        block = int(t // _BLOCK)
        known = self._blocks.get(block)
        if known is None:
            if len(self._blocks) >= _MEMO:
                self._blocks.clear()
            known = self._blocks[block] = self.fixed + self._begun(range(block - 1, block + 1))
        return known

    def covering(self, direction: Direction, t: float) -> Outage | None:
        """An outage of that direction which is under way at `t`."""
        for outage in self.around(t):
            if outage.start <= t < outage.end and direction in outage.directions:
                return outage
        return None

    def within(self, start: float, end: float) -> list[Outage]:
        """The outages that touch [start, end), in order."""
        blocks = range(int(start // _BLOCK) - 1, int(end // _BLOCK) + 1)
        found = self.fixed + self._begun(blocks)
        return sorted(o for o in found if o.start < end and o.end > start)

    def _begun(self, blocks: Iterable[int]) -> tuple[Outage, ...]:
        return tuple(o for b in blocks for chance in self.chances for o in chance.in_block(b))


SOUND = Troubles()
"""Nothing ever breaks."""
