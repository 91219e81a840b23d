"""The pacer: no sliding window over its limit, even gaps, no drift."""

import asyncio
import random
import statistics
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexhealth_exporter.nexhealth import Pacer
from nexhealth_exporter.nexhealth.pacer import Slot
from nexhealth_exporter.simulator.traffic import busiest
from tests.compressed import compressed


class Caller:
    """Sends calls through a pacer on the running loop, and remembers when each was sent."""

    def __init__(self, per_second: int, per_minute: int, concurrency: int = 50) -> None:
        self.loop = asyncio.get_running_loop()
        self.pacer = Pacer(per_second, per_minute, clock=self.loop.time)
        self.permits = asyncio.Semaphore(concurrency)
        self.sent: list[float] = []
        self.held = 0.0
        self.in_flight = 0
        self.peak = 0

    async def call(self, connecting: float = 0.0, answering: float = 0.0) -> None:
        async with self.pacer.slot(self.permits) as slot:
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            self.held += slot.held
            await asyncio.sleep(connecting)
            self._sent(slot)
            await asyncio.sleep(answering)
            self.in_flight -= 1

    def _sent(self, slot: Slot) -> None:
        slot.sent()
        self.sent.append(self.loop.time())

    async def calls(self, number: int, **how: float) -> None:
        await asyncio.gather(*(self.call(**how) for _ in range(number)))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    per_second=st.integers(1, 60),
    per_minute=st.integers(1, 300),
    bursts=st.lists(st.tuples(st.floats(0, 90), st.integers(1, 150)), min_size=1, max_size=6),
    slowest_connection=st.floats(0, 3),
    concurrency=st.integers(1, 60),
)
def test_no_sliding_second_or_minute_is_ever_over_its_limit_as_sent(  # noqa: PLR0917
    seed: int,
    per_second: int,
    per_minute: int,
    bursts: list[tuple[float, int]],
    slowest_connection: float,
    concurrency: int,
) -> None:
    draw = random.Random(seed)

    async def work() -> Caller:
        caller = Caller(per_second, per_minute, concurrency)

        async def burst(at: float, number: int) -> None:
            await asyncio.sleep(at)
            await asyncio.gather(
                *(
                    caller.call(draw.uniform(0, slowest_connection), draw.uniform(0, 2))
                    for _ in range(number)
                )
            )

        await asyncio.gather(*(burst(at, number) for at, number in bursts))
        return caller

    caller = compressed(work())
    assert len(caller.sent) == sum(number for _, number in bursts)
    assert busiest(caller.sent, 1.0) <= per_second
    assert busiest(caller.sent, 60.0) <= per_minute
    assert caller.peak <= concurrency


def test_a_small_fleet_is_asked_at_the_limit_per_second() -> None:
    async def work() -> list[float]:
        caller = Caller(50, 1000)
        await caller.calls(60)
        return caller.sent

    sent = compressed(work())
    assert 1.25 < sent[-1] - sent[0] < 1.35


def test_the_first_minute_may_use_its_whole_limit_at_once() -> None:
    async def work() -> list[float]:
        caller = Caller(50, 1000)
        await caller.calls(1000)
        return caller.sent

    assert compressed(work())[-1] == pytest.approx(22, abs=0.1)


def test_a_long_queue_is_sent_evenly_and_hardly_slower_than_the_limit() -> None:
    async def work() -> list[float]:
        caller = Caller(50, 1000)
        await caller.calls(5000, answering=0.2)
        return caller.sent

    sent = compressed(work())
    gaps = [b - a for a, b in pairwise(sent)]
    assert statistics.pstdev(gaps) / statistics.fmean(gaps) < 0.3
    assert 299 < sent[-1] < 302
    assert busiest(sent, 1.0) <= 17


def test_late_wake_ups_do_not_add_up() -> None:
    async def work() -> list[float]:
        draw = random.Random(7)
        caller = Caller(50, 600)

        async def late(seconds: float) -> None:
            await asyncio.sleep(seconds + draw.uniform(0, 0.05))

        caller.pacer = Pacer(50, 600, clock=caller.loop.time, sleep=late)
        await caller.calls(1800)
        return caller.sent

    sent = compressed(work())
    assert sent[-1] == pytest.approx(1799 * 0.1, abs=0.4)
    assert busiest(sent, 60.0) <= 600


def test_a_pause_holds_everything_and_is_told_as_held() -> None:
    async def work() -> Caller:
        caller = Caller(10, 600)
        caller.pacer.pause(30)
        caller.pacer.pause(5)  # a shorter one does not shorten it
        assert caller.pacer.paused_for == 30
        await caller.calls(3)
        return caller

    caller = compressed(work())
    assert caller.sent[0] == pytest.approx(30, abs=0.01)
    assert caller.held == pytest.approx(30.22, abs=0.01)


def test_a_pause_that_begins_while_others_wait_holds_them_too() -> None:
    async def work() -> list[float]:
        caller = Caller(1, 600)
        waiting = asyncio.ensure_future(caller.calls(3))
        await asyncio.sleep(0.5)
        caller.pacer.pause(20)
        await waiting
        return caller.sent

    first, *others = compressed(work())
    assert first == 0
    assert min(others) >= 20.5


def test_new_limits_hold_at_once_and_count_what_was_sent() -> None:
    async def work() -> list[float]:
        caller = Caller(50, 1000)
        await caller.calls(40)
        caller.pacer.limit(2, 50)
        await caller.calls(20)
        return caller.sent

    sent = compressed(work())
    assert busiest(sent[40:], 1.0) <= 2
    assert busiest(sent, 60.0) <= 50


def test_one_who_gives_up_leaves_the_turn_to_the_next() -> None:
    async def work() -> Caller:
        caller = Caller(1, 60, concurrency=1)
        await caller.call()
        given_up = [asyncio.ensure_future(caller.call()) for _ in range(5)]
        await asyncio.sleep(0.1)
        for task in given_up:
            task.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
        await caller.calls(2)
        return caller

    caller = compressed(work())
    assert caller.sent == pytest.approx([0, 1.1, 2.2], abs=0.01)


def test_calls_that_hang_while_connecting_do_not_let_a_burst_through() -> None:
    async def work() -> list[float]:
        caller = Caller(10, 600)
        await asyncio.gather(*(caller.call(connecting=max(0.0, 2 - 0.1 * n)) for n in range(40)))
        return caller.sent

    assert busiest(compressed(work()), 1.0) <= 10


@pytest.mark.parametrize(("per_second", "per_minute"), [(0, 10), (10, 0), (-1, 5)])
def test_limits_below_one_are_refused(per_second: int, per_minute: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Pacer(per_second, per_minute)
