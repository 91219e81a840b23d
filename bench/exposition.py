"""What a scrape costs, against prometheus-client on the same samples in the same run.

    python -m bench.exposition [--series 100000] [--rounds 7]

CPU time of this process, since others may share the machine; each figure is the median of
rounds that take turns, and the ratios are those of the medians. Prints one line per row.
"""

import argparse
import asyncio
import gc
import random
import statistics
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.metrics_core import Metric
from tests.exposition.fleets import NOW, fleet_of, policy
from tests.exposition.reference import Reference

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.block import COLUMNS
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.model import IntegrationType, Location, Poll, Sync

SERIES_PER_INSTITUTION = 31.5
"""With one and two syncs by turns."""

ALL: frozenset[str] = frozenset()
draw_random = random.Random(1)  # noqa: S311 - a made-up fleet


def polls(institutions: range, at: float) -> Iterator[Poll]:
    """Good polls of offices whose marks are minutes to an hour old."""
    for i in institutions:
        kind = IntegrationType.SERVER if i % 3 else IntegrationType.CLOUD
        yield Poll(
            f"smile-office-{i}",
            at - draw_random.random() * 300,
            tuple(
                Sync(
                    f"Dentrix #{1000 + i}" + " ~2" * j,
                    kind,
                    "Dentrix",
                    round(at - draw_random.random() * 3600, 3),
                    round(at - draw_random.random() * 600, 3),
                    read_up=True,
                    write_up=True,
                    locations=(Location(i),),
                )
                for j in range(1 + i % 2)
            ),
        )


class Collected:
    """Metrics that are collected already, so that only their formatting is left."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        """Give the same metrics again."""
        return self._metrics


def gauges(metrics: Sequence[Metric]) -> CollectorRegistry:
    """The same samples as Gauge children, set beforehand."""
    registry = CollectorRegistry()
    labels = {family.name: family.labels for family in table.OF_FLEET}
    for metric in metrics:
        gauge = Gauge(metric.name, metric.documentation, labels[metric.name], registry=registry)
        for sample in metric.samples:
            child = gauge.labels(**sample.labels) if sample.labels else gauge
            child.set(sample.value)
    return registry


class Bench:
    """A fleet, its page, and the instant, which moves on from scrape to scrape."""

    def __init__(self, institutions: int) -> None:
        self.institutions = institutions
        self.policy = policy()
        self.fleet = fleet_of(polls(range(institutions), NOW), self.policy)
        self.page = Page(OwnMetrics("bench"))
        self.now = NOW
        self.metrics = list(Reference(self.fleet, NOW).collect())
        self.gauges = gauges(self.metrics)

    async def scrape(self, *, gzip: bool = True) -> int:
        """One scrape, 15.1 s after the one before; its bytes."""
        self.now += 15.1
        chunks = await self.page.write(
            self.fleet, self.now, openmetrics=False, names=ALL, gzip=gzip
        )
        return sum(map(len, chunks))

    def poll(self, first: int, count: int) -> None:
        """Poll some of the institutions anew."""
        some = range(first, min(first + count, self.institutions))
        self.fleet = self.fleet.after(polls(some, self.now), self.policy)

    def forget_lines(self) -> None:
        """Have every line drawn and compressed anew."""
        for block in self.page._blocks:  # noqa: SLF001 - there is no such need in production
            block._stale.update(COLUMNS)  # noqa: SLF001

    async def format_gauges(self) -> None:
        """Write gauges that were set before."""
        generate_latest(self.gauges)

    async def format_collected(self) -> None:
        """Write metrics that were collected before."""
        generate_latest(Collected(self.metrics))

    async def collect_and_format(self) -> None:
        """Collect and write, everything computed at the instant."""
        generate_latest(Reference(self.fleet, self.now))


async def cpu(work: Callable[[], Awaitable[object]]) -> float:
    """CPU seconds of that work."""
    began = time.process_time()
    await work()
    return time.process_time() - began


async def stall(work: Callable[[], Awaitable[object]]) -> float:
    """The most CPU seconds for which nothing else had a turn on the loop meanwhile."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        last = time.process_time()
        while True:
            await asyncio.sleep(0)
            now = time.process_time()
            longest, last = max(longest, now - last), now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    longest = 0.0
    await work()
    await asyncio.sleep(0)
    ticking.cancel()
    return longest


async def peak(work: Callable[[], Awaitable[object]]) -> int:
    """The most memory, in bytes, that was held beyond what was held before."""
    gc.collect()
    tracemalloc.start()
    await work()
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return held


async def measured(bench: Bench, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each way, round by round."""
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "generate_latest, Gauge children set beforehand": bench.format_gauges,
        "generate_latest, metrics collected beforehand": bench.format_collected,
        "generate_latest, custom Collector": bench.collect_and_format,
        "page: gzip, values kept": bench.scrape,
        "page: plain, values kept": lambda: bench.scrape(gzip=False),
    }
    taken: dict[str, list[float]] = {}
    fifth = bench.institutions // 5
    for i in range(rounds):
        for name, work in ways.items():
            taken.setdefault(name, []).append(await cpu(work))
        bench.forget_lines()
        taken.setdefault("page: gzip, every line anew", []).append(await cpu(bench.scrape))
        bench.poll(i * fifth % bench.institutions, fifth)
        taken.setdefault("page: gzip, a fifth polled since", []).append(await cpu(bench.scrape))
        bench.poll(0, bench.institutions)
        taken.setdefault("page: gzip, all polled since", []).append(await cpu(bench.scrape))
    return taken


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    bench = Bench(int(given.series / SERIES_PER_INSTITUTION))
    size, packed = await bench.scrape(gzip=False), await bench.scrape()
    series = sum(len(metric.samples) for metric in bench.metrics)
    print(f"{series} series, page {size} bytes, gzip {packed} bytes")
    gc.collect()
    gc.freeze()
    taken = {k: statistics.median(v) for k, v in (await measured(bench, given.rounds)).items()}
    baselines = [seconds for name, seconds in taken.items() if name.startswith("generate")]
    print(f"{'':52}{'CPU ms':>9}   times less than Gauge children, collected, Collector")
    for name, seconds in taken.items():
        ratios = "".join(f"{baseline / seconds:9.1f}" for baseline in baselines)
        print(f"{name:52}{seconds * 1e3:9.2f}{ratios}")
    ours, theirs = await stall(bench.scrape), await stall(bench.collect_and_format)
    print(f"longest stall of the loop: {ours * 1e3:.2f} ms, generate_latest {theirs * 1e3:.0f} ms")
    for kind, gzip in (("gzip", True), ("plain", False)):
        more = await peak(lambda gzip=gzip: bench.scrape(gzip=gzip))  # type: ignore[misc]
        print(f"extra memory of a {kind} scrape: {more / size:.2f} pages")


if __name__ == "__main__":
    asyncio.run(main())
