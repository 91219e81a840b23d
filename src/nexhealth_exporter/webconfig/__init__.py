"""TLS and basic auth, from a file in the format of Prometheus' exporters."""

from pathlib import Path

from nexhealth_exporter.watch import is_lasting
from nexhealth_exporter.webconfig.config import WebConfig
from nexhealth_exporter.webconfig.users import LONGEST_PASSWORD, MOST_CHECKS, Crowded, Users

__all__ = ["LONGEST_PASSWORD", "MOST_CHECKS", "Crowded", "Users", "WebConfig", "load", "named"]


def load(path: Path | None) -> WebConfig:
    """The web configuration of that file, or none. Raises ConfigError that tells what is wrong.

    Files that it names are looked for beside it.
    """
    if path is None:
        return WebConfig()
    # Imported late: its models take long to make, and without a file nobody needs them.
    from nexhealth_exporter.webconfig import reading  # noqa: PLC0415

    return reading.read(path)


def named(path: Path | None) -> tuple[Path, ...]:
    """The files that it names as it is now, whether they can be used or not."""
    if path is None or not is_lasting(path):
        return ()
    from nexhealth_exporter.webconfig import reading  # noqa: PLC0415 - as above

    return reading.named(path)
