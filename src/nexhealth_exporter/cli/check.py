"""`check`: whether the configuration and the credentials work, and what would be polled."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from nexhealth_exporter.cli.parts import (
    connect,
    log_warnings,
    pace_of,
    policy_of,
    read_files,
    shown_proxy,
    watches,
)
from nexhealth_exporter.cli.persistence import read_learned
from nexhealth_exporter.cli.upcoming import print_schedules
from nexhealth_exporter.errors import PollError
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Fleet, SyncStanding
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Operation,
    Poll,
    Sync,
)
from nexhealth_exporter.nexhealth import NexHealth
from nexhealth_exporter.nexhealth.text import clean
from nexhealth_exporter.plan import Pace, Plan, Scope, plan
from nexhealth_exporter.poller import FLEET_REFUSED
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.settings import ApiKey, Settings

Answer = Mapping[str, tuple[Sync, ...]]


async def check(settings: Settings, *, is_offline: bool) -> int:
    """Print what was found; 0 if the exporter would work, 1 if not."""
    rules = read_files(settings).rules
    if is_offline:
        print("Configuration: ok.\nCredentials: not tried.")
        print_schedules(settings, rules, None, time.time())
        return 0
    key = ApiKey(settings)
    key()
    log_warnings(settings, key)
    print("Configuration: ok.")
    if proxy := shown_proxy(settings):
        print(f"Proxy: {proxy}.")
    now = time.time()
    async with connect(settings, key, OwnMetrics("")) as api:
        try:
            inventory = await api.inventory()
        except PollError as error:
            print(f"Credentials: not verified, no inventory from {settings.api_url}. {error}")
            print_schedules(settings, rules, None, now)
            return 1
        seen = "1 institution" if len(inventory) == 1 else f"{len(inventory)} institutions"
        print(f"Credentials: ok, the key sees {seen}.")
        found = await _fleet_call(api, inventory)
        token_life = api.token_life
    is_watched = watches(settings, rules)
    watched = [institution for institution in inventory if is_watched(institution)]
    _print_plan(settings, watched, found, token_life)
    code = _left_over(settings, rules, inventory)
    _print_unmatched(rules, inventory, found.answer)
    if found.answer is None:
        print_schedules(settings, rules, None, now)
        return code
    fleet = _fleet(settings, rules, watched, found.answer, now)
    _print_without_deadline(fleet)
    print_schedules(settings, rules, fleet, now)
    return code


def _left_over(settings: Settings, rules: Rules, inventory: Inventory) -> int:
    """0, or 1 after a sentence if no shard would watch any institution."""
    if any(settings.watches(i.subdomain) and rules.monitored(i) for i in inventory):
        return 0
    causes = "INCLUDE, EXCLUDE or `monitored: false` leave all of them out"
    print(f"  NO institutions are watched: {causes if inventory else 'the key sees none'}")
    return 1


class _Found(NamedTuple):
    """The answer to the fleet call, None if it was refused or failed."""

    answer: Answer | None
    is_refused: bool = False


async def _fleet_call(api: NexHealth, inventory: Inventory) -> _Found:
    try:
        return _Found(await api.fleet(inventory))
    except PollError as error:
        is_refused = error.status in FLEET_REFUSED
        print(f"Fleet call: {'refused' if is_refused else 'failed'}. {error}")
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
    print(f"\nPolled: {len(watched)} institutions, shard {settings.shard} of {settings.shards}.")
    if left_out and made.scope is Scope.FLEET:
        hours = made.seldom_interval / 3600
        print(f"  missing from the fleet's answer: {left_out}, polled alone every {hours:.1f} h,")
        print("  or in every round if they turn out to have syncs")
    print(f"  scope: {scope}")
    calls = "1 call" if made.calls_per_round == 1 else f"{made.calls_per_round} calls"
    print(f"  a round: every {made.interval:.0f} s, {calls}")
    print(f"  {_fit(made, settings.poll_interval_seconds)}")
    second, minute = settings.rates
    print(f"  rate: at most {second} calls in any second and {minute} in any minute")
    print(f"  calls in 30 days: {made.projected:.0f} projected, {_price(made, pace)}")


def _fit(made: Plan, asked: float) -> str:
    if made.stretched_by:
        why = f"the {made.stretched_by} stretches the interval"
        return f"a round does not fit into {asked:.0f} s: {why}"
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
                (sync.emr, sync.integration_type or sync.likely_type or IntegrationType.UNKNOWN)
                for sync in (answer or {}).get(institution.subdomain, ())
            ],
        )
        for institution in inventory
    ]
    sentences = rules.unmatched(fleet)
    if sentences:
        print("\nEntries of the configuration file that match nothing:")
        if answer is None:
            print("  (entries that match by emr or integration_type could not be checked)")
    for sentence in sentences:
        print(f"  {clean(sentence)}")
    _print_out_of_order(rules.out_of_order(fleet))


def _print_out_of_order(sentences: Sequence[str]) -> None:
    if sentences:
        print("\nEntries whose allowances contradict each other:")
    for sentence in sentences:
        print(f"  {clean(sentence)}")


def _fleet(
    settings: Settings, rules: Rules, watched: Sequence[Institution], answer: Answer, now: float
) -> Fleet:
    policy = policy_of(settings, rules)
    fleet = read_learned(settings.state_file).watching(
        Inventory({i.subdomain: i for i in watched}), policy
    )
    return fleet.after((Poll(s, now, syncs) for s, syncs in answer.items()), policy)


def _print_without_deadline(fleet: Fleet) -> None:
    """Print the syncs with an allowance that cannot run out: their silence would never alert."""
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
        for severity in judgement.severities:
            if severity not in judgement.deadline:
                yield f"{operation.value} {severity.value}"
