"""What is learned of an office, and what is not."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial

import pytest

from nexhealth_exporter import report
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.expectation.slots import slot_of
from nexhealth_exporter.expectation.words import sentence, weekday_groups
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Location,
    Operation,
    Poll,
    Reason,
    Severity,
    Source,
    Sync,
)
from nexhealth_exporter.policy import policy
from nexhealth_exporter.report import Condition
from nexhealth_exporter.rules import Rules
from tests.exposition.reading import OF_FLEET, assert_same, families, reference, samples, text_of
from tests.learning.conftest import DAY, DEFAULTS, STEP, ZONE, Hours, Make, Office, at, now_and_then

FIRST = date(2026, 2, 23)
"""A Monday; no holiday comes before 25 May, but the clocks change on 8 March."""


def weekdays(start: float, end: float, days: range = range(5)) -> Hours:
    return lambda day: [(start, end)] if day.weekday() in days else []


def always(_: date) -> list[tuple[float, float]]:
    return [(0, 25)]


def never(_: date) -> list[tuple[float, float]]:
    return []


def weeks(number: int) -> date:
    return FIRST + timedelta(weeks=number)


def test_hours_are_learned_and_told_by_name(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 28, weekdays(7, 16, range(4)))

    monday = weeks(4)
    smiles.live(monday, 1, weekdays(7, 16, range(4)))
    assert smiles.sync.expectation.source is Source.LEARNED
    assert smiles.expects(monday, 11) == 1
    assert [smiles.expects(monday + timedelta(days=d), 17) for d in range(5)] == [0] * 5
    reasons = [
        smiles.sync.expectation.piece(at(monday + timedelta(days=d), h)).reason
        for d, h in ((0, 20), (4, 12), (5, 12))
    ]
    assert reasons == [Reason.CLOSED, Reason.CLOSED, Reason.WEEKEND]
    assert smiles.pattern.sure > 0.85
    assert not smiles.pattern.is_always_on


def test_a_server_that_is_always_on_shows_itself_within_days(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 9, always)

    assert smiles.sync.expectation.source is Source.LEARNED
    assert smiles.pattern.is_always_on
    assert smiles.pattern.week.activity == bytes([100]) * 7 * 24
    assert smiles.expects(weeks(2), 3) == 1
    assert smiles.expects(weeks(2) + timedelta(days=5), 3) == 1


@pytest.mark.parametrize("days", [3, 4, 6, 7])
def test_a_new_server_does_not_die_unnoticed_on_a_weekday_that_was_never_seen(
    office: Make, days: int
) -> None:
    smiles = office()
    smiles.live(FIRST, days, always)
    died = FIRST + timedelta(days=days)
    smiles.live(died, 1, lambda _: [(0, 6)])

    severity, fired = smiles.alerts[0]
    assert severity is Severity.WARNING
    assert at(died, 6) < fired <= at(died, 10)


def test_a_first_friday_off_is_a_ticket_and_the_second_is_nothing(office: Make) -> None:
    smiles = office()
    hours = weekdays(8, 17, range(4))
    smiles.live(FIRST, 7, hours)
    assert [severity for severity, _ in smiles.alerts] == [Severity.WARNING]

    smiles.live(weeks(1), 8, hours)

    assert len(smiles.alerts) == 1


def test_an_always_on_server_keeps_its_pattern_on_holidays(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 21, always)

    assert smiles.expects(date(2026, 5, 25), 12) == 1  # Memorial Day


def test_a_backup_at_night_does_not_close_an_always_on_server_on_holidays(office: Make) -> None:
    saved, off_at_night, glancing = office(), office(), office()
    saved.live(FIRST, 42, lambda _: [(0, 1.5), (4, 25)])
    off_at_night.live(FIRST, 42, lambda _: [(5, 25)])
    glancing.live(FIRST, 42, lambda _: [(8, 17), *((h, h + 0.5) for h in (0, 3, 6, 18, 21))])

    memorial_day = date(2026, 5, 25)
    assert saved.expects(memorial_day, 12) == 1
    assert saved.expects(memorial_day, 2.5) == 0
    assert off_at_night.expects(memorial_day, 12) == 0
    assert glancing.expects(memorial_day - timedelta(days=7), 12) == 1
    assert glancing.expects(memorial_day, 12) == 0


def test_nobody_else_works_on_a_holiday(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 28, weekdays(8, 17))

    assert smiles.expects(date(2026, 5, 25), 12) == 0
    assert smiles.expects(date(2026, 5, 26), 12) == 1


def test_the_afternoons_of_24_and_31_december_do_not_count(office: Make) -> None:
    smiles, always_on = office(), office()
    start = date(2026, 11, 9)
    smiles.live(start, 42, weekdays(8, 17))
    always_on.live(start, 42, always)

    for eve in (date(2026, 12, 24), date(2026, 12, 31)):
        assert [smiles.expects(eve, hour) for hour in (11, 12.5, 16)] == [1, 0, 0]
        assert always_on.expects(eve, 16) == 1


def test_afternoons_before_sure_holidays_count_half(office: Make) -> None:
    smiles, always_on = office(), office()
    smiles.live(FIRST, 42, weekdays(8, 17))
    always_on.live(FIRST, 42, always)
    for eve in (date(2026, 11, 25), date(2026, 7, 2)):
        assert [smiles.expects(eve, hour) for hour in (11, 12.5, 16)] == [1, 0.5, 0.5]
        assert always_on.expects(eve, 16) == 1
    assert smiles.expects(date(2026, 11, 10), 16) == 1, "Veterans Day is a lesser holiday"


def test_mornings_after_and_evenings_before_a_holiday_are_like_those_beside_a_day_off(
    office: Make,
) -> None:
    def hours(day: date) -> list[tuple[float, float]]:
        opens, closes = {0: (10, 20), 4: (8, 18)}.get(day.weekday(), (8, 20))
        return [(opens, closes)] if day.weekday() < SATURDAY else []

    smiles = office()
    smiles.live(FIRST, 42, hours)
    tuesday, wednesday = date(2026, 5, 26), date(2026, 5, 27)  # after Memorial Day

    assert [smiles.expects(tuesday, hour) for hour in (9.5, 12)] == [0, 1]
    assert [smiles.expects(wednesday, hour) for hour in (9.5, 12)] == [1, 1]

    thanksgiving = date(2026, 11, 26)
    evening, before = (thanksgiving - timedelta(days=days) for days in (1, 2))
    assert [smiles.expects(evening, hour) for hour in (17, 19)] == [0.5, 0]
    assert [smiles.expects(before, hour) for hour in (17, 19)] == [1, 1]


def test_a_night_that_begins_on_a_holiday_is_off_until_its_morning(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 42, lambda _: [(0, 7), (19.5, 24)])
    memorial_day = date(2026, 5, 25)
    after = memorial_day + timedelta(days=1)

    assert smiles.expects(memorial_day - timedelta(days=1), 21) == 1
    assert smiles.expects(memorial_day, 21) == 0
    assert [smiles.expects(after, hour) for hour in (1, 6, 21)] == [0, 0, 1]
    assert smiles.expects(after + timedelta(days=1), 1) == 1


def test_a_day_after_a_holiday_counts_though_it_has_no_rest_before_its_backup(
    office: Make,
) -> None:
    smiles = office()
    smiles.live(FIRST, 42, lambda day: [(0, 22), (23, 24)] if day.weekday() < SATURDAY else [])
    after = date(2026, 5, 26)

    assert smiles.expects(after - timedelta(days=1), 11) == 0
    assert [smiles.expects(after, hour) for hour in (11, 22.5)] == [1, 0]


def test_lunch_of_a_cloud_office_is_learned(office: Make) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 28, lambda day: [(8, 12), (13.5, 17)] if day.weekday() < 5 else [])

    piece = smiles.sync.expectation.piece(at(weeks(4), 12.75))
    assert (piece.value, piece.reason) == (0, Reason.LUNCH)


def test_an_outage_of_three_weeks_is_not_learned(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 28, weekdays(8, 17))
    smiles.live(weeks(4), 21, never)
    smiles.live(weeks(7), 2, weekdays(8, 17))

    assert smiles.sync.expectation.source is Source.LEARNED
    for day in range(5):
        assert smiles.expects(weeks(8) + timedelta(days=day), 11) == 1


def test_a_dead_direction_is_judged_by_the_living_one(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 28, weekdays(8, 17))
    smiles.live(weeks(4), 10, weekdays(8, 17), reads=never)

    assert smiles.expects(weeks(5) + timedelta(days=4), 11) == 1
    assert smiles.severity() == Severity.CRITICAL


def test_a_move_to_four_days_is_followed_within_three_weeks(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(8, 17))
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
    office: Make, kind: IntegrationType, day_off: int, start: float, end: float
) -> None:
    smiles = office(kind)
    usual = weekdays(start, end, range(day_off))
    every_day = weekdays(start, end, range(day_off + 1))

    def alternating(day: date) -> list[tuple[float, float]]:
        hours = every_day if (day - FIRST).days // 7 % 2 else usual
        return list(hours(day))

    smiles.live(FIRST, 42, alternating)
    smiles.alerts.clear()
    smiles.live(weeks(6), 42, alternating)

    assert smiles.alerts == []
    assert smiles.expects(weeks(12) + timedelta(days=3), 11) == 1


@pytest.mark.parametrize("kind", [IntegrationType.SERVER, IntegrationType.CLOUD])
def test_every_other_week_is_still_known_when_one_of_them_was_a_holiday(
    office: Make, kind: IntegrationType
) -> None:
    smiles = office(kind)
    start, columbus_day = date(2026, 8, 17), date(2026, 10, 12)

    def alternating(day: date) -> list[tuple[float, float]]:
        is_off = (day - columbus_day).days % 14 == 0
        return [] if is_off or day.weekday() >= SATURDAY else [(8, 17)]

    days = (columbus_day - start).days + 21
    smiles.live(start, days, alternating)
    smiles.alerts.clear()
    smiles.live(start + timedelta(days=days), 21, alternating)

    assert smiles.alerts == []
    assert smiles.expects(columbus_day + timedelta(days=36), 11) == 1


def test_later_hours_are_followed(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(7, 16))
    smiles.live(weeks(6), 14, weekdays(9, 18))
    smiles.live(weeks(8), 1, weekdays(9, 18))

    assert smiles.expects(weeks(8) + timedelta(days=1), 8) == 0


def test_christmas_week_leaves_no_trace(office: Make) -> None:
    smiles = office()
    start = date(2026, 11, 9)
    smiles.live(start, 45, weekdays(8, 17))
    before = [smiles.expects(date(2027, 1, 11) + timedelta(days=d), 11) for d in range(5)]

    smiles.live(date(2026, 12, 24), 11, never)
    smiles.live(date(2027, 1, 4), 4, weekdays(8, 17))

    after = [smiles.expects(date(2027, 1, 11) + timedelta(days=d), 11) for d in range(5)]
    assert before == after == [1] * 5


def test_an_announced_closure_teaches_nothing(office: Make) -> None:
    days = [weeks(n) + timedelta(days=2) for n in (1, 2, 3, 4)]
    listed = ", ".join(f'"{day}"' for day in days)
    closed = office(rules=f"closures:\n  - match: {{subdomain: smiles}}\n    days: [{listed}]\n")
    hours = weekdays(8, 17)
    closed.live(FIRST, 36, lambda day: [] if day in days else hours(day))

    assert closed.expects(weeks(6) + timedelta(days=2), 11) == 1


def test_a_nightly_backup_is_not_held_against_a_server(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 28, always, reads=lambda _: [(0, 1), (3, 25)])
    smiles.alerts.clear()

    smiles.live(weeks(4), 14, always, reads=lambda _: [(0, 1), (3, 25)])

    assert smiles.alerts == []
    assert smiles.expects(weeks(6), 2) == 1
    smiles.live(weeks(6), 1, always, reads=never)
    assert smiles.severity() == Severity.CRITICAL


def test_a_backup_at_noon_is_known_of_a_server_that_is_off_at_night(office: Make) -> None:
    """In the night both directions rest: that is no pause of one of them."""
    smiles, hours = office(), weekdays(7, 20)

    def reads(day: date) -> list[tuple[float, float]]:
        return [(7, 12), (13.5, 20)] if day.weekday() < SATURDAY else []

    smiles.live(FIRST, 42, hours, reads)

    noon, later = at(weeks(6), 12.75), at(weeks(6), 15)
    read, write = (smiles.sync.hours.of(way) for way in Operation)
    assert [way.piece(noon).value for way in (read, write)] == [0, 1]
    assert [way.piece(later).value for way in (read, write)] == [1, 1]


def test_a_usual_quiet_stretch_widens_the_allowance_and_no_more_than_twice(office: Make) -> None:
    busy, slow = office(IntegrationType.CLOUD), office(IntegrationType.CLOUD)
    busy.live(FIRST, 42, weekdays(8, 17))
    holes = {1: (10, 12.5), 3: (13, 15.4), 8: (9.5, 12), 17: (12, 14.6), 24: (10, 12.4)}

    def hours(day: date) -> list[tuple[float, float]]:
        hole = holes.get((day - FIRST).days)
        if hole is None:
            return list(weekdays(8, 17)(day))
        return [(8, hole[0]), (hole[1], 17)]

    slow.live(FIRST, 42, hours)

    def warning(of: Office) -> float:
        hours = of.sync.hours.allowances(of.kind, Operation.READ, at(weeks(6), 10))
        return hours[Severity.WARNING]

    usual = 2.5 * 3600
    assert 0.7 * usual <= warning(busy) < warning(slow) <= 2 * usual


def test_a_pause_at_one_hour_leaves_room_at_that_hour_alone(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 28, always)
    # On two nights, at three in the morning, it was updated for an hour and a half.
    for day in (0, 2):
        smiles.live(weeks(4) + timedelta(days=day), 1, lambda _: [(0, 3), (4.5, 25)])
        smiles.live(weeks(4) + timedelta(days=day + 1), 1, always)

    def allowed(hour: float) -> float:
        mark = at(weeks(4) + timedelta(days=4), hour)
        return smiles.sync.hours.allowances(smiles.kind, Operation.READ, mark)[Severity.WARNING]

    assert allowed(3.1) > 1.5 * allowed(14)
    assert allowed(14) == allowed(20) < 45 * 60


def test_a_pause_that_is_just_tolerated_leaves_room_for_a_longer_one(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 28, always)
    # A backup that was over before anybody was told.
    smiles.live(weeks(4), 1, lambda _: [(0, 14), (14.6, 25)])
    smiles.live(weeks(4) + timedelta(days=1), 1, always)

    def allowed(hour: float) -> float:
        mark = at(weeks(4) + timedelta(days=2), hour)
        return smiles.sync.hours.allowances(smiles.kind, Operation.READ, mark)[Severity.WARNING]

    assert smiles.alerts == []
    # From 13:50 until 14:40.
    assert allowed(14) == 1.5 * 50 * 60 > allowed(20)


def test_after_a_night_a_server_has_twice_the_time(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(8, 17))

    def allowed(hour: float) -> dict[Severity, float]:
        return smiles.sync.hours.allowances(smiles.kind, Operation.READ, at(weeks(5), hour))

    assert allowed(16.9)[Severity.WARNING] == 2 * 45 * 60
    assert allowed(12)[Severity.WARNING] < 45 * 60
    # Half of the first hour counts.
    assert smiles.expects(weeks(6), 8.2) == smiles.expects(weeks(6), 8.8) == 0.5
    assert smiles.expects(weeks(6), 9.2) == 1


def test_a_server_may_go_off_early_and_be_restarted_in_the_morning(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(8, 17))
    always_on = office()
    always_on.live(FIRST, 42, always)

    def allowed(of: Office, hour: float) -> float:
        mark = at(weeks(5), hour)
        return of.sync.hours.allowances(of.kind, Operation.READ, mark)[Severity.WARNING]

    # An hour before the usual closing: no ticket before the next opening.
    assert allowed(smiles, 16) > 80 * 60
    assert allowed(smiles, 15.5) < 45 * 60
    assert allowed(always_on, 16) == allowed(always_on, 2) < 45 * 60
    assert 65 * 60 < allowed(always_on, 8) == allowed(always_on, 10.5) < 70 * 60


def test_nobody_goes_home_from_a_server_that_runs_through_the_night(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(0, 24))

    def before_a_page(days: int) -> float:
        mark = at(weeks(5) + timedelta(days=days), 13)
        return smiles.sync.hours.allowances(smiles.kind, Operation.READ, mark)[Severity.CRITICAL]

    wednesday, friday = before_a_page(2), before_a_page(4)
    assert wednesday < 4 * 3600
    # An outage of eight open hours must be found, which takes less.
    assert 7 * 3600 < friday < 7.75 * 3600


def test_a_direction_that_the_other_one_leaves_behind_is_overdue_sooner(office: Make) -> None:
    """People may go home at one, but not if they go on writing."""
    both, reads_alone = office(IntegrationType.CLOUD), office(IntegrationType.CLOUD)
    for smiles in (both, reads_alone):
        smiles.live(FIRST, 42, weekdays(8, 17))
        smiles.alerts.clear()
    monday = weeks(6)

    both.live(monday, 1, weekdays(8, 13))
    reads_alone.live(monday, 1, weekdays(8, 17), reads=weekdays(8, 13))

    assert both.alerts == []
    ((severity, when),) = reads_alone.alerts
    assert severity == Severity.WARNING
    # Seven tenths of the usual two and a half hours after the last mark.
    assert when == at(monday, 12 + 50 / 60 + 1.75 + 5 / 60)


def test_a_direction_that_often_rests_alone_is_given_its_time(office: Make) -> None:
    smiles = office(IntegrationType.CLOUD)

    def reads(day: date) -> list[tuple[float, float]]:
        if day.weekday() >= 5:
            return []
        return [(8, 11), (13, 17)] if day.toordinal() % 3 == 0 else [(8, 17)]

    smiles.live(FIRST, 42, weekdays(8, 17), reads=reads)
    smiles.alerts.clear()

    smiles.live(weeks(6), 1, weekdays(8, 17), reads=weekdays(8, 11))

    (_, when), *_ = smiles.alerts
    assert when >= at(weeks(6), 13.5)


def test_a_young_pattern_does_not_hurry_a_direction_that_is_left_behind(office: Make) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 14, weekdays(8, 17))
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


def test_a_page_waits_until_a_direction_is_left_behind_for_twice_as_long_as_ever(
    office: Make,
) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 35, weekdays(8, 18))
    smiles.live(weeks(5), 7, weekdays(8, 18), with_pauses(12))
    smiles.alerts.clear()

    smiles.live(weeks(6), 3, weekdays(8, 18), with_pauses(13.75))

    assert [severity for severity, _ in smiles.alerts] == ["warning"]


def test_a_direction_that_moves_hours_apart_may_rest_for_half_as_long_again(office: Make) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 42, weekdays(8, 18), with_pauses(13))
    smiles.alerts.clear()

    smiles.live(weeks(6), 5, weekdays(8, 18), with_pauses(15))

    assert smiles.alerts == []


def test_a_direction_that_moves_hours_apart_is_not_hurried_by_the_night(office: Make) -> None:
    """A silence that can be overdue after a night only is overdue sooner, but not before it."""
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 42, weekdays(8, 18), with_pauses(13))
    smiles.alerts.clear()

    smiles.live(weeks(6), 1, weekdays(8, 18), weekdays(8, 13))
    assert smiles.alerts == []
    smiles.live(weeks(6) + timedelta(days=1), 1, weekdays(8, 18), never)
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_a_backup_of_many_hours_each_week_is_learned(office: Make) -> None:
    """Reads rest for longer than is tolerated before a page."""

    def saved(day: date) -> list[tuple[float, float]]:
        return [(7, 25)] if day.weekday() > SATURDAY else [(0, 25)]

    smiles = office()
    smiles.live(FIRST, 28, always, saved)
    smiles.alerts.clear()
    smiles.live(weeks(4), 42, always, saved)
    assert smiles.alerts == []

    smiles.live(weeks(10), 1, always, weekdays(0, 9))
    (_, ticket), (_, page) = smiles.alerts
    assert ticket <= at(weeks(10), 10)
    assert page <= at(weeks(10), 13)


def test_what_paused_in_two_nights_may_pause_in_a_third(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 28, always)

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


def test_pauses_at_two_hours_of_the_night_are_no_habit(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 28, always)
    for number, (begins, ends) in enumerate(((0.5, 2), (3.5, 5), (0.5, 2))):
        day = weeks(4) + timedelta(days=8 * number)
        smiles.alerts.clear()
        smiles.live(day, 1, always, partial(without, begins, ends))
        assert [severity for severity, _ in smiles.alerts] == ["warning"]
        smiles.live(day + timedelta(days=1), 7, always)


@pytest.mark.parametrize(("begins", "ends"), [(8, 12), (14, 17)])
def test_an_incident_at_either_end_of_a_day_is_not_taken_for_new_hours(
    begins: float, ends: float
) -> None:
    rules = policy(Rules(), DEFAULTS)
    names = [f"office-{number}" for number in range(10)]
    places = (Location(1, ZONE.key),)
    fleet = Fleet().watching(Inventory({n: Institution(n, locations=places) for n in names}), rules)
    monday, mark = weeks(4), None
    for day in (FIRST + timedelta(days=number) for number in range(30)):
        for half in range(48):
            hour, now = half / 2, at(day, half / 2)
            is_struck = day == monday and begins <= hour < ends
            if day.weekday() < 5 and 8 <= hour < 17 and not is_struck:
                mark = now
            syncs = (Sync("Main", IntegrationType.CLOUD, read_at=mark, write_at=mark),)
            fleet = fleet.after([Poll(n, now, syncs) for n in names], rules).with_incidents()

    assert fleet.latest_incidents
    (struck,) = fleet.standings[names[0]].syncs or ()
    wednesday = monday + timedelta(days=2)
    expected = [struck.expectation.piece(at(wednesday, hour)).value for hour in (8.2, 9.2, 16.7)]
    assert expected == [0.5, 1, 1]


def test_a_friday_off_that_most_offices_share_is_no_incident_each_week() -> None:
    """The first is one: until then nobody knows of it."""
    rules = policy(Rules(), DEFAULTS)
    lasts = {f"office-{number}": 4 if number < 12 else 5 for number in range(20)}
    marks: dict[str, float] = {}
    places = (Location(1, ZONE.key),)
    institutions = {name: Institution(name, locations=places) for name in lasts}
    fleet = Fleet().watching(Inventory(institutions), rules)
    for half in range(2 * 24 * 26):
        day, hour = FIRST + timedelta(days=half // 48), half % 48 / 2
        now = at(day, hour)
        if 8 <= hour < 17:
            marks |= {name: now for name, last in lasts.items() if day.weekday() < last}
        polls = []
        for name in lasts:
            mark = marks.get(name)
            sync = Sync("Main", IntegrationType.SERVER, read_at=mark, write_at=mark)
            polls.append(Poll(name, now, (sync,)))
        fleet = fleet.after(polls, rules).with_incidents()

    (first,) = fleet.latest_incidents[IntegrationType.SERVER]
    assert first.end < at(weeks(1), 12)


def test_one_day_off_lowers_no_expectation(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 28, weekdays(8, 17))
    before = smiles.expects(weeks(6), 11)
    smiles.live(weeks(4), 1, never)
    smiles.live(weeks(4) + timedelta(days=1), 8, weekdays(8, 17))

    assert smiles.expects(weeks(6), 11) == before == 1


@pytest.mark.parametrize(("days", "is_new"), [(1, False), (2, False), (3, True)])
def test_three_half_days_on_end_are_new_hours_and_fewer_are_none(
    office: Make, days: int, is_new: bool
) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(8, 17))
    smiles.live(weeks(6), days, weekdays(8, 12))
    following = weeks(6) + timedelta(days=days)
    smiles.live(following, 1, weekdays(8, 12))

    assert (smiles.expects(following, 15) == 0) == is_new
    assert smiles.expects(following, 11) == 1


def test_a_vacation_two_weeks_from_a_holiday_lowers_no_expectation(office: Make) -> None:
    smiles = office()
    start, columbus_day = date(2026, 8, 31), date(2026, 10, 12)
    vacation = columbus_day + timedelta(weeks=2)
    smiles.live(start, 42, weekdays(8, 17))
    smiles.live(columbus_day, 1, never)
    smiles.live(columbus_day + timedelta(days=1), 13, weekdays(8, 17))
    smiles.live(vacation, 3, never)
    smiles.live(vacation + timedelta(days=3), 3, weekdays(8, 17))

    following = [vacation + timedelta(weeks=1, days=day) for day in range(5)]
    assert [smiles.expects(day, 11) for day in following] == [1] * 5


@pytest.mark.parametrize("kind", [IntegrationType.SERVER, IntegrationType.CLOUD])
@pytest.mark.parametrize("weekday", range(5))
def test_the_week_after_a_day_off_that_day_is_expected_as_before(
    office: Make, kind: IntegrationType, weekday: int
) -> None:
    smiles = office(kind)
    smiles.live(FIRST, 28 + weekday, weekdays(8, 17))
    before = smiles.expects(weeks(5) + timedelta(days=weekday), 11)
    smiles.live(weeks(4) + timedelta(days=weekday), 1, never)
    smiles.live(weeks(4) + timedelta(days=weekday + 1), 6, weekdays(8, 17))

    assert smiles.expects(weeks(5) + timedelta(days=weekday), 11) == before == 1


@pytest.mark.parametrize("moves", [3, 5, 8])
def test_who_moves_a_few_times_a_day_is_missed_within_three_days(office: Make, moves: int) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 42, now_and_then(moves))
    smiles.alerts.clear()
    smiles.live(weeks(6), 22, now_and_then(moves))
    assert smiles.alerts == []

    died = weeks(9) + timedelta(days=1)
    smiles.live(died, 3, never)

    assert [severity for severity, _ in smiles.alerts][:1] == [Severity.WARNING]
    windows = {g.first: len(g.windows) for g in weekday_groups(smiles.pattern)}
    assert {count for day, count in windows.items() if day < SATURDAY} == {1}


async def test_who_moves_a_few_times_a_day_has_hours_though_it_is_never_expected_up(
    office: Make,
) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 42, now_and_then(5))
    tuesday = weeks(6) + timedelta(days=1)
    smiles.live(weeks(6), 1, now_and_then(5))

    eleven = smiles.sync.expectation.piece(at(tuesday, 11))
    assert eleven.is_open
    assert 0 < eleven.value < 0.5
    assert smiles.sync.expectation.piece(at(tuesday, 22)).reason is Reason.CLOSED
    assert "moves now and then" in sentence(smiles.pattern)
    (row,) = report.rows(smiles.fleet, at(tuesday, 10))
    assert row.condition is Condition.FRESH
    for hour in (11, 22):
        now = at(tuesday, hour)
        shown = samples(
            families(await text_of(Page(OwnMetrics("1")), smiles.fleet, now, names=OF_FLEET))
        )
        assert_same(shown, reference(smiles.fleet, now))
        downtime = [s for s in shown if s[0] == "nexhealth_sync_expected_downtime"]
        assert len(downtime) == (hour == 22)

    smiles.live(tuesday, 3, never)
    (row,) = report.rows(smiles.fleet, at(tuesday, 71))
    assert re.search("in the middle of open hours|did not come back at opening", report.why(row))


@pytest.mark.parametrize(("short", "lost"), [((8, 15), 16), ((10, 17), 9)])
def test_a_day_that_was_shorter_is_taken_for_new_hours_at_once(
    office: Make, short: tuple[float, float], lost: float
) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(8, 17))
    smiles.live(weeks(6), 2, weekdays(*short))
    # Only now is it known when Tuesday began.
    smiles.live(weeks(6) + timedelta(days=2), 1, weekdays(*short))

    thursday, friday = (weeks(6) + timedelta(days=n) for n in (3, 4))
    assert [smiles.expects(day, lost) for day in (thursday, friday)] == [0, 0]
    assert smiles.expects(friday, 13) == 1

    smiles.live(thursday, 2, weekdays(8, 17))
    assert smiles.expects(weeks(7), lost) > 0


def test_a_saturday_that_was_shorter_says_nothing_of_working_days(office: Make) -> None:
    def week(day: date, saturday: float = 15) -> list[tuple[float, float]]:
        ends = saturday if day.weekday() == SATURDAY else 17
        return [(8, ends)] if day.weekday() <= SATURDAY else []

    smiles = office()
    smiles.live(FIRST, 40, week)
    smiles.live(weeks(6) - timedelta(days=2), 2, lambda day: week(day, 13))
    smiles.live(weeks(6), 1, week)

    tuesday, saturday = (weeks(6) + timedelta(days=n) for n in (1, 5))
    assert smiles.expects(tuesday, 16) == 1
    assert smiles.expects(saturday, 14) == 0
    assert smiles.expects(saturday, 12) > 0


def test_what_was_not_looked_at_teaches_nothing(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 28, weekdays(8, 17))
    # For two days nobody looks; then the mark has moved.
    smiles.read_at = smiles.write_at = at(weeks(4) + timedelta(days=2), 8)
    smiles.look(at(weeks(4) + timedelta(days=2), 8.1))

    record = smiles.sync.learned.record
    unseen = slot_of(at(weeks(4), 1), ZONE.key) - record.base
    assert (record.silent | record.suspect) >> unseen == 0
    assert record.silent >> (unseen - 10) > 0


@pytest.mark.parametrize("ahead", [20 * DAY, 365 * DAY])
def test_a_clock_that_is_ahead_for_a_while_takes_nothing_that_was_learned(
    office: Make, ahead: float
) -> None:
    smiles = office()
    smiles.live(FIRST, 28, weekdays(8, 17))
    known = smiles.pattern
    monday = weeks(4)
    for now in (at(monday, 9 + number / 6) for number in range(30)):
        smiles.read_at = smiles.write_at = now
        smiles.look(now + ahead)
    assert smiles.pattern.weeks >= known.weeks

    # What is new is learned as before.
    smiles.live(monday + timedelta(days=1), 27, weekdays(10, 19))
    assert smiles.sync.expectation.source is Source.LEARNED
    tuesday = weeks(8) + timedelta(days=1)
    assert [smiles.expects(tuesday, hour) > 0.5 for hour in (9, 11)] == [False, True]


@pytest.mark.parametrize("ahead", [20 * DAY, 365 * DAY])
def test_a_sync_that_was_met_by_a_clock_that_was_ahead_is_learned_in_time(
    office: Make, ahead: float
) -> None:
    smiles = office()
    for now in (at(FIRST, 9), at(FIRST, 9.2)):
        smiles.read_at = smiles.write_at = now
        smiles.look(now + ahead)
    smiles.live(FIRST + timedelta(days=1), 27, weekdays(8, 17))

    assert smiles.sync.first_seen < at(FIRST + timedelta(days=2))
    assert smiles.sync.expectation.source is Source.LEARNED


@pytest.mark.parametrize("kind", list(IntegrationType))
def test_a_pattern_is_used_only_when_it_is_sure(office: Make, kind: IntegrationType) -> None:
    smiles = office(kind)
    smiles.live(FIRST, 2, weekdays(8, 17))

    assert smiles.sync.expectation.source is Source.DEFAULT
    assert smiles.sync.read.allowance == {Severity.WARNING: 4 * 3600, Severity.CRITICAL: 9 * 3600}


def test_a_closure_that_nobody_announced_costs_one_ticket_and_one_page(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(8, 17))
    smiles.alerts.clear()

    smiles.live(weeks(6), 5, never)

    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_a_cloud_silence_from_closing_on_does_not_page_on_its_first_day(office: Make) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 42, weekdays(8, 17))
    smiles.alerts.clear()

    smiles.live(weeks(6), 1, never)
    assert [severity for severity, _ in smiles.alerts] == ["warning"]
    smiles.live(weeks(6) + timedelta(days=1), 1, never)
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_nor_does_it_when_somebody_comes_in_the_next_morning(office: Make) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 42, weekdays(8, 17))
    smiles.alerts.clear()

    smiles.live(weeks(6), 1, never)
    smiles.live(weeks(6) + timedelta(days=1), 1, weekdays(8.75, 17))
    assert [severity for severity, _ in smiles.alerts] == ["warning"]


def test_nor_does_one_whose_last_move_came_after_the_learned_closing(office: Make) -> None:
    smiles, hours = office(IntegrationType.CLOUD), weekdays(8, 17)
    smiles.live(FIRST, 42, hours)
    smiles.alerts.clear()
    smiles.live(weeks(6), 1, lambda day: [*hours(day), (21.2, 21.4)])

    smiles.live(weeks(6) + timedelta(days=1), 1, never)
    assert [severity for severity, _ in smiles.alerts] == ["warning"]
    smiles.live(weeks(6) + timedelta(days=2), 1, never)
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_a_cloud_silence_from_the_afternoon_on_pages_in_the_middle_of_the_next_morning(
    office: Make,
) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 42, weekdays(8, 17))

    def hours_to_page(hour: float) -> float:
        mark = at(weeks(5), hour)
        allowed = smiles.sync.hours.allowances(smiles.kind, Operation.READ, mark)
        return allowed[Severity.CRITICAL] / 3600

    assert hours_to_page(9.5) == pytest.approx(0.85 * 6)
    assert hours_to_page(13) == pytest.approx(4 + 2.5)
    assert hours_to_page(15) == pytest.approx(0.85 * 6)
    # An hour before closing somebody may have left for the day, and not come back on the next.
    assert hours_to_page(16) > 1 + 8


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (weekdays(0, 0), "did not come back at opening on Monday, 07:"),
        (weekdays(7, 7.5), "stopped at 07:20, in the middle of open hours"),
    ],
)
def test_the_sentence_knows_that_a_learned_morning_counts_before_it_is_expected_in_full(
    office: Make, last: Hours, said: str
) -> None:
    smiles = office()
    smiles.live(FIRST, 28, weekdays(7, 16))
    monday = weeks(4)
    smiles.live(monday, 1, last)
    assert 0 < smiles.expects(monday, 7.2) <= 0.5 < smiles.expects(monday, 8.2)

    (row,) = report.rows(smiles.fleet, at(monday, 15))
    assert row.is_overdue
    assert said in report.why(row)


def test_deadlines_do_not_change_while_nothing_is_heard(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 30, weekdays(8, 17))
    before = smiles.sync.read.deadline

    smiles.live(FIRST + timedelta(days=30), 9, never)

    assert smiles.sync.read.deadline == before
    assert smiles.sync.read.deadline[Severity.CRITICAL] < at(FIRST) + 39 * DAY


def by_nexhealth(smiles: Office) -> None:
    smiles.located("America/Los_Angeles")


def by_configuration(smiles: Office) -> None:
    smiles.ruled("institutions: [{match: {}, timezone: America/Los_Angeles}]")


def by_configuration_at_a_restart(smiles: Office) -> None:
    smiles.ruled("institutions: [{match: {}, timezone: America/Los_Angeles}]")
    smiles.restarted()


def by_nexhealth_while_it_was_not_watched(smiles: Office) -> None:
    smiles.fleet = smiles.fleet.watching(Inventory(), smiles.policy)
    smiles.located("America/Los_Angeles")


@pytest.mark.parametrize(
    "corrected",
    [
        by_nexhealth,
        by_configuration,
        by_configuration_at_a_restart,
        by_nexhealth_while_it_was_not_watched,
    ],
)
def test_hours_stay_learned_when_the_zone_of_an_office_is_corrected(
    office: Make, corrected: Callable[[Office], None]
) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(11, 20))
    corrected(smiles)
    smiles.live(weeks(6), 21, weekdays(11, 20))

    assert smiles.sync.expectation.timezone == "America/Los_Angeles"
    assert smiles.sync.expectation.source is Source.LEARNED
    hours = [smiles.expects(weeks(9), hour) for hour in (10, 12, 19, 21)]
    assert hours == [0, 1, 1, 0]
    assert smiles.alerts == []


def test_a_zone_that_is_wrong_for_a_while_takes_nothing_that_was_learned(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(8, 17))
    week = smiles.pattern.week
    for zone in ("Pacific/Honolulu", "Asia/Kolkata", "Nowhere", ZONE.key):
        smiles.located(zone)
    assert smiles.pattern.week == week
    smiles.live(weeks(6), 7, weekdays(8, 17))
    assert smiles.alerts == []


def test_an_office_that_changes_to_a_browser_is_not_expected_at_night(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 42, always)
    smiles.kind = IntegrationType.CLOUD
    smiles.live(weeks(6), 28, weekdays(8, 17))

    assert smiles.alerts == []
    assert smiles.sync.expectation.source is Source.LEARNED


def test_a_type_that_was_not_known_takes_nothing_that_was_learned(office: Make) -> None:
    smiles = office(IntegrationType.UNKNOWN)
    smiles.live(FIRST, 42, weekdays(7, 16))
    smiles.kind = IntegrationType.SERVER
    smiles.live(weeks(6), 1, weekdays(7, 16))

    assert smiles.sync.expectation.source is Source.LEARNED


def test_an_outage_goes_on_when_the_type_changes(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(8, 17))
    smiles.kind = IntegrationType.CLOUD
    smiles.live(weeks(6), 4, never)

    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]
    assert smiles.sync.first_seen == at(FIRST)


@pytest.mark.parametrize("hours", [0.75, 1, 2])
def test_hours_have_no_holes_where_rounds_are_rare(office: Make, hours: float) -> None:
    smiles = office()
    smiles.live(FIRST, 42, weekdays(8, 17), step=hours * 3600 + 100)

    day = weeks(6)
    assert [smiles.expects(day, 10 + slot / 2) for slot in range(13)] == [1] * 13
    assert [smiles.expects(day, hour) for hour in (5, 20)] == [0, 0]
    assert smiles.alerts == []


def test_a_pause_of_which_nothing_was_seen_for_hours_is_a_rest(office: Make) -> None:
    smiles = office()
    for number in range(28):
        day = FIRST + timedelta(days=number)
        for start, end in ((6, 10), (15, 19)):
            now = at(day, start)
            while now < at(day, end):
                smiles.read_at = smiles.write_at = now
                smiles.look(now)
                now += 600

    assert [smiles.expects(weeks(4), hour) for hour in (9.5, 12, 17)] == [1, 0, 1]


@pytest.mark.parametrize("cadence", [42, 50, 60])
@pytest.mark.parametrize("apart", [0, 20])
def test_the_outage_of_a_server_that_moves_seldom_is_found(
    office: Make, cadence: int, apart: int
) -> None:
    """Marks come each `cadence` minutes, those of writes `apart` minutes after those of reads."""
    smiles = office()
    now, stopped = at(FIRST), at(weeks(6) + timedelta(days=3), 9)
    while now < at(weeks(6) + timedelta(days=5)):
        until = min(now, stopped)
        smiles.read_at = until - until % (cadence * 60)
        smiles.write_at = max(smiles.read_at - (cadence - apart) * 60, smiles.write_at or 0)
        if until - smiles.read_at >= apart * 60:
            smiles.write_at = smiles.read_at + apart * 60
        smiles.look(now)
        now += 600

    assert smiles.sync.expectation.source is Source.LEARNED
    found = {severity: when for severity, when in smiles.alerts if when > stopped}
    assert set(found) == {"warning", "critical"}
    assert found["critical"] - stopped < 6 * 3600


def test_the_outage_of_a_server_that_is_polled_seldom_is_found(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 45, weekdays(8, 17), step=43 * 60)
    smiles.live(weeks(6) + timedelta(days=3), 2, never, step=43 * 60)

    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


@pytest.mark.parametrize("minutes", [75, 90, 120])
def test_hours_at_which_a_server_moves_by_chance_are_not_learned(
    office: Make, minutes: int
) -> None:
    """It moves at any time of the day, now and then: by its slots it would always rest."""
    smiles, chance = office(), random.Random(7)
    now, due = at(FIRST), at(FIRST, 8)
    stopped = at(weeks(6) + timedelta(days=3), 9)
    while now < at(weeks(6) + timedelta(days=5)):
        while due <= now:
            day = datetime.fromtimestamp(due, ZONE)
            if day.weekday() < 5 and 8 <= day.hour < 17 and due < stopped:
                smiles.read_at = smiles.write_at = due
            due += minutes * 60 * chance.uniform(0.8, 1.2)
        smiles.look(now)
        now += 600

    assert [severity for severity, when in smiles.alerts if when < stopped] == []
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_hours_of_a_server_that_moves_at_set_times_are_learned(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 42, lambda _: [(h, h + 0.2) for h in (7.75, 11, 14, 17)])

    assert smiles.sync.expectation.source is Source.LEARNED
    assert smiles.expects(weeks(6), 11.25) == 1
    assert smiles.expects(weeks(6), 12.75) == 0


def every(hours: float) -> Hours:
    """A move so many hours apart, all day and night."""
    return lambda _: [(n * hours, n * hours + 0.1) for n in range(int(24 / hours))]


@pytest.mark.parametrize(("apart", "found"), [(0.75, 2.5), (1.0, 2.5), (1.5, 4.0), (2.0, 5.0)])
@pytest.mark.parametrize("way", ["read", "write"])
def test_a_direction_of_a_server_that_moves_hours_apart_is_watched_all_the_same(
    office: Make, apart: float, found: float, way: str
) -> None:
    def live(first: date, days: int, seldom: Hours) -> None:
        if way == "read":
            smiles.live(first, days, always, seldom)
        else:
            smiles.live(first, days, seldom, always)

    smiles = office()
    live(FIRST, 21, every(apart))
    smiles.alerts.clear()
    live(weeks(3), 21, every(apart))
    assert smiles.alerts == []

    live(weeks(6), 1, never)
    (severity, ticket), (_, page) = smiles.alerts
    assert severity == "warning"
    assert ticket - at(weeks(6)) <= found * 3600
    assert page - at(weeks(6)) <= 4 * found * 3600


def test_reads_that_come_once_a_night_page_for_a_week_at_most(office: Make) -> None:
    def once(_: date) -> list[tuple[float, float]]:
        return [(2, 2.3)]

    smiles = office()
    smiles.live(FIRST, 10, always, once)
    smiles.alerts.clear()
    smiles.live(FIRST + timedelta(days=10), 32, always, once)
    assert smiles.alerts == []

    smiles.live(weeks(6), 3, always, never)
    assert smiles.alerts[0][0] == "warning"
    assert smiles.alerts[0][1] < at(weeks(6), 48)


def test_four_outages_of_a_direction_change_nothing(office: Make) -> None:
    smiles = office()
    smiles.live(FIRST, 14, always)
    for number in range(4):
        smiles.live(weeks(2) + timedelta(days=7 * number), 1, always, never)
        smiles.live(weeks(2) + timedelta(days=7 * number + 1), 6, always)
    smiles.alerts.clear()
    smiles.live(weeks(6), 1, always, never)
    (_, ticket), (_, page) = smiles.alerts
    assert ticket - at(weeks(6)) <= 3600
    assert page - at(weeks(6)) <= 4 * 3600


def test_what_is_overdue_stays_so_though_the_other_direction_keeps_other_hours(
    office: Make,
) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 42, weekdays(8, 17))
    smiles.live(weeks(6), 1, weekdays(8, 17), weekdays(8, 13))
    smiles.alerts.clear()
    smiles.live(weeks(6) + timedelta(days=1), 1, weekdays(8, 12), never)
    deadline = smiles.sync.read.deadline
    assert [severity for severity, _ in smiles.alerts] == ["critical"]

    smiles.live(weeks(6) + timedelta(days=2), 9, weekdays(8, 12), never)

    assert smiles.sync.read.deadline == deadline
    assert [severity for severity, _ in smiles.alerts] == ["critical"]
    smiles.live(weeks(8), 10, weekdays(8, 12))
    assert smiles.expects(weeks(9), 15) == 0


def test_what_is_overdue_stays_so_though_nobody_answered_for_long(office: Make) -> None:
    """Nor may a mark that an answer lacks, or a restart after a night, move its deadline."""
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 42, weekdays(8, 17))
    smiles.live(weeks(6), 1, weekdays(8, 17), weekdays(8, 13))
    smiles.live(weeks(6) + timedelta(days=1), 1, weekdays(8, 12), never)
    deadline, stopped = smiles.sync.read.deadline, smiles.read_at
    quick = policy(smiles.rules, replace(DEFAULTS, stale_after=3600))

    for day in (weeks(6) + timedelta(days=n) for n in range(2, 9)):
        if day.weekday() % 2:
            failed = [Poll("smiles", at(day, 6), failure="timeout")]
            smiles.fleet = smiles.fleet.after(failed, quick)
            assert smiles.fleet.standings["smiles"].syncs is None
        else:
            smiles.restarted()
        for hour in (8, 10):
            smiles.write_at = at(day, hour)
            smiles.look(at(day, hour))
        assert smiles.sync.read.deadline == deadline

    for day in (weeks(6) + timedelta(days=n) for n in range(9, 12)):
        smiles.read_at = None
        smiles.live(day, 1, weekdays(8, 12), never)
        assert smiles.sync.read.deadline == deadline
        smiles.read_at = stopped


def test_a_mark_that_stays_in_the_future_keeps_no_hours_for_ever(office: Make) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 42, weekdays(8, 17))
    smiles.read_at = at(weeks(200))
    smiles.live(weeks(6), 42, weekdays(8, 20), never)
    assert smiles.severity() == "warning"
    assert smiles.expects(weeks(12), 19) == 1


def test_marks_that_come_late_are_no_ticket(office: Make) -> None:
    def live(first: date, days: int) -> None:
        now = at(first)
        while now < at(first + timedelta(days=days)):
            if (now - at(first)) % 1500 < STEP:
                smiles.read_at = smiles.write_at = now - 2000
            smiles.look(now)
            now += STEP

    smiles = office()
    live(FIRST, 21)
    smiles.alerts.clear()
    live(weeks(3), 21)
    assert smiles.alerts == []

    smiles.live(weeks(6), 1, never)
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]
    assert smiles.alerts[0][1] - at(weeks(6)) < 2 * 3600


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


def test_who_was_switched_off_for_two_nights_is_no_page_in_a_third(office: Make) -> None:
    fridays = {weeks(2) + timedelta(days=4)}
    off = {weeks(1) + timedelta(days=1), weeks(3) + timedelta(days=3), *fridays}
    smiles = office()
    smiles.live(FIRST, 28, left_on_but(off))
    smiles.alerts.clear()

    wednesday, friday = weeks(4) + timedelta(days=2), weeks(4) + timedelta(days=4)
    smiles.live(weeks(4), 8, left_on_but({wednesday, friday}))
    assert smiles.alerts == []
    assert smiles.expects(weeks(5) + timedelta(days=1), 3) == 0
    assert smiles.expects(weeks(5) + timedelta(days=1), 14) == 1

    smiles.live(weeks(5) + timedelta(days=1), 1, weekdays(7.5, 11))
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_who_was_switched_off_last_night_is_no_alert_tonight(office: Make) -> None:
    first = weeks(5) + timedelta(days=1)
    later = {first + timedelta(days=days) for days in range(1, 14)}
    smiles = office()
    smiles.live(FIRST, 37, left_on_but({first}))
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]
    smiles.alerts.clear()

    smiles.live(first + timedelta(days=1), 13, left_on_but({first, *later}))
    assert smiles.alerts == []


@pytest.mark.parametrize("holiday", [None, date(2026, 5, 25)])
def test_who_was_off_for_days_for_the_first_time_may_be_off_tonight(
    office: Make, holiday: date | None
) -> None:
    monday = holiday or weeks(12)
    gone = {monday - timedelta(days=3), monday} if holiday else {monday - timedelta(days=3)}

    def hours(day: date) -> list[tuple[float, float]]:
        if not gone or day < min(gone):
            return [(0, 25)]
        if day == min(gone):
            return [(0, 17.5)]
        return [(7.5, 17.5)] if day.weekday() < SATURDAY and day != holiday else []

    smiles = office()
    smiles.live(monday - timedelta(days=42), 42, hours)
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]
    smiles.alerts.clear()

    smiles.live(monday, 14, hours)
    assert smiles.alerts == []


def test_one_night_off_is_forgotten_after_a_night_on(office: Make) -> None:
    tuesday = weeks(5) + timedelta(days=1)
    smiles = office()
    smiles.live(FIRST, 38, left_on_but({tuesday}))
    assert smiles.expects(tuesday + timedelta(days=1), 22) == 0
    smiles.live(tuesday + timedelta(days=2), 1, left_on_but({tuesday}))
    assert smiles.expects(tuesday + timedelta(days=2), 22) > 0.5
    smiles.alerts.clear()

    smiles.live(tuesday + timedelta(days=3), 1, lambda _: [(0, 18)])
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_people_go_home_earlier_before_the_weekend(office: Make) -> None:
    """The second time that a machine was off began at noon; on Monday it is a habit."""
    thursday = weeks(5) + timedelta(days=3)

    def hours(day: date) -> list[tuple[float, float]]:
        until = {3: 17.5, 4: 13.0}.get(day.weekday(), 17.5)
        if day < thursday:
            return [(0, 25)]
        works = day.weekday() < SATURDAY
        return [(0 if day == thursday else 7.5, until)] if works else []

    smiles = office()
    smiles.live(FIRST, 42, hours)
    smiles.alerts.clear()
    smiles.live(weeks(6), 4, hours)
    assert smiles.alerts == []


def test_a_clinic_by_night_keeps_its_hours_after_a_night_off(office: Make) -> None:
    """Its rest from morning to the evening of the next day is no night of a machine."""
    off = weeks(4) + timedelta(days=5)

    def hours(day: date) -> list[tuple[float, float]]:
        began = day - timedelta(days=1)
        morning = [(0.0, 6.0)] if began.weekday() >= 3 and began != off else []
        evening = [(20.0, 25.0)] if day.weekday() >= 3 and day != off else []
        return [*morning, *evening]

    smiles = office()
    smiles.live(FIRST, 35, hours)
    smiles.alerts.clear()
    smiles.live(weeks(5), 7, hours)

    assert smiles.alerts == []
    assert smiles.expects(weeks(6) + timedelta(days=3), 22) == 1


def test_hours_stay_learned_though_a_machine_was_left_on_for_a_long_weekend(office: Make) -> None:
    """It moves more in that one week than in the usual hours of all the others."""
    usual = weekdays(9, 13, range(4))

    def left_on(day: date) -> list[tuple[float, float]]:
        return [(9 if day.weekday() == 3 else 0, 13 if day.weekday() == 0 else 25)]

    smiles = office()
    smiles.live(FIRST, 38, usual)
    smiles.live(weeks(5) + timedelta(days=3), 5, left_on)
    smiles.live(weeks(6) + timedelta(days=1), 6, usual)
    smiles.alerts.clear()
    smiles.live(weeks(7), 7, usual)

    assert smiles.alerts == []
    assert smiles.sync.expectation.source is Source.LEARNED


def test_who_was_switched_off_on_two_tuesdays_is_expected_by_day_all_week(
    office: Make,
) -> None:
    tuesday = FIRST + timedelta(days=1)
    smiles = office()
    smiles.live(FIRST, 11, left_on_but({tuesday, tuesday + timedelta(days=7)}))

    week = [weeks(2) + timedelta(days=day) for day in range(7)]
    assert [smiles.expects(day, 14) for day in week] == [1] * 5 + [0] * 2
    assert [smiles.expects(day, 3) for day in week] == [0] * 7


def test_one_night_off_or_outages_at_night_leave_an_always_on_server_its_nights(
    office: Make,
) -> None:
    smiles = office()
    smiles.live(FIRST, 28, left_on_but({weeks(1) + timedelta(days=1)}))
    assert smiles.expects(weeks(4), 3) > 0

    def night(start: float, end: float) -> Hours:
        return lambda day: [(0, start)] if day.weekday() % 2 else [(end, 25)]

    smiles = office()
    smiles.live(FIRST, 14, always)
    smiles.live(weeks(2) + timedelta(days=1), 2, night(19, 10))
    smiles.live(weeks(2) + timedelta(days=3), 4, always)
    smiles.live(weeks(3) + timedelta(days=1), 2, night(23, 6))
    smiles.live(weeks(3) + timedelta(days=3), 4, always)
    assert smiles.expects(weeks(4), 3) > 0


def test_who_is_off_at_weekends_alone_keeps_its_nights(office: Make) -> None:
    def week(day: date) -> list[tuple[float, float]]:
        if day.weekday() >= SATURDAY:
            return []
        return [(7.5 if not day.weekday() else 0, 17.5 if day.weekday() == 4 else 25)]

    smiles = office()
    smiles.live(FIRST, 42, week)
    assert smiles.expects(weeks(6) + timedelta(days=2), 3) == 1
    assert smiles.expects(weeks(6) + timedelta(days=5), 12) == 0

    # Nor may it be off on the evening after a weekend.
    smiles.live(weeks(6), 1, week)
    assert smiles.expects(weeks(6), 22) == 1


def test_a_machine_that_is_off_every_other_friday_may_be_off_on_the_evening_before(
    office: Make,
) -> None:
    """It is silent from Thursday evening on, which would be an outage if it did not come again."""

    def hours(day: date) -> list[tuple[float, float]]:
        is_off = (day - FIRST).days // 7 % 2 == 1
        if is_off and day.weekday() in {3, 4, 5}:
            return {3: [(0.0, 18.5)], 4: [], 5: [(8.0, 14.0)]}[day.weekday()]
        return {5: [(0.0, 14.0)], 6: [], 0: [(8.0, 25.0)]}.get(day.weekday(), [(0.0, 25.0)])

    smiles = office()
    smiles.live(FIRST, 35, hours)
    smiles.alerts.clear()
    smiles.live(weeks(5), 28, hours)
    assert smiles.alerts == []
    assert smiles.expects(weeks(9) + timedelta(days=2), 22) == 1


def test_a_machine_that_is_left_on_over_every_other_weekend_is_not_missed_in_between(
    office: Make,
) -> None:
    def hours(day: date) -> list[tuple[float, float]]:
        if (day - FIRST).days // 7 % 2 and day.weekday() != 0:
            return [(0, 25)]
        if day.weekday() >= SATURDAY:
            return []
        came = day.weekday() or (day - FIRST).days // 7 % 2 == 0
        start = 8.0 if day.weekday() == 0 and (day - FIRST).days // 7 % 2 else 0.0
        return [(start if came else 8.0, 18.3 if day.weekday() == 4 else 25)]

    smiles = office()
    smiles.live(FIRST, 42, hours)
    smiles.alerts.clear()
    smiles.live(weeks(6), 14, hours)
    assert smiles.alerts == []
    assert smiles.expects(weeks(8) + timedelta(days=2), 22) == 1


def test_a_sunday_on_which_somebody_worked_once_is_not_expected_again(office: Make) -> None:
    def hours(day: date) -> list[tuple[float, float]]:
        if day == weeks(2) - timedelta(days=1):
            return [(14, 17)]
        return [(8, 17)] if day.weekday() < SATURDAY else []

    smiles = office()
    smiles.live(FIRST, 21, hours)
    assert smiles.alerts == []


def all_day_but(start: float, end: float) -> Hours:
    """A machine that is always on, and silent from one instant until another."""

    def hours(day: date) -> list[tuple[float, float]]:
        gone, back = ((instant - at(day)) / 3600 for instant in (start, end))
        return [(0, min(25, gone)), (max(0, back), 25)]

    return hours


@pytest.mark.parametrize("week", [0, 1])
def test_a_saturday_on_which_an_always_on_server_was_dead_is_expected_again(
    office: Make, week: int
) -> None:
    died = at(weeks(week) + timedelta(days=4), 20)
    smiles = office()
    smiles.live(FIRST, 15, all_day_but(died, died + 36 * 3600))
    weekend = [weeks(2) + timedelta(days=day) for day in (5, 6)]
    assert [smiles.expects(day, hour) for day in weekend for hour in (9, 18)] == [1] * 4


def test_two_outages_at_the_same_hours_of_two_weeks_lower_no_expectation(office: Make) -> None:
    dead = weeks(2) + timedelta(days=3), weeks(4) + timedelta(days=3)
    smiles = office()
    smiles.live(FIRST, 37, lambda day: [(0, 2), (16, 25)] if day in dead else [(0, 25)])
    thursday = weeks(5) + timedelta(days=3)
    assert [smiles.expects(thursday, hour) for hour in (3, 10, 14)] == [1] * 3


def test_a_saturday_on_which_an_office_was_away_once_is_expected_again(office: Make) -> None:
    def hours(day: date) -> list[tuple[float, float]]:
        is_away = day == weeks(1) + timedelta(days=5)
        return [(8, 17)] if day.weekday() <= SATURDAY and not is_away else []

    smiles = office()
    smiles.live(FIRST, 16, hours)
    assert smiles.expects(weeks(2) + timedelta(days=5), 12) == 1


@pytest.mark.parametrize(
    ("begins", "ends", "following"),
    [
        (at(weeks(1) + timedelta(days=4), 23), at(weeks(1) + timedelta(days=6), 1), weeks(2)),
        (at(weeks(2), 18), at(weeks(2), 32), weeks(2) + timedelta(days=1)),
    ],
)
def test_an_incident_that_looks_like_people_who_went_home_teaches_nothing(
    begins: float, ends: float, following: date
) -> None:
    rules = policy(Rules(), DEFAULTS)
    names = [f"office-{number}" for number in range(10)]
    places = (Location(1, ZONE.key),)
    fleet = Fleet().watching(Inventory({n: Institution(n, locations=places) for n in names}), rules)
    mark = None
    now = at(FIRST)
    while now < at(following, 12):
        if not begins <= now < ends:
            mark = now
        syncs = (Sync("Main", IntegrationType.SERVER, read_at=mark, write_at=mark),)
        fleet = fleet.after([Poll(n, now, syncs) for n in names], rules).with_incidents()
        now += 1800

    assert fleet.latest_incidents
    (struck,) = fleet.standings[names[0]].syncs or ()
    assert struck.expectation.source is Source.LEARNED
    tonight, saturday = at(following, 22), at(weeks(2) + timedelta(days=5), 12)
    assert [struck.expectation.piece(when).value for when in (tonight, saturday)] == [1, 1]


def test_a_day_off_between_two_mornings_is_no_night_that_it_was_switched_off(
    office: Make,
) -> None:
    def hours(day: date) -> list[tuple[float, float]]:
        # Whoever comes on Monday, Tuesday and Thursday leaves it on until eight next morning.
        works = day.weekday() in {0, 1, 3}
        was_on = day.weekday() in {1, 2, 4}
        until = 8.6 if day.isocalendar().week % 2 else 8
        return [(0, until)] * was_on + [(8.7, 25)] * works

    smiles = office()
    smiles.live(FIRST, 42, hours)
    smiles.alerts.clear()
    smiles.live(weeks(6), 7, hours)
    assert smiles.alerts == []
    assert smiles.expects(weeks(7), 12) == 1
    assert smiles.expects(weeks(7) + timedelta(days=2), 12) == 0


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


def test_a_browser_left_open_on_some_nights_is_expected_on_none(office: Make) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 21, left_open(SOME_NIGHTS), weekdays(8, 17))
    smiles.alerts.clear()
    smiles.live(weeks(3), 28, left_open(SOME_NIGHTS), weekdays(8, 17))

    assert smiles.alerts == []
    assert [smiles.expects(weeks(7) + timedelta(days=day), 3) for day in range(5)] == [0] * 5
    assert smiles.expects(weeks(7), 15) == 1


@pytest.mark.parametrize("nights", [SOME_NIGHTS, EVERY_NIGHT])
def test_dead_reads_are_found_though_a_browser_checks_in_all_night(
    office: Make, nights: set[int]
) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 21, left_open(nights), weekdays(8, 17))
    smiles.alerts.clear()
    smiles.live(weeks(3), 21, left_open(nights), weekdays(8, 17))
    assert smiles.alerts == []

    smiles.live(weeks(6), 2, left_open(nights), never)
    (_, ticket), (_, page) = smiles.alerts
    assert ticket - at(weeks(6), 8) <= 3.5 * 3600
    assert page - at(weeks(6), 8) <= 6 * 3600


def test_a_pattern_says_when_only_one_direction_rests(office: Make) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 35, always, weekdays(8, 17))

    told = sentence(smiles.pattern)
    assert "runs around the clock" in told
    assert "reads rest 17:00-08:00 on working days; reads rest 00:00-24:00 at weekends" in told
    assert "writes rest" not in told


@pytest.mark.parametrize("kind", [IntegrationType.SERVER, IntegrationType.CLOUD])
@pytest.mark.parametrize("reads", [weekdays(8, 8.2), weekdays(12, 13), weekdays(8, 9)])
def test_dead_reads_that_came_once_a_day_are_found(
    office: Make, kind: IntegrationType, reads: Hours
) -> None:
    smiles = office(kind)
    smiles.live(FIRST, 42, weekdays(8, 17), reads)
    smiles.alerts.clear()
    smiles.live(weeks(6), 11, weekdays(8, 17), never)

    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_dead_reads_of_a_new_sync_teach_no_hours_of_reads(office: Make) -> None:
    """They died on its second day, on Friday they were back; then they die again."""
    tuesday, friday = FIRST + timedelta(days=1), FIRST + timedelta(days=4)

    def reads(day: date) -> list[tuple[float, float]]:
        if day == tuesday:
            return [(8, 9)]
        return [] if tuesday < day < friday else [(8 if day < friday else 16, 17)]

    smiles = office()
    smiles.live(FIRST, 5, weekdays(8, 17), reads)
    smiles.live(FIRST + timedelta(days=5), 2, weekdays(8, 17))
    smiles.alerts.clear()
    smiles.live(weeks(1), 2, weekdays(8, 17), never)

    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]
    assert smiles.alerts[1][1] <= at(weeks(1) + timedelta(days=1), 13)


def test_reads_keep_their_hours_after_an_outage_of_twelve_days(office: Make) -> None:
    smiles = office(IntegrationType.CLOUD)
    smiles.live(FIRST, 28, left_open(EVERY_NIGHT), weekdays(8, 17))
    smiles.live(weeks(4), 12, left_open(EVERY_NIGHT), never)
    smiles.live(weeks(4) + timedelta(days=12), 9, left_open(EVERY_NIGHT), weekdays(8, 17))
    smiles.alerts.clear()
    smiles.live(weeks(7), 2, left_open(EVERY_NIGHT), never)

    (_, ticket), (_, page) = smiles.alerts
    assert ticket - at(weeks(7), 8) <= 4 * 3600
    assert page - at(weeks(7), 8) <= 8 * 3600
