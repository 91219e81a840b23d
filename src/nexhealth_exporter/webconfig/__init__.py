"""TLS and basic auth, from a file in the format of Prometheus' exporters."""

from pathlib import Path

from nexhealth_exporter.watch import is_regular_file
from nexhealth_exporter.webconfig.config import WebConfig
from nexhealth_exporter.webconfig.users import LONGEST_PASSWORD, MOST_CHECKS, Crowded, Users

__all__ = ["LONGEST_PASSWORD", "MOST_CHECKS", "Crowded", "Users", "WebConfig", "load", "named"]


def load(path: Path | None) -> WebConfig:
    """The web configuration of that file; the default without one. Raises ConfigError.

    Paths in it are relative to its folder.
    """
    if path is None:
        return WebConfig()
    # Imported late, to keep the start fast: its models are slow to build, and often not needed.
    from nexhealth_exporter.webconfig import reading  # noqa: PLC0415

    return reading.read(path)


def named(path: Path | None) -> tuple[Path, ...]:
    """The files that the web configuration names now, whether or not they can be used."""
    if path is None or not is_regular_file(path):
        return ()
    from nexhealth_exporter.webconfig import reading  # noqa: PLC0415 - as above

    return reading.named(path)
