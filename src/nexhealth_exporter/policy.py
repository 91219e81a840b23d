"""The hours of one sync, from what the operator configured, what was learned and the defaults."""

import sys
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import cache, lru_cache

import msgspec

from nexhealth_exporter.expectation import calendar
from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.learned_week import LearnedWeek, beside_rest
from nexhealth_exporter.expectation.pattern import FULL_WEIGHT_PERCENT, Pattern
from nexhealth_exporter.expectation.schedule import (
    DEFAULT_HOURS,
    DateRange,
    Schedule,
    date_of,
    is_among,
    week_plan,
)
from nexhealth_exporter.expectation.zone import is_zone
from nexhealth_exporter.fleet import Hours, Policy
from nexhealth_exporter.model import Institution, IntegrationType, Location, Source, Sync
from nexhealth_exporter.rules import Rules, SyncRules


class Defaults(msgspec.Struct, frozen=True):
    """What holds where neither configuration nor answers say otherwise. Durations in seconds."""

    timezone: str
    country: str
    stale_after: float
    abandoned_after: float


class _Hours(msgspec.Struct):
    """Makes the hours of a sync; equal ones are shared, except those with a pattern."""

    rules: Rules
    defaults: Defaults
    expectations: dict[Hashable, Expectation] = msgspec.field(default_factory=dict)
    shared: dict[Hashable, Hours] = msgspec.field(default_factory=dict)

    def __call__(
        self,
        institution: Institution,
        sync: Sync,
        kind: IntegrationType,
        pattern: Pattern | None = None,
    ) -> Hours:
        own = self.rules.for_sync(institution, (sync.emr, kind))
        zone = own.timezone or _zone_of(institution, sync)
        timezone = zone or self.defaults.timezone
        country = sys.intern((institution.country or self.defaults.country).upper())
        apart: tuple[Expectation, Expectation] | None = None
        if own.schedule is None and pattern is not None:
            expectation, apart = _of_pattern(pattern, timezone, country, own.closures)
        else:
            expectation = self._expectation(kind, own, timezone, country)
        closures = own.closures + (own.schedule.closures if own.schedule else ())
        is_skipped = _skipping(country, closures)
        hours = Hours(expectation, own.allowance, zone is None, apart, pattern, is_skipped)
        if pattern is not None:
            return hours
        key = (expectation, zone is None, frozenset(own.allowance.items()), is_skipped)
        return self.shared.setdefault(key, hours)

    def _expectation(
        self, kind: IntegrationType, own: SyncRules, timezone: str, country: str
    ) -> Expectation:
        rests_over_lunch = kind is not IntegrationType.SERVER
        key = (own.schedule, timezone, rests_over_lunch, country, own.closures)
        if key not in self.expectations:
            made = expectation_of(own.schedule, timezone, kind, country, own.closures)
            self.expectations[key] = made
        return self.expectations[key]


def _of_pattern(
    pattern: Pattern, timezone: str, country: str, closures: tuple[DateRange, ...]
) -> tuple[Expectation, tuple[Expectation, Expectation] | None]:
    """The expectation of a sync, and those of its reads and its writes if either differs."""
    holidays = () if pattern.works_on_holidays else _holidays(country)
    week = pattern.week
    back, gone = beside_rest(week)

    def expectation(way: int | None = None, weight: int = FULL_WEIGHT_PERCENT) -> Expectation:
        return Expectation(
            source=Source.LEARNED,
            schedule="",
            timezone=timezone,
            days=LearnedWeek(pattern.packed, way, weight),
            holidays=holidays,
            closures=closures,
            back_at=back,
            gone_from=gone,
        )

    whole = expectation()
    read, write = (
        expectation(way, weight)
        if weight < FULL_WEIGHT_PERCENT or any(week.pauses_of(way))
        else whole
        for way, weight in enumerate(pattern.weights)
    )
    return whole, None if read is write else (read, write)


@lru_cache(maxsize=4096)
def _skipping(country: str, closures: tuple[DateRange, ...]) -> Callable[[int], bool]:
    """Tells on which local days nothing is learned: holidays and announced closures.

    Cached, so that hours that are equal otherwise can be shared.
    """

    def is_skipped(day: int) -> bool:
        local = date_of(day)
        is_holiday = calendar.weight((country,), local) < calendar.ORDINARY
        return is_holiday or is_among(local, closures)

    return is_skipped


@cache
def _holidays(country: str) -> tuple[str, ...]:
    """Cached, so that all offices of a country share one."""
    return (country,)


def expectation_of(
    schedule: Schedule | None,
    timezone: str,
    kind: IntegrationType,
    country: str,
    closures: tuple[DateRange, ...] = (),
) -> Expectation:
    """When a sync with that schedule is expected to run; None means the default hours."""
    hours = schedule or DEFAULT_HOURS
    holidays = hours.holidays
    if holidays is None:
        holidays = () if hours.is_always_on else (country,)
    return Expectation(
        source=Source.CONFIGURED if schedule else Source.DEFAULT,
        schedule=schedule.name if schedule else "",
        timezone=timezone,
        days=week_plan(hours, kind),
        holidays=holidays,
        closures=(*hours.closures, *closures),
    )


def policy(rules: Rules, defaults: Defaults) -> Policy:
    """The policy that follows from these rules and defaults."""
    return Policy(
        hours=_Hours(rules, defaults),
        group=rules.group,
        stale_after=defaults.stale_after,
        abandoned_after=defaults.abandoned_after,
    )


def _zone_of(institution: Institution, sync: Sync) -> str | None:
    """The zone of most of the active locations that the sync serves; None without a usable one.

    The API tells zones with the inventory only, so they are looked up there by location.
    """
    ours: Sequence[Location] = institution.locations
    if sync.locations is not ours:  # the same object if the sync serves all of them
        served = {location.id for location in sync.locations}
        ours = [loc for loc in ours if loc.id in served]
    # Locations that the inventory does not have yet have no zone: then use those of the office.
    known = ours or institution.locations
    active = [loc for loc in known if not loc.inactive] or known
    if len({loc.timezone for loc in active}) == 1:
        zone = active[0].timezone  # nearly always: no need to count
        return zone if is_zone(zone) else None
    zones = Counter(loc.timezone for loc in sorted(active, key=lambda loc: loc.id))
    usable = [zone for zone, _ in zones.most_common() if zone is not None and is_zone(zone)]
    return usable[0] if usable else None
