"""`check`: whether the configuration and the credentials work, and what would be polled."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace as altered

from nexhealth_exporter.cli.memory import looked_up
from nexhealth_exporter.cli.parts import (
    connect,
    log,
    pace_of,
    policy_of,
    read_files,
    shown_proxy,
    watches,
)
from nexhealth_exporter.errors import PollError
from nexhealth_exporter.expectation.expectation import Expectation, Segment
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Fleet, SyncStanding
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Operation,
    Poll,
    Source,
    Sync,
)
from nexhealth_exporter.nexhealth import NexHealth
from nexhealth_exporter.nexhealth.text import clean
from nexhealth_exporter.plan import Pace, Plan, Scope, plan
from nexhealth_exporter.policy import expectation_of
from nexhealth_exporter.poller import FLEET_REFUSED
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.settings import ApiKey, Settings

DAYS = 7
DAY = 86400.0

Answer = Mapping[str, tuple[Sync, ...]]


async def check(settings: Settings, *, is_offline: bool) -> int:
    """Print what was found; 0 if the exporter would work, 1 if not."""
    rules = read_files(settings).rules
    if is_offline:
        print("Configuration: ok.\nCredentials: not tried.")
        _print_schedules(_of_rules(rules, settings, None), time.time())
        return 0
    key = ApiKey(settings)
    key()
    log(settings, key)
    print("Configuration: ok.")
    if proxy := shown_proxy(settings):
        print(f"Proxy: {proxy}.")
    now = time.time()
    async with connect(settings, key, OwnMetrics("")) as api:
        try:
            inventory = await api.inventory()
        except PollError as error:
            print(f"Credentials: {settings.api_url} gives no inventory. {error}")
            _print_schedules(_of_rules(rules, settings, None), now)
            return 1
        print(f"Credentials: ok, the key sees {len(inventory)} institutions.")
        found = await _fleet_call(api, inventory)
        token_life = api.token_life
    is_watched = watches(settings, rules)
    watched = [institution for institution in inventory if is_watched(institution)]
    _print_plan(settings, watched, found, token_life)
    code = _left_over(settings, rules, inventory)
    _print_unmatched(rules, inventory, found.answer)
    if found.answer is None:
        _print_schedules(_of_rules(rules, settings, None), now)
        return code
    fleet = _fleet(settings, rules, watched, found.answer, now)
    _print_without_deadline(fleet)
    _print_schedules([*_in_use(fleet), *_of_rules(rules, settings, fleet)], now)
    return code


def _left_over(settings: Settings, rules: Rules, inventory: Inventory) -> int:
    """0, or 1 after a sentence if no shard would watch any institution."""
    if any(settings.watches(i.subdomain) and rules.monitored(i) for i in inventory):
        return 0
    causes = "INCLUDE, EXCLUDE or `monitored: false` leave out all of them"
    print(f"  NOBODY is watched: {causes if inventory else 'the key sees no institution'}")
    return 1


class _Found(NamedTuple):
    """The fleet call's answer, None without one; refused is told apart from failed."""

    answer: Answer | None
    is_refused: bool = False


async def _fleet_call(api: NexHealth, inventory: Inventory) -> _Found:
    try:
        return _Found(await api.fleet(inventory))
    except PollError as error:
        is_refused = error.status in FLEET_REFUSED
        print(f"Fleet call: {'refused' if is_refused else 'could not be tried'}. {error}")
        return _Found(None, is_refused)


def _print_plan(
    settings: Settings, watched: Sequence[Institution], found: _Found, token_life: float
) -> None:
    answer = found.answer
    left_out = 0 if answer is None else sum(i.subdomain not in answer for i in watched)
    pace = pace_of(settings)
    made = plan(
        pace,
        len(watched),
        seldom=left_out,
        fleet_refused=found.is_refused,
        token_life=token_life,
    )
    wanted = settings.poll_scope
    scope = made.scope.value + ("" if made.scope is wanted else f" (from {wanted})")
    print(f"\nPolled: {len(watched)} institutions, of shard {settings.shard} of {settings.shards}.")
    if left_out and made.scope is Scope.FLEET:
        hours = made.seldom_interval / 3600
        print(f"  left out of the fleet's answer: {left_out}, asked alone every {hours:.1f} h,")
        print("  in every round if they turn out to have syncs")
    print(f"  scope: {scope}")
    calls = "1 call" if made.calls_per_round == 1 else f"{made.calls_per_round} calls"
    print(f"  a round: every {made.interval:.0f} s, {calls}")
    print(f"  {_fit(made, settings.poll_interval_seconds)}")
    second, minute = settings.rates
    print(f"  rate: at most {second} calls in any second and {minute} in any minute")
    print(f"  calls in 30 days: {made.projected:.0f} projected, {_price(made, pace)}")


def _fit(made: Plan, asked: float) -> str:
    if made.stretched_by:
        return f"a round does not fit {asked:.0f} s: the {made.stretched_by} stretches the interval"
    return "a round fits its interval"


def _price(made: Plan, pace: Pace) -> str:
    if not pace.budget:
        return "no budget is set"
    word = "OVER the" if made.projected > pace.budget else "within the"
    return f"{word} budget of {pace.budget:.0f}"


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
        print(f"  {clean(sentence)}")
    _print_out_of_order(rules.out_of_order(fleet))


def _print_out_of_order(sentences: Sequence[str]) -> None:
    if sentences:
        print("\nAllowances of two entries that do not fit together:")
    for sentence in sentences:
        print(f"  {clean(sentence)}")


def _fleet(
    settings: Settings, rules: Rules, watched: Sequence[Institution], answer: Answer, now: float
) -> Fleet:
    policy = policy_of(settings, rules)
    fleet = looked_up(settings.state_file).watching(
        Inventory({i.subdomain: i for i in watched}), policy
    )
    return fleet.after((Poll(s, now, syncs) for s, syncs in answer.items()), policy)


def _print_without_deadline(fleet: Fleet) -> None:
    """Name the syncs of which an allowance cannot run out: such a silence would never be told."""
    silent = [
        f"{standing.institution.subdomain} / {sync.sync.name}: {', '.join(endless)}"
        for standing, sync in fleet.syncs()
        if (endless := list(_endless(sync)))
    ]
    if silent:
        print("\nNever overdue, because the allowance cannot run out within 400 days:")
    for name in silent:
        print(f"  {name}")


def _endless(sync: SyncStanding) -> Iterator[str]:
    for operation in Operation:
        judgement = sync.judgement(operation)
        for severity in judgement.basis.severities:
            if severity not in judgement.deadline:
                yield f"{operation.value} {severity.value}"


class _Shown(NamedTuple):
    """A schedule to print, and for which types of syncs it was made."""

    expectation: Expectation
    kinds: str


def _in_use(fleet: Fleet) -> Iterator[_Shown]:
    """The configured expectations of the fleet."""
    kinds: dict[Expectation, set[str]] = {}
    for _, sync in fleet.syncs():
        if sync.expectation.source is Source.CONFIGURED:
            kinds.setdefault(sync.expectation, set()).add(sync.integration_type.value)
    for expectation, found in kinds.items():
        yield _Shown(expectation, ", ".join(sorted(found)))


def _of_rules(rules: Rules, settings: Settings, fleet: Fleet | None) -> Iterator[_Shown]:
    """Every schedule that no sync has, in the default zone: it can be looked at all the same.

    Without a fleet nobody knows which syncs there are.
    """
    used = {sync.expectation.schedule for _, sync in fleet.syncs()} if fleet else set()
    why = "used by no sync" if fleet else "the default zone, since syncs are not known"
    for name, schedule in rules.schedules.items():
        if name not in used:
            zone, country = settings.default_timezone, settings.default_country
            kind = IntegrationType.CLOUD
            yield _Shown(expectation_of(schedule, zone, kind, country), why)


def _print_schedules(shown: Iterable[_Shown], now: float) -> None:
    printed: dict[tuple[str, str, tuple[str, ...]], set[str]] = {}
    for expectation, kinds in shown:
        zone = ZoneInfo(expectation.timezone)
        lines = tuple(_line(segment, zone) for segment in _segments(expectation, now))
        key = expectation.schedule, expectation.timezone, lines
        printed.setdefault(key, set()).add(kinds)
    if not printed:
        print("\nSchedules: none is configured, so hours are learned.")
        return
    print(f"\nSchedules, the next {DAYS} days in local time and UTC:")
    for (schedule, timezone, lines), found in printed.items():
        print(f"\nSchedule {schedule}, {timezone} ({', '.join(sorted(found))}):")
        for line in lines:
            print(f"  {line}")


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
