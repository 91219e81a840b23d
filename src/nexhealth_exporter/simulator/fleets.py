"""Random fleets of realistic offices, drawn from a seed: hours, habits and outages."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from nexhealth_exporter.simulator.behaviour import Routine
from nexhealth_exporter.simulator.draws import sixteen, subseed
from nexhealth_exporter.simulator.habits import Backup, Batch, Cloud, Habit, Power, Reboot, Server
from nexhealth_exporter.simulator.hours import Week, week
from nexhealth_exporter.simulator.offices import CLOUD_EMRS, SERVER_EMRS, Location, Office, Sync
from nexhealth_exporter.simulator.places import US, Place
from nexhealth_exporter.simulator.site import Site, Vagaries
from nexhealth_exporter.simulator.troubles import Hazard, Shared, Troubles

_USUAL_WEEKS = tuple(
    week(hours)
    for hours in (
        {"mon-fri": "08:00-17:00"},
        {"mon-fri": "08:00-17:00"},
        {"mon-thu": "08:00-17:00", "fri": "08:00-13:00"},
        {"mon-thu": "08:00-17:00", "fri": "08:00-12:00"},
        {"mon-thu": "07:00-16:30"},
        {"mon-thu": "08:00-18:00"},
        {
            "mon": "09:00-18:00",
            "tue": "10:00-19:30",
            "wed-thu": "09:00-18:00",
            "fri": "08:00-14:00",
        },
        {"mon-tue": "08:00-17:00", "wed": "11:00-20:00", "thu-fri": "08:00-16:00"},
        {"mon-fri": "09:00-18:00", "sat": "09:00-13:00"},
        {"mon-fri": "07:00-19:00"},
        {"tue-fri": "09:00-17:30", "sat": "08:00-14:00"},
        {"mon-fri": "08:00-12:00, 14:00-18:30"},
        {"mon-tue": "08:00-17:00", "thu": "08:00-17:00"},
    )
)
_RARE_WEEKS = tuple(
    week(hours)
    for hours in (
        {"sat-sun": "09:00-18:00"},
        {"fri-sun": "08:00-18:00"},
        {"mon-sun": "08:00-20:00"},
        {"mon-fri": "18:00-26:00"},
        {"mon-sun": "20:00-30:00"},
    )
)
"""Offices that work at weekends or at night."""

_LUNCHES = ((720.0, 780.0), (720.0, 780.0), (720.0, 840.0), (750.0, 810.0), (780.0, 840.0), None)
_BATCHES = (
    (465.0, 660.0, 840.0, 1020.0),
    (480.0, 780.0),
    (360.0, 720.0, 1080.0),
    (420.0, 540.0, 660.0, 780.0, 900.0, 1020.0),
)


@dataclass(frozen=True)
class Mix:
    """The shares of different kinds of offices and syncs in a fleet, and how often things break."""

    cloud: float = 0.5
    second_sync: float = 0.08
    """Institutions with two syncs at one site."""
    same_server: float = 0.05
    """Institutions that share a server with the one before."""
    rare_hours: float = 0.05
    """Offices that work at weekends or at night."""
    few_a_day: float = 0.03
    """Syncs that move only a few times a day, at set times."""
    changes_hours: float = 0.05
    """Offices that change their hours, once, within the days given."""
    power: tuple[float, float, float] = (0.35, 0.4, 0.25)
    """Servers that are always on, off at night, off before days off."""
    left_on: float | None = None
    """Share of nights in which servers that are usually switched off stay on; None draws a small
    share for each."""
    left_open: float = 0.0
    """Share of nights in which browsers are left open in every cloud-based office."""
    interactions: tuple[float, float] = (2.5, 20.0)
    """Interactions per hour in cloud-based offices, drawn log-uniformly."""
    outages_a_year: float = 3.0
    """Outages of a single sync, for hours or days."""
    long_outages_a_year: float = 0.15
    """Outages of a single sync, for 8 days to 3 weeks."""
    machine_outages_a_year: float = 1.0
    """Outages of all syncs on one server."""
    line_outages_a_year: float = 0.8
    """Outages of all syncs of an institution."""
    incidents_a_year: float = 4.0
    """Incidents of the vendor, per integration type."""
    incidents_one_way: float = 0.0
    """Share of these incidents that stop only reads or only writes."""
    struck: float = 0.8
    """Share of the syncs that an incident stops."""
    stray_minutes: tuple[float, float] = (450.0, 630.0)
    """Minutes of the day between which servers are restarted now and then."""
    vagaries: Vagaries = field(default_factory=Vagaries)


def incidents(seed: int, kind: str, mix: Mix) -> Hazard:
    """The vendor's incidents that affect syncs of that `emr.type` in a fleet."""
    own, one_way = subseed(seed, "incidents", kind), mix.incidents_one_way
    return Hazard(own, mix.incidents_a_year, (1.0, 9.0), one_way, "incident")


def mixed_fleet(
    count: int,
    *,
    seed: int,
    mix: Mix = Mix(),
    changes: tuple[int, int] | None = None,
) -> list[Office]:
    """So many institutions. `changes` are local days (ordinals) between which hours may change."""
    offices: list[Office] = []
    site: Site | None = None
    for number in range(1, count + 1):
        own = subseed(seed, "office", number)
        draw = sixteen(own, "office", 0)
        cloud = draw[0] < mix.cloud
        shared = site is not None and not cloud and draw[1] < mix.same_server
        if site is None or not shared:
            place = US[int(draw[2] ** 1.6 * len(US))]
            site = _site(own, place, mix, changes)
        offices.append(_office(number, _Making(seed, own, mix, site), cloud=cloud))
    return offices


@dataclass(frozen=True)
class _Making:
    """What the parts of one office are drawn from."""

    fleet: int
    own: int
    mix: Mix
    site: Site


def _office(number: int, making: _Making, *, cloud: bool) -> Office:
    draw = sixteen(making.own, "syncs", 0)
    kinds = ["cloud" if cloud else "onprem"]
    if draw[0] < making.mix.second_sync:
        kinds.append("cloud" if draw[1] < making.mix.cloud else "onprem")
    location = Location(number * 10 + 1, "Main", making.site.timezone)
    syncs = tuple(_sync(index, kind, making, location.id) for index, kind in enumerate(kinds, 1))
    return Office(number, f"office-{number:05}", f"Office {number}", syncs, (location,))


def _sync(number: int, kind: str, making: _Making, location: int) -> Sync:
    seed = subseed(making.own, "sync", number)
    draw = sixteen(seed, "sync", 0)
    mix = making.mix
    habit: Habit
    if draw[0] < mix.few_a_day:
        habit = Batch(_BATCHES[int(draw[1] * len(_BATCHES))], spread=2 + 10 * draw[2])
    elif kind == "cloud":
        habit = _cloud(draw, mix)
    else:
        # Drawn from the site: all syncs on its server share when that is on.
        habit = _server(sixteen(making.site.seed, "machine", 0), mix)
    emrs = CLOUD_EMRS if kind == "cloud" else SERVER_EMRS
    emr = emrs[int(draw[15] * len(emrs))]
    routine = Routine(habit, making.site, seed, _troubles(kind, seed, making))
    return Sync(f"{emr.display_name} #{number}", emr, routine, (location,))


def _troubles(kind: str, seed: int, making: _Making) -> Troubles:
    mix = making.mix
    machine = Hazard(making.site.seed, mix.machine_outages_a_year, (2, 72), 0, "machine")
    return Troubles(
        chances=(
            Hazard(seed, mix.outages_a_year),
            Hazard(seed, mix.long_outages_a_year, (200, 500), 0, "long"),
            Hazard(making.own, mix.line_outages_a_year, (1, 48), 0, "line"),
            Shared(incidents(making.fleet, kind, mix), seed, mix.struck),
            *((machine,) if kind == "onprem" else ()),
        )
    )


def _server(draw: list[float], mix: Mix) -> Server:
    always, nights, _ = mix.power
    power = Power.WEEKENDS_OFF
    if draw[3] < always + nights:
        power = Power.ALWAYS if draw[3] < always else Power.NIGHTS_OFF
    late = 60 + 240 * draw[4]
    backup = Backup(late, 20 + 130 * draw[5] ** 2, (1.0, 0.7, 0.3)[int(3 * draw[6])], draw[7] < 0.6)  # noqa: PLR2004
    reboot = Reboot(int(7 * draw[8]), 360 + 240 * draw[9], 10 + 40 * draw[10])
    return Server(
        power=power,
        lead=5 + 40 * draw[11],
        trail=5 + 40 * draw[12],
        left_on=0.08 * draw[13] ** 2 if mix.left_on is None else mix.left_on,
        backup=backup if draw[14] < 0.5 else None,  # noqa: PLR2004
        reboot=reboot if draw[15] < 0.3 else None,  # noqa: PLR2004
        stray_reboot=0.02 * draw[2],
        stray_minutes=mix.stray_minutes,
        read_cell=300 + 300 * draw[1],
        write_cell=60 + 240 * draw[0],
    )


def _cloud(draw: list[float], mix: Mix) -> Cloud:
    few, many = mix.interactions
    return Cloud(
        interactions=few * (many / few) ** draw[3],
        afternoon=0.5 + 0.55 * draw[4],
        lunch=_LUNCHES[int(draw[5] * len(_LUNCHES))],
        lunch_pace=0.35 * draw[6] ** 2,
        day_spread=0.2 + 0.3 * draw[7],
        quiet_spell=0.15 * draw[8] ** 2,
        stray=0.12 * draw[9] ** 2,
        left_open=mix.left_open,
    )


def _site(seed: int, place: Place, mix: Mix, changes: tuple[int, int] | None) -> Site:
    draw = sixteen(seed, "site", 0)
    weeks = _RARE_WEEKS if draw[0] < mix.rare_hours else _USUAL_WEEKS
    shift = 0 if weeks is _RARE_WEEKS else 15 * round(6 * draw[2] - 3)
    usual = _shifted(weeks[int(draw[1] * len(weeks))], shift)
    hours: tuple[tuple[int, Week], ...] = ((0, usual),)
    if changes is not None and draw[3] < mix.changes_hours:
        first, last = changes
        hours += ((first + int(draw[4] * (last - first)), _changed(usual, draw[5], draw[6])),)
    plain = mix.vagaries
    # Most offices keep to their hours, a few hardly do.
    slack = 0.4 + 1.6 * draw[7] ** 2
    vagaries = replace(
        plain,
        open_spread=plain.open_spread * slack,
        close_spread=plain.close_spread * slack,
        late_opening=plain.late_opening * slack,
        late_evening=plain.late_evening * slack,
        half_day=plain.half_day * slack,
    )
    return Site(seed, place.zone, place.country, hours, vagaries)


def _shifted(usual: Week, minutes: float) -> Week:
    return tuple(tuple((a + minutes, b + minutes) for a, b in day) for day in usual)


def _changed(usual: Week, what: float, amount: float) -> Week:
    """Changed hours: one working day more or less, or earlier, later or shorter days."""
    days = list(usual)
    working = [day for day, windows in enumerate(days) if windows]
    ways = list(_ways(days, working, amount))
    return ways[int(what * len(ways))]


def _ways(
    days: list[tuple[tuple[float, float], ...]], working: list[int], amount: float
) -> Iterator[Week]:
    last = working[-1]
    yield tuple(() if day == last else windows for day, windows in enumerate(days))
    yield _shifted(tuple(days), 60 + 15 * round(4 * amount))
    yield _shifted(tuple(days), -60 - 15 * round(4 * amount))
    yield tuple(tuple((a, max(a + 60, b - 120)) for a, b in windows) for windows in days)
    free = [day for day, windows in enumerate(days) if not windows]
    if free:
        opened = free[int(amount * len(free))]
        yield tuple(days[last] if day == opened else windows for day, windows in enumerate(days))
