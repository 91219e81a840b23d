"""What the operator says of offices: hours, zones, groups, allowances and closures."""

from nexhealth_exporter.rules.reading import load, read
from nexhealth_exporter.rules.rules import Rules, SyncFacts, SyncRules

__all__ = ["Rules", "SyncFacts", "SyncRules", "load", "read"]
