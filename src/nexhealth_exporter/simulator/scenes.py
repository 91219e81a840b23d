"""The offices of the demo that each show one state, placed where the local time is right for it.

Nothing is random here: hours are kept to the minute, and outages begin when they must.
"""

from collections.abc import Callable, Iterator
from datetime import date
from math import inf
from typing import NamedTuple

from nexhealth_exporter.simulator.behaviour import Routine
from nexhealth_exporter.simulator.offices import (
    BOTH,
    CLOUD9,
    CURVE,
    DENTICON,
    DENTRIX,
    DENTRIX_ASCEND,
    EAGLESOFT,
    OPEN_DENTAL,
    UNKNOWN_EMR,
    Direction,
    Emr,
    Still,
)
from nexhealth_exporter.simulator.places import (
    US,
    Place,
    where_it_is,
    where_it_is_holiday,
    where_it_is_weekend,
    where_they_pause,
)
from nexhealth_exporter.simulator.stage import (
    BROWSER,
    DAY,
    EVERY_DAY,
    LUNCHING,
    MACHINE,
    MORNINGS_AND_EVENINGS,
    WEEKDAYS,
    Actor,
    ReadOnly,
    Scene,
    Schedule,
    routine,
    since,
    sync,
)
from nexhealth_exporter.simulator.troubles import Outage
from nexhealth_exporter.simulator.wallclock import instant


def scenes(now: float) -> list[Scene]:
    """Every scene that is possible at the instant `now`."""
    return [scene for part in _PARTS for scene in part(now)]


def _fresh(now: float) -> Iterator[Scene]:
    morning, afternoon = where_it_is(now, 8, 10), where_it_is(now, 14, 16)
    yield Scene(
        "harbor-smiles",
        "Harbor Smiles Urgent Dental",
        "fresh",
        morning,
        (sync(morning, DENTRIX, 1),),
    )
    yield Scene(
        "juniper-orthodontics",
        "Juniper Orthodontics",
        "fresh",
        afternoon,
        (sync(afternoon, CLOUD9, 2),),
    )
    yield Scene(
        "st-brendan-hospital-dental",
        "St. Brendan Hospital Dental",
        "fresh",
        US[1],
        (sync(US[1], OPEN_DENTAL, 3, always=True),),
        schedule="always-on",
    )
    yield Scene(
        "omalley-and-soen",
        'O\'Malley & Søn "Tandlæger"',
        "fresh",
        morning,
        (sync(morning, DENTICON, 4), sync(morning, EAGLESOFT, 5)),
    )
    twin = sync(afternoon, CURVE, 6), sync(afternoon, CURVE, 7)
    yield Scene(
        "twin-pines",
        "Twin Pines Family Dentistry",
        "fresh: two syncs of one name",
        afternoon,
        tuple(Actor(a.emr, a.behaviour, "DataSource for Curve") for a in twin),
        timezones=(afternoon.zone, afternoon.zone),
    )
    unnamed = sync(morning, UNKNOWN_EMR, 8)
    yield Scene(
        "larkspur-clinic",
        "Larkspur Clinic",
        "fresh: no name and no known type",
        morning,
        (Actor(unnamed.emr, unnamed.behaviour, " "),),
    )


def _resting(now: float) -> Iterator[Scene]:
    night, noon = where_it_is(now, 21, 23), where_it_is(now, 11.75, 12.75)
    yield Scene(
        "moonlit-bay-dental",
        "Moonlit Bay Dental",
        "resting: closed",
        night,
        (sync(night, DENTRIX, 11),),
        is_learned=True,
    )
    yield Scene(
        "willow-creek-dental",
        "Willow Creek Dental",
        "resting: closed",
        night,
        (sync(night, DENTRIX_ASCEND, 12),),
    )
    yield Scene(
        "noonday-pediatrics",
        "Noonday Pediatric Dentistry",
        "resting: lunch",
        noon,
        (Actor(DENTICON, routine(noon, LUNCHING, EVERY_DAY, 13)),),
        schedule="every-day-with-lunch",
        is_learned=True,
    )
    siesta = where_they_pause(now)
    if siesta is not None:
        yield Scene(
            "siesta-smiles",
            "Siesta Smiles",
            "resting: learned",
            siesta,
            (Actor(CURVE, routine(siesta, BROWSER, MORNINGS_AND_EVENINGS, 17)),),
            schedule=None,
            is_learned=True,
        )


def _days_off(now: float) -> Iterator[Scene]:
    day = where_it_is(now, 10, 12)
    away = frozenset(day.day(now + offset * DAY) for offset in range(-1, 6))
    yield Scene(
        "summit-family-dental",
        "Summit Family Dental",
        "resting: closure",
        day,
        (Actor(EAGLESOFT, routine(day, MACHINE, EVERY_DAY, 14, closures=away)),),
        closed_today=True,
    )
    weekend = where_it_is_weekend(now)
    if weekend is not None:
        yield Scene(
            "redwood-periodontics",
            "Redwood Periodontics",
            "resting: weekend",
            weekend,
            (Actor(OPEN_DENTAL, routine(weekend, MACHINE, WEEKDAYS, 15)),),
            schedule="weekdays",
        )
    feast = where_it_is_holiday(now)
    if feast is not None:
        place, name = feast
        today = frozenset({place.day(now)})
        yield Scene(
            "holiday-hill-dental",
            f"Holiday Hill Dental ({name})",
            "resting: holiday",
            place,
            (Actor(EAGLESOFT, routine(place, MACHINE, EVERY_DAY, 16, closures=today)),),
            schedule=f"every-day-{place.country.lower()}",
            own_schedule=Schedule(EVERY_DAY, holidays=(place.country,)),
        )


class _Late(NamedTuple):
    """An office that was busy all day and stopped so many hours ago."""

    subdomain: str
    name: str
    shows: str
    emr: Emr
    hours: float
    directions: tuple[Direction, ...] = BOTH


_LEARNED_BESIDE = "half-moon-dental"
"""The office whose hours are both configured and learned."""

_AT_NOON = (
    _Late("maple-lane-dental", "Maple Lane Dental", "due soon", DENTRIX, 0.4),
    _Late("cedar-grove-dental", "Cedar Grove Dental", "overdue: warning", OPEN_DENTAL, 2.2),
    _Late("lakeside-arts", "Lakeside Dental Arts", "overdue: warning", CURVE, 4.2),
    _Late("orchard-surgery", "Orchard Oral Surgery", "overdue: warning", DENTRIX, 3.7),
    _Late("harvest-moon-dental", "Harvest Moon Dental", "due soon", CURVE, 1.7),
)
_LATER = (
    _Late("bright-valley", "Bright Valley Dental", "overdue: critical", EAGLESOFT, 5.2),
    _Late("copper-canyon", "Copper Canyon Smiles", "overdue: critical", DENTRIX_ASCEND, 6.9),
    _Late(_LEARNED_BESIDE, "Half Moon Dental", "overdue: critical", DENTRIX, 4.8, ("read",)),
    _Late("pelican-point", "Pelican Point Dental", "overdue: warning", DENTICON, 4.5, ("write",)),
)


def _late(now: float) -> Iterator[Scene]:
    noon, late = where_it_is(now, 12, 14), where_it_is(now, 14.5, 17)
    for place, rows in ((noon, _AT_NOON), (late, _LATER)):
        for number, row in enumerate(rows, 31):
            outage = since(now, row.hours, *row.directions)
            actor = sync(place, row.emr, number, outage)
            is_learned = row.subdomain == _LEARNED_BESIDE
            yield Scene(*row[:3], place, (actor,), exact=True, is_learned=is_learned)
    stopped = (Outage(instant(late.zone, late.day(now), 120), inf),)
    yield Scene(
        "early-bird-dental",
        "Early Bird Dental",
        "overdue: critical, did not come back at opening",
        late,
        (sync(late, OPEN_DENTAL, 39, stopped),),
        exact=True,
    )
    yield Scene(
        "mercy-night-clinic",
        "Mercy Night Clinic",
        "overdue: critical",
        US[0],
        (sync(US[0], EAGLESOFT, 40, since(now, 9), always=True),),
        schedule=None,
        exact=True,
        is_learned=True,
    )


def _odd(now: float) -> Iterator[Scene]:
    day = where_it_is(now, 9, 12)
    browser = routine(day, BROWSER, EVERY_DAY, 51)
    never, half = Actor(DENTRIX_ASCEND, Still()), Actor(CLOUD9, ReadOnly(browser))
    for subdomain, name, shows, actor in (
        ("newcomer-smiles", "Newcomer Smiles", "null marks", never),
        ("braces-and-beyond", "Braces & Beyond", "null write mark", half),
    ):
        yield Scene(subdomain, name, shows, day, (actor,), schedule=None, is_new=True)
    unused = sync(day, CURVE, 55, since(now, 21 * 24, "write"))
    yield Scene("quiet-pen-dental", "Quiet Pen Dental", "writes not in use", day, (unused,))
    for subdomain, name, days in (
        ("old-mill-dental", "Old Mill Dental", 47),
        ("ghost-river-dental", "Ghost River Dental", 130),
    ):
        gone = sync(US[0], DENTRIX, days, since(now, days * 24))
        yield Scene(subdomain, name, "abandoned", US[0], (gone,))
    retired = sync(US[2], EAGLESOFT, 56, since(now, 12 * 24))
    yield Scene(
        "dr-whitlock", "Dr. Whitlock (retired)", "inactive", US[2], (retired,), inactive=True
    )
    yield Scene("fresh-start-dental", "Fresh Start Dental", "without sync", US[1], ())
    server = (sync(US[0], DENTRIX, 52, always=True),)
    yield Scene(
        "red-planet-dental",
        "Red Planet Dental",
        "unknown zone",
        US[0],
        server,
        schedule="always-on",
        timezones=("Mars/Olympus_Mons",),
    )
    yield Scene(
        "nowhere-dental",
        "Nowhere Dental",
        "no zone",
        US[0],
        (sync(US[0], OPEN_DENTAL, 53, always=True),),
        schedule="always-on",
        timezones=(None,),
    )
    shared = routine(day, MACHINE, EVERY_DAY, 54)
    for number, name in enumerate(("Elm Street Dental", "Elm Street Orthodontics"), 1):
        actor = Actor(DENTRIX, Routine(MACHINE, shared.site, 540 + number))
        yield Scene(f"elm-street-{number}", name, "fresh: a shared server", day, (actor,))


_PARTS: tuple[Callable[[float], Iterator[Scene]], ...] = (
    _fresh,
    _resting,
    _days_off,
    _late,
    _odd,
)


def what_cannot_be(now: float) -> tuple[str, ...]:
    """The states that no place can show at that instant, and why."""
    reasons = []
    if where_it_is_weekend(now) is None:
        reasons.append("resting: weekend (it is neither Saturday nor Sunday anywhere)")
    if where_it_is_holiday(now) is None:
        reasons.append("resting: holiday (no country of the demo has one today)")
    if where_they_pause(now) is None:
        reasons.append("resting: learned (where it is early afternoon, it is a day of rest)")
    return tuple(reasons)


def local_date(place: Place, now: float) -> str:
    """The local date in ISO format."""
    return date.fromordinal(place.day(now)).isoformat()
