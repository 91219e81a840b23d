"""The operator's rules about offices: hours, zones, groups, allowances and closures."""

from pathlib import Path

from nexhealth_exporter.rules.rules import Rules, SyncRules

__all__ = ["Rules", "SyncRules", "load", "read"]


def load(path: Path | None) -> Rules:
    """The rules of that file; none without a file. Raises ConfigError that lists all errors."""
    if path is None:
        return Rules()
    from nexhealth_exporter.document import read_text  # noqa: PLC0415 - as below

    return read(read_text(path), path.name)


def read(text: str, name: str) -> Rules:
    """The rules in the text of the file `name`. Raises ConfigError."""
    # Imported late, to keep the start fast: its models are slow to build, and often not needed.
    from nexhealth_exporter.rules import reading  # noqa: PLC0415

    return reading.read(text, name)
