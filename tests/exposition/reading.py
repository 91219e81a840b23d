"""Reads a page as a client does."""

import gzip
from collections.abc import Iterable, Mapping

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.page import GRID
from nexhealth_exporter.exposition.reference import Reference
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.web.view import MetricsPage

ALL: frozenset[str] = frozenset()
OF_FLEET = frozenset(family.name for family in table.OF_FLEET)

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]
"""Values by name and labels."""

CLOCKED = tuple(f.name for f in (*table.LAG.values(), *table.UNEXPECTED_LAG.values()))
"""These are told in whole milliseconds."""


async def text_of(
    page: MetricsPage,
    fleet: Fleet,
    now: float,
    *,
    names: frozenset[str] = ALL,
    openmetrics: bool = False,
    is_gzip: bool = True,
) -> str:
    chunks = await page.write(fleet, now, openmetrics=openmetrics, names=names, gzip=is_gzip)
    whole = b"".join(chunks)
    return (gzip.decompress(whole) if is_gzip else whole).decode()


def families(text: str, *, openmetrics: bool = False) -> list[Metric]:
    if openmetrics:
        parsed: Iterable[Metric] = openmetrics_parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    else:
        parsed = text_string_to_metric_families(text)
    return list(parsed)


def samples(metrics: Iterable[Metric]) -> Samples:
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for metric in metrics:
        for sample in metric.samples:
            key = sample.name, frozenset((k, str(v)) for k, v in sample.labels.items())
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def reference(fleet: Fleet, now: float) -> Samples:
    """What prometheus-client would say at the instant of the page."""
    return samples(Reference(fleet, int(now * GRID) / GRID).collect())


def assert_same(page: Samples, expected: Samples) -> None:
    more, less = page.keys() - expected.keys(), expected.keys() - page.keys()
    assert not more, f"only on the page, not in the reference: {min(more)}"
    assert not less, f"not on the page: {min(less)}"
    differing = {
        key: (value, expected[key])
        for key, value in page.items()
        if abs(value - expected[key]) > (0.0011 if key[0] in CLOCKED else 0.0)
    }
    assert not differing
