"""Reads and writes that keep different hours."""

from datetime import date, timedelta

import pytest

from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.model import IntegrationType, Operation, Severity
from tests.learning.offices import FIRST, Hours, always, at, lived, never, weekdays, weeks


def test_a_dead_direction_is_judged_by_the_living_one() -> None:
    smiles = lived(28, weekdays(8, 17))
    smiles.live(weeks(4), 10, weekdays(8, 17), reads=never)

    assert smiles.expects(weeks(5) + timedelta(days=4), 11) == 1
    assert smiles.severity() == Severity.CRITICAL


def test_a_nightly_backup_is_not_held_against_a_server() -> None:
    smiles = lived(28, always, reads=lambda _: [(0, 1), (3, 25)])
    smiles.alerts.clear()

    smiles.live(weeks(4), 14, always, reads=lambda _: [(0, 1), (3, 25)])

    assert smiles.alerts == []
    assert smiles.expects(weeks(6), 2) == 1
    smiles.live(weeks(6), 1, always, reads=never)
    assert smiles.severity() == Severity.CRITICAL


def test_a_backup_at_noon_is_known_of_a_server_that_is_off_at_night() -> None:
    """In the night both directions rest: that is no pause of one of them."""

    def reads(day: date) -> list[tuple[float, float]]:
        return [(7, 12), (13.5, 20)] if day.weekday() < SATURDAY else []

    smiles = lived(42, weekdays(7, 20), reads)

    noon, later = at(weeks(6), 12.75), at(weeks(6), 15)
    read, write = (smiles.sync.hours.of(way) for way in Operation)
    assert [way.piece(noon).value for way in (read, write)] == [0, 1]
    assert [way.piece(later).value for way in (read, write)] == [1, 1]


def test_a_direction_that_the_other_one_leaves_behind_is_overdue_sooner() -> None:
    """People may go home at one, but not if they go on writing."""
    both, reads_alone = (lived(42, weekdays(8, 17), kind=IntegrationType.CLOUD) for _ in range(2))
    for smiles in (both, reads_alone):
        smiles.alerts.clear()
    monday = weeks(6)

    both.live(monday, 1, weekdays(8, 13))
    reads_alone.live(monday, 1, weekdays(8, 17), reads=weekdays(8, 13))

    assert both.alerts == []
    ((severity, when),) = reads_alone.alerts
    assert severity == Severity.WARNING
    # Seven tenths of the usual two and a half hours after the last mark.
    assert when == at(monday, 12 + 50 / 60 + 1.75 + 5 / 60)


def test_a_direction_that_often_rests_alone_is_given_its_time() -> None:
    def reads(day: date) -> list[tuple[float, float]]:
        if day.weekday() >= 5:
            return []
        return [(8, 11), (13, 17)] if day.toordinal() % 3 == 0 else [(8, 17)]

    smiles = lived(42, weekdays(8, 17), reads, kind=IntegrationType.CLOUD)
    smiles.alerts.clear()

    smiles.live(weeks(6), 1, weekdays(8, 17), reads=weekdays(8, 11))

    (_, when), *_ = smiles.alerts
    assert when >= at(weeks(6), 13.5)


def test_a_young_pattern_does_not_hurry_a_direction_that_is_left_behind() -> None:
    smiles = lived(14, weekdays(8, 17), kind=IntegrationType.CLOUD)
    smiles.alerts.clear()

    smiles.live(weeks(2), 1, weekdays(8, 17), reads=weekdays(8, 13))

    assert smiles.alerts == []


def with_pauses(until: float) -> Hours:
    """Working days from eight to six; on each Wednesday nothing moves from nine until then."""

    def hours(day: date) -> list[tuple[float, float]]:
        if day.weekday() >= SATURDAY:
            return []
        return [(8, 9), (until, 18)] if day.weekday() == 2 else [(8, 18)]

    return hours


def test_a_page_waits_until_a_direction_is_left_behind_for_twice_as_long_as_ever() -> None:
    smiles = lived(35, weekdays(8, 18), kind=IntegrationType.CLOUD)
    smiles.live(weeks(5), 7, weekdays(8, 18), with_pauses(12))
    smiles.alerts.clear()

    smiles.live(weeks(6), 3, weekdays(8, 18), with_pauses(13.75))

    assert [severity for severity, _ in smiles.alerts] == ["warning"]


def test_a_direction_that_moves_hours_apart_may_rest_for_half_as_long_again() -> None:
    smiles = lived(42, weekdays(8, 18), with_pauses(13), kind=IntegrationType.CLOUD)
    smiles.alerts.clear()

    smiles.live(weeks(6), 5, weekdays(8, 18), with_pauses(15))

    assert smiles.alerts == []


def test_a_direction_that_moves_hours_apart_is_not_hurried_by_the_night() -> None:
    """A silence that can be overdue after a night only is overdue sooner, but not before it."""
    smiles = lived(42, weekdays(8, 18), with_pauses(13), kind=IntegrationType.CLOUD)
    smiles.alerts.clear()

    smiles.live(weeks(6), 1, weekdays(8, 18), weekdays(8, 13))
    assert smiles.alerts == []
    smiles.live(weeks(6) + timedelta(days=1), 1, weekdays(8, 18), never)
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_a_backup_of_many_hours_each_week_is_learned() -> None:
    """Reads rest for longer than is tolerated before a page."""

    def saved(day: date) -> list[tuple[float, float]]:
        return [(7, 25)] if day.weekday() > SATURDAY else [(0, 25)]

    smiles = lived(28, always, saved)
    smiles.alerts.clear()
    smiles.live(weeks(4), 42, always, saved)
    assert smiles.alerts == []

    smiles.live(weeks(10), 1, always, weekdays(0, 9))
    (_, ticket), (_, page) = smiles.alerts
    assert ticket <= at(weeks(10), 10)
    assert page <= at(weeks(10), 13)


def test_four_outages_of_a_direction_change_nothing() -> None:
    smiles = lived(14, always)
    for number in range(4):
        smiles.live(weeks(2) + timedelta(days=7 * number), 1, always, never)
        smiles.live(weeks(2) + timedelta(days=7 * number + 1), 6, always)
    smiles.alerts.clear()
    smiles.live(weeks(6), 1, always, never)
    (_, ticket), (_, page) = smiles.alerts
    assert ticket - at(weeks(6)) <= 3600
    assert page - at(weeks(6)) <= 4 * 3600


def left_open(nights: set[int]) -> Hours:
    """A browser that is used on working days, and checks in all night after those of the nights.

    Nights are counted from the first day, in days.
    """

    def hours(day: date) -> list[tuple[float, float]]:
        number = (day - FIRST).days
        morning = [(0.0, 8.0)] if number - 1 in nights else []
        if day.weekday() >= SATURDAY:
            return morning
        return [*morning, (8.0, 24.0 if number in nights else 17.0)]

    return hours


SOME_NIGHTS = {n for n in range(70) if n % 7 < SATURDAY and n * 7 % 11 < 5}
"""About every second one, at no fixed days."""


EVERY_NIGHT = set(range(70))


def test_a_browser_left_open_on_some_nights_is_expected_on_none() -> None:
    smiles = lived(21, left_open(SOME_NIGHTS), weekdays(8, 17), kind=IntegrationType.CLOUD)
    smiles.alerts.clear()
    smiles.live(weeks(3), 28, left_open(SOME_NIGHTS), weekdays(8, 17))

    assert smiles.alerts == []
    assert [smiles.expects(weeks(7) + timedelta(days=day), 3) for day in range(5)] == [0] * 5
    assert smiles.expects(weeks(7), 15) == 1


@pytest.mark.parametrize("nights", [SOME_NIGHTS, EVERY_NIGHT])
def test_dead_reads_are_found_though_a_browser_checks_in_all_night(nights: set[int]) -> None:
    smiles = lived(21, left_open(nights), weekdays(8, 17), kind=IntegrationType.CLOUD)
    smiles.alerts.clear()
    smiles.live(weeks(3), 21, left_open(nights), weekdays(8, 17))
    assert smiles.alerts == []

    smiles.live(weeks(6), 2, left_open(nights), never)
    (_, ticket), (_, page) = smiles.alerts
    assert ticket - at(weeks(6), 8) <= 3.5 * 3600
    assert page - at(weeks(6), 8) <= 6 * 3600


@pytest.mark.parametrize("kind", [IntegrationType.SERVER, IntegrationType.CLOUD])
@pytest.mark.parametrize("reads", [weekdays(8, 8.2), weekdays(12, 13), weekdays(8, 9)])
def test_dead_reads_that_came_once_a_day_are_found(kind: IntegrationType, reads: Hours) -> None:
    smiles = lived(42, weekdays(8, 17), reads, kind=kind)
    smiles.alerts.clear()
    smiles.live(weeks(6), 11, weekdays(8, 17), never)

    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_dead_reads_of_a_new_sync_teach_no_hours_of_reads() -> None:
    """They died on its second day, on Friday they were back; then they die again."""
    tuesday, friday = FIRST + timedelta(days=1), FIRST + timedelta(days=4)

    def reads(day: date) -> list[tuple[float, float]]:
        if day == tuesday:
            return [(8, 9)]
        return [] if tuesday < day < friday else [(8 if day < friday else 16, 17)]

    smiles = lived(5, weekdays(8, 17), reads)
    smiles.live(FIRST + timedelta(days=5), 2, weekdays(8, 17))
    smiles.alerts.clear()
    smiles.live(weeks(1), 2, weekdays(8, 17), never)

    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]
    assert smiles.alerts[1][1] <= at(weeks(1) + timedelta(days=1), 13)


def test_reads_keep_their_hours_after_an_outage_of_twelve_days() -> None:
    smiles = lived(28, left_open(EVERY_NIGHT), weekdays(8, 17), kind=IntegrationType.CLOUD)
    smiles.live(weeks(4), 12, left_open(EVERY_NIGHT), never)
    smiles.live(weeks(4) + timedelta(days=12), 9, left_open(EVERY_NIGHT), weekdays(8, 17))
    smiles.alerts.clear()
    smiles.live(weeks(7), 2, left_open(EVERY_NIGHT), never)

    (_, ticket), (_, page) = smiles.alerts
    assert ticket - at(weeks(7), 8) <= 4 * 3600
    assert page - at(weeks(7), 8) <= 8 * 3600
