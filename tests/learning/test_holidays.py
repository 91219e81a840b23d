"""What is expected on holidays, and on the days beside them."""

from datetime import date, timedelta

import pytest

from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.model import IntegrationType
from tests.learning.offices import SELDOM, Office, always, lived, never, weekdays


def test_an_always_on_server_keeps_its_pattern_on_holidays() -> None:
    smiles = lived(21, always)

    assert smiles.expects(date(2026, 5, 25), 12) == 1  # Memorial Day


def test_a_backup_at_night_does_not_close_an_always_on_server_on_holidays() -> None:
    saved = lived(42, lambda _: [(0, 1.5), (4, 25)])
    off_at_night = lived(42, lambda _: [(5, 25)])
    glancing = lived(42, lambda _: [(8, 17), *((h, h + 0.5) for h in (0, 3, 6, 18, 21))])

    memorial_day = date(2026, 5, 25)
    assert saved.expects(memorial_day, 12) == 1
    assert saved.expects(memorial_day, 2.5) == 0
    assert off_at_night.expects(memorial_day, 12) == 0
    assert glancing.expects(memorial_day - timedelta(days=7), 12) == 1
    assert glancing.expects(memorial_day, 12) == 0


def test_nobody_else_works_on_a_holiday() -> None:
    smiles = lived(28, weekdays(8, 17))

    assert smiles.expects(date(2026, 5, 25), 12) == 0
    assert smiles.expects(date(2026, 5, 26), 12) == 1


def test_the_afternoons_of_24_and_31_december_do_not_count() -> None:
    smiles, always_on = Office(), Office()
    start = date(2026, 11, 9)
    smiles.live(start, 42, weekdays(8, 17), step=SELDOM)
    always_on.live(start, 42, always, step=SELDOM)

    for eve in (date(2026, 12, 24), date(2026, 12, 31)):
        assert [smiles.expects(eve, hour) for hour in (11, 12.5, 16)] == [1, 0, 0]
        assert always_on.expects(eve, 16) == 1


def test_afternoons_before_sure_holidays_count_half() -> None:
    smiles, always_on = lived(42, weekdays(8, 17)), lived(42, always)
    for eve in (date(2026, 11, 25), date(2026, 7, 2)):
        assert [smiles.expects(eve, hour) for hour in (11, 12.5, 16)] == [1, 0.5, 0.5]
        assert always_on.expects(eve, 16) == 1
    assert smiles.expects(date(2026, 11, 10), 16) == 1, "Veterans Day is a lesser holiday"


def test_mornings_after_and_evenings_before_a_holiday_are_like_those_beside_a_day_off() -> None:
    def hours(day: date) -> list[tuple[float, float]]:
        opens, closes = {0: (10, 20), 4: (8, 18)}.get(day.weekday(), (8, 20))
        return [(opens, closes)] if day.weekday() < SATURDAY else []

    smiles = lived(42, hours)
    tuesday, wednesday = date(2026, 5, 26), date(2026, 5, 27)  # after Memorial Day

    assert [smiles.expects(tuesday, hour) for hour in (9.5, 12)] == [0, 1]
    assert [smiles.expects(wednesday, hour) for hour in (9.5, 12)] == [1, 1]

    thanksgiving = date(2026, 11, 26)
    evening, before = (thanksgiving - timedelta(days=days) for days in (1, 2))
    assert [smiles.expects(evening, hour) for hour in (17, 19)] == [0.5, 0]
    assert [smiles.expects(before, hour) for hour in (17, 19)] == [1, 1]


def test_a_night_that_begins_on_a_holiday_is_off_until_its_morning() -> None:
    smiles = lived(42, lambda _: [(0, 7), (19.5, 24)])
    memorial_day = date(2026, 5, 25)
    after = memorial_day + timedelta(days=1)

    assert smiles.expects(memorial_day - timedelta(days=1), 21) == 1
    assert smiles.expects(memorial_day, 21) == 0
    assert [smiles.expects(after, hour) for hour in (1, 6, 21)] == [0, 0, 1]
    assert smiles.expects(after + timedelta(days=1), 1) == 1


def test_a_day_after_a_holiday_counts_though_it_has_no_rest_before_its_backup() -> None:
    smiles = lived(42, lambda day: [(0, 22), (23, 24)] if day.weekday() < SATURDAY else [])
    after = date(2026, 5, 26)

    assert smiles.expects(after - timedelta(days=1), 11) == 0
    assert [smiles.expects(after, hour) for hour in (11, 22.5)] == [1, 0]


@pytest.mark.parametrize("kind", [IntegrationType.SERVER, IntegrationType.CLOUD])
def test_every_other_week_is_still_known_when_one_of_them_was_a_holiday(
    kind: IntegrationType,
) -> None:
    smiles = Office(kind)
    start, columbus_day = date(2026, 8, 17), date(2026, 10, 12)

    def alternating(day: date) -> list[tuple[float, float]]:
        is_off = (day - columbus_day).days % 14 == 0
        return [] if is_off or day.weekday() >= SATURDAY else [(8, 17)]

    days = (columbus_day - start).days + 21
    smiles.live(start, days, alternating, step=SELDOM)
    smiles.alerts.clear()
    smiles.live(start + timedelta(days=days), 21, alternating)

    assert smiles.alerts == []
    assert smiles.expects(columbus_day + timedelta(days=36), 11) == 1


def test_christmas_week_leaves_no_trace() -> None:
    smiles = Office()
    start = date(2026, 11, 9)
    smiles.live(start, 45, weekdays(8, 17), step=SELDOM)
    before = [smiles.expects(date(2027, 1, 11) + timedelta(days=d), 11) for d in range(5)]

    smiles.live(date(2026, 12, 24), 11, never)
    smiles.live(date(2027, 1, 4), 4, weekdays(8, 17))

    after = [smiles.expects(date(2027, 1, 11) + timedelta(days=d), 11) for d in range(5)]
    assert before == after == [1] * 5


def test_a_vacation_two_weeks_from_a_holiday_lowers_no_expectation() -> None:
    smiles = Office()
    start, columbus_day = date(2026, 8, 31), date(2026, 10, 12)
    vacation = columbus_day + timedelta(weeks=2)
    smiles.live(start, 42, weekdays(8, 17), step=SELDOM)
    smiles.live(columbus_day, 1, never, step=SELDOM)
    smiles.live(columbus_day + timedelta(days=1), 13, weekdays(8, 17), step=SELDOM)
    smiles.live(vacation, 3, never)
    smiles.live(vacation + timedelta(days=3), 3, weekdays(8, 17))

    following = [vacation + timedelta(weeks=1, days=day) for day in range(5)]
    assert [smiles.expects(day, 11) for day in following] == [1] * 5
