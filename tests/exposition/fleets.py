"""Fleets to draw: hours of every kind, and polls that bring marks, failures and odd names."""

from collections.abc import Iterable, Sequence
from datetime import date

from nexhealth_exporter.expectation.allowance import Bounds
from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import DEFAULT_HOURS, HOUR, Schedule, week_plan
from nexhealth_exporter.fleet import Fleet, Hours, Policy
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Operation,
    Poll,
    Severity,
    Source,
    Sync,
    SyncFacts,
)

DAY = 86400.0
NOW = 1793286000.0
"""Thursday, 29 October 2026, 15:00 UTC: three days before clocks go back in America."""

ZONES = ("America/New_York", "Europe/London", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")

_NIGHT = Schedule('night "shift"', (((0, 6 * HOUR), (22 * HOUR, 24 * HOUR)),) * 7)
_ALWAYS = Schedule("always-on", (((0, 24 * HOUR),),) * 7, holidays=())


def expectations(zones: Iterable[str] = ZONES) -> list[Expectation]:
    """One for each zone and kind of hours."""
    found = []
    for zone in zones:
        for kind in IntegrationType:
            usual = week_plan(DEFAULT_HOURS, kind)
            found += [
                Expectation(Source.DEFAULT, "", zone, usual, holidays=("US",)),
                Expectation(
                    Source.CONFIGURED,
                    _NIGHT.name,
                    zone,
                    week_plan(_NIGHT, kind),
                    closures=((date(2026, 10, 30), date(2026, 11, 3)),),
                ),
                Expectation(Source.CONFIGURED, _ALWAYS.name, zone, week_plan(_ALWAYS, kind)),
            ]
    return found


EXPECTATIONS = expectations()


def policy(salt: int = 0, *, stale_after: float = DAY) -> Policy:
    """Hours drawn from `EXPECTATIONS` by name, another draw for each salt."""

    def pick(text: str) -> int:
        return sum(text.encode("utf-8", "surrogatepass")) + salt

    def hours(institution: Institution, sync: Sync, *_: object) -> Hours:
        number = pick(institution.subdomain + sync.name)
        expectation = EXPECTATIONS[number % len(EXPECTATIONS)]
        rules = {
            (IntegrationType.SERVER, Operation.READ, Severity.WARNING): Bounds(60.0, 60.0 + number)
        }
        return Hours(expectation, rules, is_fallback=number % 3 == 0)

    def group(institution: Institution, _: Sequence[SyncFacts]) -> str:
        return f"group {pick(institution.subdomain) % 2}" if salt else ""

    return Policy(hours, group, stale_after, abandoned_after=30 * DAY)


def fleet_of(polls: Iterable[Poll], of: Policy | None = None) -> Fleet:
    """A fleet that watches whom the polls are about, after them."""
    polls = list(polls)
    of = of or policy()
    inventory = Inventory(
        {
            poll.subdomain: Institution(poll.subdomain, id=i, name=f"Office {i}")
            for i, poll in enumerate(polls)
        }
    )
    return Fleet().watching(inventory, of).after(polls, of)
