"""Opening hours of a week, and public holidays."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

import holidays

Window = tuple[float, float]
"""From and to, in minutes after local midnight; above 1440 is the next day."""

Week = tuple[tuple[Window, ...], ...]
"""Seven days from Monday, each with its windows in order."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_SURE_IN_US = frozenset(
    {
        "New Year's Day",
        "Memorial Day",
        "Independence Day",
        "Independence Day (observed)",
        "Labor Day",
        "Thanksgiving Day",
        "Christmas Day",
    }
)


def week(hours: Mapping[str, str]) -> Week:
    """`{"mon-thu": "08:00-12:00, 13:00-17:00", "fri": "20:00-30:00"}` as a week."""
    windows: list[tuple[Window, ...]] = [()] * len(DAYS)
    for days, text in hours.items():
        first, _, last = days.partition("-")
        for day in range(DAYS.index(first), DAYS.index(last or first) + 1):
            windows[day] = tuple(_window(part) for part in text.split(","))
    return tuple(windows)


def _window(text: str) -> Window:
    opens, closes = text.strip().split("-")
    return _minute(opens), _minute(closes)


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


@lru_cache(maxsize=256)
def _calendar(country: str, year: int) -> Mapping[date, str]:
    # Names must not depend on the language of the machine.
    return dict(holidays.country_holidays(country, years=year, language="en_US"))


@lru_cache(maxsize=65536)
def holiday(country: str, day: int) -> tuple[str, bool] | None:
    """The national holiday on that ordinal day: its name, and whether all offices are closed.

    In the US most offices work on minor holidays, and of days observed in place of others only
    that of Independence Day counts. Elsewhere all are closed on every national holiday.
    """
    when = date.fromordinal(day)
    try:
        name = _calendar(country, when.year).get(when)
    except NotImplementedError:
        # What the library raises for a country that it does not have.
        return None
    if name is None:
        return None
    return name, country != "US" or not _SURE_IN_US.isdisjoint(name.split("; "))
