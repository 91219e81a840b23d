"""The program for a long time: `python -m tests.faults.soak MINUTES [SCOPE] [SEED]`, `make soak`.

The real program polls a simulated fleet through a line that breaks, while four scrapers read its
page. Storms of troubles are drawn from a seed; after each of them all must be well again by
itself. Every page that is read is compared with the simulated world, sample by sample. At the end
memory and file descriptors must not have grown, and every failure that was logged, and every call
that was made, must have been counted. What does not hold ends it with 1.
"""

import asyncio
import logging
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from nexhealth_exporter.nexhealth.exchange import KEEP_ALIVE
from nexhealth_exporter.plan import Scope
from nexhealth_exporter.simulator import Simulator
from nexhealth_exporter.simulator import faults as f
from tests.e2e.processes import PROGRAM, Process, free_port, running, until
from tests.faults import proxy as p
from tests.faults.proxy import Proxy
from tests.faults.truth import CONFIGURATION, Breakable, Seen, Truth, Wrong, office

CONCURRENCY = 50

MIB = 2.0**20
QUARTER = 2 * KEEP_ALIVE
"""Seconds of the shortest quarter of the time in which something could be seen to grow."""

MEMORY = 0.05
"""The part by which memory may differ between the second and the last quarter of the time."""

DESCRIPTORS = 5
"""File descriptors by which the fewest of a quarter may differ so."""

LONG = 3600.0
LINE: tuple[p.Fault, ...] = (
    p.Late(LONG),
    p.Trickle(1, 0.5),
    p.Truncated(0),
    p.Truncated(300),
    p.Cut(0),
    p.Cut(500),
    p.HalfClosed(100),
    p.Unsent(),
    p.Silent(),
    p.Babble(),
)
OFFICE: tuple[f.Fault, ...] = (
    f.Status(500),
    f.Status(503, "html"),
    f.Status(403),
    f.Status(404),
    f.Status(401),
    f.Status(418),
    f.Throttle(),
    f.Refusal(),
    f.Hang(),
    f.Stall(),
    f.Reset(),
    f.Slow(LONG),
    f.Huge(2_000_000),
    *f.GARBAGE.values(),
)
ALL: tuple[f.Fault, ...] = (f.Status(500), f.Status(503, "html"), f.Throttle(3), f.HTML, f.Hang())
BROKEN = "schedules: ["


class Fleet(NamedTuple):
    """How many offices. Seconds: how often they are polled and listed, how often each scraper
    reads the page, how often such a page is compared, and the time limit of a call.
    """

    offices: int = 2000
    interval: float = 60.0
    inventory: float = 60.0
    scrape: float = 15.0
    compare: float = 20.0
    timeout: float = 10.0


@dataclass(frozen=True)
class Size:
    """What the program took at an instant (seconds): bytes of memory, open descriptors.

    Connections to the API are not among these: as many as storms called for are used in turn
    from then on, and none is idle for long enough to end.
    """

    at: float
    memory: float
    descriptors: float


def descriptors(pid: int, port: int) -> tuple[int, int]:
    """How many open descriptors of the process are connections to that port, and how many not."""
    established = {
        f"socket:[{inode}]"
        for _, _, there, state, *_, inode in (
            line.split()[:10] for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
        )
        if state == "01" and there.endswith(f":{port:04X}")
    }
    opened = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            opened.append(str(each.readlink()))
    pooled = sum(each in established for each in opened)
    return pooled, len(opened) - pooled


def quarters(sizes: Sequence[Size]) -> tuple[list[Size], list[Size]]:
    """The sizes in the second and in the last quarter of the time."""
    first, length = sizes[0].at, sizes[-1].at - sizes[0].at
    second = [s for s in sizes if 0.25 <= (s.at - first) / length < 0.5]
    return second, [s for s in sizes if (s.at - first) / length >= 0.75]


def grown(sizes: Sequence[Size]) -> list[str]:
    """Whatever grew from the second to the last quarter, in sentences.

    Where a quarter is not longer than connections are kept idle there is nothing to tell.
    """
    if sizes[-1].at - sizes[0].at < 4 * QUARTER:
        return []
    found = []
    second, last = quarters(sizes)
    before, after = (statistics.median(s.memory for s in quarter) for quarter in (second, last))
    if after > before * (1 + MEMORY):
        found.append(f"memory grew from {before / MIB:.1f} to {after / MIB:.1f} MiB")
    few, fewest = (min(s.descriptors for s in quarter) for quarter in (second, last))
    if fewest > few + DESCRIPTORS:
        found.append(f"file descriptors grew from {few:.0f} to {fewest:.0f}")
    return found


def told(log: str) -> Counter[str]:
    """Failures that a log in logfmt tells of, by reason."""
    found: Counter[str] = Counter()
    for line in log.splitlines():
        if 'msg="round finished with failures"' in line:
            for reason, number in re.findall(r" failed_(\w+)=(\d+)", line):
                found[reason] += int(number)
        elif 'msg="inventory failed' in line or 'msg="fleet call still failing' in line:
            found.update(re.findall(r" reason=(\w+)", line)[:1])
        elif 'msg="inventory incomplete' in line:
            # Who may not list an endpoint is not refused.
            found.update({*re.findall(r" reason=(\w+)", line)[:1]} - {"forbidden", "not_found"})
    return found


class SameClock(dict[float, float]):
    """The exporter believes that it is as late as it is."""

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, instant: float) -> float:
        return instant


@dataclass
class Soak:
    """The world, the program in it, and what was found out."""

    fleet: Fleet
    folder: Path
    simulator: Simulator
    proxy: Proxy
    port: int
    draw: random.Random
    tell: Callable[[str], object]
    process: Process | None = None
    happened: Counter[str] = field(default_factory=Counter)
    storms: int = 0
    pages: int = 0
    sizes: list[Size] = field(default_factory=list)
    seen: Seen | None = None
    seen_at: float = 0.0
    refused: int = 0
    """Calls that may have met a line that was just going away."""

    def __post_init__(self) -> None:
        # A large answer may take longer than one call; those that are late here never come.
        self.truth = Truth(self.simulator, SameClock(), 2 * self.fleet.timeout + 5.0)
        self.due = 0.0
        self.looking = asyncio.Lock()
        self.number = self.fleet.offices

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> Process:
        assert self.process is not None
        return self.process

    # Looking

    async def scrape(self, session: aiohttp.ClientSession, *, openly: bool) -> None:
        """Read the page once, as a Prometheus does. Raises Wrong."""
        kind = "application/openmetrics-text; version=1.0.0" if openly else "text/plain"
        began, reached = time.time(), self._reached
        async with session.get(f"{self.url}/metrics", headers={"Accept": kind}) as answer:
            text = await answer.text()
        ended = time.time()
        if answer.status != 200 or not text.endswith("# EOF\n" if openly else "\n"):
            raise Wrong(f"/metrics answers {answer.status}, {text[-100:]!r}")
        self.pages += 1
        if began >= self.due and not self.looking.locked():
            self.due = began + self.fleet.compare
            async with self.looking:
                seen = await asyncio.to_thread(Seen.quickly, text)
                await asyncio.to_thread(self.truth.compare, seen, began, ended)
            self._note(seen, began, reached)

    def _note(self, seen: Seen, began: float, reached: int) -> None:
        """A page that was asked for then, when so many calls had reached the line."""
        self._check_calls(seen, reached)
        memory = seen.one("process_resident_memory_bytes")
        if memory is None or seen.one("process_open_fds") is None:
            raise Wrong("the page does not tell the size of the program")
        pooled, others = descriptors(self.running.pid, self.proxy.port)
        if pooled > CONCURRENCY + DESCRIPTORS:
            raise Wrong(f"{pooled} connections to the API are open")
        self.sizes.append(Size(began, memory, others))
        self.seen, self.seen_at = seen, began

    async def keep_scraping(self, number: int) -> None:
        """One of the scrapers. Never ends; raises Wrong."""
        await asyncio.sleep(number * self.fleet.scrape / 4)
        encoding = {} if number % 2 else {"Accept-Encoding": "identity"}
        async with aiohttp.ClientSession(headers=encoding) as session:
            while True:
                due = time.monotonic() + self.fleet.scrape
                await self.scrape(session, openly=number >= 2)
                await asyncio.sleep(due - time.monotonic())

    async def keep_visiting(self) -> None:
        """People and probes. Never ends; raises Wrong."""
        await self.until("ready", lambda seen: seen.one("up") == 1)
        async with aiohttp.ClientSession() as session:
            while True:
                for path in ("/", "/api/v1/syncs", "/config", "/-/healthy", "/-/ready"):
                    async with session.get(self.url + path) as answer:
                        await answer.read()
                    if answer.status != 200:
                        raise Wrong(f"{path} answers {answer.status}")
                await asyncio.sleep(self.fleet.scrape)

    async def until(self, what: str, holds: Callable[[Seen], bool]) -> None:
        """Wait for a page, asked for from now on, of which it holds. Raises Wrong."""
        since = time.time()
        patience = 6 * self.fleet.interval + self.fleet.inventory + 4 * self.fleet.compare + 60
        while not (self.seen is not None and self.seen_at > since and holds(self.seen)):
            if time.time() > since + patience:
                raise Wrong(f"{what}: that does not come")
            await asyncio.sleep(0.2)

    async def is_well(self) -> None:
        """Nothing is wrong any more, and so the page must say before long."""
        self.simulator.faults.clear()
        self.proxy.draw = lambda: None

        def all_polled(seen: Seen) -> bool:
            polled = seen.by("institution_poll_success", "institution")
            return (
                seen.one("up") == 1
                and polled.keys() == self.simulator.offices.keys()
                and set(polled.values()) == {1.0}
            )

        await self.until("well again", all_polled)

    # What goes wrong; each takes a part of an interval at most.

    async def the_line_breaks(self) -> None:
        share = self.draw.uniform(0.02, 0.15)
        self.proxy.draw = lambda: self.draw.choice(LINE) if self.draw.random() < share else None

    async def offices_fail(self) -> None:
        names = list(self.simulator.offices)
        for name in self.draw.sample(names, k=max(1, len(names) // 20)):
            self.simulator.faults[name] = self.draw.choice(OFFICE)

    async def the_inventory_fails(self) -> None:
        for name in ("/institutions", "/locations"):
            self.simulator.faults[name] = self.draw.choice(OFFICE)

    async def everything_fails(self) -> None:
        self.simulator.faults["*"] = self.draw.choice(ALL)
        await asyncio.sleep(self.fleet.interval / 4)
        self.simulator.faults.pop("*", None)

    async def nobody_is_at_the_address(self) -> None:
        self.refused += CONCURRENCY
        await self.proxy.go_away()
        await asyncio.sleep(self.fleet.interval / 4)
        await self.proxy.come_back()

    async def tokens_are_revoked(self) -> None:
        self.simulator.tokens.revoke()

    def put(self, name: str, text: str) -> None:
        """Write a file whole: another trouble may have it read at any moment."""
        new = self.folder / f"{name}.new"
        new.write_text(text)
        new.replace(self.folder / name)

    async def the_key_is_rotated(self) -> None:
        self.simulator.api_key = f"key-{self.draw.getrandbits(64):016x}"
        self.simulator.tokens.revoke()
        await asyncio.sleep(self.fleet.interval / 8)
        self.put("key", self.simulator.api_key)
        self.running.hang_up()

    async def a_broken_file_is_read(self) -> None:
        self.put("rules.yaml", BROKEN)
        self.running.hang_up()
        await self.until("refused", lambda seen: seen.one("config_last_reload_successful") == 0)
        await self.a_file_is_read_again()

    async def a_file_is_read_again(self) -> None:
        self.put("rules.yaml", f"{CONFIGURATION}# {self.draw.random()}\n")
        self.running.hang_up()
        await self.until("in force", lambda seen: seen.one("config_last_reload_successful") == 1)

    async def offices_come_and_go(self) -> None:
        async with self.looking:
            names = list(self.simulator.offices)
            for name in self.draw.sample(names, k=max(1, len(names) // 20)):
                self.simulator.remove(name)
                self.number += 1
                self.simulator.add(office(self.number))

    async def offices_stand_still(self) -> None:
        names = list(self.simulator.offices)
        for name in self.draw.sample(names, k=max(1, len(names) // 4)):
            behaviour = self.simulator.offices[name].office.syncs[0].behaviour
            assert isinstance(behaviour, Breakable)
            self.draw.choice((behaviour.stop, behaviour.go_on))(time.time())

    @property
    def troubles(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        return [
            self.the_line_breaks,
            self.offices_fail,
            self.the_inventory_fails,
            self.everything_fails,
            self.nobody_is_at_the_address,
            self.tokens_are_revoked,
            self.the_key_is_rotated,
            self.a_broken_file_is_read,
            self.a_file_is_read_again,
            self.offices_come_and_go,
            self.offices_stand_still,
        ]

    async def storm(self) -> None:
        """Some of it at once, and then all is well again."""
        for trouble in self.draw.sample(self.troubles, k=5):
            self.happened[trouble.__name__] += 1
            await trouble()
        await asyncio.sleep(self.fleet.interval / 2)
        await self.is_well()
        self.storms += 1
        self.tell(
            f"{self.storms} storms, {self.pages} pages, {self.truth.compared} samples true, "
            f"{self.sizes[-1].memory / MIB:.0f} MiB"
        )

    async def live(self, seconds: float) -> None:
        """Storm after storm for so long. Raises Wrong."""
        end = time.monotonic() + seconds
        visitors = [self.keep_scraping(number) for number in range(4)]
        tasks = [asyncio.create_task(each) for each in (*visitors, self.keep_visiting())]
        tasks.append(asyncio.create_task(self._storms(end)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                if not task.done():
                    task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    async def _storms(self, end: float) -> None:
        await self.is_well()
        while time.monotonic() < end:
            await self.storm()
        await self.until("every failure counted", self._is_counted)
        if wrong := grown(self.sizes):
            raise Wrong("; ".join(wrong))

    # Counting

    def _is_counted(self, seen: Seen) -> bool:
        counted = seen.by("poll_failures_total", "reason")
        return {reason: n for reason, n in counted.items() if n} == told(self.running.said)

    @property
    def _reached(self) -> int:
        """How many calls have reached the line."""
        return self.proxy.passed + self.proxy.spoilt.total()

    def _check_calls(self, seen: Seen, least: int) -> None:
        """So many calls had reached the line before this page was asked for. Raises Wrong."""
        counted = sum(n for _, n in seen.samples["api_requests_total"])
        if not least - CONCURRENCY <= counted <= self._reached + self.refused:
            raise Wrong(f"{counted:.0f} calls were counted, {least} to {self._reached} were made")

    def report(self) -> str:
        """The figures."""
        minutes = (self.sizes[-1].at - self.sizes[0].at) / 60
        failures = told(self.running.said)
        spoilt, went = self.proxy.spoilt.total(), self.number - self.fleet.offices
        second, last = quarters(self.sizes)
        before, after = (statistics.median(s.memory for s in q) / MIB for q in (second, last))
        most = max(size.memory for size in self.sizes) / MIB
        few, fewest = (min(s.descriptors for s in q) for q in (second, last))
        peak = max(size.descriptors for size in self.sizes)
        return f"""\
{minutes:.1f} minutes, {len(self.simulator.offices)} institutions; {went} came, {went} went
{self.storms} storms of {self.happened.total()} troubles; all was well again after each
{self._reached} calls, all counted; {spoilt} of them were spoilt on the line
{failures.total()} failures of {len(failures)} kinds, all counted
{self.pages} pages read; of {len(self.sizes)} all {self.truth.compared} samples compared and true
memory (MiB): {before:.1f} in the second quarter, {after:.1f} in the last, {most:.1f} at most
file descriptors: {few:.0f} at least in the second quarter, {fewest:.0f} in the last, \
{peak:.0f} at most"""


def _environment(
    folder: Path, proxy: Proxy, port: int, fleet: Fleet, scope: Scope
) -> dict[str, str]:
    (folder / "key").write_text("simulated-key")
    (folder / "rules.yaml").write_text(CONFIGURATION)
    given = {
        "API_URL": proxy.url,
        "API_KEY_FILE": folder / "key",
        "API_TIMEOUT_SECONDS": fleet.timeout,
        "API_MAX_CONCURRENCY": CONCURRENCY,
        "API_REQUESTS_PER_SECOND": 200,
        "API_REQUESTS_PER_MINUTE": 12_000,
        "API_CALLS_BUDGET": 0,
        "POLL_SCOPE": scope,
        "POLL_INTERVAL_SECONDS": fleet.interval,
        "INVENTORY_INTERVAL_SECONDS": fleet.inventory,
        "DEFAULT_TIMEZONE": "UTC",
        "CONFIG_FILE": folder / "rules.yaml",
        "STATE_FILE": folder / "state.sqlite",
        "LISTEN_ADDRESS": f"127.0.0.1:{port}",
    }
    return {f"NEXHEALTH_EXPORTER_{name}": str(value) for name, value in given.items()}


@asynccontextmanager
async def soaking(
    folder: Path, fleet: Fleet, scope: Scope, seed: int, tell: Callable[[str], object]
) -> AsyncIterator[Soak]:
    """The program on a simulated fleet. Raises Wrong if it ends badly or logged an error."""
    offices = [office(number) for number in range(1, fleet.offices + 1)]
    simulator = Simulator(offices, per_second=None, per_minute=None)
    async with simulator, Proxy(simulator.port) as proxy:
        port = free_port()
        env = _environment(folder, proxy, port, fleet, scope)
        soak = Soak(fleet, folder, simulator, proxy, port, random.Random(seed), tell)
        async with running(*PROGRAM, env=env) as process:
            soak.process = process
            await until(lambda: "msg=listening" in process.said, seconds=180)
            yield soak
            code = await process.stop()
    said = process.said
    bad = [line for line in said.splitlines() if "level=error" in line or "Traceback" in line]
    if code or bad:
        raise Wrong(f"ended with {code}, and said {bad[:3]}")


async def soaked(
    seconds: float, fleet: Fleet, scope: Scope, seed: int, *, tell: Callable[[str], object]
) -> str:
    """So many seconds of it; the report. Raises Wrong."""
    with tempfile.TemporaryDirectory() as folder:
        return await _soaked(seconds, soaking(Path(folder), fleet, scope, seed, tell))


async def _soaked(seconds: float, opened: AbstractAsyncContextManager[Soak]) -> str:
    async with opened as soak:
        try:
            await soak.live(seconds)
        except Wrong as wrong:
            soak.tell(soak.running.said[-4000:])
            raise Wrong(f"after {soak.storms} storms, {dict(soak.happened)}: {wrong}") from None
        return soak.report()


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    minutes, scope, seed = (*sys.argv[1:], *("20", "institution", "")[len(sys.argv) - 1 :])
    number = int(seed) if seed else random.randrange(1_000_000)
    logging.basicConfig(level=logging.CRITICAL)
    _print(f"seed {number}, {scope}, {minutes} minutes on {os.cpu_count()} cores")
    try:
        work = soaked(60 * float(minutes), Fleet(), Scope(scope), number, tell=_print)
        _print(asyncio.run(work))
    except Wrong as wrong:
        _print(f"VIOLATED: {wrong}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
