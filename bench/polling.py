"""The cost of a poll over TLS: our complete poll, a bare GET, and the conventional way.

Each is a process of its own: `python -m bench.polling WAY LAP URL INSTITUTIONS` prints CPU seconds
of polling everybody. LAP is `later`: when connections and caches are warm and everybody is known,
and one complete scrape after that, the first; or `first`: when everybody is met, so that records,
expectations and the children of gauges are made, without a scrape.
"""

import asyncio
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import aiohttp
import trustme
import uvloop
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel

from bench.figures import Figure, median
from bench.measuring import cpu, ratios
from bench.offices import ZONES, inventory, offices, standard_policy, with_past
from bench.programs import KEY
from nexhealth_exporter.expectation.schedule import HOUR
from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.exposition.table import Family
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import Operation, Poll, Severity
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.poller.latest import Latest
from nexhealth_exporter.simulator import Office, Simulator
from nexhealth_exporter.simulator.offices import Steady

FIRST_ROUNDS = 3
"""Each in a process of its own, since an institution is polled for the first time only once."""

LATER_ROUNDS = 3
"""In one process, of which the median counts: each is short."""

MOVES_EVERY = 0.5
"""Seconds after which each mark has moved: the most expensive case."""

CONCURRENCY = 50
HEADERS = {"Nex-Api-Version": "v3.0.0"}


def figures(institutions: int, rounds: int, met: int) -> list[Figure]:
    """All in turns on the simulated API; two also in a first round of `met` institutions."""
    taken = asyncio.run(_in_turns("later", WAYS, institutions, rounds))
    first = asyncio.run(_in_turns("first", ("conventional", "ours"), met, FIRST_ROUNDS))
    meeting = {way: [spent.polls for spent in its] for way, its in first.items()}
    polls = {way: [spent.polls for spent in its] for way, its in taken.items()}
    cycles = {way: [spent.polls + spent.scrape for spent in its] for way, its in taken.items()}
    each = [1e6 * seconds / institutions for seconds in polls["ours"]]
    return [
        median("polling", "CPU relative to a bare GET",
               ratios(polls["ours"], polls["bare"]), 2, unit="x"),
        median("polling", "CPU relative to a bare GET, learned hours",
               ratios(polls["learned"], polls["bare"]), 2, unit="x"),
        median("polling", "CPU relative to the conventional way",
               ratios(polls["ours"], polls["conventional"]), 0.5, unit="x"),
        median("polling", "all institutions and one scrape, CPU relative to the conventional way",
               ratios(cycles["ours"], cycles["conventional"]), None, unit="x"),
        median("polling", "CPU per institution", each, None, unit=" µs"),
        median("polling", "first round, CPU relative to the conventional way",
               ratios(meeting["ours"], meeting["conventional"]), 0.5, unit="x"),
        median("polling", "first round, CPU per institution",
               [1e6 * seconds / met for seconds in meeting["ours"]], None, unit=" µs"),
    ]  # fmt: skip


class Spent(NamedTuple):
    """CPU seconds of polling all institutions, and of a complete scrape after it, if any."""

    polls: float
    scrape: float = 0.0


def _restless(office: Office) -> Office:
    """The office with marks that have moved whenever it is polled."""
    restless = Steady(read_every=MOVES_EVERY, write_every=MOVES_EVERY)
    return replace(office, syncs=tuple(replace(s, behaviour=restless) for s in office.syncs))


async def _in_turns(
    lap: str, ways: Iterable[str], institutions: int, rounds: int
) -> dict[str, list[Spent]]:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    taken: dict[str, list[Spent]] = {way: [] for way in ways}
    simulator = Simulator(
        map(_restless, offices(institutions)),
        api_key=KEY,
        per_second=None,
        per_minute=None,
        ssl_context=server,
    )
    with tempfile.TemporaryDirectory() as folder:
        trusted = Path(folder) / "authority.pem"
        authority.cert_pem.write_to_path(str(trusted))
        async with simulator:
            for _ in range(rounds):
                for way, found in taken.items():
                    command = (sys.executable, "-m", "bench.polling", way, lap, simulator.url)
                    process = await asyncio.create_subprocess_exec(
                        *command,
                        str(institutions),
                        stdout=subprocess.PIPE,
                        env={**os.environ, "SSL_CERT_FILE": str(trusted)},
                    )
                    said, _ = await process.communicate()
                    found.append(Spent(*map(float, said.split())))
    return taken


Round = Callable[[], Awaitable[None]]
Lap = Callable[[Round, Round], Awaitable[Spent]]
"""Measures rounds of polls, and maybe a scrape."""


async def _each(numbers: range, ask: Callable[[int], Awaitable[None]]) -> None:
    """Ask about each, so many at a time."""
    queue = iter(numbers)

    async def work() -> None:
        for number in queue:
            await ask(number)

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


async def _first(round_: Round, _scrape: Round) -> Spent:
    return Spent(await cpu(round_))


async def _later(round_: Round, scrape: Round) -> Spent:
    await round_()
    spent = []
    for _ in range(LATER_ROUNDS):
        await asyncio.sleep(MOVES_EVERY)
        spent.append(await cpu(round_))
    return Spent(statistics.median(spent), await cpu(scrape))


async def _ours(lap: Lap, url: str, institutions: int) -> Spent:
    return await _of_fleet(lap, url, institutions, Fleet())


async def _learned(lap: Lap, url: str, institutions: int) -> Spent:
    return await _of_fleet(lap, url, institutions, with_past(institutions, time.time()))


async def _of_fleet(lap: Lap, url: str, institutions: int, fleet: Fleet) -> Spent:
    """Ours, from what is known at the start on."""
    everybody, own = inventory(institutions), OwnMetrics("bench")
    latest = Latest(fleet, standard_policy(), OwnMetrics("bench"))
    latest.watch(everybody)
    page = Page(own)
    async with NexHealth(
        url,
        lambda: KEY,
        version="v3.0.0",
        timeout=30,
        max_concurrency=CONCURRENCY,
        pacer=Pacer(1_000_000, 60_000_000),
        meter=own,
    ) as api:

        async def ask(number: int) -> None:
            institution = everybody.institutions[f"smile-office-{number}"]
            syncs = await api.syncs(institution)
            latest.record(Poll(institution.subdomain, time.time(), syncs))

        async def round_() -> None:
            await _each(range(institutions), ask)
            _ = latest.fleet  # the last few polls wait for a reader

        async def scrape() -> None:
            await page.write(
                latest.fleet, time.time(), openmetrics=False, names=frozenset(), gzip=True
            )

        return await lap(round_, scrape)


async def _session(url: str) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    session = aiohttp.ClientSession(connector=connector)
    async with session.post(f"{url}/authenticates", headers={"Authorization": KEY}) as answer:
        token = (await answer.json())["data"]["token"]
    session.headers.update({**HEADERS, "Authorization": f"Bearer {token}"})
    return session


async def _bare(lap: Lap, url: str, institutions: int) -> Spent:
    async with await _session(url) as session:

        async def ask(number: int) -> None:
            name = f"smile-office-{number}"
            async with session.get(f"{url}/sync_status?subdomain={name}") as answer:
                await answer.read()

        async def scrape() -> None:
            """There is nothing to be read."""

        return await lap(lambda: _each(range(institutions), ask), scrape)


class _Emr(BaseModel):
    name: str
    display_name: str
    type: str


class _Location(BaseModel):
    id: int
    inactive: bool


class _Entry(BaseModel):
    institution_id: int
    sync_source_name: str
    emr: _Emr
    read_status: str
    read_status_at: datetime
    write_status: str
    write_status_at: datetime
    locations: list[_Location]


class _Answer(BaseModel):
    data: list[_Entry]


class _Gauges:
    """The exporter's own families, set one by one; deadlines are just the mark and an hour."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # By name: what looking a family up would cost is none of the usual way's.
        self._gauges = {
            family.name: Gauge(family.name, family.help, family.labels, registry=self.registry)
            for family in table.OF_FLEET
        }

    def set(self, family: Family, value: float, *labels: str) -> None:
        """Set one series."""
        self._gauges[family.name].labels(*labels).set(value)

    def take(self, institution: str, found: _Answer, now: float) -> None:
        """Set what an answer tells of an institution."""
        self.set(table.POLL_SUCCESS, 1, institution)
        self.set(table.LAST_POLL, now, institution)
        self.set(table.INSTITUTION_SYNCS, len(found.data), institution)
        number = str(found.data[0].institution_id) if found.data else ""
        self.set(table.INSTITUTION_INFO, 1, institution, number, institution, "")
        for entry in found.data:
            labels = (institution, entry.sync_source_name, entry.emr.type)
            for way in Operation:
                mark = getattr(entry, f"{way}_status_at").timestamp()
                self.set(table.LAST_MARK[way], mark, *labels)
                self.set(table.LAG[way], now - mark, *labels)
                self.set(table.UNEXPECTED_LAG[way], now - mark, *labels)
                self.set(table.UP[way], getattr(entry, f"{way}_status") == "green", *labels)
                for severity in Severity:
                    self.set(table.ALLOWANCE[way], HOUR, *labels, severity)
                    self.set(table.DEADLINE[way], mark + HOUR, *labels, severity)
            self.set(table.EXPECTED_UP, 1, *labels)
            emr, sites = entry.emr.display_name, str(len(entry.locations))
            info = (number, emr, ZONES[0], "default", "", "active", sites)
            self.set(table.SYNC_INFO, 1, *labels, *info)


async def _conventional(lap: Lap, url: str, institutions: int) -> Spent:
    """The conventional way: a model of the answer, and gauges that are set."""
    gauges = _Gauges()
    async with await _session(url) as session:

        async def ask(number: int) -> None:
            name = f"smile-office-{number}"
            async with session.get(f"{url}/sync_status?subdomain={name}") as answer:
                found = _Answer.model_validate_json(await answer.read())
            gauges.take(name, found, time.time())

        async def scrape() -> None:
            generate_latest(gauges.registry)

        return await lap(lambda: _each(range(institutions), ask), scrape)


WAYS = {"bare": _bare, "conventional": _conventional, "ours": _ours, "learned": _learned}
LAPS = {"first": _first, "later": _later}

if __name__ == "__main__":
    way, lap, url, institutions = sys.argv[1:]
    print(*uvloop.run(WAYS[way](LAPS[lap], url, int(institutions))))
