"""For each slot of the week: how much of what was seen says that it runs, and that it rests."""

from collections.abc import Callable, Sequence
from statistics import fmean

import msgspec

from nexhealth_exporter.expectation.agreement import pooled
from nexhealth_exporter.expectation.changes import stopped_lately
from nexhealth_exporter.expectation.evidence import Evidence
from nexhealth_exporter.expectation.slots import SLOTS, weekday_of
from nexhealth_exporter.expectation.weekdays import SeenDay, weekdays_of

SEEN_LEAST_SLOTS = 2 * SLOTS
"""So many slots of the week must have been seen before anything is sure."""

UNSTEADY_LEAST_SHARE = 0.7
"""On a weekday that was off lately, a slot must run in this share of weeks. An office that opens
every other week stays below it, even if one of its weeks off is not known."""


class Shares(msgspec.Struct, frozen=True):
    """The evidence for each slot of the week, Monday first, and what follows from it.

    Sequences of floats are by slot of the week, those of masks and flags by weekday.
    """

    runs: Sequence[float]
    """How much evidence there is that the slot runs, in weeks of weight 1."""
    rests: Sequence[float]
    """How much evidence there is that it rests."""
    share: Sequence[float | None]
    """Its share of weeks in which it runs; None if nothing was seen of it."""
    pooled: Sequence[float | None]
    """The same share, drawn towards that of other weekdays that agree with it."""
    seen: Sequence[int]
    """The slots of which anything is known, even if only that a silence was suspect."""
    stopped: Sequence[int]
    """The slots that rest lately, whatever they did before: hours have changed."""
    off: Sequence[int]
    """The slots of nights in which it is switched off at times."""
    comes_and_goes: Sequence[bool]
    """Whether it was off on one of the latest two of these weekdays."""
    days: Sequence[SeenDay]
    """The days on which it moved, the latest first."""
    oldest: int
    """The first local day of which something was seen."""

    def has_stopped(self, at: int) -> bool:
        """Whether the slot of the week is among `stopped`."""
        return _has(self.stopped, at)

    def may_be_off(self, at: int) -> bool:
        """Whether the slot of the week is among `off`."""
        return _has(self.off, at)

    def sure(self) -> float:
        """The average probability that a slot is rightly taken to run or to rest.

        Left out are slots that vary as they should: those of nights in which the sync may be off,
        and those of weekdays that come and go.
        """
        steady = [
            (max(runs, rests) + 0.3) / (runs + rests + 0.6)
            for at, (runs, rests) in enumerate(zip(self.runs, self.rests, strict=True))
            if runs + rests and not (self.comes_and_goes[at // SLOTS] or self.may_be_off(at))
        ]
        seen = sum(share is not None for share in self.share)
        return fmean(steady) if steady and seen >= SEEN_LEAST_SLOTS else 0.0

    def moves_explained(self, least_share: float) -> float:
        """The share of its moves in slots that run in at least that share of weeks.

        Nights in which it may be off are left out.
        """
        running = [0] * 7
        for at, share in enumerate(self.pooled):
            if share is not None and share >= least_share:
                running[at // SLOTS] |= 1 << at % SLOTS
        explained = moved = 0
        for number, _, active in self.days:
            weekday = weekday_of(number)
            counted = active & ~self.off[weekday]
            explained += (counted & running[weekday]).bit_count()
            moved += counted.bit_count()
        return explained / moved if moved else 0.0

    def activity(self) -> bytes:
        """The share of weeks in which it moved, by hour of the week, in percent."""
        return bytes(
            round(100 * max(self.share[2 * n] or 0.0, self.share[2 * n + 1] or 0.0))
            for n in range(7 * 24)
        )


def shares_of(
    evidence: Evidence, today: int, is_skipped: Callable[[int], bool], off: Sequence[int]
) -> Shares:
    """What the days before the local day `today` show; nothing is learned from skipped ones."""
    week = weekdays_of(evidence, today, is_skipped)
    days = sorted((day for own in week for day in own.days), reverse=True)
    return Shares(
        runs=[run for own in week for run in own.runs],
        rests=[rest for own in week for rest in own.rests],
        share=[share for own in week for share in own.share],
        pooled=pooled(week),
        seen=[own.seen for own in week],
        stopped=stopped_lately(week),
        off=off,
        comes_and_goes=[own.comes_and_goes for own in week],
        days=[day for day in days if day.active],
        oldest=days[-1].number if days else today,
    )


def _has(slots: Sequence[int], at: int) -> bool:
    """Whether a slot of the week is in the masks by weekday."""
    weekday, slot = divmod(at, SLOTS)
    return bool(slots[weekday] >> slot & 1)
