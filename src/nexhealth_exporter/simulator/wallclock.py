"""Converts wall-clock time of a zone to POSIX seconds and back, with daylight saving time.

A day is its proleptic ordinal (`date.toordinal()`), a time of day is in minutes after midnight;
1500 minutes is one o'clock in the morning of the next day.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_DAY = 86400.0
_DAY_MINUTES = 1440


@lru_cache(maxsize=65536)
def midnight(zone: str, day: int) -> float:
    """The instant at which the local day begins."""
    return datetime.fromordinal(day).replace(tzinfo=ZoneInfo(zone)).timestamp()


def day_of(zone: str, t: float) -> int:
    """The local day in which the instant `t` falls."""
    day = int(t // _DAY) + _EPOCH + 1
    while midnight(zone, day) > t:
        day -= 1
    return day


def instant(zone: str, day: int, minute: float) -> float:
    """The instant at which that local day's clock shows `minute` minutes after midnight."""
    if not 0 <= minute < _DAY_MINUTES:
        days, minute = divmod(minute, _DAY_MINUTES)
        day += int(days)
    start = midnight(zone, day)
    if midnight(zone, day + 1) - start == _DAY:
        return start + 60.0 * minute
    wall = datetime.fromordinal(day) + timedelta(minutes=minute)
    return wall.replace(tzinfo=ZoneInfo(zone)).timestamp()
