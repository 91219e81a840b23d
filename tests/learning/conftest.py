"""One office under default hours, looked at every ten minutes: days are played as a test says."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from nexhealth_exporter.expectation.pattern import Pattern
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.fleet import Fleet, SyncStanding
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Location, Poll, Sync
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.rules import Rules, read

DAY = 86400.0
STEP = 600.0
ZONE = ZoneInfo("America/New_York")
DEFAULTS = Defaults("America/New_York", "US", DAY, 30 * DAY)

Hours = Callable[[date], Iterable[tuple[float, float]]]
"""On a local day, from when until when (hours) the sync moves."""


def at(day: date, hour: float = 0.0) -> float:
    """POSIX seconds of an hour of a local day."""
    midnight = datetime.combine(day, time(), ZONE)
    return (midnight + timedelta(hours=hour)).timestamp()


def now_and_then(moves: int) -> Hours:
    """So many moves on each working day, at random between 08:00 and 17:00."""

    def hours(day: date) -> list[tuple[float, float]]:
        draws = random.Random(f"{moves} {day}")
        drawn = [draws.uniform(8, 17) for _ in range(moves)]
        return [(hour, hour + 0.17) for hour in drawn if day.weekday() < SATURDAY]

    return hours


def _instants(day: date, hours: Hours) -> list[tuple[float, float]]:
    return [(at(day, start), at(day, end)) for start, end in hours(day)]


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
        for number in range(days):
            day = first + timedelta(days=number)
            writing = [(at(day, a), at(day, b)) for a, b in hours(day)]
            reading = (
                writing if reads is None else [(at(day, a), at(day, b)) for a, b in reads(day)]
            )
            now = at(day)
            while now < at(day + timedelta(days=1)):
                if any(a <= now < b for a, b in writing):
                    self.write_at = now
                if any(a <= now < b for a, b in reading):
                    self.read_at = now
                self.look(now)
                now += step

    def look(self, now: float) -> None:
        sync = Sync("Main", self.kind, read_at=self.read_at, write_at=self.write_at)
        before = self.severity()
        self.fleet = self.fleet.after([Poll("smiles", now, (sync,))], self.policy)
        after = self.severity()
        if after is not None and after != before:
            self.alerts.append((after, now))

    def severity(self) -> str | None:
        standing = self.fleet.standings["smiles"]
        if not standing.syncs:
            return None
        return standing.syncs[0].overdue(standing.last_success)

    @property
    def sync(self) -> SyncStanding:
        syncs = self.fleet.standings["smiles"].syncs
        assert syncs
        return syncs[0]

    @property
    def pattern(self) -> Pattern:
        found = self.sync.learned.pattern
        assert found is not None
        return found

    def expects(self, day: date, hour: float) -> float:
        """The expectation at an hour of a local day."""
        return self.sync.expectation.piece(at(day, hour)).value


Make = Callable[..., Office]


@pytest.fixture
def office() -> Make:
    def make(kind: IntegrationType = IntegrationType.SERVER, rules: str = "") -> Office:
        return Office(kind, read(rules, "config.yaml") if rules else Rules())

    return make
