"""A poller on the simulated NexHealth, over real HTTP."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import Answer
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.plan import Pace, Scope
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.poller import Poller
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.simulator import Office, Simulator

DAY = 86400.0
DEFAULTS = Defaults(
    timezone="America/New_York", country="US", stale_after=DAY, abandoned_after=30 * DAY
)
PACE = Pace(
    scope=Scope.INSTITUTION, interval=1.0, inventory_interval=3600.0, rate=500.0, budget=0.0
)


@dataclass
class Polling:
    """The simulator, the poller on it, and what the poller counted."""

    simulator: Simulator
    poller: Poller
    own: OwnMetrics

    @property
    def fleet(self) -> Fleet:
        return self.poller.latest

    def count(self, sample: str) -> float:
        """The value of a sample of the exporter's own metrics; 0 when it is absent."""
        for line in self.own.page(frozenset(), openmetrics=False).decode().splitlines():
            if line.startswith(sample + " "):
                return float(line.rpartition(" ")[2])
        return 0.0


Open = Callable[..., AbstractAsyncContextManager[Polling]]


@pytest.fixture
def polling() -> Open:
    @asynccontextmanager
    async def opened(
        offices: Iterable[Office],
        *,
        concurrency: int = 50,
        limit: float = 5.0,
        per_second: int = 500,
        per_minute: int = 30_000,
        answers: Sequence[Answer] = (),
        **pace: object,
    ) -> AsyncIterator[Polling]:
        own = OwnMetrics("test")
        async with (
            Simulator(offices, per_second=None, per_minute=None) as simulator,
            NexHealth(
                simulator.url,
                lambda: simulator.api_key,
                version="v3.0.0",
                timeout=limit,
                max_concurrency=concurrency,
                pacer=Pacer(per_second, per_minute),
                meter=own,
            ) as api,
        ):
            poller = Poller(
                api,
                altered(PACE, **pace),
                policy(Rules(), DEFAULTS),
                watches=lambda _: True,
                concurrency=concurrency,
                meter=own,
                clock=time.time,
                answers=answers,
            )
            yield Polling(simulator, poller, own)

    return opened
