"""The cost of a round, a page and memory as the fleet grows."""

import asyncio
import gc
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure
from bench.measuring import MIB, apart, peak
from bench.offices import answer, fleet_after, inventory, standard_policy
from bench.scrape import NOW
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import Poll
from nexhealth_exporter.nexhealth import envelope, payload
from nexhealth_exporter.poller.latest import Latest

LEAST_ROUNDS, MOST_ROUNDS = 3, 5
"""The median of these rounds counts: a single one may coincide with other work."""

COUNTED = 20_000
"""Institutions that are polled in all the rounds that count, if that takes more than the least."""

LARGE = 1000
"""From this size on, the fixed cost of a process is negligible."""


@dataclass(frozen=True, slots=True)
class Size:
    """CPU seconds of a round (answer decoded, fleet judged, one scrape), bytes of both."""

    institutions: int
    cpu: float
    memory: int
    page: int


def figures(sizes: Sequence[Size], least: int = LARGE) -> list[Figure]:
    """Whether cost grows linearly with the fleet, from `least` institutions on."""
    first = next(size for size in sizes if size.institutions >= least)
    last = sizes[-1]
    times = last.institutions / first.institutions
    span = f"{last.institutions:,} relative to {first.institutions:,} institutions"
    ways = {"CPU of a round": "cpu", "memory": "memory", "page size": "page"}
    return [
        Figure(
            "growth",
            f"{what} per institution, {span}",
            getattr(last, name) / getattr(first, name) / times,
            1.5,
            "x",
        )
        for what, name in ways.items()
    ]


def measured(most: int) -> list[Size]:
    """Fleets of ten times the size, each in a process of its own."""
    sizes, institutions = [], 100
    while institutions <= most:
        with tempfile.TemporaryDirectory() as folder:
            # Made elsewhere: what making them takes is memory that the fleet would hide in.
            rounds = min(max(COUNTED // institutions, LEAST_ROUNDS), MOST_ROUNDS)
            bodies = [Path(folder) / str(number) for number in range(rounds + 1)]
            apart(_write, institutions, bodies)
            sizes.append(apart(_run, institutions, bodies))
        institutions *= 10
    return sizes


def _at(number: int) -> float:
    return NOW + 300 * number


def _write(institutions: int, bodies: Sequence[Path]) -> None:
    for number, body in enumerate(bodies):
        body.write_bytes(answer(institutions, _at(number)))


def _run(institutions: int, bodies: Sequence[Path]) -> Size:
    return asyncio.run(_rounds(institutions, bodies))


async def _rounds(institutions: int, bodies: Sequence[Path]) -> Size:
    of = standard_policy()
    page = Page(OwnMetrics("bench"))
    latest = Latest(Fleet(), of, OwnMetrics("bench"))
    # Calendars are loaded for whoever is met first: they are no part of what a fleet takes.
    fleet_after(1, NOW)
    gc.collect()
    idle, size, taken = peak(), 0, []
    everybody = inventory(institutions)
    latest.watch(everybody)
    for number, path in enumerate(bodies):
        body = bytearray(path.read_bytes())
        began, now = time.process_time(), _at(number)
        parts = await envelope.decode_piecewise(body)
        found = await payload.fleet(parts, everybody, lambda *_: None)
        await latest.record_all(Poll(s, now, syncs) for s, syncs in found.items())
        chunks = await page.write(
            latest.fleet, now + 1, openmetrics=False, names=frozenset(), gzip=True
        )
        size = sum(map(len, chunks))
        taken.append(time.process_time() - began)
        # As the program does after its first round.
        gc.collect()
        gc.freeze()
    # The first round meets everybody for the first time, which no later one does.
    later = sorted(taken[1:])
    # Less than a mebibyte may hide in what the process had spare.
    return Size(institutions, later[len(later) // 2], max(peak() - idle, MIB), size)
