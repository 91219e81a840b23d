"""Rounds against the simulated NexHealth over real HTTP."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from nexhealth_exporter.fleet import Round
from nexhealth_exporter.plan import Scope
from nexhealth_exporter.simulator import plain_office, plain_offices
from nexhealth_exporter.simulator.faults import (
    GARBAGE,
    HTML,
    Absent,
    Fault,
    Hang,
    Slow,
    Status,
    Throttle,
    each,
)
from tests.poller.conftest import Open, Polling
from tests.turns import turns


@asynccontextmanager
async def running(polling: Polling) -> AsyncIterator[None]:
    task = asyncio.create_task(polling.poller.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], bool], *, seconds: float = 15.0) -> None:
    """Wait until it holds; fail if it never does."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for is what a user could see
            await asyncio.sleep(0.02)


async def next_round(polling: Polling) -> Round:
    """The next round to end."""
    latest = polling.fleet.round
    await until(lambda: polling.fleet.round is not latest)
    assert polling.fleet.round is not None
    return polling.fleet.round


def painted(colour: str) -> Fault:
    return each(lambda entry: entry.update(read_status=colour, write_status=colour))


async def test_one_round_finds_every_sync(polling: Open) -> None:
    async with polling(plain_offices(30)) as polled:
        fleet = await polled.poller.once()

        assert len(fleet.standings) == 30
        assert sum(1 for _ in fleet.syncs()) == 30
        assert fleet.round is not None
        assert fleet.round.is_up


async def test_the_colour_of_a_sync_changes_no_deadline(polling: Open) -> None:
    async with polling(plain_offices(3)) as polled:
        for office, colour in (("office-1", "red"), ("office-3", "purple")):
            polled.simulator.faults[office] = painted(colour)
        for live in polled.simulator.offices.values():
            live.freeze(at=time.time() - 600)
        fleet = await polled.poller.once()

        colours = {s.institution.subdomain: sync.sync.read_up for s, sync in fleet.syncs()}
        assert colours == {"office-1": False, "office-2": True, "office-3": None}
        deadlines = {
            s.institution.subdomain: [j.deadline for j in sync.judgements]
            for s, sync in fleet.syncs()
        }
        assert deadlines["office-1"] == deadlines["office-3"]
        assert all(deadlines["office-1"])


async def test_broken_offices_spoil_no_other_within_the_limits(polling: Open) -> None:
    offices = plain_offices(1000)
    async with polling(
        offices, concurrency=60, limit=3.0, per_second=200, per_minute=12_000, rate=200.0
    ) as polled:
        bad: list[Fault] = [Hang(), Status(500), *GARBAGE.values()]
        faults = [bad[0]] * 50 + [bad[1]] * 50 + [bad[2 + i % len(GARBAGE)] for i in range(50)]
        for office, fault in zip(offices[::6], faults, strict=False):
            polled.simulator.faults[office.subdomain] = fault
        async with turns() as held:
            fleet = await polled.poller.once()

        fresh = [standing for standing in fleet if standing.failure is None]
        assert len(fresh) >= 850
        broken = set(polled.simulator.faults)
        healthy = {office.subdomain for office in offices} - broken
        assert healthy <= {s.institution.subdomain for s in fresh}
        assert polled.simulator.traffic.peak_concurrency <= 60
        assert polled.simulator.traffic.busiest(0.9 - held.longest) <= 200
        assert fleet.round is not None
        assert fleet.round.duration < 300
        for reason in ("timeout", "server_error", "malformed"):
            assert polled.count(f'nexhealth_poll_failures_total{{reason="{reason}"}}') > 0


async def test_a_round_with_failures_says_in_the_log_what_the_api_said(
    polling: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with polling(plain_offices(3)) as polled:
        for office in ("office-2", "office-3"):
            polled.simulator.faults[office] = Status(403)
        await polled.poller.once()
    (told,) = [vars(r) for r in caplog.records if r.msg == "round finished with failures"]
    assert told["failed_forbidden"] == 2
    assert told["example_institution"] in {"office-2", "office-3"}
    assert told["example_error"].startswith("HTTP 403: the key may not see this")


async def test_rounds_follow_each_other_and_never_overlap(polling: Open) -> None:
    async with polling(plain_offices(20), interval=0.4) as polled, running(polled):
        ended = [await next_round(polled) for _ in range(4)]

        for one, other in itertools.pairwise(ended):
            assert other.ended_at - other.duration >= one.ended_at - 0.05


async def test_later_rounds_are_spread_over_most_of_the_interval(polling: Open) -> None:
    # Long enough that a first round on a loaded machine is still the shorter one.
    async with polling(plain_offices(30), interval=6.0) as polled, running(polled):
        first, second = await next_round(polled), await next_round(polled)

        assert second.duration > 4.0
        assert first.duration < 0.75 * second.duration


async def test_an_api_that_goes_away_and_comes_back_needs_no_restart(polling: Open) -> None:
    async with polling(plain_offices(5), interval=0.3, limit=0.2) as polled, running(polled):
        await until(lambda: polled.fleet.round is not None and polled.fleet.round.is_up)
        marks = {s.sync.name: s.sync.read_at for _, s in polled.fleet.syncs()}

        await polled.simulator.go_away()
        await until(lambda: polled.fleet.round is not None and not polled.fleet.round.is_up)
        assert {s.sync.name: s.sync.read_at for _, s in polled.fleet.syncs()} == marks
        assert {s.failure for s in polled.fleet} <= {"connection", "timeout"}

        await polled.simulator.come_back()
        await until(lambda: polled.fleet.round is not None and polled.fleet.round.is_up)
        await until(lambda: all(s.failure is None for s in polled.fleet))


async def test_an_api_that_is_down_at_the_start_is_waited_for(polling: Open) -> None:
    async with polling(plain_offices(3), interval=0.3, limit=0.2) as polled:
        await polled.simulator.go_away()
        async with running(polled):
            await until(lambda: polled.fleet.round is not None)
            assert polled.fleet.round is not None
            assert not polled.fleet.round.is_up

            await polled.simulator.come_back()
            await until(lambda: polled.fleet.round is not None and polled.fleet.round.is_up)
            assert len(polled.fleet.standings) == 3


async def test_polling_goes_on_with_what_is_known_when_the_inventory_fails(
    polling: Open,
) -> None:
    pace = {"interval": 0.3, "inventory_interval": 0.3}
    async with polling(plain_offices(3), limit=0.3, **pace) as polled, running(polled):
        await until(lambda: polled.fleet.round is not None)
        polled.simulator.faults["/institutions"] = Status(403)
        polled.simulator.faults["/locations"] = Status(403)
        failed = 'nexhealth_poll_failures_total{reason="forbidden"}'
        await until(lambda: polled.count(failed) > 0)
        await next_round(polled)

        assert len(polled.fleet.standings) == 3
        assert all(s.failure is None for s in polled.fleet)


async def test_institutions_come_and_go_with_the_inventory(polling: Open) -> None:
    pace = {"interval": 0.3, "inventory_interval": 0.3}
    async with polling(plain_offices(2), **pace) as polled, running(polled):
        await until(lambda: len(polled.fleet.standings) == 2)
        polled.simulator.remove("office-1")
        polled.simulator.add(plain_office(3))

        await until(lambda: set(polled.fleet.standings) == {"office-2", "office-3"})
        await until(lambda: all(s.syncs for s in polled.fleet))


async def test_the_fleet_is_asked_in_one_call_and_who_is_left_out_alone(polling: Open) -> None:
    empty = replace(plain_office(9), syncs=())
    offices = [*plain_offices(3), empty]
    async with polling(offices, scope=Scope.FLEET, interval=0.3) as polled, running(polled):
        polled.simulator.faults["office-2"] = Absent()
        await until(lambda: polled.count("nexhealth_api_calls_projected") > 0)
        for _ in range(3):
            await next_round(polled)

        asked = [c.subdomain for c in polled.simulator.traffic.calls if c.endpoint == "sync_status"]
        assert asked.count(None) >= 3
        assert asked.count("office-2") >= 2
        assert asked.count("office-9") == 1
        assert asked.count("office-1") == asked.count("office-3") == 0
        assert {len(s.syncs or ()) for s in polled.fleet} == {0, 1}
        assert all(s.failure is None for s in polled.fleet)


@pytest.mark.parametrize("code", [400, 403, 404])
async def test_a_key_that_may_not_ask_for_the_fleet_asks_by_institution(
    polling: Open, code: int
) -> None:
    async with polling(plain_offices(3), scope=Scope.FLEET) as polled:
        polled.simulator.faults["/sync_status"] = Status(code)
        for office in polled.simulator.offices:
            polled.simulator.faults[office] = Absent()
        fleet = await polled.poller.once()

        assert all(s.failure is None and s.syncs for s in fleet)


@pytest.mark.parametrize("fault", [Status(500), Throttle(retry_after=60), Hang(), HTML])
async def test_a_fleet_call_that_fails_otherwise_is_never_fanned_out(
    polling: Open, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    async with polling(plain_offices(3), scope=Scope.FLEET, limit=0.3) as polled:
        await polled.poller.once()
        polled.simulator.faults["/sync_status"] = fault
        polled.simulator.traffic.clear()
        fleet = await polled.poller.once()

        asked = [c for c in polled.simulator.traffic.calls if c.endpoint == "sync_status"]
        assert {call.subdomain for call in asked} == {None}
        assert all(s.failure and s.syncs for s in fleet)
        assert fleet.round is not None
        assert not fleet.round.is_up
        (told,) = [r for r in caplog.records if r.msg.startswith("fleet call failed")]
        assert vars(told)["reason"] == next(iter(fleet)).failure
        assert vars(told)["error"]


@pytest.mark.parametrize("code", [400, 403, 404])
async def test_a_token_that_is_refused_does_not_refuse_the_fleet_call(
    polling: Open, code: int
) -> None:
    async with polling(plain_offices(3), scope=Scope.FLEET, interval=0.3, limit=0.5) as polled:
        await polled.poller.once()
        polled.simulator.faults["/authenticates"] = Status(code)
        polled.simulator.tokens.revoke()
        polled.simulator.traffic.clear()
        async with running(polled):
            await until(lambda: polled.simulator.traffic.count("authenticates", code) >= 1)
            await until(lambda: all(s.failure for s in polled.fleet))
            del polled.simulator.faults["/authenticates"]
            # The wait before the next attempt at a token doubles with each failure.
            await until(lambda: not any(s.failure for s in polled.fleet), seconds=40)

        asked = [c for c in polled.simulator.traffic.calls if c.endpoint == "sync_status"]
        assert {call.subdomain for call in asked} == {None}


async def test_a_refused_fleet_call_is_tried_again_with_the_next_inventory(
    polling: Open,
) -> None:
    pace = {"scope": Scope.FLEET, "interval": 20.0, "inventory_interval": 0.5}
    async with polling(plain_offices(3), **pace) as polled, running(polled):
        polled.simulator.faults["/sync_status"] = Status(403)
        for office in polled.simulator.offices:
            polled.simulator.faults[office] = Absent()
        await next_round(polled)
        assert all(s.failure is None and s.syncs for s in polled.fleet)

        polled.simulator.faults.clear()
        polled.simulator.traffic.clear()
        await until(lambda: polled.simulator.traffic.count("sync_status", 200) >= 2, seconds=8)
        calls = [c for c in polled.simulator.traffic.calls if c.endpoint == "sync_status"]
        assert {call.subdomain for call in calls} == {None}


async def test_a_fleet_call_that_fails_otherwise_with_the_next_inventory_ends_the_fan_out(
    polling: Open,
) -> None:
    pace = {"scope": Scope.FLEET, "interval": 0.3, "inventory_interval": 0.5}
    async with polling(plain_offices(3), **pace) as polled, running(polled):
        traffic = polled.simulator.traffic
        polled.simulator.faults["/sync_status"] = Status(404)
        for office in polled.simulator.offices:
            polled.simulator.faults[office] = Absent()
        # Refused again, and again asked one by one.
        await until(lambda: traffic.count("sync_status", 404) >= 3)
        assert all(s.failure is None and s.syncs for s in polled.fleet)

        polled.simulator.faults["/sync_status"] = Status(500)
        # The first may be that of an inventory in the middle of a round, with its retries.
        await until(lambda: traffic.count("sync_status", 500) >= 4)
        traffic.clear()
        await until(lambda: traffic.count("sync_status") >= 3)
        asked = [call for call in traffic.calls if call.endpoint == "sync_status"]
        assert {call.subdomain for call in asked} == {None}


async def test_the_scope_that_was_chosen_is_logged_with_its_price(
    polling: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pace = {"scope": Scope.AUTO, "interval": 300.0, "budget": 30_000.0}
    async with polling(plain_offices(4), **pace) as polled:
        await polled.poller.once()
        projected = polled.count("nexhealth_api_calls_projected")

    planned = [vars(r) for r in caplog.records if r.msg == "polling planned"][-1]
    assert (planned["scope"], planned["calls_per_round"]) == ("fleet", 1)
    assert planned["calls_projected_30d"] == round(projected) > 8640
    assert planned["calls_budget_30d"] == 30_000


@pytest.mark.parametrize(("budget", "level"), [(30_000.0, "WARNING"), (0.0, "INFO")])
async def test_a_chosen_scope_that_costs_more_than_the_budget_is_warned_of(
    polling: Open, caplog: pytest.LogCaptureFixture, budget: float, level: str
) -> None:
    caplog.set_level("INFO")
    pace = {"scope": Scope.INSTITUTION, "interval": 300.0, "budget": budget}
    async with polling(plain_offices(4), **pace) as polled:
        await polled.poller.once()
        assert polled.count("nexhealth_poll_interval_seconds") == 300

    planned = [r for r in caplog.records if r.msg.startswith("polling planned")]
    assert [r.levelname for r in planned] == [level]
    assert ("more calls than the budget" in planned[0].getMessage()) == (level == "WARNING")


@pytest.mark.parametrize(
    ("pace", "why"),
    [
        ({"scope": Scope.INSTITUTION, "rate": 1.0}, "rate limit"),
        ({"scope": Scope.AUTO, "budget": 30_000.0}, "budget of calls"),
    ],
)
async def test_a_round_that_does_not_fit_is_warned_of(
    polling: Open, caplog: pytest.LogCaptureFixture, pace: dict[str, object], why: str
) -> None:
    async with polling(plain_offices(4), **pace) as polled:
        await polled.poller.once()
        assert polled.count("nexhealth_poll_interval_seconds") > 5

    warned = [r for r in caplog.records if "stretching the poll interval" in r.msg]
    assert warned
    assert {r.levelname for r in warned} == {"WARNING"}
    assert f"does not fit the {why}" in warned[-1].getMessage()


async def test_an_institution_left_out_and_refused_is_asked_seldom(polling: Open) -> None:
    async with polling(plain_offices(3), scope=Scope.FLEET, interval=0.3) as polled:
        polled.simulator.faults["office-2"] = Status(403)
        # Its fault also hides it from the fleet's answer.
        office = polled.simulator.offices["office-2"].office
        polled.simulator.add(replace(office, syncs=()))
        async with running(polled):
            for _ in range(4):
                await next_round(polled)

        asked = [c for c in polled.simulator.traffic.calls if c.subdomain == "office-2"]
        assert len(asked) == 1
        standing = polled.fleet.standings["office-2"]
        assert (standing.failure, standing.syncs) == ("forbidden", None)


async def test_an_inventory_that_hangs_is_told_by_the_round(polling: Open) -> None:
    async with polling(plain_offices(2), interval=0.5) as polled:
        polled.simulator.faults["/institutions"] = Hang()
        async with running(polled):
            ended = await next_round(polled)

            assert not ended.is_up
            assert polled.poller.is_alive()


async def test_a_suddenly_empty_inventory_drops_nobody(polling: Open) -> None:
    pace = {"interval": 0.3, "inventory_interval": 0.3}
    async with polling(plain_offices(2), **pace) as polled, running(polled):
        await until(lambda: len(polled.fleet.standings) == 2)
        offices = dict(polled.simulator.offices)
        for subdomain in offices:
            polled.simulator.remove(subdomain)
        asked = polled.simulator.traffic.count("locations")
        await until(lambda: polled.simulator.traffic.count("locations") >= asked + 2)

        assert set(polled.fleet.standings) == set(offices)


async def test_a_slow_round_is_told_by_the_interval_really_kept(polling: Open) -> None:
    async with polling(plain_offices(3), interval=0.2, limit=5.0) as polled:
        polled.simulator.faults["office-1"] = Slow(1.0)
        async with running(polled):
            await next_round(polled)
            await until(lambda: polled.count("nexhealth_poll_interval_seconds") >= 1.0)
