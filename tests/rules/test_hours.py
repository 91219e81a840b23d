"""What the words for hours mean, in seconds of local days."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexhealth_exporter import rules
from nexhealth_exporter.expectation.schedule import DAY, HOUR, Schedule

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)


def schedule(text: str) -> Schedule:
    return rules.read(f"schedules: {{own: {{{text}}}}}", "rules.yaml").schedules["own"]


def hours(text: str) -> tuple[tuple[tuple[int, int], ...], ...]:
    return schedule(f"hours: {{{text}}}").windows


def test_days_that_are_not_named_are_closed() -> None:
    week = hours('mon-thu: "08:00-17:00", fri: "08:00-13:00"')
    workday = ((8 * HOUR, 17 * HOUR),)
    assert (workday,) * 4 + (((8 * HOUR, 13 * HOUR),), (), ()) == week


def test_a_day_can_be_called_closed() -> None:
    assert hours("mon-sun: closed") == ((),) * 7


@pytest.mark.parametrize(
    ("days", "open_days"),
    [
        ("mon", {MON}),
        ("tue-thu", {TUE, WED, THU}),
        ("fri-mon", {FRI, SAT, SUN, MON}),
        ("mon-sun", {MON, TUE, WED, THU, FRI, SAT, SUN}),
        ('"mon, wed"', {MON, WED}),
        ('"mon, thu-fri"', {MON, THU, FRI}),
        ("Mon-Wed", {MON, TUE, WED}),
    ],
)
def test_days_are_named_alone_in_ranges_or_in_a_row(days: str, open_days: set[int]) -> None:
    week = hours(f'{days}: "08:00-17:00"')
    assert open_days == {day for day, windows in enumerate(week) if windows}


def test_a_day_has_several_windows() -> None:
    week = hours('mon: "13:00-17:00, 8:00-12:00"')
    assert week[MON] == ((8 * HOUR, 12 * HOUR), (13 * HOUR, 17 * HOUR))


def test_a_window_over_midnight_ends_on_the_next_day() -> None:
    week = hours('sun: "22:00-06:00"')
    assert week[SUN] == ((22 * HOUR, DAY),)
    assert week[MON] == ((0, 6 * HOUR),)
    assert week[SAT] == ()


@pytest.mark.parametrize("window", ["18:00-24:00", "18:00-00:00"])
def test_a_window_may_end_at_midnight(window: str) -> None:
    week = hours(f'mon: "{window}"')
    assert week[MON] == ((18 * HOUR, DAY),)
    assert week[TUE] == ()


def test_what_comes_over_from_the_day_before_joins_the_own_hours() -> None:
    week = hours('mon: "22:00-06:00", tue: "06:00-12:00"')
    assert week[TUE] == ((0, 12 * HOUR),)


def test_all_week_is_always_on() -> None:
    assert schedule('hours: {mon-sun: "00:00-24:00"}, holidays: none').is_always_on


def test_lunch_is_a_window_like_others_and_may_lie_over_midnight() -> None:
    assert schedule('hours: {}, lunch: "12:00-13:00"').lunch == ((12 * HOUR, 13 * HOUR),)
    assert schedule('hours: {}, lunch: "23:00-01:00"').lunch == ((0, HOUR), (23 * HOUR, DAY))
    assert schedule("hours: {}").lunch == ()


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("hours: {}", None),
        ("hours: {}, holidays: none", ()),
        ("hours: {}, holidays: []", ()),
        ("hours: {}, holidays: [US, US-MA]", ("US", "US-MA")),
        ("hours: {}, holidays: [NO]", ("NO",)),
    ],
)
def test_holidays_are_the_countrys_none_or_those_named(
    text: str, codes: tuple[str, ...] | None
) -> None:
    assert codes == schedule(text).holidays


@pytest.mark.parametrize("quote", ["", '"'])
def test_closures_are_days_or_ranges_with_both_ends(quote: str) -> None:
    days = f"[{quote}2026-11-27{quote}, {quote}2026-12-24..2027-01-02{quote}]"
    assert (
        (date(2026, 11, 27), date(2026, 11, 27)),
        (date(2026, 12, 24), date(2027, 1, 2)),
    ) == schedule(f"hours: {{}}, closures: {days}").closures


minutes = st.integers(0, DAY // 60 - 1)


@given(day=st.integers(0, 6), start=minutes, end=minutes, asked=st.integers(0, 7 * DAY // 60 - 1))
def test_a_window_holds_exactly_the_minutes_from_start_to_end(
    day: int, start: int, end: int, asked: int
) -> None:
    if start == end:
        return
    name = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[day]
    clock = [f"{minute // 60:02}:{minute % 60:02}" for minute in (start, end)]
    week = hours(f'{name}: "{clock[0]}-{clock[1]}"')

    since = (asked - day * 1440 - start) % (7 * 1440)
    second = asked % 1440 * 60
    is_open = any(first <= second < last for first, last in week[asked // 1440])

    assert (since < (end - start) % 1440) == is_open
