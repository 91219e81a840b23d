"""A round that outlasts its interval, in compressed time over real HTTP: what is told meanwhile."""

import asyncio

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.plan import Scope
from nexhealth_exporter.simulator import faults as f
from tests.poller.conftest import Polling
from tests.poller.months import HOUR, PACE, offices, polled_for

INTERVAL = 300.0
SINCE = 2 * INTERVAL
BY_INSTITUTION = altered(PACE, scope=Scope.INSTITUTION, interval=INTERVAL, budget=0.0)


def is_up(polling: Polling) -> bool | None:
    return None if polling.fleet.round is None else polling.fleet.round.is_up


@pytest.mark.parametrize(
    ("retry_after", "since"), [(None, SINCE), (60, 0.0), (300, 0.0), (300, SINCE)]
)
def test_while_every_call_is_throttled_the_api_counts_as_unusable(
    retry_after: float | None, since: float
) -> None:
    told: list[bool | None] = []

    async def look(polling: Polling) -> None:
        await asyncio.sleep(since)
        polling.simulator.faults["/sync_status"] = f.Throttle(retry_after)
        # Within the interval in which it began others were answered.
        await asyncio.sleep(2 * INTERVAL + 30)
        while True:
            told.append(is_up(polling))
            await asyncio.sleep(30)

    polled_for(since + 1.5 * HOUR, offices(60), BY_INSTITUTION, look)

    assert len(told) > 100
    assert set(told) == {False}


def test_a_long_round_in_which_somebody_answers_counts_as_usable() -> None:
    told: list[bool | None] = []
    rounds: set[float] = set()

    async def look(polling: Polling) -> None:
        await asyncio.sleep(SINCE)
        # Now and then a pause of a minute for all.
        for number in range(1, 60, 10):
            polling.simulator.faults[f"office-{number}"] = f.Throttle(60)
        for _ in range(80):
            await asyncio.sleep(60)
            told.append(is_up(polling))
            rounds.add(polling.fleet.round.ended_at if polling.fleet.round else 0.0)

    polled_for(2 * HOUR, offices(60), BY_INSTITUTION, look)

    assert set(told) == {True}
    assert len(rounds) < 80 * 60 / INTERVAL, "the rounds were not long"


def test_what_is_told_of_the_latest_complete_round_stays() -> None:
    seen: list[tuple[float, float]] = []

    async def look(polling: Polling) -> None:
        await asyncio.sleep(SINCE - 30)
        polling.simulator.faults["/sync_status"] = f.Throttle(300)
        for _ in range(60):
            await asyncio.sleep(60)
            assert polling.fleet.round is not None
            if not polling.fleet.round.is_up:
                seen.append((polling.fleet.round.ended_at, polling.fleet.round.duration))

    polled_for(2 * HOUR, offices(60), BY_INSTITUTION, look)

    assert len(seen) > 40
    ((_, duration),) = set(seen)
    assert duration < INTERVAL


def test_an_api_that_answers_again_is_told_within_an_interval() -> None:
    told: list[bool | None] = []

    async def look(polling: Polling) -> None:
        await asyncio.sleep(SINCE)
        polling.simulator.faults["/sync_status"] = f.Throttle(60)
        await asyncio.sleep(HOUR / 4)
        told.append(is_up(polling))
        polling.simulator.faults.clear()
        await asyncio.sleep(INTERVAL + 60)
        told.append(is_up(polling))

    polled_for(HOUR, offices(60), BY_INSTITUTION, look)

    assert told == [False, True]
