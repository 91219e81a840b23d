"""Memory of the real program: resident above an idle one, growth over time, collection pauses."""

import asyncio
import gc
import os
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, median
from bench.measuring import MIB, apart
from bench.offices import (
    fleet_after,
    institutions_of,
    inventory,
    polls,
    standard_policy,
    write_past,
)
from bench.programs import exporter, simulated
from bench.scrape import NOW
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.model import Inventory
from nexhealth_exporter.state import StateFile

ROUNDS = 3
"""Rounds after which the program's memory has settled."""

INTERVAL = 5
"""Seconds between rounds: a large fleet's round ends before the next begins, as in production."""

CHURNED = 20
"""Institutions of a fleet that changes each round: only what rounds leave behind can grow."""


def figures(syncs: int, rounds: int) -> list[Figure]:
    """Figures of the program with so many syncs; memory must stay flat over `rounds`."""
    return [*_resident(syncs), *apart(_flat, rounds), *apart(_pauses, syncs)]


def _resident(syncs: int) -> list[Figure]:
    count = institutions_of(syncs)
    _, idle = asyncio.run(_settled(1, is_learned=False))
    found = [Figure("memory", "resident, idle", idle / MIB, None, " MiB")]
    for what, is_learned in (("default hours", False), ("learned hours", True)):
        series, resident = asyncio.run(_settled(count, is_learned=is_learned))
        each = (resident - idle) / series
        found += [
            Figure("memory", f"per series above idle, {what}", each, 120, " bytes"),
            Figure("memory", f"resident, {syncs:,} syncs, {what}", resident / MIB, 150, " MiB"),
        ]
    return found


async def _settled(institutions: int, *, is_learned: bool) -> tuple[int, int]:
    """How many series, and how many bytes, after some rounds and scrapes."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "learned.db"
        if is_learned:
            await asyncio.to_thread(write_past, state, institutions, time.time())
        async with (
            simulated(institutions) as api,
            exporter(api, state_file=state, poll_interval_seconds=INTERVAL) as program,
        ):
            series = await program.scrape()
            for _ in range(ROUNDS):
                await program.after_a_round()
                series = await program.scrape()
            return series, program.resident


def _resident_now() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _flat(rounds: int) -> list[Figure]:
    """Rounds in which offices come and go, each followed by a scrape.

    Memory is settled once the first patterns are learned, of which a bounded cache is full at once.
    """
    settled = rounds // 2

    async def work() -> tuple[int, int]:
        everybody = inventory(2 * CHURNED)
        names = list(everybody.institutions)
        of, page = standard_policy(), Page(OwnMetrics("bench"))
        fleet, before = fleet_after(CHURNED, NOW), 0
        for number in range(rounds):
            now, first = NOW + 300.0 * number, 3 * number % CHURNED
            some = {name: everybody.institutions[name] for name in names[first : first + CHURNED]}
            fleet = fleet.watching(Inventory(some), of)
            fleet = fleet.after(polls(range(first, first + CHURNED), now), of)
            await page.write(fleet, now, openmetrics=False, names=frozenset(), gzip=True)
            if number == settled:
                before = _resident_now()
        return before, _resident_now()

    before, after = asyncio.run(work())
    what = f"growth from round {settled:,} to {rounds:,}, offices coming and going"
    return [Figure("memory", what, 100 * (after / before - 1), 5, " %")]


def _collected() -> float:
    """CPU milliseconds of a full collection."""
    began = time.process_time()
    gc.collect()
    return 1e3 * (time.process_time() - began)


def _pauses(syncs: int) -> list[Figure]:
    """Full collections after the program has frozen its objects: at once, and a round later."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "learned.db"
        count = institutions_of(syncs)
        write_past(path, count, time.time())
        state = StateFile(path)
        fleet, of = fleet_after(count, time.time(), state.fleet()), standard_policy()
        state.close()
    gc.collect()
    gc.freeze()
    at_once = [_collected() for _ in range(5)]
    later = []
    for number in range(1, 3):
        fleet = fleet.after(polls(range(count), time.time() + 300 * number), of)
        later.append(_collected())
        gc.freeze()
    return [
        median("memory", "full garbage collection after the first round, CPU",
               at_once, 5, unit=" ms"),
        median("memory", "full garbage collection one round later, CPU", later, 5, unit=" ms"),
    ]  # fmt: skip
