"""The latest fleet under a policy that changes."""

import asyncio

from nexhealth_exporter.model import IntegrationType, Poll, Sync
from nexhealth_exporter.poller.latest import BATCH, Latest
from tests.exposition.fleets import NOW, fleet_of, policy

OFFICES = 5 * BATCH
SYNC = Sync("Main", IntegrationType.SERVER, "Dentrix", read_at=NOW - 60, write_at=NOW - 30)


async def test_a_new_policy_reaches_every_institution_and_lets_others_have_their_turn() -> None:
    polls = [Poll(f"office-{number}", NOW, (SYNC,)) for number in range(OFFICES)]
    latest = Latest(fleet_of(polls), policy())
    expected = latest.fleet.rejudged(policy(7))
    assert expected != latest.fleet

    latest.judge_by(policy(3))
    latest.judge_by(policy(7))
    turns = 0
    while latest.fleet.standings != expected.standings and turns < 2 * OFFICES:
        turns += 1
        await asyncio.sleep(0)
    assert latest.fleet.standings == expected.standings
    assert turns >= OFFICES // BATCH


async def test_what_is_answered_while_a_new_policy_spreads_is_judged_by_it() -> None:
    polls = [Poll(f"office-{number}", NOW, (SYNC,)) for number in range(OFFICES)]
    latest = Latest(fleet_of(polls), policy())
    latest.judge_by(policy(7))
    await asyncio.sleep(0)
    moved = Sync("Main", IntegrationType.SERVER, "Dentrix", read_at=NOW, write_at=NOW)
    last = f"office-{OFFICES - 1}"
    latest.record(Poll(last, NOW + 60, (moved,)))
    latest.apply()
    for _ in range(OFFICES):
        await asyncio.sleep(0)
    expected = fleet_of(polls).after([Poll(last, NOW + 60, (moved,))], policy())
    assert latest.fleet.standings[last] == expected.rejudged(policy(7)).standings[last]
