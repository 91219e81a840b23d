"""The first round of a fleet that a minute does not hold, in compressed time over real HTTP."""

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.plan import Scope
from nexhealth_exporter.simulator import faults as f
from nexhealth_exporter.simulator.traffic import busiest
from tests.poller.conftest import Polling
from tests.poller.months import PACE, offices, polled_for

PER_MINUTE = 1000
NUMBER = 1200


@pytest.mark.parametrize("faulty", [0, 50])
def test_it_uses_nine_tenths_of_the_rate_so_that_retries_find_room(faulty: int) -> None:
    async def fail_once(polling: Polling) -> None:
        for number in range(1, faulty + 1):
            polling.simulator.faults[f"office-{number * 20}"] = f.First(1, f.Status(503))

    pace = altered(PACE, scope=Scope.INSTITUTION, budget=0.0)
    polled = polled_for(2 * 60 * NUMBER / PER_MINUTE, offices(NUMBER), pace, fail_once)

    answered = [s.last_success for s in polled.fleet if s.last_success is not None]
    assert len(answered) == NUMBER
    assert polled.simulator.traffic.count("sync_status") == NUMBER + faulty
    # Retries come late by their pause: each may fall into a minute that is full of others.
    assert 0.85 * PER_MINUTE < busiest(answered, 60.0) <= 0.9 * PER_MINUTE + 1 + faulty / 2
    assert polled.fleet.round is not None
    assert polled.fleet.round.duration >= 60 * NUMBER / (0.9 * PER_MINUTE) - 1
    assert polled.count("nexhealth_api_throttled_seconds_total") < 1
