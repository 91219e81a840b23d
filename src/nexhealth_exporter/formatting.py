"""Durations and instants as people read them, and text as the configuration file takes it."""

import json
import re
from datetime import UTC, datetime

from nexhealth_exporter.expectation.zone import moment

MINUTE, HOUR, DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """Like "40 s", "47 min", "2 h 14 min", "3 d 4 h": at most two units, rounded down."""
    whole = int(abs(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        return _two(whole // HOUR, "h", whole % HOUR // MINUTE, "min")
    return _two(whole // DAY, "d", whole % DAY // HOUR, "h")


def _two(many: int, unit: str, few: int, small: str) -> str:
    return f"{many} {unit} {few} {small}" if few else f"{many} {unit}"


_FIRST_SECOND = datetime.min.replace(tzinfo=UTC).timestamp()
_LAST_SECOND = datetime.max.replace(microsecond=0, tzinfo=UTC).timestamp()


def clock(at: float, zone: str) -> str:
    """Like "14:05" in that zone."""
    return f"{moment(at, zone):%H:%M}"


def weekday(at: float, zone: str) -> str:
    """Like "Tuesday" in that zone."""
    return f"{moment(at, zone):%A}"


def is_near(one: float, other: float) -> bool:
    """Whether a weekday alone says which day one instant is on, seen from the other."""
    return abs(one - other) < 6 * DAY


def when(at: float, zone: str, now: float) -> str:
    """Like "14:05" today, "Tue 14:05" within days, "24 Nov 14:05" within months, else with year."""
    local, today = moment(at, zone), moment(now, zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    if is_near(at, now):
        return f"{local:%a %H:%M}"
    if abs(at - now) < 300 * DAY:
        return f"{local.day} {local:%b %H:%M}"
    return f"{local.day} {local:%b %Y}"


def rfc3339(at: float) -> str:
    """Like "2026-11-24T14:05:00Z": UTC, in whole seconds, rounded down."""
    # A mark of the year 1 or 9999 in another zone may lie beyond what UTC can express.
    whole = int(min(max(at, _FIRST_SECOND), _LAST_SECOND))
    return f"{datetime.fromtimestamp(whole, UTC).replace(tzinfo=None).isoformat()}Z"


def subdomain_glob(subdomain: str) -> str:
    """A glob that matches only this subdomain, quoted for the configuration file."""
    return quoted(re.sub(r"([*?\[])", r"[\1]", subdomain))


def quoted(text: str) -> str:
    """The text in quotes, so that every YAML parser reads it; lone surrogates are escaped."""
    return json.dumps(text, ensure_ascii=not text.isprintable())
