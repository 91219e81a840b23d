"""How long Prometheus' scrape takes, compared with that of a static file of the same bytes.

And what others see meanwhile: how quickly the liveness probe is answered.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from tests.e2e.processes import Prometheus, free_port, prometheus, until

from bench.figures import Figure
from bench.offices import SERIES_EACH
from bench.programs import Exporter, beside, exporter, simulated

INTERVAL = 3
"""Seconds between scrapes."""


def figures(series: int, scrapes: int) -> list[Figure]:
    """A real Prometheus scrapes the program and a file by turns."""
    return asyncio.run(_measured(series, scrapes))


async def _measured(series: int, scrapes: int) -> list[Figure]:
    async with (
        simulated(round(series / SERIES_EACH)) as api,
        exporter(api, poll_interval_seconds=10) as program,
    ):
        if (found := await program.scrape()) < series / 2:
            raise RuntimeError(f"only {found} series: {program.process.said}")
        return [*await _seen(program, scrapes), await _probed(program)]


async def _seen(program: Exporter, scrapes: int) -> list[Figure]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        gzip = {"Accept-Encoding": "gzip"}
        async with session.get(f"{program.url}/metrics", headers=gzip) as answer:
            page = await answer.read()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "page.gz").write_bytes(page)
        port = str(free_port())
        async with beside("bench.seen", str(folder / "page.gz"), port):
            targets = {"exporter": program.url.removeprefix("http://"), "file": f"127.0.0.1:{port}"}
            interval = f"{INTERVAL}s"
            async with prometheus("prometheus-3", folder, targets, interval=interval) as prom:
                lasted = {job: await _lasted(prom, job, scrapes) for job in targets}
    median = statistics.median(lasted["file"])
    rounds = tuple(seconds / median for seconds in lasted["exporter"])
    what = "scrape_duration_seconds, relative to a static file of the same bytes"
    return [
        Figure("Prometheus", what, statistics.median(rounds), 1.2, "x", rounds=rounds),
        Figure(
            "Prometheus", "scrape_duration_seconds of the static file", 1e3 * median, None, " ms"
        ),
    ]


async def _lasted(prom: Prometheus, job: str, scrapes: int) -> list[float]:
    """Seconds of the latest scrapes; the first ones, which make every series, do not count."""

    async def enough() -> list[float]:
        # Slow or not, a scrape counts only if it succeeded.
        good = f'scrape_duration_seconds{{job="{job}"}} and on (job) up == 1'
        found = await prom.query(f"({good})[1h:{INTERVAL}s]")
        values = [float(value) for _, value in found[0]["values"]] if found else []
        return values[-scrapes:] if len(values) >= scrapes + 2 else []

    seconds: list[float] = await until(enough, seconds=300, why="too few scrapes")
    return seconds


async def _probed(program: Exporter) -> Figure:
    """Probes while nothing is asked, and while scrapes follow each other, by turns."""
    idle: list[float] = []
    busy: list[float] = []
    for _ in range(3):
        idle += await _probes(program)
        scraping = asyncio.create_task(_scrapes(program))
        busy += await _probes(program)
        scraping.cancel()
    quiet, loud = (statistics.quantiles(of, n=100)[98] for of in (idle, busy))
    what = "/-/healthy during scrapes, 99th percentile relative to idle"
    return Figure("Prometheus", what, loud / quiet, 3, "x")


async def _scrapes(program: Exporter) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        while True:
            gzip = {"Accept-Encoding": "gzip"}
            async with session.get(f"{program.url}/metrics", headers=gzip) as answer:
                await answer.read()
            await asyncio.sleep(0.5)


async def _probes(program: Exporter) -> list[float]:
    taken = []
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            began = time.perf_counter()
            async with session.get(f"{program.url}/-/healthy") as answer:
                await answer.read()
            taken.append(time.perf_counter() - began)
            await asyncio.sleep(0.01)
    return taken


async def _serve(body: bytes, port: int) -> None:
    """Answer everything with these bytes, until the input ends."""
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            writer.write(head)
            writer.write(body)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port):
        print("listening", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]).read_bytes(), int(sys.argv[2])))
