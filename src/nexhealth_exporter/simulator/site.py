"""When people are at an office: its hours, and how people deviate from them."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from statistics import NormalDist
from typing import NamedTuple

from nexhealth_exporter.simulator.draws import sixteen, subseed, uniform
from nexhealth_exporter.simulator.hours import Week, holiday, week
from nexhealth_exporter.simulator.wallclock import instant

_NORMAL = NormalDist()
_VACATION_BLOCK = 91
_MEMO = 16
_BRIDGE = "Thanksgiving"
_DECEMBER, _CHRISTMAS_EVE = 12, 24
_EVES = frozenset({(12, 24), (12, 31)})
_NOON = 12 * 60.0
_EVENING_LIMIT = 23.5 * 60.0

STANDARD = week({"mon-fri": "08:00-17:00"})


class Why(StrEnum):
    """What kind of day it is at an office."""

    OPEN = "open"
    NO_HOURS = "no-hours"
    HOLIDAY = "holiday"
    VACATION = "vacation"
    """Closed for days; `Day.announced` tells whether the exporter's operator knows."""
    SUDDEN = "sudden"
    """An unannounced closure for a whole working day."""
    HALF_DAY = "half-day"
    """Open only in the morning or only in the afternoon."""
    BRIDGE = "bridge"
    """The day after Thanksgiving, if this office is closed on it every year."""


@dataclass(frozen=True, slots=True)
class Vagaries:
    """How offices deviate from their hours; chances are per working day unless noted."""

    open_spread: float = 8.0
    """Standard deviation of the opening time, in minutes."""
    close_spread: float = 12.0
    late_opening: float = 0.02
    """Opens 30 to 90 minutes late."""
    late_evening: float = 0.04
    """Open 60 to 180 minutes longer."""
    half_day: float = 0.008
    sudden_closure: float = 0.003
    vacations_a_year: float = 1.6
    vacation_announced: float = 0.5
    vacation_days: tuple[int, int] = (2, 9)
    lesser_holidays: float = 0.2
    """Share of the minor holidays that this office keeps, the same ones every year."""
    bridge: float = 0.4
    eve_at_noon: float = 0.5
    """Chance to close at noon on 24 or 31 December."""
    christmas_week: float = 0.2
    """Chance per year to be closed from 24 December to New Year."""


PUNCTUAL = Vagaries(0, 0, 0, 0, 0, 0, 0, 0, (1, 1), 0, 0, 0, 0)
"""No deviations: hours are kept to the second, and only sure holidays are kept."""


class Day(NamedTuple):
    """One local day of a site: its kind, and when people are there (POSIX seconds)."""

    why: Why
    open: tuple[tuple[float, float], ...]
    announced: bool = False


@dataclass(frozen=True)
class Site:
    """People at one place, or around one shared server.

    `hours` are weeks, each with the local day (ordinal) from which it holds, the oldest first;
    `closures` are announced days (ordinals).
    """

    seed: int
    timezone: str = "America/New_York"
    country: str = "US"
    hours: tuple[tuple[int, Week], ...] = ((0, STANDARD),)
    vagaries: Vagaries = Vagaries()
    closures: frozenset[int] = frozenset()
    _days: dict[int, Day] = field(default_factory=dict, init=False, repr=False, compare=False)

    def day(self, day: int) -> Day:
        """The local day of that ordinal."""
        known = self._days.get(day)
        if known is None:
            if len(self._days) >= _MEMO:
                self._days.clear()
            known = self._days[day] = self._make(day)
        return known

    def week(self, day: int) -> Week:
        """The hours in force on that local day."""
        return next(hours for start, hours in reversed(self.hours) if start <= day)

    def working(self, day: int) -> bool:
        """Whether the office plans to be open that day."""
        return self.day(day).why in {Why.OPEN, Why.SUDDEN, Why.HALF_DAY}

    def _make(self, day: int) -> Day:
        windows = self.week(day)[(day + 6) % 7]
        if not windows:
            return Day(Why.NO_HOURS, ())
        draw = sixteen(self.seed, "day", day)
        away = self._away(day, draw)
        if away is not None:
            return away
        why, windows = self._bent(day, windows, draw)
        return Day(
            why,
            tuple(
                (instant(self.timezone, day, start), instant(self.timezone, day, end))
                for start, end in windows
                if start < end
            ),
        )

    def _away(self, day: int, draw: list[float]) -> Day | None:
        if day in self.closures:
            return Day(Why.VACATION, (), announced=True)
        rest = self._holiday(day)
        if rest is not None:
            return Day(rest, ())
        vacation = self._vacation(day)
        if vacation is not None:
            return vacation
        return Day(Why.SUDDEN, ()) if draw[0] < self.vagaries.sudden_closure else None

    def _holiday(self, day: int) -> Why | None:
        today = holiday(self.country, day)
        if today is not None:
            name, sure = today
            if sure or uniform(subseed(self.seed, name), 0) < self.vagaries.lesser_holidays:
                return Why.HOLIDAY
        yesterday = holiday(self.country, day - 1)
        if yesterday is not None and _BRIDGE in yesterday[0]:
            kept = uniform(subseed(self.seed, _BRIDGE), 0) < self.vagaries.bridge
            return Why.BRIDGE if kept else None
        return None

    def _vacation(self, day: int) -> Day | None:
        when = date.fromordinal(day)
        if when.month == _DECEMBER and when.day >= _CHRISTMAS_EVE:
            draw = sixteen(self.seed, "christmas", when.year)
            if draw[0] < self.vagaries.christmas_week:
                told = draw[1] < self.vagaries.vacation_announced
                return Day(Why.VACATION, (), announced=told)
        block, offset = divmod(day, _VACATION_BLOCK)
        draw = sixteen(self.seed, "vacation", block)
        if draw[0] >= self.vagaries.vacations_a_year * _VACATION_BLOCK / 365:
            return None
        low, high = self.vagaries.vacation_days
        length = low + int(draw[1] * (high - low + 1))
        first = int(draw[2] * (_VACATION_BLOCK - length + 1))
        if not first <= offset < first + length:
            return None
        return Day(Why.VACATION, (), announced=draw[3] < self.vagaries.vacation_announced)

    def _bent(
        self, day: int, windows: tuple[tuple[float, float], ...], draw: list[float]
    ) -> tuple[Why, tuple[tuple[float, float], ...]]:
        """The day's windows as people really keep them, in minutes."""
        habits = self.vagaries
        opens = windows[0][0] + habits.open_spread * _gauss(draw[1])
        closes = windows[-1][1] + habits.close_spread * _gauss(draw[2])
        if draw[3] < habits.late_opening:
            opens += 30 + 60 * draw[4]
        if draw[5] < habits.late_evening and closes < _EVENING_LIMIT:
            closes = min(closes + 60 + 120 * draw[6], _EVENING_LIMIT)
        when = date.fromordinal(day)
        if (when.month, when.day) in _EVES and draw[7] < habits.eve_at_noon:
            closes = min(closes, _NOON)
        why = Why.OPEN
        if draw[8] < habits.half_day:
            why = Why.HALF_DAY
            middle = (opens + closes) / 2 + 60 * (draw[9] - 0.5)
            opens, closes = ((opens, middle), (middle, closes))[int(2 * draw[10])]
        bent = [
            (opens if number == 0 else start, closes if number == len(windows) - 1 else end)
            for number, (start, end) in enumerate(windows)
        ]
        return why, tuple((max(start, opens), min(end, closes)) for start, end in bent)


def _gauss(draw: float) -> float:
    """A standard normal number, clipped at 2.5, from a uniform one."""
    return max(-2.5, min(2.5, _NORMAL.inv_cdf(min(max(draw, 1e-9), 1 - 1e-9))))
