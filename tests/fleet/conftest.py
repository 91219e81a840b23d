"""A fleet under default hours, polled by hand: time is whatever a test says."""

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.fleet import Fleet, SyncStanding
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Location,
    Poll,
    Sync,
)
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.rules import Rules, read

DAY = 86400.0
DEFAULTS = Defaults(
    timezone="America/New_York", country="US", stale_after=DAY, abandoned_after=30 * DAY
)

ALWAYS_ON = """
schedules:
  always-on: {hours: {mon-sun: "00:00-24:00"}, holidays: none}
institutions:
  - {match: {}, schedule: always-on}
"""


@dataclass
class World:
    """The latest fleet; `poll` and `fail` are one poll of one institution."""

    rules: Rules = field(default_factory=Rules)
    fleet: Fleet = field(default_factory=Fleet)

    def watch(self, *institutions: Institution) -> None:
        inventory = Inventory({i.subdomain: i for i in institutions})
        self.fleet = self.fleet.watching(inventory, policy(self.rules, DEFAULTS))

    def poll(self, at: float, *syncs: Sync, institution: str = "smiles") -> None:
        if institution not in self.fleet.standings:
            self.watch(*(s.institution for s in self.fleet), office(institution))
        self._after(Poll(institution, at, syncs))

    def fail(self, at: float, institution: str = "smiles") -> None:
        self._after(Poll(institution, at, failure="timeout"))

    def _after(self, poll: Poll) -> None:
        self.fleet = self.fleet.after([poll], policy(self.rules, DEFAULTS))

    def configure(self, text: str) -> None:
        self.rules = read(text, "config.yaml")
        self.fleet = self.fleet.rejudged(policy(self.rules, DEFAULTS))

    def sync(self, institution: str = "smiles", position: int = 0) -> SyncStanding:
        syncs = self.fleet.standings[institution].syncs
        assert syncs is not None
        return syncs[position]

    def overdue(self, institution: str = "smiles") -> str | None:
        last_success = self.fleet.standings[institution].last_success
        return self.sync(institution).overdue(last_success)


@pytest.fixture
def world() -> World:
    return World()


def office(subdomain: str, zone: str | None = "America/New_York") -> Institution:
    return Institution(subdomain, 7, "Smiles", "US", (Location(1, zone),))


SERVER = Sync(
    "Main", IntegrationType.SERVER, "Dentrix", locations=(Location(1),), read_up=True, write_up=True
)
CLOUD = altered(SERVER, integration_type=IntegrationType.CLOUD)


def marked(sync: Sync, read_at: float | None, write_at: float | None = None) -> Sync:
    """The sync with both marks; the write mark is the read mark unless it is given."""
    return altered(sync, read_at=read_at, write_at=read_at if write_at is None else write_at)
