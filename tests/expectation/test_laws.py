"""Laws of expectation, unexpected lag and deadlines, over many zones and years."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import DAY, HOUR, Schedule, week_plan
from nexhealth_exporter.model import IntegrationType, Reason, Source
from tests.expectation.conftest import Office, at, hours

ZONES = (
    "America/New_York",
    "America/St_Johns",  # 30 minutes
    "Asia/Kathmandu",  # 45 minutes
    "Australia/Lord_Howe",  # a change of half an hour
    "America/Havana",  # changes at midnight
    "Europe/Dublin",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "America/Phoenix",
)
FIRST, LAST = 1_577_836_800.0, 1_893_456_000.0  # 2020 to 2030

ANNOUNCED = {Reason.CLOSURE, Reason.HOLIDAY}

instants = st.floats(FIRST, LAST).map(round).map(float)
quarters = st.integers(0, 96).map(lambda quarter: quarter * 900)
windows = (
    st.tuples(quarters, quarters).filter(lambda pair: pair[0] != pair[1]).map(sorted).map(tuple)
)
days = st.lists(windows, max_size=3).map(tuple)
schedules = st.builds(
    Schedule,
    name=st.just("own"),
    windows=st.tuples(*[days] * 7),
    lunch=st.lists(windows, max_size=1).map(tuple),
)


@st.composite
def expectations(draw: st.DrawFn) -> Expectation:
    schedule = draw(schedules)
    first = draw(st.dates(date(2020, 1, 1), date(2029, 12, 1)))
    return Expectation(
        source=draw(st.sampled_from([Source.CONFIGURED, Source.DEFAULT])),
        schedule=schedule.name,
        timezone=draw(st.sampled_from(ZONES)),
        days=week_plan(schedule, draw(st.sampled_from(IntegrationType))),
        holidays=draw(st.sampled_from([(), ("US",), ("CA",), ("US-MA",)])),
        closures=((first, first),),
    )


@given(expectations(), instants, st.integers(0, 40 * DAY))
@settings(max_examples=100)
def test_unexpected_lag_is_never_negative_and_never_more_than_lag(
    expectation: Expectation, mark: float, lag: int
) -> None:
    unexpected = expectation.unexpected(mark, mark + lag)

    assert 0 <= unexpected <= lag + 1e-6


@given(expectations(), instants, st.integers(0, 20 * DAY), st.integers(0, 20 * DAY))
@settings(max_examples=100)
def test_unexpected_lag_adds_up_over_adjoining_intervals(
    expectation: Expectation, start: float, first: int, second: int
) -> None:
    middle, end = start + first, start + first + second

    whole = expectation.unexpected(start, end)
    parts = expectation.unexpected(start, middle) + expectation.unexpected(middle, end)

    assert whole == pytest.approx(parts, abs=1e-6)


@given(expectations(), instants)
@settings(max_examples=100)
def test_in_expected_downtime_nothing_adds_up(expectation: Expectation, now: float) -> None:
    segment = expectation.at(now)

    added = expectation.unexpected(max(segment.start, now - DAY), min(segment.end, now + DAY))

    assert segment.start <= now < segment.end
    assert (segment.reason is None) == segment.is_expected
    if segment.value == 0:
        assert added == 0
    else:
        assert added > 0


@given(expectations(), instants, st.integers(1, 60 * HOUR))
@settings(max_examples=100)
def test_the_deadline_is_the_first_instant_at_which_the_allowance_is_used_up(
    expectation: Expectation, mark: float, allowance: int
) -> None:
    deadline = expectation.deadline(mark, allowance)

    if deadline is None:
        assert expectation.unexpected(mark, mark + 399 * DAY) < allowance
    else:
        assert expectation.unexpected(mark, deadline) == pytest.approx(allowance, abs=1e-3)
        first = expectation.piece(mark)
        is_in_rest = not first.value and first.start < mark and first.reason not in ANNOUNCED
        used = expectation.unexpected(mark, deadline - 1)
        # After a mark in a rest, one that is used up at a closing runs out at the next opening,
        # unless the hours are configured.
        assert used < allowance or (
            expectation.source is not Source.CONFIGURED
            and is_in_rest
            and used == allowance
            and expectation.piece(deadline).start == deadline
        )


@pytest.mark.parametrize(
    ("source", "deadline"),
    [(Source.CONFIGURED, "2026-11-23 17:00"), (Source.DEFAULT, "2026-11-24 08:00")],
)
def test_an_allowance_of_a_whole_day_ends_with_that_day_if_its_hours_are_configured(
    source: Source, deadline: str
) -> None:
    expectation = Expectation(
        source=source,
        schedule="own",
        timezone="America/New_York",
        days=week_plan(hours(8, 17, days=5), IntegrationType.SERVER),
    )

    assert expectation.deadline(at("2026-11-22 12:00"), 9 * HOUR) == at(deadline)


@given(expectations(), instants, st.integers(0, 5 * DAY), st.integers(0, 2 * DAY))
@settings(max_examples=100)
def test_the_running_line_tells_what_the_sum_tells(
    expectation: Expectation, mark: float, lag: int, later: int
) -> None:
    line = expectation.running(mark, mark + lag)
    now = min(mark + lag + later, line.until)

    assert line.value + line.rate * (now - line.at) == pytest.approx(
        expectation.unexpected(mark, now), abs=1e-6
    )


@given(schedules, st.sampled_from(ZONES), instants)
@settings(max_examples=400)
def test_a_server_is_expected_exactly_when_the_wall_clock_of_the_office_is_within_its_hours(
    schedule: Schedule, zone: str, now: float
) -> None:
    expectation = Expectation(
        source=Source.CONFIGURED,
        schedule=schedule.name,
        timezone=zone,
        days=week_plan(schedule, IntegrationType.SERVER),
    )
    local = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(zone))
    second = local.hour * 3600 + local.minute * 60 + local.second

    is_open = any(start <= second < end for start, end in schedule.windows[local.weekday()])

    assert expectation.piece(now).is_expected == is_open


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("America/St_Johns", 1289097060),  # 2010: from one minute past midnight back to 23:01
        ("Asia/Beirut", 1761426000),  # 2025: from midnight back to 23:00
        ("America/Havana", 1772946000),  # 2026: from midnight on to 01:00
        ("Pacific/Apia", 1325239200),  # 2011: 30 December is skipped
    ],
)
def test_clocks_may_change_at_midnight(zone: str, change: int) -> None:
    evening, morning = (22 * HOUR, 24 * HOUR), (0, 3 * HOUR)
    by_turns = Schedule("own", tuple((evening, morning)[day % 2 :] for day in range(7)))
    expectation = Expectation(
        Source.CONFIGURED, "own", zone, week_plan(by_turns, IntegrationType.SERVER)
    )
    start, step, expected = change - 2 * DAY, 60, 0
    for now in range(start, change + 2 * DAY, step):
        local = datetime.fromtimestamp(now, ZoneInfo(zone))
        second = local.hour * 3600 + local.minute * 60
        is_open = any(a <= second < b for a, b in by_turns.windows[local.weekday()])
        assert expectation.piece(now).is_expected == is_open, local
        assert expectation.unexpected(start, now) == expected
        expected += is_open * step


@pytest.mark.parametrize("zone", ZONES)
def test_a_week_of_wall_time_adds_up_in_every_zone_and_over_every_change_of_clocks(
    office: Office, zone: str
) -> None:
    all_day = office(hours(0, 24), zone=zone, holidays=())
    start, end = at("2026-01-01 00:00", zone), at("2027-01-01 00:00", zone)

    assert all_day.unexpected(start, end) == end - start


def test_hours_that_are_skipped_in_spring_do_not_count(office: Office) -> None:
    night = office(hours(1, 5), holidays=())

    assert night.unexpected(at("2026-03-08 00:00"), at("2026-03-08 12:00")) == 3 * HOUR


def test_hours_that_are_repeated_in_autumn_count_twice(office: Office) -> None:
    night = office(hours(1, 5), holidays=())

    assert night.unexpected(at("2026-11-01 00:00"), at("2026-11-01 12:00")) == 5 * HOUR


def test_a_window_inside_the_skipped_hour_does_not_exist_that_day(office: Office) -> None:
    skipped = office(hours(2, 3), holidays=())

    assert skipped.unexpected(at("2026-03-08 00:00"), at("2026-03-08 23:00")) == 0
    assert skipped.at(at("2026-03-07 12:00")).end == at("2026-03-09 02:00")


def test_opening_is_by_the_wall_clock_before_and_after_the_change(office: Office) -> None:
    opening = office()

    assert opening.at(at("2026-03-06 20:00")).end == at("2026-03-07 00:00")
    assert opening.at(at("2026-03-08 20:00")).end == at("2026-03-09 00:00")
    assert opening.deadline(at("2026-03-06 17:00"), 600) == at("2026-03-09 08:10")
    assert opening.deadline(at("2026-10-30 17:00"), 600) == at("2026-11-02 08:10")


def test_a_leap_day_is_a_day(office: Office) -> None:
    opening = office()

    assert opening.unexpected(at("2028-02-28 17:00"), at("2028-03-01 08:00")) == 9 * HOUR


def test_hours_over_midnight_are_one_stretch(office: Office) -> None:
    night = Schedule(name="night", windows=(((0, 6 * HOUR), (22 * HOUR, DAY)),) * 7)
    segment = office(night, holidays=()).at(at("2026-03-04 23:00"))

    assert (segment.start, segment.end) == (at("2026-03-04 22:00"), at("2026-03-05 06:00"))


def test_an_allowance_that_cannot_run_out_has_no_deadline(office: Office) -> None:
    never = Schedule(name="never", windows=((),) * 7)

    assert office(never).deadline(at("2026-03-04 10:00"), 60.0) is None
    assert office(never).at(at("2026-03-04 10:00")).reason is Reason.CLOSED


@given(st.floats(-1e18, 1e18), st.sampled_from(ZONES))
@settings(max_examples=50)
def test_a_mark_from_anywhere_in_time_is_judged_without_failing(mark: float, zone: str) -> None:
    expectation = Expectation(
        source=Source.DEFAULT,
        schedule="",
        timezone=zone,
        days=week_plan(hours(8, 17, days=5), IntegrationType.SERVER),
        holidays=("US",),
    )

    assert expectation.unexpected(mark, 1_790_000_000.0) >= 0
    deadline = expectation.deadline(mark, 3600.0)
    assert deadline is None or deadline >= max(mark, 0) or mark > LAST


def test_a_holiday_on_which_most_work_has_no_other_rests_than_any_day(office: Office) -> None:
    columbus_day = office()
    eleven, evening = (columbus_day.piece(at(f"2026-10-12 {hour}:00")) for hour in (11, 20))

    assert (eleven.value, eleven.reason) == (0.5, None)
    assert (evening.value, evening.reason) == (0, Reason.CLOSED)
