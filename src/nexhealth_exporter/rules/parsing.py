"""Parses days, hours, dates and durations of the configuration file.

The text of each ValueError completes a sentence that begins with the key.
"""

import itertools
import re
from collections.abc import Iterable
from datetime import date

from nexhealth_exporter.document import did_you_mean
from nexhealth_exporter.expectation.allowance import Bounds
from nexhealth_exporter.expectation.calendar import is_country, states_of
from nexhealth_exporter.expectation.schedule import DAY, DateRange, Window, merged

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

LONGEST_ALLOWANCE = 400.0 * DAY

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?")
_TIME = re.compile(r"(\d{1,2}):(\d\d)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def weekdays(text: object) -> tuple[int, ...]:
    """`mon`, `mon-thu`, `fri-mon` or `mon, wed`; Monday is 0."""
    days: list[int] = []
    for part in str(text).lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        start = _weekday(first)
        end = _weekday(last) if dash else start
        days += [day % 7 for day in range(start, end + 1 + (7 if end < start else 0))]
    return tuple(days)


def _weekday(word: str) -> int:
    if word not in WEEKDAYS:
        remedy = did_you_mean(word, WEEKDAYS, "write mon, tue, .., sun or a range such as mon-fri")
        raise ValueError(f"is not a day of the week; {remedy}")
    return WEEKDAYS.index(word)


def windows(value: object) -> tuple[Window, ...]:
    """`08:00-12:00, 13:00-17:00` or `closed`, as seconds of the day.

    A window over midnight ends after 86400: `22:00-06:00` is 79200 to 108000.
    """
    if value == "closed":
        return ()
    text = _text(value, 'text, such as "08:00-17:00", or closed')
    found = sorted(_window(part.strip()) for part in text.split(","))
    for (_, end), (start, _) in itertools.pairwise(found):
        if start < end:
            raise ValueError("has windows that overlap; make them one")
    return tuple(found)


def _window(text: str) -> Window:
    first, dash, last = text.partition("-")
    if not dash:
        raise ValueError(f'has "{text}", which is not a window; write one such as "08:00-17:00"')
    start, end = _second_of_day(first.strip()), _second_of_day(last.strip())
    if start == DAY:
        raise ValueError("has a window that starts at 24:00; start it at 00:00 of the next day")
    if start == end:
        raise ValueError(
            "has a window that ends when it starts; the whole day is 00:00-24:00, none is closed"
        )
    return start, end if end > start else end + DAY


def _second_of_day(text: str) -> int:
    found = _TIME.fullmatch(text)
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 if found else DAY + 1
    if found is None or int(found[2]) > 59 or seconds > DAY:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(f'has "{text}", which is not a time; write 00:00 to 24:00')
    return seconds


def split_at_midnight(week: Iterable[tuple[int, Window]]) -> tuple[tuple[Window, ...], ...]:
    """Seven days of windows, Monday first, from (weekday, window) pairs.

    Parts after midnight go to the next day; windows that touch or overlap are merged.
    """
    days: list[list[Window]] = [[] for _ in WEEKDAYS]
    for weekday, (start, end) in week:
        days[weekday].append((start, min(end, DAY)))
        if end > DAY:
            days[(weekday + 1) % 7].append((0, end - DAY))
    return tuple(merged(day) for day in days)


def dates(value: object) -> DateRange:
    """`2026-12-24` or `2026-12-24..2027-01-02`, both ends included."""
    text = _text(value, 'text, such as "2026-12-24" or "2026-12-24..2027-01-02"')
    first, dots, last = text.partition("..")
    start = _date(first.strip())
    end = _date(last.strip()) if dots else start
    if end < start:
        raise ValueError("ends before it starts; write the earlier date first")
    return start, end


def _date(text: str) -> date:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'has "{text}", which is not a day of the calendar') from None
    raise ValueError(f'has "{text}", which is not a date; write one such as "2026-12-24"')


def holiday_codes(value: object) -> tuple[str, ...]:
    """A list of `US` or `US-MA`, or the word none."""
    if value == "none":
        return ()
    if isinstance(value, list):
        return tuple(_holiday_code(str(code)) for code in value)
    raise ValueError("must be a list, such as [US] or [US-MA], or the word none")


def _holiday_code(code: str) -> str:
    country, dash, state = code.partition("-")
    if not is_country(country):
        raise ValueError(
            f'has "{code}", a country without known holidays; write its code, such as US'
        )
    states = states_of(country) if dash else ()
    if dash and state not in states:
        remedy = f"write one such as {country}-{states[0]}" if states else f"write {country}"
        raise ValueError(f'has "{code}", a state without known holidays; {remedy}')
    return code


def bounds(value: object) -> Bounds:
    """`45m`, which is exact, or `30m..3h`."""
    text = _text(value, "a duration with its unit, such as 45m, 4h or 30m..3h")
    first, dots, last = text.partition("..")
    low = _duration(first.strip())
    high = _duration(last.strip()) if dots else low
    if high < low:
        raise ValueError("has its bounds the wrong way round; write the shorter one first")
    return Bounds(low, high)


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError(
            f'has "{text}", which is not a duration; write one such as 45m, 4h, 2h30m or 1d'
        )
    amounts = zip(found.groups(), _UNITS.values(), strict=True)
    seconds = sum(int(amount) * unit for amount, unit in amounts if amount)
    if not 1 <= seconds <= LONGEST_ALLOWANCE:
        raise ValueError(f'has "{text}"; write a duration from 1s to 400d')
    return seconds


def _text(value: object, what: str) -> str:
    if isinstance(value, str):
        return value.strip()
    raise ValueError(f"must be {what}")
