"""Each sentence of the vendor's guide about downtime, as a promise that is kept."""

from datetime import date

from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.schedule import DEFAULT_HOURS, HOUR, MINUTE
from nexhealth_exporter.expectation.tuning import CLOUD, SERVER
from nexhealth_exporter.model import IntegrationType, Reason, Severity
from tests.expectation.conftest import ALWAYS_ON, Office, at, hours

CLOUD_TYPE = IntegrationType.CLOUD


def test_fluctuation_of_0_to_20_minutes_throughout_the_day_is_normal(office: Office) -> None:
    opening = office()
    mark = at("2026-03-04 10:00")

    for allowance in (*SERVER.usual.values(), *CLOUD.usual.values()):
        deadline = opening.deadline(mark, allowance)
        assert deadline is not None
        assert deadline > mark + 20 * MINUTE


def test_a_server_that_is_switched_off_every_night_is_not_missed_until_morning(
    office: Office,
) -> None:
    opening = office()
    evening, morning = at("2026-03-04 17:00"), at("2026-03-05 08:00")

    assert opening.unexpected(evening, morning) == 0
    assert opening.deadline(evening, SERVER.usual[Severity.WARNING]) == morning + 45 * MINUTE
    assert opening.at(at("2026-03-04 23:00")).reason is Reason.CLOSED


def test_a_server_that_is_switched_off_every_weekend_is_not_missed_until_monday(
    office: Office,
) -> None:
    opening = office(hours(0, 24, days=5))
    friday, monday = at("2026-03-13 23:59"), at("2026-03-16 00:10")

    assert opening.unexpected(friday, monday) == 11 * MINUTE
    assert opening.at(at("2026-03-14 12:00")).reason is Reason.WEEKEND


def test_63_hours_of_lag_over_a_weekend_are_10_minutes_of_unexpected_lag(office: Office) -> None:
    opening = office()
    friday, monday = at("2026-03-13 17:00"), at("2026-03-16 08:10")

    assert monday - friday == 63 * HOUR + 10 * MINUTE
    assert opening.unexpected(friday, monday) == 10 * MINUTE


def test_a_server_that_is_always_on_is_missed_at_any_hour(office: Office) -> None:
    opening = office(ALWAYS_ON)

    for mark in (at("2026-03-14 03:00"), at("2026-12-25 12:00"), at("2026-03-11 17:00")):
        assert opening.deadline(mark, SERVER.usual[Severity.CRITICAL]) == mark + 4 * HOUR


def test_a_browser_based_sync_rests_overnight(office: Office) -> None:
    opening = office(kind=CLOUD_TYPE)

    assert opening.unexpected(at("2026-03-04 17:00"), at("2026-03-05 08:00")) == 0


def test_a_browser_based_sync_rests_at_weekends(office: Office) -> None:
    opening = office(kind=CLOUD_TYPE)

    assert opening.unexpected(at("2026-03-13 17:00"), at("2026-03-16 08:00")) == 0
    assert opening.at(at("2026-03-15 12:00")).reason is Reason.WEEKEND


def test_a_browser_based_sync_rests_on_holidays(office: Office) -> None:
    opening = office(kind=CLOUD_TYPE)

    assert opening.unexpected(at("2026-11-25 17:00"), at("2026-11-27 08:00")) == 0
    assert opening.at(at("2026-11-26 10:00")).reason is Reason.HOLIDAY


def test_a_browser_based_sync_rests_over_lunch_and_a_server_does_not(office: Office) -> None:
    lunch = at("2026-03-04 12:00"), at("2026-03-04 14:00")

    assert office(kind=CLOUD_TYPE).unexpected(*lunch) == 0
    assert office(kind=CLOUD_TYPE).at(lunch[0]).reason is Reason.LUNCH
    assert office(kind=IntegrationType.SERVER).unexpected(*lunch) == 2 * HOUR


def test_a_gap_in_the_hours_is_called_lunch_where_it_is_lunch(office: Office) -> None:
    morning_and_afternoon = ((8 * HOUR, 12 * HOUR), (13 * HOUR, 17 * HOUR))
    split = altered(
        DEFAULT_HOURS,
        windows=(morning_and_afternoon,) * 2 + ((),) * 5,
        lunch=((12 * HOUR, 14 * HOUR),),
    )
    opening = office(split, kind=CLOUD_TYPE)

    assert opening.at(at("2026-03-03 12:30")).reason is Reason.LUNCH
    assert office(split).at(at("2026-03-03 12:30")).reason is Reason.CLOSED
    assert opening.at(at("2026-03-04 12:30")).reason is Reason.CLOSED
    assert opening.at(at("2026-03-07 12:30")).reason is Reason.WEEKEND


def test_an_outage_that_begins_before_lunch_goes_on_counting_after_it(office: Office) -> None:
    opening = office(kind=CLOUD_TYPE)

    deadline = opening.deadline(at("2026-03-04 11:30"), CLOUD.usual[Severity.WARNING])

    assert deadline == at("2026-03-04 16:00")


def test_an_announced_extended_absence_is_expected_downtime(office: Office) -> None:
    absence = ((date(2026, 8, 3), date(2026, 8, 14)),)
    opening = office(kind=CLOUD_TYPE, closures=absence)

    assert opening.unexpected(at("2026-07-31 17:00"), at("2026-08-17 08:00")) == 0
    assert opening.at(at("2026-08-05 10:00")).reason is Reason.CLOSURE
    assert opening.at(at("2026-08-08 10:00")).reason is Reason.CLOSURE


def test_a_national_day_on_which_most_offices_work_counts_half(office: Office) -> None:
    veterans_day = at("2026-11-11 08:00"), at("2026-11-11 17:00")
    opening = office()

    assert opening.unexpected(*veterans_day) == 4.5 * HOUR
    assert opening.at(veterans_day[0]).is_expected


def test_outside_the_us_every_national_day_is_sure(office: Office) -> None:
    opening = office(zone="America/Toronto", holidays=("CA",))

    assert opening.at(at("2026-07-01 10:00", "America/Toronto")).reason is Reason.HOLIDAY


def test_the_observed_day_of_independence_day_is_sure(office: Office) -> None:
    assert office().at(at("2026-07-03 10:00")).reason is Reason.HOLIDAY


def test_days_of_a_state_count_only_when_configured(office: Office) -> None:
    patriots_day = at("2026-04-20 10:00")

    assert office().at(patriots_day).is_expected
    assert office(holidays=("US-MA",)).at(patriots_day).reason is Reason.HOLIDAY
