"""Offices under default hours, looked at every ten minutes: days are played as a test says."""

import random
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from nexhealth_exporter.expectation.pattern import Pattern
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.fleet import Fleet, SyncStanding
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Location, Poll, Sync
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.rules import Rules, read

DAY = 86400.0
STEP = 600.0
SELDOM = 1200.0
"""For days that only have to be learned: so far apart, looks still tell each half hour that moves
from one that rests, and every alert that lasts."""

ZONE = ZoneInfo("America/New_York")
DEFAULTS = Defaults("America/New_York", "US", DAY, 30 * DAY)

FIRST = date(2026, 2, 23)
"""A Monday; no holiday comes before 25 May, but the clocks change on 8 March."""

Hours = Callable[[date], Iterable[tuple[float, float]]]
"""On a local day, from when until when (hours) the sync moves."""


def at(day: date, hour: float = 0.0) -> float:
    """POSIX seconds of an hour of a local day."""
    midnight = datetime.combine(day, time(), ZONE)
    return (midnight + timedelta(hours=hour)).timestamp()


def weeks(number: int) -> date:
    """The Monday so many weeks after the first one."""
    return FIRST + timedelta(weeks=number)


@cache
def weekdays(start: float, end: float, days: range = range(5)) -> Hours:
    """From one hour until another, on those weekdays. The same for the same arguments."""
    return lambda day: [(start, end)] if day.weekday() in days else []


def always(_: date) -> list[tuple[float, float]]:
    """All day and night."""
    return [(0, 25)]


def never(_: date) -> list[tuple[float, float]]:
    """At no time."""
    return []


def now_and_then(moves: int) -> Hours:
    """So many moves on each working day, at random between 08:00 and 17:00."""

    def hours(day: date) -> list[tuple[float, float]]:
        draws = random.Random(f"{moves} {day}")
        drawn = [draws.uniform(8, 17) for _ in range(moves)]
        return [(hour, hour + 0.17) for hour in drawn if day.weekday() < SATURDAY]

    return hours


@dataclass
class Office:
    """One institution with one sync, and the fleet that watches it."""

    kind: IntegrationType = IntegrationType.SERVER
    rules: Rules = field(default_factory=Rules)
    fleet: Fleet = field(default_factory=Fleet)
    read_at: float | None = None
    write_at: float | None = None
    alerts: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy = policy(self.rules, DEFAULTS)
        self.located(ZONE.key)

    def located(self, timezone: str) -> None:
        """NexHealth says that it lies in that zone."""
        institution = Institution("smiles", locations=(Location(1, timezone),))
        inventory = Inventory({"smiles": institution})
        self.fleet = self.fleet.watching(inventory, self.policy)

    def ruled(self, rules: str) -> None:
        """The operator writes another configuration."""
        self.policy = policy(read(rules, "config.yaml"), DEFAULTS)
        self.fleet = self.fleet.rejudged(self.policy)

    def restarted(self) -> None:
        """The exporter is started anew; what was learned is kept."""
        memories = dict(self.fleet.memory())
        institution = self.fleet.standings["smiles"].institution
        empty = Fleet(remembered=memories)
        self.fleet = empty.watching(Inventory({"smiles": institution}), self.policy)

    def live(
        self,
        first: date,
        days: int,
        hours: Hours,
        reads: Hours | None = None,
        step: float = STEP,
    ) -> None:
        """So many days on which it moves at every look within the hours."""
        for day in (first + timedelta(days=number) for number in range(days)):
            writing = _instants(day, hours)
            reading = writing if reads is None else _instants(day, reads)
            now, end = at(day), at(day + timedelta(days=1))
            while now < end:
                if _is_within(writing, now):
                    self.write_at = now
                if _is_within(reading, now):
                    self.read_at = now
                self.look(now)
                now += step

    def look(self, now: float) -> None:
        """The exporter looks at its marks as they are."""
        sync = Sync("Main", self.kind, read_at=self.read_at, write_at=self.write_at)
        before = self.severity()
        self.fleet = self.fleet.after([Poll("smiles", now, (sync,))], self.policy)
        after = self.severity()
        if after is not None and after != before:
            self.alerts.append((after, now))

    def severity(self) -> str | None:
        """The alert that fires, if one does."""
        standing = self.fleet.standings["smiles"]
        if not standing.syncs:
            return None
        return standing.syncs[0].overdue(standing.last_success)

    @property
    def sync(self) -> SyncStanding:
        """All that is known of it."""
        syncs = self.fleet.standings["smiles"].syncs
        assert syncs
        return syncs[0]

    @property
    def pattern(self) -> Pattern:
        """Its pattern, which it must have."""
        found = self.sync.learned.pattern
        assert found is not None
        return found

    def expects(self, day: date, hour: float) -> float:
        """The expectation at an hour of a local day."""
        return self.sync.expectation.piece(at(day, hour)).value


def lived(
    days: int,
    hours: Hours,
    reads: Hours | None = None,
    *,
    kind: IntegrationType = IntegrationType.SERVER,
    step: float = SELDOM,
) -> Office:
    """An office that has lived so many days from the first Monday on.

    Many tests begin with the same past: each week of it is played once, since a fleet is frozen.
    It is looked at each `step` seconds only.
    """
    whole, rest = divmod(days, 7)
    office = _copied(_past(whole, hours, reads, kind, step))
    office.live(weeks(whole), rest, hours, reads, step)
    return office


@cache
def _past(
    whole_weeks: int, hours: Hours, reads: Hours | None, kind: IntegrationType, step: float
) -> Office:
    if not whole_weeks:
        return Office(kind)
    office = _copied(_past(whole_weeks - 1, hours, reads, kind, step))
    office.live(weeks(whole_weeks - 1), 7, hours, reads, step)
    return office


def _copied(office: Office) -> Office:
    other = copy(office)
    other.alerts = [*office.alerts]
    return other


def _instants(day: date, hours: Hours) -> list[tuple[float, float]]:
    return [(at(day, start), at(day, end)) for start, end in hours(day)]


def _is_within(spans: Iterable[tuple[float, float]], now: float) -> bool:
    return any(start <= now < end for start, end in spans)
