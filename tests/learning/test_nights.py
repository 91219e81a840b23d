"""Machines that are switched off on some nights."""

from datetime import date, timedelta

import pytest

from nexhealth_exporter.expectation.schedule import SATURDAY
from tests.learning.offices import FIRST, SELDOM, Hours, Office, always, lived, weekdays, weeks


def left_on_but(off: set[date]) -> Hours:
    """A machine that is switched off at 17:30 on those days, until somebody comes to work."""

    def hours(day: date) -> list[tuple[float, float]]:
        before = day - timedelta(days=1)
        while before.weekday() >= SATURDAY:
            before -= timedelta(days=1)
        works = day.weekday() < SATURDAY
        if before in off and not works:
            return []
        return [(7.5 if before in off else 0, 17.5 if day in off and works else 25)]

    return hours


def test_who_was_switched_off_for_two_nights_is_no_page_in_a_third() -> None:
    fridays = {weeks(2) + timedelta(days=4)}
    off = {weeks(1) + timedelta(days=1), weeks(3) + timedelta(days=3), *fridays}
    smiles = lived(28, left_on_but(off))
    smiles.alerts.clear()

    wednesday, friday = weeks(4) + timedelta(days=2), weeks(4) + timedelta(days=4)
    smiles.live(weeks(4), 8, left_on_but({wednesday, friday}))
    assert smiles.alerts == []
    assert smiles.expects(weeks(5) + timedelta(days=1), 3) == 0
    assert smiles.expects(weeks(5) + timedelta(days=1), 14) == 1

    smiles.live(weeks(5) + timedelta(days=1), 1, weekdays(7.5, 11))
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_who_was_switched_off_last_night_is_no_alert_tonight() -> None:
    first = weeks(5) + timedelta(days=1)
    later = {first + timedelta(days=days) for days in range(1, 14)}
    smiles = lived(37, left_on_but({first}))
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]
    smiles.alerts.clear()

    smiles.live(first + timedelta(days=1), 13, left_on_but({first, *later}))
    assert smiles.alerts == []


def test_who_was_off_over_a_weekend_may_be_off_over_the_next() -> None:
    def week(day: date) -> list[tuple[float, float]]:
        if day < weeks(6) or day.weekday() in {1, 2, 3}:
            return [(0, 25)]
        if day.weekday() >= SATURDAY:
            return []
        return [(0, 17.5) if day.weekday() else (7.5, 25)]

    smiles = lived(42, week)
    smiles.live(weeks(6), 7, lambda day: week(day) if day.weekday() else [(0, 25)])
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]
    smiles.alerts.clear()

    smiles.live(weeks(7), 22, week)
    assert smiles.alerts == []
    # The nights in between are expected again.
    assert smiles.expects(weeks(10) + timedelta(days=1), 3) == 1


@pytest.mark.parametrize("holiday", [None, date(2026, 5, 25)])
def test_who_was_off_for_days_for_the_first_time_may_be_off_tonight(holiday: date | None) -> None:
    monday = holiday or weeks(12)
    gone = {monday - timedelta(days=3), monday} if holiday else {monday - timedelta(days=3)}

    def hours(day: date) -> list[tuple[float, float]]:
        if not gone or day < min(gone):
            return [(0, 25)]
        if day == min(gone):
            return [(0, 17.5)]
        return [(7.5, 17.5)] if day.weekday() < SATURDAY and day != holiday else []

    smiles = Office()
    smiles.live(monday - timedelta(days=42), 42, hours, step=SELDOM)
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]
    smiles.alerts.clear()

    smiles.live(monday, 14, hours)
    assert smiles.alerts == []


def test_one_night_off_is_forgotten_after_a_night_on() -> None:
    tuesday = weeks(5) + timedelta(days=1)
    smiles = lived(38, left_on_but({tuesday}))
    assert smiles.expects(tuesday + timedelta(days=1), 22) == 0
    smiles.live(tuesday + timedelta(days=2), 1, left_on_but({tuesday}))
    assert smiles.expects(tuesday + timedelta(days=2), 22) > 0.5
    smiles.alerts.clear()

    smiles.live(tuesday + timedelta(days=3), 1, lambda _: [(0, 18)])
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_people_go_home_earlier_before_the_weekend() -> None:
    """The second time that a machine was off began at noon; on Monday it is a habit."""
    thursday = weeks(5) + timedelta(days=3)

    def hours(day: date) -> list[tuple[float, float]]:
        until = {3: 17.5, 4: 13.0}.get(day.weekday(), 17.5)
        if day < thursday:
            return [(0, 25)]
        works = day.weekday() < SATURDAY
        return [(0 if day == thursday else 7.5, until)] if works else []

    smiles = lived(42, hours)
    smiles.alerts.clear()
    smiles.live(weeks(6), 4, hours)
    assert smiles.alerts == []


def test_a_clinic_by_night_keeps_its_hours_after_a_night_off() -> None:
    """Its rest from morning to the evening of the next day is no night of a machine."""
    off = weeks(4) + timedelta(days=5)

    def hours(day: date) -> list[tuple[float, float]]:
        began = day - timedelta(days=1)
        morning = [(0.0, 6.0)] if began.weekday() >= 3 and began != off else []
        evening = [(20.0, 25.0)] if day.weekday() >= 3 and day != off else []
        return [*morning, *evening]

    smiles = lived(35, hours)
    smiles.alerts.clear()
    smiles.live(weeks(5), 7, hours)

    assert smiles.alerts == []
    assert smiles.expects(weeks(6) + timedelta(days=3), 22) == 1


def test_who_was_switched_off_on_two_tuesdays_is_expected_by_day_all_week() -> None:
    tuesday = FIRST + timedelta(days=1)
    smiles = lived(11, left_on_but({tuesday, tuesday + timedelta(days=7)}))

    week = [weeks(2) + timedelta(days=day) for day in range(7)]
    assert [smiles.expects(day, 14) for day in week] == [1] * 5 + [0] * 2
    assert [smiles.expects(day, 3) for day in week] == [0] * 7


def test_one_night_off_or_outages_at_night_leave_an_always_on_server_its_nights() -> None:
    smiles = lived(28, left_on_but({weeks(1) + timedelta(days=1)}))
    assert smiles.expects(weeks(4), 3) > 0

    def night(start: float, end: float) -> Hours:
        return lambda day: [(0, start)] if day.weekday() % 2 else [(end, 25)]

    smiles = lived(14, always)
    smiles.live(weeks(2) + timedelta(days=1), 2, night(19, 10))
    smiles.live(weeks(2) + timedelta(days=3), 4, always)
    smiles.live(weeks(3) + timedelta(days=1), 2, night(23, 6))
    smiles.live(weeks(3) + timedelta(days=3), 4, always)
    assert smiles.expects(weeks(4), 3) > 0


def test_who_is_off_at_weekends_alone_keeps_its_nights() -> None:
    def week(day: date) -> list[tuple[float, float]]:
        if day.weekday() >= SATURDAY:
            return []
        return [(7.5 if not day.weekday() else 0, 17.5 if day.weekday() == 4 else 25)]

    smiles = lived(42, week)
    assert smiles.expects(weeks(6) + timedelta(days=2), 3) == 1
    assert smiles.expects(weeks(6) + timedelta(days=5), 12) == 0

    # Nor may it be off on the evening after a weekend.
    smiles.live(weeks(6), 1, week)
    assert smiles.expects(weeks(6), 22) == 1
