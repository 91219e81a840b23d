"""How calls arrive at the API while much goes wrong: never above the limits, and evenly.

The real program asks a simulated API of which some answers are errors, so that it asks again;
four scrapers ask the program all the time, and the disk with its state is blocked.
"""

import asyncio
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import pairwise
from pathlib import Path

import aiohttp

from bench.figures import Figure
from bench.offices import offices
from bench.programs import KEY, exporter
from nexhealth_exporter.simulator import Simulator
from nexhealth_exporter.simulator.faults import First, Status
from nexhealth_exporter.simulator.traffic import busiest

SCRAPERS = 4
FAULTY = 20
"""One institution in so many answers with an error at first."""


def figures(seconds: float, per_second: int, per_minute: int) -> list[Figure]:
    """Calls over so many seconds under these limits."""
    sent = asyncio.run(_sent(seconds, per_second, per_minute))
    gaps = [later - at for at, later in pairwise(sent)]
    # The start may burst up to the limit of the second; what follows is to be even.
    even = gaps[len(gaps) // 4 :]
    variation = statistics.pstdev(even) / statistics.fmean(even)
    return [
        Figure("pacing", "most calls in a sliding second", busiest(sent, 1.0), per_second),
        Figure("pacing", "most calls in a sliding minute", busiest(sent, 60.0), per_minute),
        Figure("pacing", "coefficient of variation of the gaps between calls", variation, 0.3),
    ]


async def _sent(seconds: float, per_second: int, per_minute: int) -> list[float]:
    """When calls arrived."""
    count = round(seconds * per_minute / 60)
    simulator = Simulator(offices(count), api_key=KEY, per_second=None, per_minute=None)
    for number in range(0, count, FAULTY):
        simulator.faults[f"smile-office-{number}"] = First(1, Status(503))
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "learned.db"
        async with (
            simulator,
            exporter(
                simulator.url,
                ready=False,
                state_file=state,
                poll_scope="institution",
                poll_interval_seconds=300,
                api_requests_per_second=per_second,
                api_requests_per_minute=per_minute,
            ) as program,
            _scraped(program.url),
        ):
            await asyncio.sleep(3)
            with closing(sqlite3.connect(state)) as blocking:
                blocking.execute("BEGIN EXCLUSIVE")
                await asyncio.sleep(seconds - 3)
                blocking.rollback()
            return [call.at for call in simulator.traffic.calls]


@asynccontextmanager
async def _scraped(url: str) -> AsyncIterator[None]:
    """Scrapers in a process of their own."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.pacing", url)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _scrape(url: str) -> None:
    async def scraper() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{url}/metrics") as answer:
                    await answer.read()
                await asyncio.sleep(0.25)

    await asyncio.gather(*(scraper() for _ in range(SCRAPERS)))


if __name__ == "__main__":
    asyncio.run(_scrape(sys.argv[1]))
