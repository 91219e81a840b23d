"""Polling in compressed time: weeks over real HTTP within seconds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.nexhealth.pacer import Slot
from nexhealth_exporter.plan import Pace, Scope
from nexhealth_exporter.policy import policy
from nexhealth_exporter.poller import Poller
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.simulator import Office, Simulator, plain_office
from nexhealth_exporter.simulator.offices import Still
from tests.compressed import CompressedTime, compressed
from tests.poller.conftest import DEFAULTS, Polling

START = 1_772_460_300.0
HOUR = 3600.0
DAY = 24 * HOUR
PACE = Pace(Scope.AUTO, interval=HOUR, inventory_interval=6 * HOUR, rate=1000 / 60, budget=4000.0)

Happen = Callable[[Polling], Awaitable[None]]


def offices(number: int, *, syncs: bool = True) -> list[Office]:
    """Offices whose marks never move: what they cost is all that matters here."""
    still = [plain_office(n, behaviour=Still(START - 60, START - 60)) for n in range(1, number + 1)]
    return still if syncs else [replace(office, syncs=()) for office in still]


class _Watched(Pacer):
    """A pacer that tells how many calls are on their way."""

    in_flight = 0

    @asynccontextmanager
    async def slot(self, permits: asyncio.Semaphore) -> AsyncIterator[Slot]:
        async with super().slot(permits) as slot:
            self.in_flight += 1
            try:
                yield slot
            finally:
                self.in_flight -= 1


def polled_for(
    seconds: float,
    known: Iterable[Office],
    pace: Pace,
    happen: Happen,
    *,
    token_lifetime: float = HOUR,
) -> Polling:
    """Poll so long, while `happen` happens; what was seen then."""

    async def polled() -> Polling:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CompressedTime)
        simulator = Simulator(
            known,
            clock=lambda: START + loop.time(),
            token_lifetime=token_lifetime,
            per_second=None,
            per_minute=None,
        )
        async with simulator:
            return await _polled(loop, simulator, pace, seconds, happen)

    found = compressed(polled())
    assert isinstance(found, Polling)
    return found


async def _polled(
    loop: CompressedTime, simulator: Simulator, pace: Pace, seconds: float, happen: Happen
) -> Polling:
    own = OwnMetrics("test")
    pacer = _Watched(50, 1000, clock=loop.time)
    loop.busy_while(lambda: pacer.in_flight > 0)
    api = NexHealth(
        simulator.url,
        lambda: simulator.api_key,
        version="v3.0.0",
        timeout=10.0,
        max_concurrency=50,
        pacer=pacer,
        meter=own,
        clock=simulator.clock,
    )
    poller = Poller(
        api,
        pace,
        policy(Rules(), DEFAULTS),
        watches=lambda _: True,
        concurrency=50,
        meter=own,
        clock=simulator.clock,
    )
    polling = Polling(simulator, poller, own)

    async def happens() -> None:
        await happen(polling)

    async with api:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                group.create_task(poller.run())
                group.create_task(happens())
    return polling
