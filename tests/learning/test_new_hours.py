"""Hours that change, or alternate, are followed."""

from datetime import date, timedelta

import pytest

from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.model import IntegrationType, Source
from tests.learning.offices import FIRST, SELDOM, lived, weekdays, weeks


def test_a_move_to_four_days_is_followed_within_three_weeks() -> None:
    smiles = lived(42, weekdays(8, 17))
    assert smiles.expects(weeks(6) + timedelta(days=4), 11) == 1

    smiles.live(weeks(6), 21, weekdays(8, 17, range(4)))
    smiles.live(weeks(9), 1, weekdays(8, 17))

    assert smiles.expects(weeks(9) + timedelta(days=4), 11) == 0
    assert smiles.expects(weeks(9) + timedelta(days=3), 11) == 1
    smiles.alerts.clear()
    smiles.live(weeks(9) + timedelta(days=1), 7, weekdays(8, 17, range(4)))
    assert smiles.alerts == []


@pytest.mark.parametrize("kind", [IntegrationType.SERVER, IntegrationType.CLOUD])
@pytest.mark.parametrize("day_off", [4, 5])
@pytest.mark.parametrize(("start", "end"), [(8, 17), (7, 18)])
def test_a_day_that_comes_every_other_week_is_not_missed_in_between(
    kind: IntegrationType, day_off: int, start: float, end: float
) -> None:
    usual = weekdays(start, end, range(day_off))
    every_day = weekdays(start, end, range(day_off + 1))

    def alternating(day: date) -> list[tuple[float, float]]:
        hours = every_day if (day - FIRST).days // 7 % 2 else usual
        return list(hours(day))

    smiles = lived(42, alternating, kind=kind)
    smiles.alerts.clear()
    smiles.live(weeks(6), 42, alternating, step=SELDOM)

    assert smiles.alerts == []
    assert smiles.expects(weeks(12) + timedelta(days=3), 11) == 1


def test_later_hours_are_followed() -> None:
    smiles = lived(42, weekdays(7, 16))
    smiles.live(weeks(6), 14, weekdays(9, 18))
    smiles.live(weeks(8), 1, weekdays(9, 18))

    assert smiles.expects(weeks(8) + timedelta(days=1), 8) == 0


@pytest.mark.parametrize("days", [1, 3])
def test_a_few_half_days_on_end_are_no_new_hours(days: int) -> None:
    smiles = lived(42, weekdays(8, 17))
    smiles.live(weeks(6), days, weekdays(8, 12))
    following = weeks(6) + timedelta(days=days)
    smiles.live(following, 1, weekdays(8, 12))

    assert smiles.expects(following, 15) > 0
    assert smiles.expects(following, 11) == 1


@pytest.mark.parametrize(("short", "lost"), [((8, 15), 16), ((10, 17), 9)])
def test_a_day_that_was_shorter_is_taken_for_new_hours_at_once(
    short: tuple[float, float], lost: float
) -> None:
    smiles = lived(42, weekdays(8, 17))
    smiles.live(weeks(6), 2, weekdays(*short))
    # Only now is it known when Tuesday began.
    smiles.live(weeks(6) + timedelta(days=2), 1, weekdays(*short))

    thursday, friday = (weeks(6) + timedelta(days=n) for n in (3, 4))
    assert [smiles.expects(day, lost) for day in (thursday, friday)] == [0, 0]
    assert smiles.expects(friday, 13) == 1

    smiles.live(thursday, 2, weekdays(8, 17))
    assert smiles.expects(weeks(7), lost) > 0


def test_a_saturday_that_was_shorter_says_nothing_of_working_days() -> None:
    def week(day: date, saturday: float = 15) -> list[tuple[float, float]]:
        ends = saturday if day.weekday() == SATURDAY else 17
        return [(8, ends)] if day.weekday() <= SATURDAY else []

    smiles = lived(40, week)
    smiles.live(weeks(6) - timedelta(days=2), 2, lambda day: week(day, 13))
    smiles.live(weeks(6), 1, week)

    tuesday, saturday = (weeks(6) + timedelta(days=n) for n in (1, 5))
    assert smiles.expects(tuesday, 16) == 1
    assert smiles.expects(saturday, 14) == 0
    assert smiles.expects(saturday, 12) > 0


def test_hours_stay_learned_though_a_machine_was_left_on_for_a_long_weekend() -> None:
    """It moves more in that one week than in the usual hours of all the others."""
    usual = weekdays(9, 13, range(4))

    def left_on(day: date) -> list[tuple[float, float]]:
        return [(9 if day.weekday() == 3 else 0, 13 if day.weekday() == 0 else 25)]

    smiles = lived(38, usual)
    smiles.live(weeks(5) + timedelta(days=3), 5, left_on)
    smiles.live(weeks(6) + timedelta(days=1), 6, usual)
    smiles.alerts.clear()
    smiles.live(weeks(7), 7, usual)

    assert smiles.alerts == []
    assert smiles.sync.expectation.source is Source.LEARNED


def test_a_machine_that_is_off_every_other_friday_may_be_off_on_the_evening_before() -> None:
    """It is silent from Thursday evening on, which would be an outage if it did not come again."""

    def hours(day: date) -> list[tuple[float, float]]:
        is_off = (day - FIRST).days // 7 % 2 == 1
        if is_off and day.weekday() in {3, 4, 5}:
            return {3: [(0.0, 18.5)], 4: [], 5: [(8.0, 14.0)]}[day.weekday()]
        return {5: [(0.0, 14.0)], 6: [], 0: [(8.0, 25.0)]}.get(day.weekday(), [(0.0, 25.0)])

    smiles = lived(35, hours)
    smiles.alerts.clear()
    smiles.live(weeks(5), 28, hours)
    assert smiles.alerts == []
    assert smiles.expects(weeks(9) + timedelta(days=2), 22) == 1


def test_a_machine_that_is_left_on_over_every_other_weekend_is_not_missed_in_between() -> None:
    def hours(day: date) -> list[tuple[float, float]]:
        if (day - FIRST).days // 7 % 2 and day.weekday() != 0:
            return [(0, 25)]
        if day.weekday() >= SATURDAY:
            return []
        came = day.weekday() or (day - FIRST).days // 7 % 2 == 0
        start = 8.0 if day.weekday() == 0 and (day - FIRST).days // 7 % 2 else 0.0
        return [(start if came else 8.0, 18.3 if day.weekday() == 4 else 25)]

    smiles = lived(42, hours)
    smiles.alerts.clear()
    smiles.live(weeks(6), 14, hours)
    assert smiles.alerts == []
    assert smiles.expects(weeks(8) + timedelta(days=2), 22) == 1
