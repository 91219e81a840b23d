"""A world: offices over some months, what an exporter would see of them, and the truth.

Worlds for tuning and for testing have different seeds, so that nothing is tested on what it was
fitted to.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from nexhealth_exporter.simulator.behaviour import Routine
from nexhealth_exporter.simulator.fleets import Mix, incidents, mixed_fleet
from nexhealth_exporter.simulator.habits import Cloud, Server
from nexhealth_exporter.simulator.offices import BOTH, Office, Sync
from nexhealth_exporter.simulator.site import Day, Site, Why
from nexhealth_exporter.simulator.troubles import Outage
from nexhealth_exporter.simulator.wallclock import day_of

TUNING_SEEDS = range(100)
"""Worlds to which learning and allowances may be fitted."""

TESTING_SEEDS = range(1000, 1100)
"""Worlds for testing only."""

DAY = 86400.0
_AWAY = frozenset({Why.VACATION, Why.SUDDEN, Why.BRIDGE, Why.HOLIDAY})


@dataclass(frozen=True)
class World:
    """`count` institutions from `start` (POSIX) for `days`; hours change after `history` days."""

    seed: int
    count: int
    start: float
    days: int
    history: int = 42
    mix: Mix = field(default_factory=Mix)
    offices: tuple[Office, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Draw the offices."""
        first = day_of("UTC", self.start)
        changes = (first + self.history, first + self.days)
        offices = mixed_fleet(self.count, seed=self.seed, mix=self.mix, changes=changes)
        object.__setattr__(self, "offices", tuple(offices))

    @property
    def end(self) -> float:
        """The instant at which it ends."""
        return self.start + self.days * DAY

    def configuration(self) -> str:
        """The configuration file with the closures that were announced to operators."""
        announced = [
            (office.subdomain, days) for office in self.offices if (days := self._announced(office))
        ]
        lines = [
            f"  - match: {{subdomain: {subdomain}}}\n    days: [{', '.join(days)}]"
            for subdomain, days in announced
        ]
        return "\n".join(["closures:", *lines]) + "\n" if lines else ""

    def _announced(self, office: Office) -> list[str]:
        """The announced local days of closure, quoted for YAML."""
        sites = dict.fromkeys(routine.site for routine in _routines(office))
        return [
            f'"{_iso(day)}"'
            for site in sites
            for day, what in _days(site, self.start, self.end)
            if what.announced
        ]

    def facts(self) -> dict[str, Any]:
        """The truth about the world as a whole."""
        return {
            "seed": self.seed,
            "from": self.start,
            "to": self.end,
            "incidents": [
                {"emr_type": kind, "from": outage.start, "to": outage.end}
                for kind in ("onprem", "cloud")
                for outage in incidents(self.seed, kind, self.mix).within(self.start, self.end)
            ],
        }

    def truths(self) -> Iterator[dict[str, Any]]:
        """The truth about each sync, in the order of the offices. Instants are POSIX seconds.

        `open` is when people were there, `up` when the sync would have moved without outages,
        `meant` the same without the nights on which a server was left on by mistake. `outages`
        may overlap. A closure is a local day within the hours on which nobody was there.
        """
        for office in self.offices:
            for sync, routine in zip(office.syncs, _routines(office), strict=True):
                yield self._truth(office, sync, routine)

    def _truth(self, office: Office, sync: Sync, routine: Routine) -> dict[str, Any]:
        days = list(_days(routine.site, self.start, self.end))
        return {
            "institution": office.subdomain,
            "sync": sync.name,
            "emr_type": sync.emr.type,
            "timezone": routine.site.timezone,
            "habit": _word(routine),
            "hours_changed": [_iso(day) for day, _ in routine.site.hours[1:]],
            "outages": [
                _outage(outage) for outage in routine.troubles.within(self.start, self.end)
            ],
            "closures": [
                {"day": _iso(day), "why": what.why.value, "announced": what.announced}
                for day, what in days
                if what.why in _AWAY
            ],
            "half_days": [_iso(day) for day, what in days if what.why is Why.HALF_DAY],
            "open": [window for _, what in days for window in what.open],
            "up": {way: routine.up(way, self.start, self.end) for way in BOTH},
            "meant": {way: _meant(routine).up(way, self.start, self.end) for way in BOTH},
        }


def _routines(office: Office) -> list[Routine]:
    """The routines of its syncs; a world has no other behaviours."""
    return [sync.behaviour for sync in office.syncs if isinstance(sync.behaviour, Routine)]


def _meant(routine: Routine) -> Routine:
    """The same routine, but nobody forgets to switch the server off or to close the browser."""
    habit = routine.habit
    if isinstance(habit, Server):
        return replace(routine, habit=replace(habit, left_on=0.0))
    if isinstance(habit, Cloud):
        return replace(routine, habit=replace(habit, left_open=0.0))
    return routine


def _days(site: Site, start: float, end: float) -> Iterator[tuple[int, Day]]:
    for day in range(day_of(site.timezone, start), day_of(site.timezone, end) + 1):
        yield day, site.day(day)


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()


def _outage(outage: Outage) -> dict[str, Any]:
    return {
        "from": outage.start,
        "to": outage.end,
        "directions": list(outage.directions),
        "kind": outage.kind,
    }


def _word(routine: Routine) -> str:
    """The habit in a word or two: `server always`, `cloud`, `batch`."""
    power = getattr(routine.habit, "power", "")
    return f"{type(routine.habit).__name__.lower()} {power}".strip()
