"""From what the operator configured and the defaults to the hours of one sync."""

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import date
from weakref import WeakKeyDictionary

from nexhealth_exporter.expectation import calendar
from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.pattern import Pattern
from nexhealth_exporter.expectation.plan import LearnedWeek, beside_rest
from nexhealth_exporter.expectation.schedule import DEFAULT_HOURS, Schedule, week_plan
from nexhealth_exporter.expectation.zone import is_zone
from nexhealth_exporter.fleet import Hours, Policy
from nexhealth_exporter.model import Institution, IntegrationType, Source, Sync
from nexhealth_exporter.rules import Rules, SyncRules

DateRange = tuple[date, date]

_Triple = tuple[Expectation, Expectation, Expectation]
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


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
    learned: "WeakKeyDictionary[Pattern, tuple[Hashable, _Triple]]" = field(
        default_factory=WeakKeyDictionary
    )
    skips: dict[Hashable, Callable[[int], bool]] = field(default_factory=dict)

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
        country = (institution.country or self.defaults.country).upper()
        apart: tuple[Expectation, Expectation] | None = None
        if own.schedule is None and pattern is not None:
            expectation, *ways = self._of_pattern(pattern, timezone, country, own.closures)
            apart = (ways[0], ways[1])
        else:
            expectation = self._expectation(kind, own, timezone, country)
        return Hours(
            expectation=expectation,
            allowance=own.allowance,
            is_fallback=zone is None,
            apart=apart,
            pattern=pattern,
            skips=self._skips(country, own),
        )

    def _of_pattern(
        self,
        pattern: Pattern,
        timezone: str,
        country: str,
        closures: tuple[DateRange, ...],
    ) -> "_Triple":
        """The expectations of a sync, its reads and its writes; equal ones are one."""
        key = (timezone, country, closures)
        made = self.learned.get(pattern)
        if made is None or made[0] != key:
            holidays = () if pattern.is_always_on else (country,)
            back, gone = beside_rest(pattern)

            def expectation(pauses: int) -> Expectation:
                return Expectation(
                    source=Source.LEARNED,
                    schedule="",
                    timezone=timezone,
                    days=LearnedWeek(pattern.values, pauses),
                    holidays=holidays,
                    closures=closures,
                    back_at=back,
                    gone_from=gone,
                )

            whole = expectation(0)
            read, write = (expectation(mask) if mask else whole for mask in pattern.pauses)
            made = self.learned[pattern] = (key, (whole, read, write))
        return made[1]

    def _skips(self, country: str, own: SyncRules) -> Callable[[int], bool]:
        """On which local days nothing is to be learned: holidays and announced closures."""
        closures = own.closures + (own.schedule.closures if own.schedule else ())
        key = (country, closures)
        if key not in self.skips:

            def is_skipped(day: int) -> bool:
                local = date.fromordinal(_EPOCH_ORDINAL + day)
                is_holiday = calendar.weight((country,), local) < calendar.ORDINARY
                return is_holiday or any(a <= local <= b for a, b in closures)

            self.skips[key] = is_skipped
        return self.skips[key]

    def _expectation(
        self, kind: IntegrationType, own: SyncRules, timezone: str, country: str
    ) -> Expectation:
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
    ours = [loc for loc in institution.locations if loc.id in served]
    # Locations that the inventory does not have yet tell nothing: then those of the office do.
    known = ours or institution.locations
    active = [loc for loc in known if not loc.inactive] or known
    zones = Counter(loc.timezone for loc in sorted(active, key=lambda loc: loc.id))
    usable = [zone for zone, _ in zones.most_common() if zone is not None and is_zone(zone)]
    return usable[0] if usable else None
