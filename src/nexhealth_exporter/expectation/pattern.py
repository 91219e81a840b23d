"""The weekly pattern of one sync, and what it asks of allowances."""

import zlib

import msgspec

from nexhealth_exporter.expectation.quiet import NIGHT_SLOTS, OVERNIGHT, Quiet, usual_from
from nexhealth_exporter.expectation.tuning import tuning_of
from nexhealth_exporter.model import IntegrationType

YOUNG_WEEKS, YOUNG_STRETCH = 3, (2.0, 1.6)
"""Before a pattern has so many weeks, more is tolerated: in its first, in its second."""

MORNINGS = range(14, 22)
"""The slots from 07:00 to 11:00."""

ALWAYS, NEARLY_ALWAYS = 0.97, 0.80
"""From this share of the week's slots on a sync runs around the clock, or nearly so."""

LEFT_BEHIND, BEYOND = 4, 2
"""The other direction must have moved in so many half hours, and in so many times as many as in
any pause before: how long a pause may be depends on how long they are."""


WHOLE = 100
"""What an hour counts of a direction that moves often, in percent."""


class Week(msgspec.Struct, frozen=True, array_like=True):
    """What a pattern says of the week, and of both directions (read, write).

    `values` are the expectation by slot of the week, Monday first, in percent; `activity` is the
    share of the weeks in which it moved, by hour of the week, in percent. `pauses` are slots of
    the day in which that direction usually rests; `quiets` its quiet stretches, the longest first.
    `alone` is in how many half hours of one pause of that direction the other one moved, at most.
    `seldom` is the value, in percent, of hours in which it moves now and then; 0 if it moves often.
    """

    values: bytes
    activity: bytes
    pauses: tuple[int, int]
    quiets: tuple[tuple[Quiet, ...], tuple[Quiet, ...]]
    alone: tuple[int, int] = (0, 0)
    seldom: int = 0

    def packed(self) -> bytes:
        """The same in a tenth of the memory, to be read by `week_of`."""
        return zlib.compress(_encode(self))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Week).decode


def week_of(packed: bytes) -> Week:
    """The week that was packed. Raises zlib.error or msgspec.DecodeError."""
    return _decode(zlib.decompress(packed))


class Pattern(msgspec.Struct, frozen=True, eq=False, gc=False, array_like=True):
    """The expectation of a sync: its week packed, since whole fleets have one.

    `sure` is from 0 to 1; `weeks` is how many weeks taught it. `since` is the local day since
    which it is used. `weights` is what an hour counts for reads and for writes, in percent: less
    for a direction that moves hours apart while the other goes on.
    """

    packed: bytes
    sure: float
    weeks: int
    since: int
    weights: tuple[int, int] = (WHOLE, WHOLE)

    @property
    def week(self) -> Week:
        """What it says; unpacked each time."""
        return week_of(self.packed)

    def patience(self, kind: IntegrationType, began: int | None = None) -> float:
        """The factor on the allowance before a page: a young pattern may be wrong."""
        tuning = tuning_of(kind)
        least = tuning.page_factor_overnight if began == OVERNIGHT else tuning.page_factor
        return least if self.weeks >= YOUNG_WEEKS else max(least, YOUNG_STRETCH[self.weeks - 1])

    def stretch(self, way: int, kind: IntegrationType, began: int | None = None) -> float:
        """The factor on the type's allowance that leaves room for a direction's quiet stretches.

        `began` is when the silence began, as `quiet.hour_of` has it; None is not known.
        """
        tuning = tuning_of(kind)
        quiets = self.week.quiets[way]
        least = tuning.least_stretch
        if began == OVERNIGHT:
            least = tuning.least_stretch_overnight
            if self.weights[way] < WHOLE:
                # An hour of it counts less, so it can be overdue before the night.
                least = max(least, tuning.least_stretch)
        elif began in MORNINGS:
            least = tuning.least_stretch_morning
        if self.weeks < YOUNG_WEEKS:
            least = max(least, YOUNG_STRETCH[self.weeks - 1])
        usual = usual_from(quiets, began)
        most = max(tuning.most_stretch, least)
        return min(max(tuning.quiet_margin * usual / tuning.usual_quiet, least), most)

    def is_left_behind(self, way: int, alone: int) -> bool:
        """Whether a direction rests though the office is at work, and has not done so before.

        `alone` is in how many half hours since its mark the other direction has moved.
        """
        if self.weeks < YOUNG_WEEKS or alone < LEFT_BEHIND:
            return False
        return alone >= BEYOND * self.week.alone[way]

    @property
    def is_always_on(self) -> bool:
        """Whether it runs around the clock."""
        return self._runs(ALWAYS)

    @property
    def works_on_holidays(self) -> bool:
        """Whether it runs nearly always, and no rest is as long as a night.

        A backup sends nobody home.
        """
        values, night = self.week.values, bytes(NIGHT_SLOTS)
        has_night = night in values + values[: len(night)]
        return self._runs(ALWAYS) or (self._runs(NEARLY_ALWAYS) and not has_night)

    def _runs(self, share: float) -> bool:
        values = self.week.values
        return sum(value > 0 for value in values) >= share * len(values)
