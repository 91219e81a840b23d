"""The week of an office: when it is learned, what it looks like, when it is used."""

from datetime import date, timedelta

import pytest

from nexhealth_exporter import report
from nexhealth_exporter.model import IntegrationType, Reason, Severity, Source
from nexhealth_exporter.report.pattern import sentence
from tests.learning.offices import (
    FIRST,
    STEP,
    Hours,
    Office,
    always,
    at,
    lived,
    never,
    weekdays,
    weeks,
)


def test_hours_are_learned_and_told_by_name() -> None:
    smiles = lived(28, weekdays(7, 16, range(4)))

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


def test_a_server_that_is_always_on_shows_itself_within_days() -> None:
    smiles = lived(9, always)

    assert smiles.sync.expectation.source is Source.LEARNED
    assert smiles.pattern.is_always_on
    assert smiles.pattern.week.activity == bytes([100]) * 7 * 24
    assert smiles.expects(weeks(2), 3) == 1
    assert smiles.expects(weeks(2) + timedelta(days=5), 3) == 1


@pytest.mark.parametrize("days", [3, 4, 6, 7])
def test_a_new_server_does_not_die_unnoticed_on_a_weekday_that_was_never_seen(days: int) -> None:
    smiles = lived(days, always)
    died = FIRST + timedelta(days=days)
    smiles.live(died, 1, lambda _: [(0, 6)])

    severity, fired = smiles.alerts[0]
    assert severity is Severity.WARNING
    assert at(died, 6) < fired <= at(died, 10)


def test_a_first_friday_off_is_a_ticket_and_the_second_is_nothing() -> None:
    smiles = Office()
    hours = weekdays(8, 17, range(4))
    smiles.live(FIRST, 7, hours)
    assert [severity for severity, _ in smiles.alerts] == [Severity.WARNING]

    smiles.live(weeks(1), 8, hours)

    assert len(smiles.alerts) == 1


def test_lunch_of_a_cloud_office_is_learned() -> None:
    smiles = lived(
        28,
        lambda day: [(8, 12), (13.5, 17)] if day.weekday() < 5 else [],
        kind=IntegrationType.CLOUD,
    )

    piece = smiles.sync.expectation.piece(at(weeks(4), 12.75))
    assert (piece.value, piece.reason) == (0, Reason.LUNCH)


@pytest.mark.parametrize("kind", list(IntegrationType))
def test_a_pattern_is_used_only_when_it_is_sure(kind: IntegrationType) -> None:
    smiles = lived(2, weekdays(8, 17), kind=kind)

    assert smiles.sync.expectation.source is Source.DEFAULT
    assert smiles.sync.read.allowance == {Severity.WARNING: 4 * 3600, Severity.CRITICAL: 9 * 3600}


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (weekdays(0, 0), "did not come back at opening on Monday, 07:"),
        (weekdays(7, 7.5), "stopped at 07:20, in the middle of open hours"),
    ],
)
def test_the_sentence_knows_that_a_learned_morning_counts_before_it_is_expected_in_full(
    last: Hours, said: str
) -> None:
    smiles = lived(28, weekdays(7, 16))
    monday = weeks(4)
    smiles.live(monday, 1, last)
    assert 0 < smiles.expects(monday, 7.2) <= 0.5 < smiles.expects(monday, 8.2)

    (row,) = report.rows(smiles.fleet, at(monday, 15))
    assert row.is_overdue
    assert said in report.why(row)


@pytest.mark.parametrize("hours", [0.75, 1, 2])
def test_hours_have_no_holes_where_rounds_are_rare(hours: float) -> None:
    smiles = lived(42, weekdays(8, 17), step=hours * 3600 + 100)

    day = weeks(6)
    assert [smiles.expects(day, 10 + slot / 2) for slot in range(13)] == [1] * 13
    assert [smiles.expects(day, hour) for hour in (5, 20)] == [0, 0]
    assert smiles.alerts == []


def test_a_pause_of_which_nothing_was_seen_for_hours_is_a_rest() -> None:
    smiles = Office()
    for number in range(28):
        day = FIRST + timedelta(days=number)
        for start, end in ((6, 10), (15, 19)):
            now = at(day, start)
            while now < at(day, end):
                smiles.read_at = smiles.write_at = now
                smiles.look(now)
                now += 600

    assert [smiles.expects(weeks(4), hour) for hour in (9.5, 12, 17)] == [1, 0, 1]


def test_hours_of_a_server_that_moves_at_set_times_are_learned() -> None:
    smiles = lived(42, lambda _: [(h, h + 0.2) for h in (7.75, 11, 14, 17)], step=STEP)

    assert smiles.sync.expectation.source is Source.LEARNED
    assert smiles.expects(weeks(6), 11.25) == 1
    assert smiles.expects(weeks(6), 12.75) == 0


def test_marks_that_come_late_are_no_ticket() -> None:
    def live(first: date, days: int) -> None:
        now = at(first)
        while now < at(first + timedelta(days=days)):
            if (now - at(first)) % 1500 < STEP:
                smiles.read_at = smiles.write_at = now - 2000
            smiles.look(now)
            now += STEP

    smiles = Office()
    live(FIRST, 21)
    smiles.alerts.clear()
    live(weeks(3), 21)
    assert smiles.alerts == []

    smiles.live(weeks(6), 1, never)
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]
    assert smiles.alerts[0][1] - at(weeks(6)) < 2 * 3600


def test_a_day_off_between_two_mornings_is_no_night_that_it_was_switched_off() -> None:
    def hours(day: date) -> list[tuple[float, float]]:
        # Whoever comes on Monday, Tuesday and Thursday leaves it on until eight next morning.
        works = day.weekday() in {0, 1, 3}
        was_on = day.weekday() in {1, 2, 4}
        until = 8.6 if day.isocalendar().week % 2 else 8
        return [(0, until)] * was_on + [(8.7, 25)] * works

    smiles = lived(42, hours)
    smiles.alerts.clear()
    smiles.live(weeks(6), 7, hours)
    assert smiles.alerts == []
    assert smiles.expects(weeks(7), 12) == 1
    assert smiles.expects(weeks(7) + timedelta(days=2), 12) == 0


def test_a_pattern_says_when_only_one_direction_rests() -> None:
    smiles = lived(35, always, weekdays(8, 17), kind=IntegrationType.CLOUD)

    told = sentence(smiles.pattern)
    assert "runs around the clock" in told
    assert "reads rest 17:00-08:00 on working days; reads rest 00:00-24:00 at weekends" in told
    assert "writes rest" not in told
