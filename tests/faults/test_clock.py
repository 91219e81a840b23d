"""The wall clock is set: nothing waits for it to come round again, and nothing asks in a storm."""

import asyncio
from dataclasses import replace

import pytest

from nexhealth_exporter.errors import PollError
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.model import Institution, Severity
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.plan import Scope
from nexhealth_exporter.simulator import Simulator, plain_offices
from tests.compressed import compressed
from tests.faults.chaos import DAY, HOUR, INTERVAL, chaos
from tests.faults.truth import office

NOW = 1_790_000_000.0


@pytest.mark.parametrize("set_by", [-400 * DAY, -DAY, -HOUR, HOUR, DAY, 400 * DAY])
async def test_a_refused_key_is_tried_again_though_the_clock_was_set(set_by: float) -> None:
    now = NOW
    async with (
        Simulator(plain_offices(1), clock=lambda: now, api_key="another") as simulator,
        NexHealth(
            simulator.url,
            lambda: "simulated-key",
            version="v3.0.0",
            timeout=5.0,
            max_concurrency=5,
            pacer=Pacer(1000, 60_000),
            meter=OwnMetrics("test"),
            clock=lambda: now,
        ) as nexhealth,
    ):
        for _ in range(12):
            with pytest.raises(PollError):
                await nexhealth.syncs(Institution("office-1"))
            now += 60
        now += set_by
        simulator.api_key = "simulated-key"
        refused = 0
        for _ in range(10):
            now += 60
            try:
                await nexhealth.syncs(Institution("office-1"))
            except PollError:
                refused += 1
        assert refused <= 5


@pytest.mark.parametrize("set_by", [-20 * DAY, 20 * DAY])
def test_offices_without_a_sync_are_asked_as_seldom_as_before(set_by: float) -> None:
    async def watched() -> int:
        async with chaos(1, 4, Scope.FLEET) as world:
            for number in range(20, 60):
                world.simulator.add(replace(office(number), syncs=()))
            await world.is_well_again()
            await world.pass_time(2 * HOUR)
            world.simulator.traffic.clear()
            world.clocks.skew += set_by
            await world.pass_time(6 * HOUR)
            asked = [c for c in world.simulator.traffic.calls if c.subdomain is not None]
            return len(asked)

    # Forty offices, each once an hour.
    assert 230 <= compressed(watched()) <= 255


def test_a_clock_that_was_ahead_puts_no_deadline_off() -> None:
    async def latest_deadline() -> float:
        async with chaos(1, 80, Scope.INSTITUTION) as world:
            await world.is_well_again()
            world.clocks.skew += 6 * HOUR
            await world.some_rounds(2)
            assert world.poller.latest.incidents
            world.clocks.skew -= 6 * HOUR
            await asyncio.sleep(4 * INTERVAL)
            assert not world.poller.latest.incidents
            return max(
                sync.read.deadline[Severity.CRITICAL] - world.clocks.world()
                for standing, sync in world.poller.latest.syncs()
                if standing.institution.subdomain.startswith("always")
            )

    # What is always open has four hours.
    assert 3 * HOUR < compressed(latest_deadline()) <= 4 * HOUR
