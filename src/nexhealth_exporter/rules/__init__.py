"""What the operator says of offices: hours, zones, groups, allowances and closures."""

from pathlib import Path

from nexhealth_exporter.rules.rules import Rules, SyncRules

__all__ = ["Rules", "SyncRules", "load", "read"]


def load(path: Path | None) -> Rules:
    """The rules of that file, or none. Raises ConfigError that tells all that is wrong."""
    if path is None:
        return Rules()
    from nexhealth_exporter.document import read_text  # noqa: PLC0415 - as below

    return read(read_text(path), path.name)


def read(text: str, name: str) -> Rules:
    """The rules that the text of the file `name` gives. Raises ConfigError."""
    # Imported late: its models take long to make, and without a file nobody needs them.
    from nexhealth_exporter.rules import reading  # noqa: PLC0415

    return reading.read(text, name)
