"""An exporter in a world where things go wrong: `python -m tests.faults.chaos ROUNDS [SEED]`.

Every call and every scrape is real HTTP; only waiting takes no time. What goes wrong is drawn
from a seed. After each thing the exporter must be well again by itself; at any moment every
sample on its page must be true.
"""

import asyncio
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.fleet import Policy
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.nexhealth.pacer import Slot
from nexhealth_exporter.plan import Pace, Scope
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.poller import Poller
from nexhealth_exporter.rules import read
from nexhealth_exporter.simulator import Simulator
from nexhealth_exporter.simulator import faults as f
from nexhealth_exporter.web.app import build
from nexhealth_exporter.web.server import serving
from nexhealth_exporter.web.view import View
from tests.compressed import CompressedTime, compressed
from tests.faults import proxy as p
from tests.faults.proxy import Proxy
from tests.faults.truth import CONFIGURATION, Breakable, Seen, Truth, Wrong, office

START = 1_773_316_800.0
"""A Thursday in March 2026, noon in UTC."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
INTERVAL, INVENTORY = 5 * MINUTE, HOUR
TIMEOUT = 10.0
REACH = 2 * TIMEOUT + 1.0
"""Seconds from a poll's answer, as the API computed it, to when the exporter takes note."""

PATIENCE = 4 * HOUR
"""Within which the exporter must be well again, and say so, after whatever went wrong."""

DEFAULTS = Defaults(timezone="UTC", country="US", stale_after=DAY, abandoned_after=30 * DAY)

LINE: dict[p.Fault, str] = {
    p.Late(30.0): "timeout",
    p.Trickle(1, 1.0): "timeout",
    p.Truncated(0): "connection",
    p.Truncated(300): "connection",
    p.Cut(0): "connection",
    p.Cut(500): "connection",
    p.HalfClosed(100): "connection",
    p.Unsent(): "connection",
    p.Silent(): "timeout",
    p.Babble(): "malformed",
}

API: list[tuple[f.Fault, str]] = [
    (f.Status(500), "server_error"),
    (f.Status(503, "html"), "server_error"),
    (f.Status(403), "forbidden"),
    (f.Status(404), "not_found"),
    (f.Status(401), "auth"),
    (f.Status(418), "other"),
    (f.Throttle(), "throttled"),
    (f.Throttle(20), "throttled"),
    (f.Throttle(DAY), "throttled"),
    (f.Throttle(DAY, as_date=True), "throttled"),
    (f.Refusal(), "server_error"),
    (f.Hang(), "timeout"),
    (f.Stall(), "timeout"),
    (f.Reset(), "connection"),
    (f.Slow(30.0), "timeout"),
    (f.HTML, "malformed"),
    (f.TRUNCATED, "malformed"),
    (f.DEEP, "malformed"),
]

TOO_LARGE = (f.Huge(2_000_000), "too_large")
"""For one office; about all of them that is a good answer without entries."""


def _policy() -> Policy:
    return policy(read(CONFIGURATION, "chaos.yaml"), DEFAULTS)


class Logged(logging.Handler):
    """What was logged as an error, and what nobody ever looked at."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


@dataclass
class Clocks:
    """What time it is in the world, and what time the exporter believes it is."""

    loop: CompressedTime
    skew: float = 0.0
    asked_at: dict[float, float] = field(default_factory=dict)
    """The world's time whenever the exporter asked, by what it was told."""

    def world(self) -> float:
        return START + self.loop.time()

    def wrong(self) -> float:
        return self.world() + self.skew

    def asked(self) -> float:
        now = self.wrong()
        self.asked_at[now] = self.world()
        return now


class CountingPacer(Pacer):
    """A pacer that tells how many calls have been let through and are not over."""

    under_way = 0

    @asynccontextmanager
    async def slot(self, permits: asyncio.Semaphore) -> AsyncIterator[Slot]:
        async with super().slot(permits) as slot:
            self.under_way += 1
            try:
                yield slot
            finally:
                self.under_way -= 1


@dataclass
class Chaos:
    """The world, the exporter in it, and what was found out."""

    simulator: Simulator
    proxy: Proxy
    poller: Poller
    draw: random.Random
    url: str
    truth: Truth
    clocks: Clocks
    keys: list[str]
    scope: Scope
    session: aiohttp.ClientSession | None = None
    is_scraping: bool = False
    is_running: Callable[[], bool] = lambda: True
    rounds: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    _latest: object = None

    # Looking

    async def page(self) -> Seen:
        """What Prometheus would read now; every sample has been compared with the truth."""
        assert self.session is not None
        began, self.is_scraping = self.clocks.wrong(), True
        async with self.session.get(self.url) as response:
            text = await response.text()
        self.is_scraping = False
        if response.status != 200:
            raise Wrong(f"/metrics answers {response.status}")
        seen = Seen.of(text)
        self.truth.compare(seen, began, self.clocks.wrong())
        if not self.is_running():
            raise Wrong("polling has ended")
        if not self.poller.is_alive():
            raise Wrong("polling counts as stuck")
        return seen

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, with a scrape each few minutes."""
        until = self.clocks.loop.time() + seconds
        while (left := until - self.clocks.loop.time()) > 0:
            await asyncio.sleep(min(left, self.draw.uniform(1, 10) * MINUTE))
            self._count()
            await self.page()

    async def some_rounds(self, number: int) -> None:
        """Let that many rounds end."""
        for _ in range(number):
            before = self.poller.latest.round
            until = self.clocks.loop.time() + PATIENCE
            while self.poller.latest.round is before:
                await asyncio.sleep(self.draw.uniform(0.5, 2) * MINUTE)
                if self.clocks.loop.time() > until:
                    raise Wrong("no round ends any more")
            self._count()
            await self.page()

    def _count(self) -> None:
        if self.poller.latest.round is not self._latest:
            self._latest = self.poller.latest.round
            self.rounds += 1

    async def is_well_again(self) -> None:
        """Nothing is wrong any more: so the page must say before long, and by itself."""
        self.simulator.faults.clear()
        self.proxy.fault = None
        self.proxy.draw = lambda: self.proxy.fault
        until = self.clocks.loop.time() + PATIENCE
        while True:
            await self.some_rounds(1)
            seen = await self.page()
            polled = seen.by("institution_poll_success", "institution")
            if (
                seen.one("up") == 1
                and polled.keys() == self.simulator.offices.keys()
                and set(polled.values()) == {1.0}
            ):
                return
            if self.clocks.loop.time() > until:
                raise Wrong(f"not well again: up {seen.one('up')}, {polled}")

    async def must_say(self, reason: str) -> None:
        """Everything fails for this reason: so the page must say, and nothing else."""
        await self.some_rounds(2)  # one may have begun before
        before = (await self.page()).by("poll_failures_total", "reason")
        await self.some_rounds(1)
        seen = await self.page()
        after = seen.by("poll_failures_total", "reason")
        grown = {name for name, value in after.items() if value > before[name]}
        if grown != {reason}:
            raise Wrong(f"failures of {grown} instead of {reason}")
        if seen.one("up") != 0:
            raise Wrong(f"nexhealth_up is {seen.one('up')} while everything fails")
        if any(seen.by("institution_poll_success", "institution").values()):
            raise Wrong("a poll counts as good while everything fails")

    # What goes wrong

    async def the_line_is_broken(self) -> None:
        fault, reason = self.draw.choice(list(LINE.items()))
        self.proxy.fault = fault
        await self.must_say(reason)

    async def the_line_breaks_now_and_then(self) -> None:
        faults, share = list(LINE), self.draw.uniform(0.05, 0.6)
        self.proxy.draw = lambda: (
            self.draw.choice(faults) if self.draw.random() < share else self.proxy.fault
        )
        await self.some_rounds(4)

    async def nobody_is_at_the_address(self) -> None:
        await self.proxy.go_away()
        await self.must_say("connection")
        await self.proxy.come_back()

    async def the_api_fails(self) -> None:
        large = [TOO_LARGE] if self.scope is Scope.INSTITUTION else []
        fault, reason = self.draw.choice([*API, *large])
        self.simulator.faults["*"] = fault
        await self.must_say(reason)

    async def some_of_the_api_fails(self) -> None:
        where = [*self.simulator.offices, "/authenticates", "/locations", "/institutions"]
        for name in self.draw.sample(where, k=len(where) // 3):
            self.simulator.faults[name] = self.draw.choice([*API, TOO_LARGE])[0]
        await self.some_rounds(3)

    async def tokens_are_revoked(self) -> None:
        for _ in range(5):
            await asyncio.sleep(self.draw.uniform(0, INTERVAL))
            self.simulator.tokens.revoke()
            await self.page()

    async def the_key_is_rotated(self) -> None:
        self.simulator.api_key = f"key-{self.draw.random()}"
        self.simulator.tokens.revoke()
        await self.must_say("auth")
        self.keys.append(self.simulator.api_key)

    async def the_clock_is_set(self) -> None:
        self.clocks.skew += self.draw.choice((-1, 1)) * self.draw.uniform(1, 3 * HOUR)
        await self.some_rounds(2)
        if self.draw.random() < 0.5:
            self.simulator.faults["*"] = f.Status(401)
            await self.some_rounds(2)
            self.clocks.skew -= self.draw.uniform(0, DAY)
            await self.some_rounds(1)
        self.clocks.skew = self.clocks.skew if abs(self.clocks.skew) < DAY else 0.0

    async def the_configuration_is_read_again(self) -> None:
        for _ in range(4):
            await asyncio.sleep(self.draw.uniform(0, INTERVAL))
            self.poller.reload(_policy(), lambda i: self.draw.random() < 0.9 or i.id is None)
            await self.page()
        self.poller.reload(_policy(), lambda _: True)

    async def offices_come_and_go(self) -> None:
        gone = self.draw.sample(list(self.simulator.offices), k=len(self.simulator.offices) // 2)
        for name in gone:
            self.simulator.remove(name)
        first = self.draw.randrange(100, 10_000_000)
        for number in range(first, first + len(gone) + self.draw.randrange(-2, 3)):
            self.simulator.add(office(number))
        await self.pass_time(INVENTORY)

    async def offices_stand_still(self) -> None:
        names = list(self.simulator.offices)
        struck = self.draw.sample(names, k=self.draw.randrange(1, len(names)))
        for name in struck:
            self._behaviour(name).stop(self.clocks.world())
        await self.pass_time(self.draw.uniform(0, 8 * HOUR))
        for name in struck[::2]:
            self._behaviour(name).go_on(self.clocks.world())

    async def a_long_silence(self) -> None:
        await self.proxy.go_away()
        await self.pass_time(self.draw.choice((3 * HOUR, 3 * HOUR, DAY + HOUR)))
        await self.proxy.come_back()

    async def all_is_well(self) -> None:
        for name in self.simulator.offices:
            self._behaviour(name).go_on(self.clocks.world())
        await self.pass_time(2 * HOUR)

    def _behaviour(self, name: str) -> Breakable:
        behaviour = self.simulator.offices[name].office.syncs[0].behaviour
        assert isinstance(behaviour, Breakable)
        return behaviour

    @property
    def happenings(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        return [
            self.the_line_is_broken,
            self.the_line_breaks_now_and_then,
            self.nobody_is_at_the_address,
            self.the_api_fails,
            self.some_of_the_api_fails,
            self.tokens_are_revoked,
            self.the_key_is_rotated,
            self.the_clock_is_set,
            self.the_configuration_is_read_again,
            self.offices_come_and_go,
            self.offices_stand_still,
            self.a_long_silence,
            self.all_is_well,
        ]

    async def live(self, rounds: int) -> None:
        """Let each thing happen, in any order, again until so many rounds have ended.

        Raises Wrong.
        """
        await self.is_well_again()
        while not self.happened or self.rounds < rounds:
            happenings = self.happenings
            self.draw.shuffle(happenings)
            for happening in happenings:
                self.happened[happening.__name__] += 1
                try:
                    await happening()
                    await self.is_well_again()
                except Wrong as wrong:
                    raise Wrong(f"{happening.__name__}: {wrong}") from None


@asynccontextmanager
async def chaos(
    seed: int, offices: int, scope: Scope, inventory: float = INVENTORY
) -> AsyncIterator[Chaos]:
    """A world with that many offices, and an exporter that polls it in that scope."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, CompressedTime)
    clocks, keys, own = Clocks(loop), ["simulated-key"], OwnMetrics("chaos")
    places = map(office, range(1, offices + 1))
    simulator = Simulator(places, clock=clocks.world, per_second=None, per_minute=None)
    pacer = CountingPacer(50, 1000, clock=clocks.loop.time)
    async with simulator, Proxy(simulator.port) as proxy:
        nexhealth = NexHealth(
            proxy.url,
            lambda: keys[-1],
            version="v3.0.0",
            timeout=TIMEOUT,
            max_concurrency=50,
            pacer=pacer,
            meter=own,
            clock=clocks.asked,
        )
        poller = Poller(
            nexhealth,
            Pace(scope, INTERVAL, inventory, rate=1000 / 60, budget=0.0),
            _policy(),
            watches=lambda _: True,
            concurrency=50,
            meter=own,
            clock=clocks.asked,
        )
        view = View(
            fleet=lambda: poller.latest,
            now=clocks.wrong,
            unhealthy=lambda: None,
            unready=lambda: None,
            configuration=str,
        )
        async with serving(build(view, Page(own)), "127.0.0.1", 0) as port, nexhealth:
            url = f"http://127.0.0.1:{port}/metrics"
            truth = Truth(simulator, clocks.asked_at, REACH)
            draw = random.Random(seed)
            made = Chaos(simulator, proxy, poller, draw, url, truth, clocks, keys, scope)
            # What the simulator has begun and not ended when all is quiet, it keeps back.
            clocks.loop.busy_while(
                lambda: (
                    made.is_scraping or pacer.under_way > proxy.held + simulator.traffic.concurrency
                )
            )
            async with _running(made) as found:
                yield found


@asynccontextmanager
async def _running(made: Chaos) -> AsyncIterator[Chaos]:
    """Polling, and a scraper; nothing is left over that failed silently."""
    logged = Logged()
    logging.getLogger().addHandler(logged)
    polling = asyncio.create_task(made.poller.run())
    made.is_running = lambda: not polling.done()
    try:
        async with aiohttp.ClientSession() as session:
            made.session = session
            yield made
    finally:
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling
        logging.getLogger().removeHandler(logged)
    if logged.records:
        raise Wrong(f"logged as errors: {logged.records[:3]}")


async def live(seed: int, rounds: int, offices: int = 14, scope: Scope = Scope.INSTITUTION) -> str:
    """So many rounds of chaos; figures in a sentence. Raises Wrong."""
    began = time.monotonic()
    async with chaos(seed, offices, scope) as world:
        await world.live(rounds)
        spoilt, calls = world.proxy.spoilt.total(), world.simulator.traffic.count()
        return (
            f"{world.rounds} rounds in {world.clocks.loop.time() / DAY:.1f} days of "
            f"the world and {time.monotonic() - began:.0f} s of ours; "
            f"{world.happened.total()} things went wrong, {spoilt} of {calls} calls were spoilt on "
            f"the line, {world.truth.compared} samples were compared and true"
        )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1_000_000)
    logging.basicConfig(level=logging.CRITICAL)
    for scope in (Scope.INSTITUTION, Scope.FLEET):
        sys.stdout.write(f"seed {seed}, {scope}\n")
        sys.stdout.flush()
        sys.stdout.write(f"{compressed(live(seed, rounds, scope=scope))}\n")


if __name__ == "__main__":
    main()
