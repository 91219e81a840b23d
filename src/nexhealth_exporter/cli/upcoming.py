"""The next days of each configured schedule, as `check` prints them."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.expectation import Expectation, Segment
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import IntegrationType, Source
from nexhealth_exporter.policy import expectation_of
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.settings import Settings

DAYS = 7
DAY = 86400.0


class _Shown(NamedTuple):
    """A schedule to print, and the types of syncs that it applies to."""

    expectation: Expectation
    kinds: str


def print_schedules(settings: Settings, rules: Rules, fleet: Fleet | None, now: float) -> None:
    """Print when each configured schedule expects syncs to run; no fleet if syncs are unknown."""
    shown = [*(_in_use(fleet) if fleet else ()), *_of_rules(settings, rules, fleet)]
    printed: dict[tuple[str, str, tuple[str, ...]], set[str]] = {}
    for expectation, kinds in shown:
        zone = ZoneInfo(expectation.timezone)
        lines = tuple(_line(segment, zone) for segment in _segments(expectation, now))
        key = expectation.schedule, expectation.timezone, lines
        printed.setdefault(key, set()).add(kinds)
    if not printed:
        print("\nSchedules: none configured, so hours are learned.")
        return
    print(f"\nSchedules, the next {DAYS} days in local time and UTC:")
    for (schedule, timezone, lines), found in printed.items():
        print(f"\nSchedule {schedule}, {timezone} ({', '.join(sorted(found))}):")
        for line in lines:
            print(f"  {line}")


def _in_use(fleet: Fleet) -> Iterator[_Shown]:
    """The configured schedules that syncs of the fleet use."""
    kinds: dict[Expectation, set[str]] = {}
    for _, sync in fleet.syncs():
        if sync.expectation.source is Source.CONFIGURED:
            kinds.setdefault(sync.expectation, set()).add(sync.integration_type.value)
    for expectation, found in kinds.items():
        yield _Shown(expectation, ", ".join(sorted(found)))


def _of_rules(settings: Settings, rules: Rules, fleet: Fleet | None) -> Iterator[_Shown]:
    """The configured schedules that no sync uses, in the default zone.

    Without a fleet it is not known which syncs there are: then all of them.
    """
    used = {sync.expectation.schedule for _, sync in fleet.syncs()} if fleet else set()
    why = "not used by any sync" if fleet else "in the default zone, because the syncs are unknown"
    for name, schedule in rules.schedules.items():
        if name not in used:
            zone, country = settings.default_timezone, settings.default_country
            kind = IntegrationType.CLOUD
            yield _Shown(expectation_of(schedule, zone, kind, country), why)


def _segments(expectation: Expectation, now: float) -> Iterator[Segment]:
    at, end = now, now + DAYS * DAY
    while at < end:
        segment = expectation.at(at)
        yield altered(segment, start=max(segment.start, now), end=min(segment.end, end))
        at = segment.end


def _line(segment: Segment, zone: ZoneInfo) -> str:
    local = f"{_moment(segment.start, zone)} to {_moment(segment.end, zone)}"
    utc = f"{_moment(segment.start, UTC)} to {_moment(segment.end, UTC)} UTC"
    return f"{local}  {utc}  {_word(segment)}"


def _moment(at: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%a %d %b %H:%M}"


def _word(segment: Segment) -> str:
    if segment.value == 1:
        return "expected to run"
    if segment.is_open:
        return f"counts {segment.value:.0%}"
    return f"rests: {segment.reason}"
