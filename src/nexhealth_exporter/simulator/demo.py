"""The demo's fleet, made for the present instant, so that it shows every state at any time.

Some offices each show one state (`scenes`); the others keep ordinary hours in ordinary zones and
behave randomly, with outages only in the past.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from nexhealth_exporter.simulator.behaviour import Routine
from nexhealth_exporter.simulator.draws import sixteen, subseed
from nexhealth_exporter.simulator.habits import Backup, Cloud, Habit, Power, Server
from nexhealth_exporter.simulator.hours import holiday, week
from nexhealth_exporter.simulator.offices import (
    CLOUD_EMRS,
    SERVER_EMRS,
    Location,
    Office,
    Sync,
)
from nexhealth_exporter.simulator.places import US
from nexhealth_exporter.simulator.scenes import local_date, scenes, what_cannot_be
from nexhealth_exporter.simulator.site import Site, Vagaries
from nexhealth_exporter.simulator.stage import SCHEDULES, Scene, Schedule
from nexhealth_exporter.simulator.troubles import Hazard, Outage, Troubles
from nexhealth_exporter.simulator.wallclock import instant

_FRIDAY = 4

_CALM_BEFORE = 4 * 86400.0
"""Random outages begin no later than so many seconds before the demo starts."""

_TWO_SYNCS, _BACKED_UP = 0.15, 0.4
"""Shares of the ordinary offices with two syncs, and of servers with a nightly backup."""

_MILD = Vagaries(
    late_opening=0.01,
    half_day=0.003,
    sudden_closure=0.001,
    vacations_a_year=0.4,
    lesser_holidays=0.0,
    eve_at_noon=0.0,
    christmas_week=0.0,
)
"""Few irregularities, so that random alerts do not hide the offices that show a state."""

_FIRST = (
    "Amber", "Birch", "Clover", "Dogwood", "Evergreen", "Foxglove", "Granite", "Hazel",
    "Ivory", "Jasper", "Kestrel", "Lupine", "Meadow", "Northgate", "Opal", "Prairie",
    "Quarry", "Riverbend", "Sagebrush", "Tidewater", "Upland", "Violet", "Westbrook", "Yarrow",
)  # fmt: skip
_KINDS = (
    ("dental", "Dental Group", {"mon-thu": "08:00-17:00", "fri": "08:00-13:00"}),
    ("ortho", "Orthodontics", {"mon-thu": "07:30-16:30"}),
    ("family", "Family Dentistry", {"mon-fri": "09:00-18:00"}),
)
"""Suffix of the subdomain, name, and hours of the ordinary offices."""

_UNCONFIGURED = "-family"
"""The hours of these offices are learned."""

_ORDINARY = {
    "short-fridays": Schedule(_KINDS[0][2], lunch=("12:00", "13:00"), holidays=("US",)),
    "four-days": Schedule(_KINDS[1][2], lunch=("12:00", "13:00"), holidays=("US",)),
}


@dataclass(frozen=True)
class Demo:
    """The offices, a configuration file for them, and the states that they show.

    `shows` is the state of each office that shows one, by subdomain; `missing` are the states
    that no office can be in at this instant, with the reason. `past` are the offices that were
    watched before, `learned` those of them whose hours are learned when the demo begins.
    """

    offices: tuple[Office, ...]
    past: tuple[Office, ...]
    learned: tuple[Office, ...]
    configuration: str
    shows: Mapping[str, str]
    missing: tuple[str, ...]
    incident: Outage


def demo(now: float, *, seed: int = 639) -> Demo:
    """The demo's fleet for the instant `now` (POSIX seconds); about 100 institutions."""
    played = scenes(now)
    offices = [_staged(number, scene) for number, scene in enumerate(played, 1)]
    offices += _ordinary(now, seed, len(played) + 1)
    new = {scene.subdomain for scene in played if scene.is_new}
    learned = {scene.subdomain for scene in played if scene.is_learned}
    past = tuple(office for office in offices if office.subdomain not in new)
    return Demo(
        offices=(*offices, _sandbox(len(offices) + 1)),
        past=past,
        learned=tuple(
            o for o in past if o.subdomain in learned or o.subdomain.endswith(_UNCONFIGURED)
        ),
        configuration=_configuration(now, played),
        shows={scene.subdomain: scene.shows for scene in played},
        missing=what_cannot_be(now),
        incident=_incident(now),
    )


def _staged(number: int, scene: Scene) -> Office:
    zones = scene.timezones or (scene.place.zone,)
    locations = tuple(
        Location(
            id=number * 100 + index,
            name="Main" if index == 1 else f"Branch {index}",
            timezone=zone,
            country=scene.place.country,
            state=scene.place.state,
            inactive=scene.inactive,
        )
        for index, zone in enumerate(zones, 1)
    )
    syncs = tuple(
        Sync(
            name=f"DataSource for {actor.emr.display_name}" if actor.name is None else actor.name,
            emr=actor.emr,
            behaviour=actor.behaviour,
            locations=(locations[index % len(locations)].id,),
        )
        for index, actor in enumerate(scene.actors)
    )
    return Office(number, scene.subdomain, scene.name, syncs, locations, scene.place.country)


def _ordinary(now: float, seed: int, number: int) -> Iterator[Office]:
    """Offices in US zones that keep their hours about as well as people do."""
    for index, word in enumerate(_FIRST):
        for suffix, title, hours in (_KINDS[index % 3], _KINDS[(index + 1) % 3]):
            subdomain = f"{word.lower()}-{suffix}"
            own = subseed(seed, subdomain)
            draw = sixteen(own, "office", 0)
            place = US[int(draw[0] ** 1.5 * len(US))]
            site = Site(own, place.zone, "US", ((0, week(hours)),), _MILD)
            location = Location(number * 100 + 1, "Main", place.zone, "US", place.state)
            kinds = (
                ("server", "cloud") if draw[1] < _TWO_SYNCS else (("server", "cloud")[index % 2],)
            )
            syncs = tuple(_own_sync(now, kind, site, location.id) for kind in kinds)
            yield Office(number, subdomain, f"{word} {title}", syncs, (location,))
            number += 1


def _own_sync(now: float, kind: str, site: Site, location: int) -> Sync:
    seed = subseed(site.seed, kind)
    draw = sixteen(seed, "sync", 0)
    past = Hazard(seed, a_year=4, hours=(3, 72), between=(0, now - _CALM_BEFORE))
    emrs = SERVER_EMRS if kind == "server" else CLOUD_EMRS
    emr = emrs[int(draw[0] * len(emrs))]
    habit: Habit
    if kind == "server":
        power = tuple(Power)[int(draw[1] * len(Power))]
        backup = Backup(60 + 200 * draw[2], 30 + 60 * draw[3]) if draw[4] < _BACKED_UP else None
        habit = Server(power, backup=backup)
    else:
        habit = Cloud(interactions=2.5 + 9 * draw[1] ** 2, afternoon=0.6 + 0.4 * draw[2])
    incident = (_incident(now),) if kind == "server" else ()
    routine = Routine(habit, site, seed, Troubles(incident, (past,)))
    return Sync(f"DataSource for {emr.display_name}", emr, routine, (location,))


def _incident(now: float) -> Outage:
    """An incident of the vendor for three hours of the last working day before today."""
    east = US[0]
    day = east.day(now) - 1
    while date.fromordinal(day).weekday() > _FRIDAY or holiday(east.country, day):
        day -= 1
    start = instant(east.zone, day, 13 * 60)
    return Outage(start, start + 3 * 3600, kind="incident")


def _sandbox(number: int) -> Office:
    return Office(number, "acme-sandbox", "Acme Sandbox (not monitored)")


def _configuration(now: float, played: Iterable[Scene]) -> str:
    """The YAML that an operator would have written for this fleet."""
    played = list(played)
    schedules = SCHEDULES | _ORDINARY
    schedules |= {s.schedule: s.own_schedule for s in played if s.schedule and s.own_schedule}
    lines = ["schedules:"]
    for name, schedule in schedules.items():
        lines += _schedule(name, schedule)
    lines.append("institutions:")
    for scene in played:
        lines += _entry(scene)
    lines += _ENTRIES_OF_OTHERS
    closed = [scene for scene in played if scene.closed_today]
    lines.append("closures:")
    for scene in closed:
        first, last = (local_date(scene.place, now + days * 86400) for days in (-1, 5))
        lines += [
            f"  - match: {{subdomain: {scene.subdomain}}}",
            f'    days: ["{first}..{last}"]',
        ]
    return "\n".join(lines) + "\n"


_ENTRIES_OF_OTHERS = [
    '  - match: {subdomain: "*-sandbox"}',
    "    monitored: false",
    '  - match: {subdomain: "*-dental"}',
    "    schedule: short-fridays",
    "    group: dental",
    '  - match: {subdomain: "*-ortho"}',
    "    schedule: four-days",
    "    group: orthodontics",
    '  - match: {subdomain: "*-family"}',
    "    group: family",
]


def _schedule(name: str, schedule: Schedule) -> list[str]:
    hours = ", ".join(f'{days}: "{times}"' for days, times in schedule.hours.items())
    lines = [f"  {name}:", f"    hours: {{{hours}}}"]
    if schedule.lunch is not None:
        lines.append(f'    lunch: "{"-".join(schedule.lunch)}"')
    holidays = f"[{', '.join(schedule.holidays)}]" if schedule.holidays else "none"
    return [*lines, f"    holidays: {holidays}"]


def _entry(scene: Scene) -> list[str]:
    lines = [f"  - match: {{subdomain: {scene.subdomain}}}"]
    if scene.schedule is not None:
        lines.append(f"    schedule: {scene.schedule}")
    lines.append(f"    group: {'onboarding' if scene.is_new or not scene.actors else 'showcase'}")
    if scene.exact:
        lines.append(
            "    allowance: {server: {warning: 45m, critical: 4h}, "
            "cloud: {warning: 2h30m, critical: 6h}}"
        )
    return lines
