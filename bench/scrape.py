"""The cost of a scrape, compared with prometheus-client on the same samples in the same process."""

import asyncio
import gc
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.metrics_core import Metric

from bench.figures import Figure, median
from bench.measuring import Work, allocated, apart, cpu, in_turns, ratios, stall
from bench.offices import SERIES_EACH, fleet_after, polls, standard_policy, with_past
from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.block import COLUMNS
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.exposition.reference import Reference
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.poller.latest import Latest

NOW = 1793286000.0
"""Thursday, 29 October 2026, 15:00 UTC: offices are open."""

EVERY = 15.1
"""Seconds between scrapes."""

POLLS_A_SECOND = 300
OVERLAPPING = 4
POLLED = "one fifth polled since the last scrape, CPU speedup over generate_latest"


def figures(series: int, rounds: int) -> list[Figure]:
    """Scrapes of so many series."""
    return [*apart(_run, series, rounds), *apart(_run_learned, series, rounds)]


def _run(series: int, rounds: int) -> list[Figure]:
    return asyncio.run(_measured(_Scraped(round(series / SERIES_EACH), Fleet()), rounds))


def _run_learned(series: int, rounds: int) -> list[Figure]:
    institutions = round(series / SERIES_EACH)
    return asyncio.run(_learned(_Scraped(institutions, with_past(institutions, NOW)), rounds))


class _Scraped:
    """A fleet, its page, and the instant, which moves on from scrape to scrape."""

    def __init__(self, institutions: int, known: Fleet) -> None:
        self.institutions = institutions
        self.now = NOW
        fleet = fleet_after(institutions, NOW, known)
        self.latest = Latest(fleet, standard_policy(), OwnMetrics("bench"))
        self.page = Page(OwnMetrics("bench"))
        self.metrics = list(Reference(self.latest.fleet, NOW).collect())
        self.gauges = _gauges(self.metrics)

    async def scrape(self, *, gzip: bool = True) -> int:
        """One scrape; its bytes."""
        self.now += EVERY
        return await self.page_at(self.now, gzip=gzip)

    async def page_at(self, now: float, *, gzip: bool = True) -> int:
        """The page of that instant; its bytes."""
        chunks = await self.page.write(
            self.latest.fleet, now, openmetrics=False, names=frozenset(), gzip=gzip
        )
        return sum(map(len, chunks))

    async def plain(self) -> int:
        """One scrape without compression."""
        return await self.scrape(gzip=False)

    async def together(self) -> None:
        """Scrapes that overlap."""
        self.now += EVERY
        await asyncio.gather(*(self.page_at(self.now) for _ in range(OVERLAPPING)))

    async def anew(self) -> None:
        """A scrape for which every line is rendered and compressed."""
        for block in self.page._blocks:  # noqa: SLF001 - there is no such need in production
            block._stale.update(COLUMNS)  # noqa: SLF001
        await self.scrape()

    async def baseline(self) -> None:
        """What prometheus-client needs for gauges that were set before."""
        generate_latest(self.gauges)

    def poll_a_fifth(self, turn: int) -> None:
        """Poll a fifth of the institutions anew."""
        fifth = self.institutions // 5
        first = turn * fifth % self.institutions
        some = range(first, min(first + fifth, self.institutions))
        for poll in polls(some, self.now):
            self.latest.record(poll)

    async def polled_meanwhile(self, work: str) -> float:
        """The longest stall of the loop while that is done and polls come in."""

        async def answers() -> None:
            number = 0
            while True:
                await asyncio.sleep(1 / POLLS_A_SECOND)
                number = (number + 1) % self.institutions
                for poll in polls(range(number, number + 1), self.now):
                    self.latest.record(poll)

        coming = asyncio.create_task(answers())
        await asyncio.sleep(0.3)
        longest = await stall(getattr(self, work))
        coming.cancel()
        return longest


def _gauges(metrics: Sequence[Metric]) -> CollectorRegistry:
    """The same samples as Gauge children, set beforehand: the usual way."""
    registry = CollectorRegistry()
    labels = {family.name: family.labels for family in table.OF_FLEET}
    for metric in metrics:
        gauge = Gauge(metric.name, metric.documentation, labels[metric.name], registry=registry)
        for sample in metric.samples:
            child = gauge.labels(**sample.labels) if sample.labels else gauge
            child.set(sample.value)
    return registry


async def _measured(of: _Scraped, rounds: int) -> list[Figure]:
    size = await of.plain()
    await of.scrape()
    gc.collect()
    gc.freeze()
    ways: dict[str, Work] = {
        "baseline": of.baseline,
        "kept": of.scrape,
        "anew": of.anew,
        "again": of.scrape,
        "together": of.together,
    }
    taken = await in_turns(ways, rounds)
    fifth = await _polled(of, rounds)
    more = {way: await allocated(getattr(of, way)) / size for way in ("scrape", "plain")}
    stalls = [
        (await of.polled_meanwhile("scrape"), await of.polled_meanwhile("baseline"))
        for _ in range(max(2, rounds // 2))
    ]
    name, least = "scrape", {"unit": "x", "is_least": True}
    baseline, stalled = taken["baseline"], f"stall under {POLLS_A_SECOND} polls/s"
    return [
        median(name, "all lines rendered, CPU speedup over generate_latest",
               ratios(baseline, taken["anew"]), 40, **least),
        median(name, "only lags rendered, CPU speedup over generate_latest",
               ratios(baseline, taken["kept"]), 150, **least),
        median(name, POLLED, ratios(baseline, fifth), 40, **least),
        median(name, "only lags rendered, CPU", [1e3 * s for s in taken["kept"]], None, unit=" ms"),
        Figure(name, "extra memory, gzip", more["scrape"], 2, " pages"),
        Figure(name, "extra memory, plain", more["plain"], 2, " pages"),
        median(name, f"{OVERLAPPING} overlapping, CPU relative to one",
               ratios(taken["together"], taken["again"]), OVERLAPPING / 2, unit="x"),
        median(name, f"{stalled}, times shorter than with generate_latest",
               [theirs / ours for ours, theirs in stalls], 100, **least),
        median(name, stalled, [1e3 * ours for ours, _ in stalls], None, unit=" ms"),
    ]  # fmt: skip


async def _polled(of: _Scraped, rounds: int) -> list[float]:
    """CPU seconds of scrapes, after a fifth of the institutions were polled each time."""
    taken = []
    for turn in range(rounds):
        of.poll_a_fifth(turn)
        taken.append(await cpu(of.scrape))
    return taken


async def _learned(of: _Scraped, rounds: int) -> list[Figure]:
    """The same if the hours of each sync were learned."""
    await of.scrape()
    gc.collect()
    gc.freeze()
    baseline = [await cpu(of.baseline) for _ in range(rounds)]
    found = ratios(baseline, await _polled(of, rounds))
    return [median("scrape", f"{POLLED}, learned hours", found, 40, unit="x", is_least=True)]
