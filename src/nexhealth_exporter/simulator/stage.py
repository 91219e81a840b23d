"""Building blocks for the scenes of the demo: schedules, punctual syncs, outages."""

from dataclasses import dataclass
from math import inf

from nexhealth_exporter.simulator.behaviour import Routine
from nexhealth_exporter.simulator.habits import Cloud, Habit, Power, Server
from nexhealth_exporter.simulator.hours import week
from nexhealth_exporter.simulator.offices import BOTH, Behaviour, Direction, Emr, Marks
from nexhealth_exporter.simulator.places import Place
from nexhealth_exporter.simulator.site import PUNCTUAL, Site
from nexhealth_exporter.simulator.troubles import Outage, Troubles

HOUR, DAY = 3600.0, 86400.0

EVERY_DAY = {"mon-sun": "07:00-20:00"}
WEEKDAYS = {"mon-fri": "08:00-17:00"}
MORNINGS_AND_EVENINGS = {"mon-sun": "07:00-11:00,17:00-21:00"}
ALWAYS = {"mon-sun": "00:00-24:00"}
LONG_LUNCH = ("11:30", "13:30")

MACHINE = Server(left_on=0, stray_reboot=0)
_ALWAYS_ON = Server(Power.ALWAYS, left_on=0, stray_reboot=0)
BROWSER = Cloud(interactions=12, afternoon=0.9, lunch=None, quiet_spell=0, stray=0)
LUNCHING = Cloud(interactions=12, lunch=(690, 810), lunch_pace=0, quiet_spell=0, stray=0)


@dataclass(frozen=True)
class Schedule:
    """A schedule as in the YAML of the configuration file."""

    hours: dict[str, str]
    lunch: tuple[str, str] | None = None
    holidays: tuple[str, ...] = ()


SCHEDULES = {
    "every-day": Schedule(EVERY_DAY),
    "every-day-with-lunch": Schedule(EVERY_DAY, lunch=LONG_LUNCH),
    "weekdays": Schedule(WEEKDAYS, lunch=("12:00", "13:00")),
    "always-on": Schedule(ALWAYS),
}


@dataclass(frozen=True)
class Actor:
    """One sync of a scene."""

    emr: Emr
    behaviour: Behaviour
    name: str | None = None
    """The name given at set-up; None derives it from the product."""


@dataclass(frozen=True)
class Scene:
    """One office and the state that it shows."""

    subdomain: str
    name: str
    shows: str
    place: Place
    actors: tuple[Actor, ...]
    schedule: str | None = "every-day"
    """None if its hours are to be learned."""
    timezones: tuple[str | None, ...] = ()
    """Of its locations, as the API reports them; empty means that of the place."""
    inactive: bool = False
    closed_today: bool = False
    exact: bool = False
    """Its allowance is configured, so that learning does not move it."""
    own_schedule: Schedule | None = None
    is_learned: bool = False
    """The exporter has watched it for weeks when the demo begins."""
    is_new: bool = False
    """It was set up just now: nothing is known of its past."""


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """Reads follow a routine; there never was a write."""

    routine: Routine

    def marks_at(self, t: float) -> Marks:
        """The routine's read mark alone."""
        return Marks(self.routine.marks_at(t).read, None)


def routine(
    place: Place,
    habit: Habit,
    hours: dict[str, str],
    seed: int,
    *,
    outages: tuple[Outage, ...] = (),
    closures: frozenset[int] = frozenset(),
) -> Routine:
    """Marks that follow these hours to the minute, without holidays, with these outages."""
    site = Site(seed, place.zone, "", ((0, week(hours)),), PUNCTUAL, closures)
    return Routine(habit, site, seed, Troubles(outages))


def since(now: float, hours: float, *directions: Direction) -> tuple[Outage, ...]:
    """An outage that began so many hours before now and has not ended."""
    return (Outage(now - hours * HOUR, inf, directions or BOTH),)


def sync(
    place: Place, emr: Emr, seed: int, outages: tuple[Outage, ...] = (), *, always: bool = False
) -> Actor:
    """A sync that is busy from 07:00 to 20:00 every day, or around the clock."""
    if always:
        return Actor(emr, routine(place, _ALWAYS_ON, ALWAYS, seed, outages=outages))
    habit = BROWSER if emr.type == "cloud" else MACHINE
    return Actor(emr, routine(place, habit, EVERY_DAY, seed, outages=outages))
