"""What a round, a page and memory cost as the fleet grows."""

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Figure
from bench.measuring import apart, peak
from bench.offices import answer, inventory, standard_policy
from bench.scrape import NOW
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import Poll
from nexhealth_exporter.nexhealth import envelope, payload
from nexhealth_exporter.poller.latest import Latest

ROUNDS = 3
MIB = 1024 * 1024
LARGE = 1000
"""From so many institutions on, what a process needs anyway no longer shows."""


@dataclass(frozen=True, slots=True)
class Size:
    """CPU seconds of a round (answer decoded, fleet judged, one scrape), bytes of both."""

    institutions: int
    cpu: float
    memory: int
    page: int


def figures(sizes: Sequence[Size], least: int = LARGE) -> list[Figure]:
    """Whether twice the fleet costs twice, from `least` institutions on."""
    first = next(size for size in sizes if size.institutions >= least)
    last = sizes[-1]
    times = last.institutions / first.institutions
    span = f"{first.institutions:,} to {last.institutions:,} institutions, each costs times"
    ways = {"CPU of a round": "cpu", "memory": "memory", "page": "page"}
    return [
        Figure(
            "growth",
            f"{what}, {span}",
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
        sizes.append(apart(_run, institutions))
        institutions *= 10
    return sizes


def _run(institutions: int) -> Size:
    return asyncio.run(_rounds(institutions))


async def _rounds(institutions: int) -> Size:
    everybody, of = inventory(institutions), standard_policy()
    bodies = [answer(institutions, NOW + 300 * number) for number in range(ROUNDS)]
    page = Page(OwnMetrics("bench"))
    latest = Latest(Fleet(), of, OwnMetrics("bench"))
    gc.collect()
    idle, size, taken = peak(), 0, []
    latest.watch(everybody)
    for number, body in enumerate(bodies):
        began, now = time.process_time(), NOW + 300 * number
        found = await payload.fleet(envelope.answer(body), everybody, lambda _: None)
        await latest.record_all(Poll(s, now, syncs) for s, syncs in found.items())
        latest.apply()
        chunks = await page.write(
            latest.fleet, now + 1, openmetrics=False, names=frozenset(), gzip=True
        )
        size = sum(map(len, chunks))
        taken.append(time.process_time() - began)
    # Less than a mebibyte may hide in what the process had spare.
    return Size(institutions, sorted(taken)[ROUNDS // 2], max(peak() - idle, MIB), size)
