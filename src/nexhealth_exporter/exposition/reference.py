"""The metrics of a fleet as prometheus-client writes them: the fast page must equal this one.

Each sample is taken from the core one by one and written by prometheus-client, which takes
hundreds of times as long. `EXPOSITION=reference` serves this page, to find out whether a doubtful
sample comes from the core or from what the fast page keeps between scrapes.
"""

import math
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.deflate import Packer, gzipped, part
from nexhealth_exporter.exposition.own import END, OwnMetrics, written
from nexhealth_exporter.exposition.page import GRID
from nexhealth_exporter.exposition.table import Family
from nexhealth_exporter.exposition.text import encodable
from nexhealth_exporter.fleet import Fleet, Standing, SyncStanding
from nexhealth_exporter.model import Operation


class Reference(Collector):
    """Every sample of the fleet at the instant `now`, taken from the core one by one."""

    def __init__(self, fleet: Fleet, now: float) -> None:
        self._fleet, self._now = fleet, now
        self._gauges: dict[str, GaugeMetricFamily] = {}

    def registry(self) -> CollectorRegistry:
        """A registry of these metrics alone."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every family with its samples."""
        self._gauges = {
            family.name: GaugeMetricFamily(family.name, family.help, labels=family.labels)
            for family in table.OF_FLEET
        }
        self._of_fleet()
        for standing in self._fleet:
            self._of_institution(standing)
        for standing, sync in self._fleet.syncs():
            self._of_sync(standing, sync)
        yield from self._gauges.values()

    def describe(self) -> list[GaugeMetricFamily]:
        """Every family without samples."""
        return [GaugeMetricFamily(family.name, family.help) for family in table.OF_FLEET]

    def _say(self, family: Family, value: float | None, *labels: str) -> None:
        if value is not None:
            cleaned = [encodable(label) for label in labels]
            self._gauges[family.name].add_metric(cleaned, float(value))

    def _of_fleet(self) -> None:
        fleet = self._fleet
        self._say(table.INSTITUTIONS, len(fleet.standings))
        fallbacks = {
            standing.institution.subdomain
            for standing, sync in fleet.syncs()
            if sync.hours.is_fallback
        }
        self._say(table.TIMEZONE_FALLBACK, len(fallbacks))
        for integration_type, start in fleet.incidents.items():
            self._say(table.INCIDENT_START, start, integration_type)
        if fleet.round is not None:
            self._say(table.NEXHEALTH_UP, fleet.round.is_up)
            self._say(table.ROUND_DURATION, fleet.round.duration)
            self._say(table.LAST_ROUND, fleet.round.ended_at)

    def _of_institution(self, standing: Standing) -> None:
        institution = standing.institution
        subdomain = institution.subdomain
        number = "" if institution.id is None else str(institution.id)
        self._say(table.INSTITUTION_INFO, 1, subdomain, number, institution.name, standing.group)
        if standing.last_poll is not None:
            self._say(table.POLL_SUCCESS, standing.failure is None, subdomain)
        self._say(table.LAST_POLL, standing.last_success, subdomain)
        if standing.syncs is not None:
            self._say(table.INSTITUTION_SYNCS, len(standing.syncs), subdomain)

    def _of_sync(self, standing: Standing, known: SyncStanding) -> None:
        sync, expectation = known.sync, known.expectation
        institution = standing.institution
        labels = (institution.subdomain, sync.name, known.integration_type)
        self._say(table.UP[Operation.READ], sync.read_up, *labels)
        self._say(table.UP[Operation.WRITE], sync.write_up, *labels)
        self._say(table.LAST_MARK[Operation.READ], sync.read_at, *labels)
        self._say(table.LAST_MARK[Operation.WRITE], sync.write_at, *labels)
        for operation in Operation:
            judgement = known.judgement(operation)
            self._say(table.LAG[operation], judgement.lag(self._now), *labels)
            self._say(table.UNEXPECTED_LAG[operation], judgement.unexpected(self._now), *labels)
            for severity, seconds in judgement.allowance.items():
                self._say(table.ALLOWANCE[operation], seconds, *labels, severity)
            for severity, at in judgement.deadline.items():
                self._say(table.DEADLINE[operation], at, *labels, severity)
        segment = expectation.piece(self._now)
        self._say(table.EXPECTED_UP, segment.is_expected, *labels)
        if segment.reason is not None:
            self._say(table.EXPECTED_DOWNTIME, 1, *labels, str(segment.reason))
        self._say(
            table.SYNC_INFO,
            1,
            *labels,
            "" if institution.id is None else str(institution.id),
            sync.emr,
            expectation.timezone,
            expectation.source,
            expectation.schedule,
            known.state,
            str(len(sync.locations)),
        )


class ReferencePage:
    """Draws `/metrics` with prometheus-client: slow, and keeps nothing between pages."""

    def __init__(self, own: OwnMetrics) -> None:
        self._own = own

    async def write(
        self, fleet: Fleet, now: float, *, openmetrics: bool, names: frozenset[str], gzip: bool
    ) -> Sequence[bytes]:
        """The page in chunks, as from `Page`; blocks the event loop meanwhile."""
        registry = Reference(fleet, math.floor(now * GRID) / GRID).registry()
        text = written(registry, names, openmetrics=openmetrics)
        text += self._own.page(names, openmetrics=openmetrics) + (END if openmetrics else b"")
        packer = Packer()
        for data in gzipped([part(text)]) if gzip else [text]:
            packer.add(data)
        return packer.chunks()
