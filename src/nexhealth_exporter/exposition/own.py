"""The exporter's own metrics: what it did, its configuration, its process."""

import platform
from collections.abc import Iterator
from functools import cache, partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from nexhealth_exporter.errors import POLL_FAILURE_REASONS
from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.histogram import Histogram, Series
from nexhealth_exporter.exposition.table import Family
from nexhealth_exporter.plan import Plan

ENDPOINTS = ("authenticates", "institutions", "locations", "sync_status")

BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds: from the answer about one institution to that about a large fleet."""

_SUFFIXES = ("", "_total", "_bucket", "_count", "_sum")
"""Suffixes of the samples of counters and histograms."""

END = b"# EOF\n"
"""The last line of an OpenMetrics page."""


class OwnMetrics:
    """Counters and gauges of this process, in a registry of its own.

    A gauge has no sample until its value is known. Instants are POSIX seconds.
    """

    def __init__(self, version: str, revision: str = "") -> None:
        # Prometheus recognises a restart by the value; a _created series for each would only cost.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        # With auto_describe, name[] can select any of them.
        self._registry = CollectorRegistry(auto_describe=True)
        self._facts = _Facts()
        self._registry.register(self._facts)
        counter = partial(_counter, self._registry)
        self._failures = counter(table.POLL_FAILURES)
        self._rejected = counter(table.ENTRIES_REJECTED)
        self._requests = counter(table.API_REQUESTS)
        self._throttled = counter(table.API_THROTTLED)
        self._durations = Histogram(table.API_DURATION, BUCKETS, ENDPOINTS)
        for reason in POLL_FAILURE_REASONS:
            self._failures.labels(reason)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        python = platform.python_version()
        self._facts.tell(table.BUILD_INFO, 1, version, revision, python)

    def called(self, endpoint: str, code: str, seconds: float) -> None:
        """An HTTP call ended; `code` is its status or "none"."""
        request, duration = self._of_call(endpoint, code)
        request.inc()
        duration.observe(seconds)

    @cache  # noqa: B019 - lives as long as the process; looking up labels is slow
    def _of_call(self, endpoint: str, code: str) -> tuple[Counter, Series]:
        return self._requests.labels(endpoint, code), self._durations.of(endpoint)

    def throttled(self, seconds: float) -> None:
        """A call waited that long for the limiter or a Retry-After."""
        self._throttled.inc(seconds)

    def rejected(self, entries: int) -> None:
        """So many entries of an answer could not be read."""
        self._rejected.inc(entries)

    def token_expires(self, at: float) -> None:
        """The current token expires at that instant."""
        self._facts.tell(table.TOKEN_EXPIRY, at)

    def poll_failed(self, reason: str) -> None:
        """A poll gave no usable answer."""
        self._failures.labels(reason).inc()

    def planned(self, plan: Plan) -> None:
        """Rounds follow this plan from now on."""
        self._facts.tell(table.POLL_INTERVAL, plan.interval)
        self._facts.tell(table.CALLS_PROJECTED, plan.projected)

    def budgeted(self, calls: float) -> None:
        """So many calls may be spent in 30 days; 0 is unlimited."""
        if calls:
            self._facts.tell(table.CALLS_BUDGET, calls)
        else:
            self._facts.forget(table.CALLS_BUDGET)

    def sharded(self, shard: int, shards: int) -> None:
        """Which shard this process is, counted from 0, and of how many."""
        self._facts.tell(table.SHARD_INFO, 1, str(shard), str(shards))

    def state_usable(self, *, is_ok: bool) -> None:
        """Whether the learned state can be read and written."""
        self._facts.tell(table.STATE_OK, int(is_ok))

    def state_saved(self, at: float) -> None:
        """The learned state was saved at that instant."""
        self._facts.tell(table.STATE_SAVED, at)

    def reloaded(self, at: float) -> None:
        """The configuration was loaded at that instant and is in force."""
        self._facts.tell(table.RELOAD_OK, 1)
        self._facts.tell(table.RELOADED, at)

    def reload_failed(self) -> None:
        """The configuration could not be loaded; the previous one stays in force."""
        self._facts.tell(table.RELOAD_OK, 0)

    def page(self, names: frozenset[str], *, openmetrics: bool) -> bytes:
        """These metrics as text, without `# EOF`. No names means all of them."""
        wanted = frozenset(name + suffix for name in names for suffix in _SUFFIXES)
        text = written(self._registry, wanted, openmetrics=openmetrics)
        return text + self._durations.text(wanted)


def written(registry: CollectorRegistry, names: frozenset[str], *, openmetrics: bool) -> bytes:
    """The registry as prometheus-client writes it, without `# EOF`. No names means all of them."""
    wanted = registry.restricted_registry(names) if names else registry
    if not openmetrics:
        return generate_latest(wanted)
    text: bytes = generate_openmetrics(wanted)  # type: ignore[no-untyped-call]
    return text.removesuffix(END)


def _counter(registry: CollectorRegistry, family: Family) -> Counter:
    return Counter(family.name, family.help, family.labels, registry=registry)


class _Facts(Collector):
    """Gauges that have a sample only once they have a value."""

    def __init__(self) -> None:
        self._values: dict[Family, tuple[tuple[str, ...], float]] = {}

    def tell(self, family: Family, value: float, *labels: str) -> None:
        self._values[family] = (labels, value)

    def forget(self, family: Family) -> None:
        self._values.pop(family, None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for family in _GAUGES:
            metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            if family in self._values:
                metric.add_metric(*self._values[family])
            yield metric


_GAUGES = tuple(family for family in table.OWN if family.kind is table.Kind.GAUGE)
