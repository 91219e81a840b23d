"""How long a silence is tolerated, by what was learned."""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial

import pytest

from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.model import IntegrationType, Operation, Severity
from tests.learning.offices import FIRST, Office, always, at, lived, never, weekdays, weeks


def test_a_usual_quiet_stretch_widens_the_allowance_and_no_more_than_twice() -> None:
    busy = lived(42, weekdays(8, 17), kind=IntegrationType.CLOUD)
    holes = {1: (10, 12.5), 3: (13, 15.4), 8: (9.5, 12), 17: (12, 14.6), 24: (10, 12.4)}

    def hours(day: date) -> list[tuple[float, float]]:
        hole = holes.get((day - FIRST).days)
        if hole is None:
            return list(weekdays(8, 17)(day))
        return [(8, hole[0]), (hole[1], 17)]

    slow = lived(42, hours, kind=IntegrationType.CLOUD)

    def warning(of: Office) -> float:
        hours = of.sync.hours.allowances(of.kind, Operation.READ, at(weeks(6), 9.9))
        return hours[Severity.WARNING]

    usual = 2.5 * 3600
    assert 0.7 * usual <= warning(busy) < warning(slow) <= 2 * usual


def test_a_pause_at_one_hour_leaves_room_at_that_hour_alone() -> None:
    smiles = lived(28, always)
    # On two nights, at three in the morning, it was updated for an hour and a half.
    for day in (0, 2):
        smiles.live(weeks(4) + timedelta(days=day), 1, lambda _: [(0, 3), (4.5, 25)])
        smiles.live(weeks(4) + timedelta(days=day + 1), 1, always)

    def allowed(hour: float) -> float:
        mark = at(weeks(4) + timedelta(days=4), hour)
        return smiles.sync.hours.allowances(smiles.kind, Operation.READ, mark)[Severity.WARNING]

    assert allowed(3.1) > 1.5 * allowed(14)
    assert allowed(14) == allowed(20) < 45 * 60


def test_a_pause_that_is_just_tolerated_leaves_room_for_a_longer_one() -> None:
    smiles = lived(28, always)
    # A backup that was over before anybody was told.
    smiles.live(weeks(4), 1, lambda _: [(0, 14), (14.6, 25)])
    smiles.live(weeks(4) + timedelta(days=1), 1, always)

    def allowed(hour: float) -> float:
        mark = at(weeks(4) + timedelta(days=2), hour)
        return smiles.sync.hours.allowances(smiles.kind, Operation.READ, mark)[Severity.WARNING]

    assert smiles.alerts == []
    # From 13:50 until 14:40.
    assert allowed(14) == 1.5 * 50 * 60 > allowed(20)


def test_after_a_night_a_server_has_twice_the_time() -> None:
    smiles = lived(42, weekdays(8, 17))

    def allowed(hour: float) -> dict[Severity, float]:
        return smiles.sync.hours.allowances(smiles.kind, Operation.READ, at(weeks(5), hour))

    assert allowed(16.9)[Severity.WARNING] == 2 * 45 * 60
    assert allowed(12)[Severity.WARNING] < 45 * 60
    # Half of the first hour counts.
    assert smiles.expects(weeks(6), 8.2) == smiles.expects(weeks(6), 8.8) == 0.5
    assert smiles.expects(weeks(6), 9.2) == 1


def test_a_server_may_go_off_early_and_be_restarted_in_the_morning() -> None:
    smiles = lived(42, weekdays(8, 17))
    always_on = lived(42, always)

    def allowed(of: Office, hour: float) -> float:
        mark = at(weeks(5), hour)
        return of.sync.hours.allowances(of.kind, Operation.READ, mark)[Severity.WARNING]

    # An hour before the usual closing: no ticket before the next opening.
    assert allowed(smiles, 16) > 80 * 60
    assert allowed(smiles, 15.5) < 45 * 60
    assert allowed(always_on, 16) == allowed(always_on, 2) < 45 * 60
    assert 65 * 60 < allowed(always_on, 8) == allowed(always_on, 10.5) < 70 * 60


def test_nobody_goes_home_from_a_server_that_runs_through_the_night() -> None:
    smiles = lived(42, weekdays(0, 24))

    def before_a_page(days: int) -> float:
        mark = at(weeks(5) + timedelta(days=days), 13)
        return smiles.sync.hours.allowances(smiles.kind, Operation.READ, mark)[Severity.CRITICAL]

    wednesday, friday = before_a_page(2), before_a_page(4)
    assert wednesday < 4 * 3600
    # An outage of eight open hours must be found, which takes less.
    assert 7 * 3600 < friday < 7.75 * 3600


def test_what_paused_in_two_nights_may_pause_in_a_third() -> None:
    smiles = lived(28, always)

    def saved(_: date) -> list[tuple[float, float]]:
        return [(0, 2), (4, 25)]

    pauses = []
    for number in range(3):  # on a Monday, a Tuesday, a Wednesday
        day = weeks(4) + timedelta(days=8 * number)
        smiles.alerts.clear()
        smiles.live(day, 1, saved)
        pauses.append([severity for severity, _ in smiles.alerts])
        smiles.live(day + timedelta(days=1), 7, always)

    assert pauses == [["warning"], ["warning"], []]
    # Pauses by day are no backups.
    assert smiles.expects(weeks(7), 1) == smiles.expects(weeks(7), 6) == 1


def without(begins: float, ends: float, _: date) -> list[tuple[float, float]]:
    return [(0, begins), (ends, 25)]


def test_pauses_at_two_hours_of_the_night_are_no_habit() -> None:
    smiles = lived(28, always)
    for number, (begins, ends) in enumerate(((0.5, 2), (3.5, 5), (0.5, 2))):
        day = weeks(4) + timedelta(days=8 * number)
        smiles.alerts.clear()
        smiles.live(day, 1, always, partial(without, begins, ends))
        assert [severity for severity, _ in smiles.alerts] == ["warning"]
        smiles.live(day + timedelta(days=1), 7, always)


def test_on_a_short_day_a_browser_has_its_usual_time_before_closing() -> None:
    def hours(day: date) -> Iterable[tuple[float, float]]:
        return [(7, 12)] if day.weekday() == SATURDAY else weekdays(8, 17)(day)

    smiles = lived(42, hours, kind=IntegrationType.CLOUD)
    mark = at(weeks(5) + timedelta(days=5), 9.9)
    allowed = smiles.sync.hours.allowances(smiles.kind, Operation.READ, mark)[Severity.WARNING]
    # What is left of that day is enough for the shorter time after a night, and for no more.
    assert allowed == 1.3 * 2.5 * 3600


def test_a_cloud_silence_from_closing_on_does_not_page_on_its_first_day() -> None:
    smiles = lived(42, weekdays(8, 17), kind=IntegrationType.CLOUD)
    smiles.alerts.clear()

    smiles.live(weeks(6), 1, never)
    assert [severity for severity, _ in smiles.alerts] == ["warning"]
    smiles.live(weeks(6) + timedelta(days=1), 1, never)
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_nor_does_it_when_somebody_comes_in_the_next_morning() -> None:
    smiles = lived(42, weekdays(8, 17), kind=IntegrationType.CLOUD)
    smiles.alerts.clear()

    smiles.live(weeks(6), 1, never)
    smiles.live(weeks(6) + timedelta(days=1), 1, weekdays(8.75, 17))
    assert [severity for severity, _ in smiles.alerts] == ["warning"]


def test_nor_does_one_whose_last_move_came_after_the_learned_closing() -> None:
    hours = weekdays(8, 17)
    smiles = lived(42, hours, kind=IntegrationType.CLOUD)
    smiles.alerts.clear()
    smiles.live(weeks(6), 1, lambda day: [*hours(day), (21.2, 21.4)])

    smiles.live(weeks(6) + timedelta(days=1), 1, never)
    assert [severity for severity, _ in smiles.alerts] == ["warning"]
    smiles.live(weeks(6) + timedelta(days=2), 1, never)
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_a_cloud_silence_from_midday_on_pages_in_the_middle_of_the_next_morning() -> None:
    smiles = lived(42, weekdays(8, 17), kind=IntegrationType.CLOUD)

    def hours_to_page(hour: float) -> float:
        mark = at(weeks(5), hour)
        allowed = smiles.sync.hours.allowances(smiles.kind, Operation.READ, mark)
        return allowed[Severity.CRITICAL] / 3600

    assert hours_to_page(9.5) == pytest.approx(0.85 * 6)
    # It may have moved last at half past ten in an office that closed at noon.
    assert hours_to_page(10.5) == pytest.approx(6.5 + 2.5)
    assert hours_to_page(13) == pytest.approx(4 + 2.5)
    assert hours_to_page(15) == pytest.approx(0.85 * 6)
    # An hour before closing somebody may have left for the day, and not come back on the next.
    assert hours_to_page(16) > 1 + 8
