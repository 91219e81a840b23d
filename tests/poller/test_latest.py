"""The latest fleet under a policy that changes."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Fleet, Hours, Policy, Round
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Location,
    Poll,
    Sync,
)
from nexhealth_exporter.poller.latest import BATCH, Latest
from tests.exposition.fleets import NOW, fleet_of, policy

OFFICES = 5 * BATCH
SYNC = Sync("Main", IntegrationType.SERVER, "Dentrix", read_at=NOW - 60, write_at=NOW - 30)


async def turns_until(latest: Latest, expected: Fleet) -> int:
    """How many turns the loop gave to others before the fleet stood as expected."""
    for turns in range(2 * OFFICES):
        if latest.fleet.standings == expected.standings:
            return turns
        await asyncio.sleep(0)
    raise AssertionError("it never stood so")


async def test_a_new_policy_reaches_every_institution_and_lets_others_have_their_turn() -> None:
    polls = [Poll(f"office-{number}", NOW, (SYNC,)) for number in range(OFFICES)]
    latest = Latest(fleet_of(polls), policy(), OwnMetrics("test"))
    expected = latest.fleet.rejudged(policy(7))
    assert expected != latest.fleet

    latest.judge_by(policy(3))
    latest.judge_by(policy(7))
    assert await turns_until(latest, expected) >= OFFICES // BATCH


async def test_what_is_answered_while_a_new_policy_spreads_is_judged_by_it() -> None:
    polls = [Poll(f"office-{number}", NOW, (SYNC,)) for number in range(OFFICES)]
    latest = Latest(fleet_of(polls), policy(), OwnMetrics("test"))
    latest.judge_by(policy(7))
    await asyncio.sleep(0)
    moved = Sync("Main", IntegrationType.SERVER, "Dentrix", read_at=NOW, write_at=NOW)
    last = f"office-{OFFICES - 1}"
    latest.record(Poll(last, NOW + 60, (moved,)))
    for _ in range(OFFICES):
        await asyncio.sleep(0)
    expected = fleet_of(polls).after([Poll(last, NOW + 60, (moved,))], policy())
    assert latest.fleet.standings[last] == expected.rejudged(policy(7)).standings[last]


@pytest.mark.parametrize("single", range(0, 2 * BATCH + 2, 3))
async def test_whoever_reads_the_fleet_finds_every_poll_applied_in_order(single: int) -> None:
    known = fleet_of([Poll(f"office-{number}", NOW, (SYNC,)) for number in range(7)])
    latest = Latest(known, policy(), OwnMetrics("test"))
    polls = [
        Poll(f"office-{n % 7}", NOW + n, (altered(SYNC, read_at=NOW + n),))
        for n in range(1, single + BATCH)
    ]
    for poll in polls[:single]:
        latest.record(poll)
    if single % 2:
        assert latest.fleet.standings == known.after(polls[:single], policy()).standings
    await latest.record_all(polls[single:])
    assert latest.fleet.standings == known.after(polls, policy()).standings


async def test_other_zones_reach_every_institution_and_let_others_have_their_turn() -> None:
    polls = [Poll(f"office-{number}", NOW, (SYNC,)) for number in range(OFFICES)]
    latest = Latest(fleet_of(polls), policy(), OwnMetrics("test"))
    moved = Inventory(
        {
            standing.institution.subdomain: altered(
                standing.institution, locations=(Location(1, "Asia/Kathmandu"),)
            )
            for standing in latest.fleet
        }
    )
    expected = latest.fleet.watching(moved, policy())
    assert expected.standings != latest.fleet.standings

    latest.watch(moved)
    assert await turns_until(latest, expected) >= OFFICES // BATCH


async def test_who_leaves_while_others_zones_follow_stays_away() -> None:
    polls = [Poll(f"office-{number}", NOW, (SYNC,)) for number in range(OFFICES)]
    latest = Latest(fleet_of(polls), policy(), OwnMetrics("test"))
    names = list(latest.fleet.standings)
    moved = {name: Institution(name, 1, "Moved") for name in names}
    latest.watch(Inventory(moved))
    del moved[names[-1]]
    latest.watch(Inventory(moved))
    for _ in range(OFFICES):
        await asyncio.sleep(0)
    assert {s.institution.subdomain: s.institution for s in latest.fleet} == moved


FAULTY = "office-3"


def faulty(salt: int = 0) -> Policy:
    """A policy with a fault of ours, which one institution meets."""
    sound = policy(salt)

    def hours(institution: Institution, *others: Any) -> Hours:
        if institution.subdomain == FAULTY:
            raise LookupError("a fault of ours")
        return sound.hours(institution, *others)

    return altered(sound, hours=hours)


async def test_a_fault_in_judging_spoils_the_poll_of_its_institution_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    own = OwnMetrics("test")
    polls = [Poll(f"office-{number}", NOW, (SYNC,)) for number in range(OFFICES)]
    known = fleet_of(polls)
    latest = Latest(known, faulty(), own)
    moved = altered(SYNC, read_at=NOW + 30, write_at=NOW + 30, emr="Another")
    for poll in polls:
        latest.record(Poll(poll.subdomain, NOW + 60, (moved,)))

    for standing in latest.fleet:
        is_faulty = standing.institution.subdomain == FAULTY
        assert standing.failure == ("other" if is_faulty else None)
        assert [s.sync for s in standing.syncs or ()] == [SYNC if is_faulty else moved]
    page = own.page(frozenset(), openmetrics=False).decode()
    assert 'nexhealth_poll_failures_total{reason="other"} 1.0' in page
    assert "LookupError: a fault of ours" in caplog.text


async def test_polls_are_judged_though_nobody_reads_the_fleet(
    caplog: pytest.LogCaptureFixture,
) -> None:
    polls = [Poll(f"office-{number}", NOW, (SYNC,)) for number in range(BATCH)]
    latest = Latest(fleet_of(polls), faulty(), OwnMetrics("test"))
    # Incidents are searched for at the first poll, which reads the fleet.
    for poll in [polls[0], *polls]:
        latest.record(Poll(poll.subdomain, NOW + 60, (altered(SYNC, emr="Another"),)))
    assert "LookupError: a fault of ours" in caplog.text


async def test_a_fault_in_judging_anew_leaves_one_institution_as_it_was_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    polls = [Poll(f"office-{number}", NOW, (SYNC,)) for number in range(OFFICES)]
    latest = Latest(fleet_of(polls), policy(), OwnMetrics("test"))
    before, expected = latest.fleet, latest.fleet.rejudged(policy(7))
    latest.judge_by(faulty(7))
    for _ in range(OFFICES):
        await asyncio.sleep(0)

    for name, standing in latest.fleet.standings.items():
        assert standing == (before if name == FAULTY else expected).standings[name]
    assert "LookupError: a fault of ours" in caplog.text


async def test_a_fault_in_meeting_an_institution_leaves_out_that_one_only_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def group(institution: Institution, _: Any) -> str:
        if institution.subdomain == FAULTY:
            raise LookupError("a fault of ours")
        return "east"

    names = [f"office-{number}" for number in range(OFFICES)]
    latest = Latest(Fleet(), altered(policy(), group=group), OwnMetrics("test"))
    latest.watch(Inventory({name: Institution(name, 1, name) for name in names}))

    assert [s.institution.subdomain for s in latest.fleet] == [n for n in names if n != FAULTY]
    assert caplog.text.count("LookupError: a fault of ours") == 1


async def test_a_fault_in_recalling_leaves_one_institution_as_it_was_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    polls = [Poll(f"office-{number}", NOW, (SYNC,)) for number in range(OFFICES)]
    before = [altered(poll, at=NOW - 86400) for poll in polls]
    memories = dict(fleet_of(before).memory())
    latest = Latest(fleet_of(polls), policy(), OwnMetrics("test"))
    known, expected = latest.fleet, latest.fleet.recalling(memories, policy())
    assert known.standings != expected.standings

    latest = Latest(known, faulty(), OwnMetrics("test"))
    latest.recall(memories)
    for name, standing in latest.fleet.standings.items():
        assert standing == (known if name == FAULTY else expected).standings[name]
    assert caplog.text.count("LookupError: a fault of ours") == 1


searched: list[float] = []


class SearchedFleet(Fleet, frozen=True):
    """A fleet that notes until when incidents were looked for."""

    def with_incidents(self, now: float = 0.0) -> Fleet:
        searched.append(now)
        return super().with_incidents(now)


async def test_incidents_are_looked_for_until_the_latest_poll() -> None:
    """Our clock may be ahead of it: nothing may be excused for the future."""
    known = fleet_of([Poll("office-1", NOW, (SYNC,))])
    latest = Latest(SearchedFleet(standings=known.standings), policy(), OwnMetrics("test"))
    for at in (NOW + 60, NOW + 120):
        latest.record(Poll("office-1", at, (SYNC,)))
        latest.recall({})
        assert searched[-1] == at
    await latest.record_all([Poll("office-1", NOW + 180, (SYNC,))])
    latest.recall({})
    assert searched[-1] == NOW + 180


class FaultyFleet(Fleet, frozen=True):
    """A fleet with a fault of ours in looking for incidents."""

    def with_incidents(self, now: float = 0.0) -> Fleet:
        raise LookupError(f"a fault of ours at {now}")


async def test_a_fault_in_looking_for_incidents_costs_no_poll_and_no_round_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    known = fleet_of([Poll("office-1", NOW, (SYNC,))])
    latest = Latest(FaultyFleet(standings=known.standings), policy(), OwnMetrics("test"))
    latest.record(Poll("office-1", NOW + 60, (altered(SYNC, read_at=NOW + 30),)))
    latest.judge_by(policy(7))
    latest.recall({})
    for _ in range(OFFICES):
        await asyncio.sleep(0)
    finished = Round(NOW + 90, 1.0, is_up=True)
    latest.ended(finished)

    (standing,) = latest.fleet
    assert (standing.last_success, latest.fleet.round) == (NOW + 60, finished)
    assert caplog.text.count("LookupError: a fault of ours") == 4
