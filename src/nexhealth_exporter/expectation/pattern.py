"""The weekly pattern of one sync, and what it asks of allowances."""

import zlib
from functools import lru_cache
from typing import NamedTuple

import msgspec

from nexhealth_exporter.expectation.quiet import NIGHT_LEAST_SLOTS, OVERNIGHT, Quiet, usual_from
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.expectation.slots import SLOTS, weekday_of
from nexhealth_exporter.expectation.tuning import tuning_of
from nexhealth_exporter.model import IntegrationType

MATURE_FROM_WEEKS, YOUNG_FACTORS = 3, (2.0, 1.6)
"""Until a pattern has so many weeks it is young, and more is tolerated: the least factors on usual
allowances in its first week and in its second."""

MORNING_SLOTS = range(14, 22)
"""The slots from 07:00 to 11:00."""

ALWAYS_ON_FROM_SHARE, NEARLY_ALWAYS_ON_FROM_SHARE = 0.97, 0.80
"""A sync that runs in this share of the week's slots runs around the clock, or nearly so."""

LEFT_BEHIND_LEAST_SLOTS, LEFT_BEHIND_FACTOR = 4, 2
"""A direction is left behind once the other has moved in so many half hours since, and in so many
times as many as during any earlier pause."""

FULL_WEIGHT_PERCENT = 100
"""What an hour counts of a direction that moves often."""


class Pauses(NamedTuple):
    """The slots of the day in which a direction rests though the other moves, as masks."""

    workdays: int = 0
    weekend: int = 0

    def on(self, weekday: int) -> int:
        """Those of that weekday; 0 is Monday."""
        return self.weekend if weekday >= SATURDAY else self.workdays

    def over(self, first: int, days: int) -> int:
        """These slots in so many local days from `first` on (days since 1970), as one mask."""
        slots = 0
        for day in range(days if self.workdays | self.weekend else 0):
            slots |= self.on(weekday_of(first + day)) << day * SLOTS
        return slots


class Week(msgspec.Struct, frozen=True, array_like=True):
    """What a pattern says about the week, and about both directions (pairs are read, write).

    `values` are the expectation by slot of the week, Monday first, in percent; `activity` is the
    share of weeks in which the sync moved, by hour of the week, in percent. `pauses` are the slots
    of a working day in which that direction usually rests, `weekend_pauses` those of the weekend,
    None if they are the same; `quiets` its quiet stretches, the longest first. `alone` is the
    greatest number of half hours outside its pauses in which the other direction moved during one
    silence. `seldom` is the value, in percent, of the hours of a sync that moves a few times a day;
    0 if it moves often.
    """

    values: bytes
    activity: bytes
    pauses: tuple[int, int]
    quiets: tuple[tuple[Quiet, ...], tuple[Quiet, ...]]
    alone: tuple[int, int] = (0, 0)
    seldom: int = 0
    weekend_pauses: tuple[int, int] | None = None

    def pauses_of(self, way: int) -> Pauses:
        """When one direction (0 read, 1 write) usually rests though the other may move."""
        weekend = self.pauses if self.weekend_pauses is None else self.weekend_pauses
        return Pauses(self.pauses[way], weekend[way])

    def packed(self) -> bytes:
        """The same in a tenth of the memory, to be read by `week_of`."""
        return zlib.compress(_encode(self))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Week).decode


# A look asks up to four times about the same week before it comes to the next sync.
@lru_cache(maxsize=4)
def week_of(packed: bytes) -> Week:
    """The week that was packed. Raises zlib.error or msgspec.DecodeError."""
    return _decode(zlib.decompress(packed))


class Pattern(msgspec.Struct, frozen=True, eq=False, gc=False, array_like=True):
    """What was learned about a sync. Its week is kept packed, since every sync of a fleet has one.

    `sure` is from 0 to 1; `weeks` is from how many weeks it was learned. `since` is the local day
    (since 1970) from which it has been in use. `weights` is what an hour counts for reads and for
    writes, in percent: less for a direction that moves hours apart while the other goes on.
    """

    packed: bytes
    sure: float
    weeks: int
    since: int
    weights: tuple[int, int] = (FULL_WEIGHT_PERCENT, FULL_WEIGHT_PERCENT)

    @property
    def week(self) -> Week:
        """The week, unpacked unless it was among the last ones that were asked for."""
        return week_of(self.packed)

    def page_factor(self, kind: IntegrationType, began: int | None = None) -> float:
        """The factor on the usual allowance before a page; greater while the pattern is young.

        `began` is when the silence began, from `quiet.start_slot_of`; None if that is not known.
        """
        tuning = tuning_of(kind)
        least = tuning.page_factor_overnight if began == OVERNIGHT else tuning.page_factor
        return self._while_young(least)

    def ticket_factor(
        self, way: int, kind: IntegrationType, began: int | None = None, *, lasts: bool = True
    ) -> float:
        """The factor on the usual allowance before a ticket, with room for usual quiet stretches.

        `way` is the direction (0 read, 1 write); `began` is as for `page_factor`. `lasts` is
        whether even an allowance that is shorter after a night lasts until then.
        """
        tuning = tuning_of(kind)
        quiets = self.week.quiets[way]
        least = tuning.ticket_factor_least
        if began == OVERNIGHT:
            least = tuning.ticket_factor_least_overnight
            if not lasts:
                least = max(least, tuning.ticket_factor_least)
        elif began in MORNING_SLOTS:
            least = tuning.ticket_factor_least_morning
        least = self._while_young(least)
        usual = usual_from(quiets, began)
        most = max(tuning.ticket_factor_most, least)
        return min(max(tuning.quiet_margin * usual / tuning.usual_quiet, least), most)

    def _while_young(self, factor: float) -> float:
        """The factor, or a greater one while the pattern is young: it may be wrong."""
        if self.weeks >= MATURE_FROM_WEEKS:
            return factor
        return max(factor, YOUNG_FACTORS[self.weeks - 1])

    def is_left_behind(self, way: int, alone: int) -> bool:
        """Whether a direction rests though the office is at work, and has never done so before.

        `alone` is the number of half hours since its mark in which the other direction has moved.
        """
        if self.weeks < MATURE_FROM_WEEKS or alone < LEFT_BEHIND_LEAST_SLOTS:
            return False
        return alone >= LEFT_BEHIND_FACTOR * self.week.alone[way]

    @property
    def is_always_on(self) -> bool:
        """Whether it runs around the clock."""
        return self._runs(ALWAYS_ON_FROM_SHARE)

    @property
    def works_on_holidays(self) -> bool:
        """Whether it runs nearly always, with no rest as long as a night.

        A shorter rest is a backup, which sends nobody home.
        """
        if self.is_always_on:
            return True
        values, night = self.week.values, bytes(NIGHT_LEAST_SLOTS)
        has_night = night in values + values[: len(night)]
        return self._runs(NEARLY_ALWAYS_ON_FROM_SHARE) and not has_night

    def _runs(self, share: float) -> bool:
        values = self.week.values
        return sum(value > 0 for value in values) >= share * len(values)
