"""From what the operator configured and the defaults to the hours of one sync."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import date

from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import DEFAULT_HOURS, Schedule, week_plan
from nexhealth_exporter.expectation.zone import is_zone
from nexhealth_exporter.fleet import Hours, Policy
from nexhealth_exporter.model import Institution, IntegrationType, Source, Sync
from nexhealth_exporter.rules import Rules, SyncRules

DateRange = tuple[date, date]


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where neither configuration nor answers say more. Durations in seconds."""

    timezone: str
    country: str
    stale_after: float
    abandoned_after: float


@dataclass(slots=True)
class _Hours:
    """Finds the hours of a sync; syncs with equal hours share one expectation."""

    rules: Rules
    defaults: Defaults
    shared: dict[Hashable, Expectation] = field(default_factory=dict)

    def __call__(self, institution: Institution, sync: Sync, kind: IntegrationType) -> Hours:
        own = self.rules.for_sync(institution, (sync.emr, kind))
        zone = own.timezone or _zone_of(institution, sync)
        timezone = zone or self.defaults.timezone
        return Hours(
            expectation=self._expectation(institution, kind, own, timezone),
            allowance=own.allowance,
            is_fallback=zone is None,
        )

    def _expectation(
        self, institution: Institution, kind: IntegrationType, own: SyncRules, timezone: str
    ) -> Expectation:
        country = (institution.country or self.defaults.country).upper()
        rests_over_lunch = kind is not IntegrationType.SERVER
        key = (own.schedule, timezone, rests_over_lunch, country, own.closures)
        if key not in self.shared:
            self.shared[key] = expectation_of(own.schedule, timezone, kind, country, own.closures)
        return self.shared[key]


def expectation_of(
    schedule: Schedule | None,
    timezone: str,
    kind: IntegrationType,
    country: str,
    closures: tuple[DateRange, ...] = (),
) -> Expectation:
    """When a sync with that configured schedule is expected to run; None is default hours."""
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
    """The policy that these rules and defaults make."""
    return Policy(
        hours=_Hours(rules, defaults),
        group=rules.group,
        stale_after=defaults.stale_after,
        abandoned_after=defaults.abandoned_after,
    )


def _zone_of(institution: Institution, sync: Sync) -> str | None:
    """The zone of most active locations that the sync serves; None without a usable one.

    Entries of syncs carry no zone, so it is looked up by location in the inventory.
    """
    served = {location.id for location in sync.locations}
    known = [loc for loc in institution.locations if not served or loc.id in served]
    active = [loc for loc in known if not loc.inactive] or known
    zones = Counter(loc.timezone for loc in sorted(active, key=lambda loc: loc.id))
    usable = [zone for zone, _ in zones.most_common() if zone is not None and is_zone(zone)]
    return usable[0] if usable else None
