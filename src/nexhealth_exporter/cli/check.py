"""`check`: whether the configuration and the credentials work, and what would be polled."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from nexhealth_exporter.cli.exporter import connect, pace_of, policy_of, read_files, watches
from nexhealth_exporter.errors import PollError
from nexhealth_exporter.expectation.expectation import Expectation, Segment
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Poll,
    Source,
    Sync,
)
from nexhealth_exporter.nexhealth import NexHealth
from nexhealth_exporter.plan import plan
from nexhealth_exporter.policy import expectation_of
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.settings import ApiKey, Settings

DAYS = 7
DAY = 86400.0

Answer = Mapping[str, tuple[Sync, ...]]


async def check(settings: Settings) -> int:
    """Print what was found; 0 if the exporter would work, 1 if not."""
    rules = read_files(settings).rules
    key = ApiKey(settings)
    key()
    print("Configuration: ok.")
    now = time.time()
    async with connect(settings, key, OwnMetrics("")) as api:
        try:
            inventory = await api.inventory()
        except PollError as error:
            print(f"Credentials: {settings.api_url} gives no inventory. {error}")
            _print_schedules(_of_rules(rules, settings, ()), now)
            return 1
        print(f"Credentials: ok, the key sees {len(inventory)} institutions.")
        answer = await _fleet_answer(api, inventory)
    is_watched = watches(settings, rules)
    watched = [institution for institution in inventory if is_watched(institution)]
    _print_plan(settings, watched, answer)
    _print_unmatched(rules, inventory, answer)
    in_use = _in_use(settings, rules, watched, answer or {}, now)
    _print_schedules([*in_use, *_of_rules(rules, settings, in_use)], now)
    return 0


async def _fleet_answer(api: NexHealth, inventory: Inventory) -> Answer | None:
    """The syncs of all institutions; None if the key may not ask for them in one call."""
    try:
        return await api.fleet(inventory)
    except PollError as error:
        print(f"Fleet call: not usable. {error}")
        return None


def _print_plan(settings: Settings, watched: Sequence[Institution], answer: Answer | None) -> None:
    alone = 0 if answer is None else sum(i.subdomain not in answer for i in watched)
    pace = pace_of(settings)
    made = plan(pace, len(watched), fleet_refused=answer is None)
    wanted = settings.poll_scope
    scope = (
        made.scope.value if made.scope.value == wanted else f"{made.scope.value} (from {wanted})"
    )
    print(f"\nPolled: {len(watched)} institutions, of shard {settings.shard} of {settings.shards}.")
    if answer is not None:
        print(f"  without a sync in the fleet's answer: {alone}, each is asked alone")
    print(f"  scope: {scope}")
    print(f"  a round: every {made.interval:.0f} s, {made.calls_per_round} calls")
    if made.stretched_by:
        asked = settings.poll_interval_seconds
        print(
            f"  a round does not fit {asked:.0f} s: the {made.stretched_by} stretches the interval"
        )
    else:
        print("  a round fits its interval")
    second, minute = settings.pace
    print(f"  rate: at most {second} calls in any second and {minute} in any minute")
    budget = f"{pace.budget:.0f}" if pace.budget else "unlimited"
    print(f"  calls in 30 days: {made.projected:.0f} projected, budget {budget}")


def _print_unmatched(rules: Rules, inventory: Inventory, answer: Answer | None) -> None:
    fleet = [
        (
            institution,
            [
                (sync.emr, sync.integration_type or IntegrationType.UNKNOWN)
                for sync in (answer or {}).get(institution.subdomain, ())
            ],
        )
        for institution in inventory
    ]
    sentences = rules.unmatched(fleet)
    if sentences:
        print("\nEntries of the configuration file that match nothing:")
        if answer is None:
            print("  (those that ask for emr or integration type could not be tried)")
    for sentence in sentences:
        print(f"  {sentence}")


def _in_use(
    settings: Settings, rules: Rules, watched: Sequence[Institution], answer: Answer, now: float
) -> list[Expectation]:
    """The configured expectations of the fleet, each once."""
    policy = policy_of(settings, rules)
    fleet = Fleet().watching(Inventory({i.subdomain: i for i in watched}), policy)
    fleet = fleet.after((Poll(s, now, syncs) for s, syncs in answer.items()), policy)
    found = (sync.expectation for _, sync in fleet.syncs())
    return list(dict.fromkeys(e for e in found if e.source is Source.CONFIGURED))


def _of_rules(
    rules: Rules, settings: Settings, in_use: Iterable[Expectation]
) -> Iterator[Expectation]:
    """Every schedule that no sync has, in the default zone: it can be looked at all the same."""
    used = {expectation.schedule for expectation in in_use}
    for name, schedule in rules.schedules.items():
        if name not in used:
            zone, country = settings.default_timezone, settings.default_country
            yield expectation_of(schedule, zone, IntegrationType.CLOUD, country)


def _print_schedules(expectations: Iterable[Expectation], now: float) -> None:
    for expectation in expectations:
        print(f"\nSchedule {expectation.schedule}, {expectation.timezone}, the next {DAYS} days:")
        zone = ZoneInfo(expectation.timezone)
        for segment in _segments(expectation, now):
            print(f"  {_line(segment, zone)}")


def _segments(expectation: Expectation, now: float) -> Iterator[Segment]:
    at = now
    while at < now + DAYS * DAY:
        segment = expectation.at(at)
        yield segment
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
    if segment.is_expected:
        return f"counts {segment.value:.0%}"
    return f"rests: {segment.reason}"
