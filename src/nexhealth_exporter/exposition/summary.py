"""The lines about the fleet as a whole."""

from collections.abc import Mapping

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.text import samples
from nexhealth_exporter.fleet import Fleet


def summary(fleet: Fleet, fallbacks: int) -> Mapping[str, bytes]:
    """The text of each family by name; `fallbacks` counts institutions in the default zone."""
    latest = fleet.round
    values = {
        table.INSTITUTIONS: len(fleet.standings),
        table.TIMEZONE_FALLBACK: fallbacks,
        table.NEXHEALTH_UP: None if latest is None else int(latest.is_up),
        table.ROUND_DURATION: None if latest is None else latest.duration,
        table.LAST_ROUND: None if latest is None else latest.ended_at,
    }
    texts = {
        family.name: samples(family, [] if value is None else [({}, value)])
        for family, value in values.items()
    }
    incidents = [({"integration_type": str(k)}, start) for k, start in fleet.incidents.items()]
    return texts | {table.INCIDENT_START.name: samples(table.INCIDENT_START, incidents)}
