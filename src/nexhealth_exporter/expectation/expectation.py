"""The expectation of a sync as a function of time, its sum, and the inverse of the sum.

It is constant in pieces. A piece follows from the office's local day: closure, holiday,
or the ordinary plan of that weekday. Plans are made for one local day at a time and
kept in a bounded cache, so evaluating costs next to nothing while nothing changes.
"""

import math
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol

import msgspec

from nexhealth_exporter.expectation import calendar
from nexhealth_exporter.expectation.schedule import (
    DAY,
    HOUR,
    DateRange,
    DayPlan,
    Span,
    date_of,
    is_among,
    joined,
)
from nexhealth_exporter.expectation.slots import weekday_of
from nexhealth_exporter.expectation.zone import day_at, pieces_between, start_of_day
from nexhealth_exporter.model import Reason, Source

HORIZON = 400 * DAY
"""How far a sum or a deadline reaches, in seconds; beyond it nothing is claimed."""

EXPECTED_FROM = 0.5
"""A sync counts as expected up from this expectation on."""

EARLIEST, LATEST = 0.0, 4_102_444_800.0
"""1970 to 2100: outside it a mark is nonsense, and calendars need not be asked."""

_EVES = frozenset({(12, 24), (12, 31)})
"""Many go home at noon, and no pattern of weeks can know it. Some do so before other holidays."""

_NOON, _EVENING = 12 * HOUR, 18 * HOUR

_ANNOUNCED = frozenset({Reason.CLOSURE, Reason.HOLIDAY})
"""Rests that say nothing of the hours that are kept otherwise."""

_A_DAY = timedelta(days=1)


class Segment(msgspec.Struct, frozen=True, gc=False):
    """From `start` until `end` (UTC) the expectation is `value`; `reason` if it rests then."""

    start: float
    end: float
    value: float
    reason: Reason | None

    @property
    def is_expected(self) -> bool:
        """True when the sync should be refreshing: the expectation is at least half."""
        return self.value >= EXPECTED_FROM

    @property
    def is_open(self) -> bool:
        """Whether it lies within hours, in which less than half may be expected.

        A sync that moves seldom is expected a little in all of its hours.
        """
        return self.reason is None


class Running(NamedTuple):
    """Unexpected lag as a straight line: `value + rate * (t - at)`, valid until `until`.

    For a mark that has moved to `since` or later, it is `rate * (t - mark)` until then.
    """

    value: float
    at: float
    rate: float
    until: float
    since: float = math.inf


class WeekPlan(Protocol):
    """The plans of the seven ordinary days, Monday first."""

    def __getitem__(self, weekday: int, /) -> DayPlan:
        """The plan of that weekday; 0 is Monday."""


class Expectation(msgspec.Struct, frozen=True, eq=False, gc=False):
    """When a sync is expected to run. Compared by identity, so that one can serve many syncs.

    `holidays` are codes for `calendar.weight`; empty for a sync that keeps its pattern on them.
    `closures` are of local dates.
    """

    source: Source
    schedule: str
    timezone: str
    days: WeekPlan
    holidays: tuple[str, ...] = ()
    closures: tuple[DateRange, ...] = ()
    back_at: int = 0
    """Second of the local day until which it rests after a day of rest, though its plan may run."""
    gone_from: int = DAY
    """Second of the local day from which it rests before a day of rest."""

    def plan_of(self, day: int) -> DayPlan:
        """The plan of a local day (since 1970) by the wall clock, holidays and closures applied."""
        local = date_of(day)
        if is_among(local, self.closures):
            return (Span(0, DAY, 0.0, Reason.CLOSURE),)
        ordinary = self._beside_rest(local, self.days[weekday_of(day)])
        factor = calendar.weight(self.holidays, local)
        if factor == calendar.ORDINARY:
            return ordinary
        if factor == calendar.REST:
            return (Span(0, DAY, 0.0, Reason.HOLIDAY),)
        return joined(_weighted(span, factor) for span in ordinary)

    def _beside_rest(self, day: date, plan: DayPlan) -> DayPlan:
        """The plan cut where the day before or after is a holiday or a closure."""
        if self.back_at > 0 and self._rests_on(day - _A_DAY):
            plan = _silenced(plan, 0, self.back_at)
        elif self.source is Source.LEARNED and plan[0].value > 0 and self._rests_on(day - _A_DAY):
            # Its day began on the evening before, on which nobody came. No night lasts until noon.
            rests = next((span.start for span in plan if not span.value), DAY)
            plan = _silenced(plan, 0, rests) if rests <= _NOON else plan
        if self.gone_from < DAY and self._rests_on(day + _A_DAY):
            plan = _silenced(plan, self.gone_from, DAY)
        if self.source is Source.LEARNED and self.holidays:
            if (day.month, day.day) in _EVES:
                plan = _silenced(plan, _NOON, DAY)
            elif calendar.weight(self.holidays, day + _A_DAY) == calendar.REST:
                plan = _changed(plan, _NOON, _EVENING, _halved)
        return plan

    def _rests_on(self, day: date) -> bool:
        is_holiday = calendar.weight(self.holidays, day) < calendar.ORDINARY
        return is_holiday or is_among(day, self.closures)

    def _segments_of(self, day: int) -> Iterator[Segment]:
        start, plan = _day_of(self, day)
        for span in plan:
            yield Segment(start + span.start, start + span.end, span.value, span.reason)

    def segments(self, start: float) -> Iterator[Segment]:
        """Adjoining segments from `start` on, for as long as they are asked for."""
        day = day_at(self.timezone, clamped(start))
        while True:
            for segment in self._segments_of(day):
                if segment.end > start:
                    yield segment
            day += 1

    def at(self, now: float) -> Segment:
        """The segment that holds `now`, whole: it may span days."""
        first = self.piece(now)
        start, end = first.start, first.end
        for piece in self.segments(first.end):
            if not _alike(piece, first) or piece.start > now + HORIZON:
                break
            end = piece.end
        day = day_at(self.timezone, start)
        while start > now - HORIZON:
            earlier = [p for p in self._segments_of(day) if p.end <= start]
            for piece in reversed(earlier):
                if not _alike(piece, first):
                    return Segment(start, end, first.value, first.reason)
                start = piece.start
            day -= 1
        return Segment(start, end, first.value, first.reason)

    def piece(self, now: float) -> Segment:
        """The part of that segment within the local day of `now`: cheap, for value and reason."""
        now = clamped(now)
        start, plan = _day_of(self, day_at(self.timezone, now))
        for first, last, value, reason in plan:
            if start + last > now:
                return Segment(start + first, start + last, value, reason)
        raise ValueError(now)  # pragma: no cover - plans cover the day

    def unexpected(self, mark: float, now: float) -> float:
        """The expectation added up from `mark` to `now`, in seconds: never negative.

        Only the last `HORIZON` seconds count: what is older tells nothing more.
        """
        begin, now = clamped(max(mark, now - HORIZON)), clamped(now)
        total, day = 0.0, day_at(self.timezone, begin)
        while True:
            start, plan = _day_of(self, day)
            if start >= now:
                return total
            for first, last, value, _ in plan:
                opens, closes = max(start + first, begin), min(start + last, now)
                if opens < closes:
                    total += value * (closes - opens)
            day += 1

    def running(self, mark: float, now: float) -> Running:
        """Unexpected lag since `mark`, ready to be evaluated cheaply until it bends."""
        if mark > now:
            return Running(0.0, mark, 0.0, mark)
        piece = self.piece(now)
        if mark >= piece.start:
            return Running(piece.value * (now - mark), now, piece.value, piece.end, piece.start)
        rate, until = piece.value, min(piece.end, mark + HORIZON)
        if now >= mark + HORIZON:
            # What leaves the horizon counts no more.
            tail = self.piece(now - HORIZON)
            rate, until = rate - tail.value, min(piece.end, tail.end + HORIZON)
            return Running(self.unexpected(mark, now), now, rate, until)
        return Running(self.unexpected(mark, now), now, rate, until, piece.start)

    def deadline(self, mark: float, allowance: float) -> float | None:
        """The first instant at which the unexpected lag since `mark` reaches `allowance`.

        None when it is not reached within `HORIZON`. A mark before 1970 counts from there.
        After a mark within a rest, an allowance that is used up at the very end of hours that
        nobody configured runs out at the next opening: who works at other hours than these may
        just have had a day off.
        """
        return self.deadlines(mark, allowance)[0]

    def deadlines(self, mark: float, *allowances: float) -> list[float | None]:
        """The deadline of each of some allowances, the shortest first: one walk for all."""
        reached: list[float | None] = []
        begin = clamped(mark)
        horizon = begin + HORIZON
        day = day_at(self.timezone, begin)
        allowance, spent = allowances[0], 0.0
        while True:
            start, plan = _day_of(self, day)
            if start > horizon:
                break
            for first, last, value, _ in plan:
                end = start + last
                if value <= 0 or end <= begin:
                    continue
                if begin < (opens := start + first):
                    if opens > horizon:
                        break
                    begin = opens
                until = spent + value * (end - begin)
                while allowance < until or (
                    allowance == until and not self._may_keep_other_hours(mark)
                ):
                    reached.append(begin + (allowance - spent) / value)
                    if len(reached) == len(allowances):
                        return reached
                    allowance = allowances[len(reached)]
                begin, spent = end, until
            day += 1
        return [*reached, *(None for _ in allowances[len(reached) :])]

    def _may_keep_other_hours(self, at: float) -> bool:
        """Whether a move at `at`, within a rest and not at its start, casts doubt on the hours."""
        if self.source is Source.CONFIGURED:
            return False
        piece = self.piece(clamped(at))
        return not piece.value and piece.start < at and piece.reason not in _ANNOUNCED


@lru_cache(maxsize=4096)
def _day_of(expectation: Expectation, day: int) -> tuple[float, DayPlan]:
    """When a local day (since 1970) starts, and its plan by the seconds that have passed since."""
    frame = _frame(day, expectation.timezone, expectation.holidays)
    if not frame.is_whole:
        return frame.start, _by_seconds_passed(expectation, day)
    if frame.is_ordinary and not expectation.closures:
        return frame.start, expectation.days[frame.weekday]
    return frame.start, expectation.plan_of(day)


class _Frame(NamedTuple):
    """What a local day is to all offices that have the same zone and holidays."""

    start: float
    weekday: int
    is_whole: bool
    """Whether it lasts 24 hours: no clocks change."""
    is_ordinary: bool
    """Whether its plan is that of its weekday: neither it nor a day beside it is a holiday."""


@lru_cache(maxsize=8192)
def _frame(day: int, timezone: str, holidays: tuple[str, ...]) -> _Frame:
    start = start_of_day(timezone, day)
    is_whole = start_of_day(timezone, day + 1) - start == DAY
    return _Frame(start, weekday_of(day), is_whole, _is_ordinary(day, holidays))


def _is_ordinary(day: int, holidays: tuple[str, ...]) -> bool:
    if not holidays:
        return True
    local = date_of(day)
    weights = {calendar.weight(holidays, local + days * _A_DAY) for days in (-1, 0, 1)}
    return weights == {calendar.ORDINARY} and (local.month, local.day) not in _EVES


def _by_seconds_passed(expectation: Expectation, day: int) -> DayPlan:
    """The plan of a day on which clocks change, by the seconds that have passed since its start.

    What the clocks skip is left out, and what they show twice comes twice.
    """
    begin, end = (start_of_day(expectation.timezone, near) for near in (day, day + 1))
    spans, at = list[Span](), begin
    for piece in pieces_between(expectation.timezone, begin, end):
        first = int((piece.start + piece.offset) // DAY)
        last = int((piece.end + piece.offset - 1) // DAY)
        for local in range(first, last + 1):
            midnight = local * DAY - piece.offset
            for span in expectation.plan_of(local):
                until = min(piece.end, midnight + span.end)
                if at < until:
                    spans.append(span._replace(start=int(at - begin), end=int(until - begin)))
                    at = until
    return tuple(spans)


def _silenced(plan: DayPlan, start: int, end: int) -> DayPlan:
    """The plan with a rest from `start` until `end`."""
    return _changed(
        plan,
        start,
        end,
        lambda span: span._replace(value=0.0, reason=Reason.CLOSED) if span.value > 0 else span,
    )


def _changed(plan: DayPlan, start: int, end: int, change: Callable[[Span], Span]) -> DayPlan:
    """The plan with what lies from `start` until `end` changed."""
    spans: list[Span] = []
    for span in plan:
        for begin, stop in (
            (span.start, min(span.end, start)),
            (max(span.start, start), min(span.end, end)),
            (max(span.start, end), span.end),
        ):
            if begin < stop:
                cut = span._replace(start=begin, end=stop)
                spans.append(change(cut) if start <= begin < end else cut)
    return joined(spans)


def _halved(span: Span) -> Span:
    """The span of an ordinary day on which some go home early."""
    return span._replace(value=calendar.HALF * span.value)


def _weighted(span: Span, factor: float) -> Span:
    value = span.value * factor
    reason = span.reason
    if reason is None and value < EXPECTED_FROM:
        reason = Reason.HOLIDAY
    return span._replace(value=value, reason=reason)


def _alike(one: Segment, other: Segment) -> bool:
    return one.value == other.value and one.reason == other.reason


def clamped(t: float) -> float:
    """The instant, or the nearest one for which there is a calendar."""
    return t if EARLIEST <= t <= LATEST else min(max(t, EARLIEST), LATEST)
