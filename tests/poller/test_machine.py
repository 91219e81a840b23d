"""Laws of polling: offices break, are mended, come and go between rounds over real HTTP."""

import asyncio
import time
from contextlib import AsyncExitStack

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from msgspec.structs import replace as altered

from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.policy import policy
from nexhealth_exporter.poller import Poller
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.simulator import Simulator, plain_office
from nexhealth_exporter.simulator.faults import GARBAGE, Fault, Status
from tests.poller.conftest import DEFAULTS, PACE, Polling

BROKEN: dict[str, tuple[Fault, ...]] = {
    "forbidden": (Status(403),),
    "not_found": (Status(404), Status(404, "html")),
    "malformed": tuple(GARBAGE.values()),
    "other": (Status(422), Status(302)),
}
NUMBERS = st.integers(1, 6)


class Rounds(RuleBasedStateMachine):
    """A fleet of up to six offices, and what the latest round must have found of each."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.open = AsyncExitStack()
        self.polled = self.loop.run(self._opened())
        self.reasons: dict[str, str] = {}
        self.failures = dict.fromkeys(BROKEN, 0)

    async def _opened(self) -> Polling:
        own = OwnMetrics("test")
        simulator = await self.open.enter_async_context(
            Simulator([plain_office(1)], per_second=None, per_minute=None)
        )
        api = NexHealth(
            simulator.url,
            lambda: simulator.api_key,
            version="v3.0.0",
            timeout=10.0,
            max_concurrency=5,
            pacer=Pacer(1000, 60_000),
            meter=own,
        )
        poller = Poller(
            await self.open.enter_async_context(api),
            altered(PACE, interval=0.001),
            policy(Rules(), DEFAULTS),
            watches=lambda _: True,
            concurrency=5,
            meter=own,
            clock=time.time,
        )
        return Polling(simulator, poller, own)

    @rule(number=NUMBERS)
    def opens(self, number: int) -> None:
        self.polled.simulator.add(plain_office(number))

    @rule(number=NUMBERS)
    def closes(self, number: int) -> None:
        name, offices = f"office-{number}", self.polled.simulator.offices
        # An inventory that is suddenly empty is not believed: the last one stays.
        if name in offices and len(offices) > 1:
            self.polled.simulator.remove(name)
            self._mended(name)

    @rule(number=NUMBERS, reason=st.sampled_from(sorted(BROKEN)), which=st.integers(0, 9))
    def breaks(self, number: int, reason: str, which: int) -> None:
        name = f"office-{number}"
        if name in self.polled.simulator.offices:
            faults = BROKEN[reason]
            self.polled.simulator.faults[name] = faults[which % len(faults)]
            self.reasons[name] = reason

    @rule(number=NUMBERS)
    def is_mended(self, number: int) -> None:
        self._mended(f"office-{number}")

    @rule()
    def round(self) -> None:
        before = dict(self.polled.fleet.standings)
        began = time.time()
        fleet = self.loop.run(self.polled.poller.once())
        there = self.polled.simulator.offices
        assert fleet.standings.keys() == there.keys()
        for name, standing in fleet.standings.items():
            reason = self.reasons.get(name)
            assert standing.failure == reason
            assert standing.last_poll is not None
            assert standing.last_poll >= began
            if reason is None:
                assert standing.last_success == standing.last_poll
                (sync,) = standing.syncs or ()
                assert sync.sync.name == there[name].office.syncs[0].name
                continue
            # What a failing office was known for stays, and so does when that was.
            self.failures[reason] += 1
            old = before.get(name)
            assert standing.syncs == (old.syncs if old else None)
            assert standing.last_success == (old.last_success if old else None)
        assert fleet.round is not None
        assert fleet.round.is_up == (not there or any(n not in self.reasons for n in there))
        for reason, number in self.failures.items():
            told = self.polled.count(f'nexhealth_poll_failures_total{{reason="{reason}"}}')
            assert told == number

    def teardown(self) -> None:
        """Close everything."""
        self.loop.run(self.open.aclose())
        self.loop.close()

    def _mended(self, name: str) -> None:
        self.polled.simulator.faults.pop(name, None)
        self.reasons.pop(name, None)


def test_rounds_keep_their_laws_whatever_breaks_in_whichever_order() -> None:
    limits = settings(max_examples=15, stateful_step_count=25)
    run_state_machine_as_test(Rounds, settings=limits)
