"""Whether polling counts as alive: whatever the API does, and not when it is stuck."""

import asyncio

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.plan import Scope
from nexhealth_exporter.poller.heartbeat import STALLED_SECONDS, Heartbeat
from nexhealth_exporter.simulator import faults as f
from tests.compressed import compressed
from tests.poller.conftest import Polling
from tests.poller.months import DAY, HOUR, PACE, offices, polled_for


@pytest.mark.parametrize("scope", [Scope.FLEET, Scope.INSTITUTION])
@pytest.mark.parametrize("fault", [f.Hang(), f.Throttle(retry_after=3600)], ids=repr)
def test_polling_is_alive_whatever_the_api_does(scope: Scope, fault: f.Fault) -> None:
    lives: list[bool] = []

    async def look(polling: Polling) -> None:
        await asyncio.sleep(HOUR)
        polling.simulator.faults["/sync_status"] = fault
        while True:
            lives.append(polling.poller.is_alive())
            await asyncio.sleep(60)

    polled_for(DAY / 4, offices(3), altered(PACE, scope=scope), look)

    assert len(lives) > 200
    assert all(lives)


def test_polling_without_a_sign_of_life_is_stuck() -> None:
    async def stuck() -> list[bool]:
        heartbeat, lives = Heartbeat(), []
        heartbeat.beat(within=600)
        for _ in range(4):
            lives.append(heartbeat.is_alive())
            await asyncio.sleep((600 + STALLED_SECONDS) / 3 + 1)
        return lives

    assert compressed(stuck()) == [True, True, True, False]
