"""What polls do to the fleet, and the edges of judging."""

import math
from collections.abc import Callable, Mapping

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter import report
from nexhealth_exporter.expectation.incident import is_held_back
from nexhealth_exporter.expectation.schedule import HOUR, MINUTE
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import (
    IntegrationType,
    Location,
    Reason,
    Severity,
    Source,
    State,
    Sync,
)
from nexhealth_exporter.policy import policy
from tests.expectation.conftest import at
from tests.fleet.conftest import ALWAYS_ON, CLOUD, DAY, DEFAULTS, SERVER, World, marked, office

TEN = at("2026-03-04 10:00")  # a Wednesday
OPEN_AND_SHUT = """
schedules:
  always-on: {hours: {mon-sun: "00:00-24:00"}, holidays: none}
  office: {hours: {mon-fri: "08:00-17:00"}}
institutions:
  - {match: {subdomain: open-*}, schedule: always-on}
  - {match: {}, schedule: office}
"""


def test_a_sync_is_overdue_once_a_poll_after_the_deadline_finds_the_same_mark(
    world: World,
) -> None:
    world.configure(ALWAYS_ON)
    stopped = marked(SERVER, TEN)

    for minutes, severity in ((44, None), (45, "warning"), (239, "warning"), (240, "critical")):
        world.poll(TEN + minutes * MINUTE, stopped)
        assert world.overdue() == severity

    world.poll(TEN + 241 * MINUTE, marked(SERVER, TEN + 240.5 * MINUTE))
    assert world.overdue() is None


def test_one_direction_that_stops_makes_the_sync_overdue(world: World) -> None:
    world.configure(ALWAYS_ON)
    world.poll(TEN, marked(SERVER, TEN))

    world.poll(TEN + HOUR, marked(SERVER, TEN, write_at=TEN + HOUR))

    assert world.overdue() == Severity.WARNING


def test_while_we_are_blind_nothing_becomes_overdue_and_nothing_resolves(world: World) -> None:
    world.configure(ALWAYS_ON)
    world.poll(TEN, marked(SERVER, TEN))
    world.poll(TEN, marked(SERVER, TEN - 5 * HOUR), institution="molars")

    for hour in range(1, 12):
        world.fail(TEN + hour * HOUR)
        world.fail(TEN + hour * HOUR, institution="molars")
        assert world.overdue() is None
        assert world.overdue("molars") == Severity.CRITICAL

    world.poll(TEN + 12 * HOUR, marked(SERVER, TEN))
    world.poll(TEN + 12 * HOUR, marked(SERVER, TEN + 11.9 * HOUR), institution="molars")
    assert world.overdue() == Severity.CRITICAL
    assert world.overdue("molars") is None


def test_a_failing_institution_keeps_its_last_answer_until_it_is_stale(world: World) -> None:
    world.poll(TEN, marked(SERVER, TEN))

    world.fail(TEN + DAY)
    assert world.fleet.standings["smiles"].syncs is not None
    assert world.fleet.standings["smiles"].failure == "timeout"

    world.fail(TEN + DAY + 1)
    assert world.fleet.standings["smiles"].syncs is None


def test_vanished_institutions_and_syncs_go_and_new_ones_come(world: World) -> None:
    world.poll(TEN, marked(SERVER, TEN), institution="molars")
    world.poll(TEN, marked(SERVER, TEN))
    second = marked(altered(SERVER, name="Second"), TEN)

    world.poll(TEN + 300, second)
    assert [s.sync.name for _, s in world.fleet.syncs()] == ["Main", "Second"]

    world.watch(office("smiles"))
    assert list(world.fleet.standings) == ["smiles"]
    assert world.sync().sync.name == "Second"


def test_a_poll_of_an_institution_that_is_no_longer_watched_changes_nothing(world: World) -> None:
    world.poll(TEN, marked(SERVER, TEN))
    world.watch(office("molars"))

    world.fail(TEN + 1)
    world.fleet = world.fleet.rejudged(policy(world.rules, DEFAULTS), [office("smiles")])

    assert list(world.fleet.standings) == ["molars"]


def test_an_answer_without_integration_type_keeps_the_last_known_one(world: World) -> None:
    world.poll(TEN, marked(altered(SERVER, integration_type=None), TEN))
    assert world.sync().integration_type is IntegrationType.UNKNOWN

    world.poll(TEN + 300, marked(CLOUD, TEN + 300))
    world.poll(TEN + 600, marked(altered(SERVER, integration_type=None), TEN + 600))
    assert world.sync().integration_type is IntegrationType.CLOUD


def test_where_a_product_usually_runs_counts_only_until_the_type_is_known(world: World) -> None:
    untold = altered(
        SERVER, integration_type=None, likely_type=IntegrationType.SERVER, read_at=TEN, write_at=TEN
    )
    world.poll(TEN, untold)
    assert world.sync().integration_type is IntegrationType.SERVER

    world.poll(TEN + 300, marked(CLOUD, TEN + 300))
    world.poll(TEN + 600, untold)
    assert world.sync().integration_type is IntegrationType.CLOUD


def test_an_answer_without_integration_type_keeps_it_over_a_restart(world: World) -> None:
    world.poll(TEN, marked(CLOUD, TEN))
    world.fleet = Fleet(remembered=dict(world.fleet.memory()))

    world.poll(TEN + 300, marked(altered(SERVER, integration_type=None), TEN))

    assert world.sync().integration_type is IntegrationType.CLOUD


def test_a_sync_that_never_reads_becomes_overdue_from_when_it_was_first_seen(
    world: World,
) -> None:
    world.configure(ALWAYS_ON)
    world.poll(TEN, marked(SERVER, None, write_at=TEN))
    read = world.sync().read

    assert read.lag(TEN + HOUR) is None
    assert read.unexpected(TEN + HOUR) is None
    assert read.deadline == {"warning": TEN + 45 * MINUTE, "critical": TEN + 4 * HOUR}

    world.poll(TEN + 5 * HOUR, marked(SERVER, None, write_at=TEN + 5 * HOUR))
    assert world.overdue() == Severity.CRITICAL


def test_an_answer_without_a_mark_changes_no_deadline_of_a_sync_that_had_one(
    world: World,
) -> None:
    world.configure(ALWAYS_ON)
    days = [TEN + day * DAY for day in range(40)]
    for now in days:
        world.poll(now, marked(SERVER, now))
    before = [judgement.deadline for judgement in world.sync().judgements]

    for nothing in (altered(SERVER, read_at=None, write_at=None), marked(SERVER, None, days[-1])):
        world.poll(days[-1] + MINUTE, nothing)
        sync = world.sync()
        assert sync.read.lag(days[-1] + MINUTE) is None
        assert [judgement.deadline for judgement in sync.judgements] == before
        assert (sync.state, world.overdue()) == (State.ACTIVE, None)

    last_poll = days[-1] + 5 * HOUR
    world.poll(last_poll, marked(SERVER, None, last_poll))
    assert world.overdue() == Severity.CRITICAL
    (row,) = report.rows(world.fleet, last_poll)
    assert "reading stopped at 11:00" in report.why(row)  # the clocks have changed meanwhile


def test_a_mark_in_the_future_has_no_negative_lag_and_hides_no_outage(world: World) -> None:
    world.configure(ALWAYS_ON)
    future = marked(SERVER, TEN + 300 * DAY)
    world.poll(TEN, future)

    assert world.sync().read.lag(TEN) == 0
    assert world.sync().read.unexpected(TEN) == 0

    world.poll(TEN + 5 * HOUR, future)
    assert world.overdue() == Severity.CRITICAL


@pytest.mark.parametrize("limit", [-62135596800.0, 253402300800.0])
def test_a_mark_that_moves_at_the_ends_of_the_calendar_is_judged(
    world: World, limit: float
) -> None:
    # An answer may tell the year 1 east of Greenwich, or 9999 west of it: another year in UTC.
    for number, mark in enumerate((limit - 23 * HOUR, limit + 23 * HOUR, limit + 24 * HOUR)):
        world.poll(TEN + number * MINUTE, marked(SERVER, mark))

        assert world.sync().read.mark == mark


def test_a_clock_that_was_behind_for_a_while_makes_nothing_overdue(world: World) -> None:
    world.configure(ALWAYS_ON)
    for minutes in (-5, 0):
        world.poll(TEN + minutes * MINUTE - 6 * HOUR, marked(SERVER, TEN - 6 * MINUTE))
    for minutes, severity in ((5, None), (38, None), (40, "warning"), (235, "critical")):
        world.poll(TEN + minutes * MINUTE, marked(SERVER, TEN - 6 * MINUTE))
        assert world.overdue() == severity


@pytest.mark.parametrize(
    ("age_of_other", "severities"), [(0.0, {"warning"}), (15 * DAY, {"warning", "critical"})]
)
def test_a_direction_not_moved_in_14_days_while_the_other_did_is_a_ticket_at_most(
    world: World, age_of_other: float, severities: set[str]
) -> None:
    world.poll(TEN, marked(SERVER, TEN - 14.1 * DAY, write_at=TEN - age_of_other))

    assert set(world.sync().read.deadline) == severities
    assert set(world.sync().write.deadline) == {"warning", "critical"}


def test_a_sync_with_both_marks_older_than_30_days_is_abandoned_and_not_judged(
    world: World,
) -> None:
    for read, write in ((31, 29), (29, 31)):
        world.poll(TEN, marked(SERVER, TEN - read * DAY, write_at=TEN - write * DAY))
        assert world.sync().state is State.ACTIVE

    world.poll(TEN, marked(SERVER, TEN - 31 * DAY))
    assert world.sync().state is State.ABANDONED
    assert world.sync().read.deadline == world.sync().write.deadline == {}
    assert world.overdue() is None


def test_a_sync_is_abandoned_by_age_alone_while_every_answer_is_the_same(world: World) -> None:
    states = []
    for age in (0, 15 * DAY, 30 * DAY, 30 * DAY + 1):
        world.poll(TEN + age, marked(SERVER, TEN))
        states.append(world.sync().state)

    assert states == [State.ACTIVE, State.ACTIVE, State.ACTIVE, State.ABANDONED]


@pytest.mark.parametrize(("ahead", "met"), [(13 * DAY, State.ACTIVE), (40 * DAY, State.ABANDONED)])
def test_a_clock_that_was_ahead_for_a_while_silences_no_outage(
    world: World, ahead: float, met: State
) -> None:
    world.configure(ALWAYS_ON)
    stopped = marked(SERVER, TEN - 2 * DAY, write_at=TEN)
    world.poll(TEN + MINUTE, stopped)
    world.poll(TEN + ahead, stopped)
    assert world.sync().state is met
    for minutes, severity in ((6, "critical"), (239, "critical")):
        world.poll(TEN + minutes * MINUTE, stopped)
        assert world.sync().state is State.ACTIVE
        assert set(world.sync().read.deadline) == {"warning", "critical"}
        assert world.overdue() == severity


def test_a_direction_goes_out_of_use_to_the_second_after_14_days(world: World) -> None:
    for age, severities in ((14 * DAY, {"warning", "critical"}), (14 * DAY + 1, {"warning"})):
        world.poll(TEN + age, marked(SERVER, TEN, write_at=TEN + 10 * DAY))
        assert set(world.sync().read.deadline) == severities


def test_the_other_direction_moves_as_long_as_it_did_in_14_days(world: World) -> None:
    for age, severities in ((14 * DAY, {"warning"}), (14 * DAY + 1, {"warning", "critical"})):
        world.poll(TEN + age, marked(SERVER, TEN - DAY, write_at=TEN))
        assert set(world.sync().read.deadline) == severities


def test_a_sync_of_which_all_locations_are_inactive_is_not_judged(world: World) -> None:
    closed = Location(1, inactive=True)
    idle = altered(SERVER, locations=(closed,))
    half = altered(SERVER, locations=(closed, Location(2)))

    world.poll(TEN, marked(idle, TEN - DAY))
    assert (world.sync().state, world.overdue()) == (State.INACTIVE, None)

    world.poll(TEN, marked(half, TEN - DAY))
    assert world.sync().state is State.ACTIVE


def test_of_an_unfamiliar_office_four_and_nine_hours_are_tolerated(world: World) -> None:
    world.poll(TEN, marked(SERVER, TEN))

    sync = world.sync()

    assert sync.expectation.source is Source.DEFAULT
    assert sync.read.allowance == {"warning": 4 * HOUR, "critical": 9 * HOUR}
    assert sync.read.deadline[Severity.WARNING] == TEN + 4 * HOUR


@pytest.mark.parametrize(
    ("mark", "page"),
    [
        ("2026-03-05 17:00", "2026-03-06 17:00"),
        ("2026-03-05 18:40", "2026-03-09 08:00"),  # it keeps other hours, and may rest on Fridays
        ("2026-03-05 16:40", "2026-03-06 16:40"),
    ],
)
def test_a_day_off_of_an_unfamiliar_office_that_keeps_other_hours_is_no_page_at_closing(
    world: World, mark: str, page: str
) -> None:
    world.poll(at(mark), marked(SERVER, at(mark)))

    assert world.sync().read.deadline[Severity.CRITICAL] == at(page)


@pytest.mark.parametrize(
    ("sync", "expected"),
    [
        (SERVER, {"warning": 45 * MINUTE, "critical": 4 * HOUR}),
        (CLOUD, {"warning": 150 * MINUTE, "critical": 6 * HOUR}),
        (altered(SERVER, integration_type=None), {"warning": 150 * MINUTE, "critical": 6 * HOUR}),
    ],
)
def test_the_allowance_follows_the_integration_type(
    world: World, sync: Sync, expected: dict[str, float]
) -> None:
    world.configure(ALWAYS_ON)
    world.poll(TEN, marked(sync, TEN))

    assert world.sync().write.allowance == expected


def test_a_configured_allowance_is_exact_and_a_range_sets_the_bounds(world: World) -> None:
    world.poll(TEN, marked(SERVER, TEN))
    world.configure(
        """
institutions:
  - match: {}
    allowance: {server: {warning: 10m, critical: 5h..6h}}
"""
    )

    assert world.sync().read.allowance == {"warning": 10 * MINUTE, "critical": 6 * HOUR}


def test_an_unusable_zone_falls_back_and_a_configured_one_wins(world: World) -> None:
    world.watch(office("smiles", "Mars/Olympus"), office("molars", None))
    world.poll(TEN, marked(SERVER, TEN))
    world.poll(TEN, marked(SERVER, TEN), institution="molars")

    for institution in ("smiles", "molars"):
        assert world.sync(institution).hours.is_fallback
        assert world.sync(institution).expectation.timezone == "America/New_York"

    world.configure("institutions: [{match: {subdomain: smiles}, timezone: America/Denver}]")
    assert world.sync().expectation.timezone == "America/Denver"
    assert not world.sync().hours.is_fallback
    assert world.sync("molars").hours.is_fallback


def test_over_several_zones_that_of_most_active_locations_holds(world: World) -> None:
    zones = ("America/Chicago", "America/Denver", "America/Denver")
    places = tuple(Location(i, zone) for i, zone in enumerate(zones))
    closed = (places[0], *(altered(place, inactive=True) for place in places[1:]))
    served = altered(SERVER, locations=tuple(Location(i) for i in range(3)))

    world.watch(altered(office("smiles"), locations=places))
    world.poll(TEN, marked(served, TEN))
    assert world.sync().expectation.timezone == "America/Denver"

    world.watch(altered(office("smiles"), locations=closed))
    assert world.sync().expectation.timezone == "America/Chicago"

    unusable = tuple(Location(i, zone) for i, zone in enumerate(("Mars/Olympus", None, zones[1])))
    world.watch(altered(office("smiles"), locations=unusable))
    assert world.sync().expectation.timezone == "America/Denver"

    none_left = Location(1, "America/Denver", inactive=True)
    world.watch(altered(office("smiles"), locations=(none_left,)))
    assert world.sync().expectation.timezone == "America/Denver"


def test_an_announced_closure_moves_the_deadline_at_once(world: World) -> None:
    world.poll(TEN, marked(SERVER, TEN))
    before = world.sync().read.deadline[Severity.CRITICAL]

    world.configure("closures: [{match: {subdomain: smiles}, days: ['2026-03-04..2026-03-06']}]")

    assert world.sync().expectation.at(TEN).reason is Reason.CLOSURE
    # Nine open hours from Monday's opening on.
    assert world.sync().read.deadline[Severity.CRITICAL] == at("2026-03-09 17:00") > before


def test_over_new_year_a_sync_that_rests_is_not_missed(world: World) -> None:
    closing = at("2026-12-31 17:00")
    world.poll(closing, marked(SERVER, closing))

    world.poll(at("2027-01-04 09:00"), marked(SERVER, closing))

    # 1 January is a Friday: one open hour since, on Monday.
    assert world.sync().read.unexpected(at("2027-01-04 09:00")) == HOUR
    assert world.overdue() is None


def test_ten_syncs_of_which_a_third_falls_silent_together_are_a_fleet_incident(
    world: World,
) -> None:
    world.configure(ALWAYS_ON)
    names = [f"office-{i}" for i in range(40)]
    world.watch(*(office(name) for name in names))

    def poll(minutes: float, silent: int) -> None:
        now = TEN + minutes * MINUTE
        for position, name in enumerate(names):
            mark = TEN if position < silent else now
            world.poll(now, marked(SERVER, mark), institution=name)
        world.fleet = world.fleet.with_incidents()

    half = TEN + 22.5 * MINUTE
    poll(23, silent=11)
    assert world.fleet.incidents == {}
    poll(24, silent=12)
    assert world.fleet.incidents == {"server": half}
    poll(60, silent=6)
    assert world.fleet.incidents == {"server": half}
    poll(61, silent=5)
    assert world.fleet.incidents == {}


def test_an_incident_neither_begins_nor_ends_while_we_are_blind(world: World) -> None:
    world.configure(ALWAYS_ON)
    names = [f"office-{i}" for i in range(20)]
    for name in names:
        world.poll(TEN, marked(SERVER, TEN), institution=name)
    for hour in range(1, 5):
        for name in names:
            world.fail(TEN + hour * HOUR, institution=name)
        world.fleet = world.fleet.with_incidents()
        assert world.fleet.incidents == {}


def test_an_incident_lasts_over_the_night_in_which_every_office_is_closed(world: World) -> None:
    names = [f"office-{i}" for i in range(20)]
    three, evening, morning = (at(f"2026-03-0{t}") for t in ("4 15:00", "4 18:00", "5 12:00"))

    def poll(now: float, mark: float) -> None:
        for name in names:
            world.poll(now, marked(SERVER, mark), institution=name)
        world.fleet = world.fleet.with_incidents()

    poll(three, three - 3 * HOUR)
    started = dict(world.fleet.incidents)
    assert started == {"server": three - HOUR}

    poll(evening, three - 3 * HOUR)
    assert world.fleet.incidents == started

    poll(morning, morning - 60)
    assert world.fleet.incidents == {}


NAMES = [f"office-{i}" for i in range(20)]
UNKNOWN = altered(SERVER, integration_type=None)


def struck(world: World, *, kind: Sync) -> float:
    """An incident has struck twenty offices of that type; the instant of the latest look."""
    now = TEN + 6 * HOUR
    world.configure(ALWAYS_ON)
    for name in NAMES:
        world.poll(now, marked(kind, TEN), institution=name)
    world.fleet = world.fleet.with_incidents()
    assert len(world.fleet.incidents) == 1
    return now


def excluded(world: World, now: float) -> None:
    world.watch(office("other"))
    world.poll(now, marked(CLOUD, now), institution="other")


def uninstalled(world: World, now: float) -> None:
    for name in NAMES:
        world.poll(now, institution=name)


def of_known_type(world: World, now: float) -> None:
    for name in NAMES:
        world.poll(now, marked(CLOUD, now), institution=name)


def abandoned(world: World, now: float) -> None:
    for name in NAMES:
        world.poll(now + 31 * DAY, marked(UNKNOWN, TEN), institution=name)


@pytest.mark.parametrize("gone", [excluded, uninstalled, of_known_type, abandoned])
def test_an_incident_ends_when_nobody_of_its_type_is_left(
    world: World, gone: Callable[[World, float], None]
) -> None:
    now = struck(world, kind=UNKNOWN)
    gone(world, now + 300)
    world.fleet = world.fleet.with_incidents()

    assert world.fleet.incidents == {}
    ((start, end),) = world.fleet.latest_incidents[IntegrationType.UNKNOWN]
    assert start <= end < math.inf


def test_an_incident_that_lasts_moves_no_deadline(world: World) -> None:
    struck(world, kind=SERVER)
    before = world.sync(NAMES[0]).read.deadline

    world.fleet = world.fleet.rejudged(policy(world.rules, DEFAULTS))

    assert world.sync(NAMES[0]).read.deadline == before
    assert world.overdue(NAMES[0]) == Severity.CRITICAL


def test_an_incident_lasts_while_it_is_not_known_who_is_left(world: World) -> None:
    now = struck(world, kind=SERVER)
    before = world.fleet.incidents
    world.fleet = Fleet(
        remembered=dict(world.fleet.memory()),
        incidents=before,
        latest_incidents=world.fleet.latest_incidents,
    )
    assert world.fleet.with_incidents().incidents == before
    world.watch(*map(office, NAMES), office("other"))
    world.poll(now + 300, marked(CLOUD, now + 300), institution="other")
    assert world.fleet.with_incidents().incidents == before


def test_an_incident_lasts_until_somebody_else_was_looked_at(world: World) -> None:
    now = struck(world, kind=SERVER)
    before = world.fleet.incidents
    world.watch(office("other"))
    world.fleet = world.fleet.with_incidents(now + 300)
    assert world.fleet.incidents == before

    world.poll(now + 600, marked(CLOUD, now + 600), institution="other")
    world.fleet = world.fleet.with_incidents(now + 600)
    assert world.fleet.incidents == {}
    assert world.fleet.latest_incidents[IntegrationType.SERVER][-1].end == now + 600


def look(world: World, now: float, marks: Mapping[str, float]) -> None:
    """Poll institutions by name with their marks, and look for fleet incidents."""
    for name, mark in marks.items():
        world.poll(now, marked(SERVER, mark), institution=name)
    world.fleet = world.fleet.with_incidents()


def test_who_closed_during_an_incident_is_given_its_whole_allowance_again(world: World) -> None:
    world.configure(OPEN_AND_SHUT)
    two = at("2026-03-04 14:00")
    marks = {f"{kind}-{i}": two for kind in ("open", "shut") for i in range(15)}
    marks |= {"dead": two - 2 * HOUR}
    world.watch(*(office(name) for name in marks))

    look(world, two + 30 * MINUTE, marks)
    assert set(world.fleet.incidents) == {"server"}
    six = at("2026-03-04 18:00")
    marks |= {name: six - 60 for name in marks if name.startswith("open")}
    look(world, six, marks)
    assert world.fleet.incidents == {}

    assert world.overdue("shut-1") is None
    assert world.overdue("dead") == Severity.CRITICAL
    morning = at("2026-03-05 08:45")
    assert world.sync("shut-1").read.deadline[Severity.WARNING] == morning
    look(world, morning, marks)
    assert world.overdue("shut-1") == Severity.WARNING


def test_a_second_incident_does_not_take_the_excuse_of_the_first(world: World) -> None:
    world.configure(OPEN_AND_SHUT)
    four = at("2026-03-04 16:10")
    marks = {f"{kind}-{i}": four for kind in ("open", "shut") for i in range(15)}
    world.watch(*(office(name) for name in marks))

    def poll(clock: str, *, is_moving: bool) -> None:
        now = at(f"2026-03-{clock}")
        moved = {name: now - 60 for name in marks if is_moving and name.startswith("open")}
        marks.update(moved)
        look(world, now, marks)

    for evening, is_moving in (("04 16:50", False), ("04 18:00", True), ("04 23:00", False)):
        poll(evening, is_moving=is_moving)
    assert set(world.fleet.incidents) == {"server"}
    world.fleet = world.fleet.rejudged(policy(world.rules, DEFAULTS))
    poll("05 08:10", is_moving=True)
    assert world.fleet.incidents == {}

    # Of Wednesday's 50 open minutes nothing counts, nor do Thursday's before the second ended.
    assert world.sync("shut-1").read.deadline[Severity.WARNING] == at("2026-03-05 08:55")


def test_a_clock_that_was_ahead_for_a_while_excuses_nobody(world: World) -> None:
    world.configure(ALWAYS_ON)
    names = [f"office-{i}" for i in range(12)]
    world.watch(*(office(name) for name in names))

    def poll(now: float, ahead: float = 0.0, stopped: float = math.inf) -> None:
        for name in names:
            mark = min(now, stopped) if name == names[3] else now
            world.poll(now + ahead, marked(SERVER, mark), institution=name)
            world.fleet = world.fleet.with_incidents(now + ahead)

    poll(TEN)
    poll(TEN + 5 * MINUTE, ahead=6 * HOUR)
    assert set(world.fleet.incidents) == {"server"}
    poll(TEN + 10 * MINUTE)
    assert world.fleet.incidents == {}
    for minutes in (15, 60, 254):
        poll(TEN + minutes * MINUTE, stopped=TEN + 15 * MINUTE)
    assert world.overdue(names[3]) == "warning"
    poll(TEN + 255 * MINUTE, stopped=TEN + 15 * MINUTE)
    assert world.overdue(names[3]) == "critical"


def test_an_incident_is_told_by_the_latest_look_of_a_round(world: World) -> None:
    world.configure(ALWAYS_ON)
    world.poll(TEN + MINUTE, marked(SERVER, TEN))
    for name in NAMES:
        world.poll(TEN + 30 * MINUTE, marked(SERVER, TEN), institution=name)

    assert world.fleet.with_incidents().incidents == {"server": TEN + 22.5 * MINUTE}


def test_an_incident_that_begins_ends_no_other(world: World) -> None:
    world.configure(ALWAYS_ON)
    of_cloud = [f"cloud-{i}" for i in range(20)]
    world.watch(*map(office, NAMES + of_cloud))
    started: dict[IntegrationType, float] = {}
    for hours in (0.5, 2):
        now = TEN + hours * HOUR
        for kind, names in ((SERVER, NAMES), (CLOUD, of_cloud)):
            for name in names:
                world.poll(now, marked(kind, TEN), institution=name)
        world.fleet = world.fleet.with_incidents()
        started |= world.fleet.incidents

    assert world.fleet.incidents == started
    assert set(started) == {"server", "cloud"}
    assert {lasts[-1].end for lasts in world.fleet.latest_incidents.values()} == {math.inf}
    assert world.overdue(NAMES[0]) == "warning"


def test_nine_silent_syncs_are_no_fleet_incident(world: World) -> None:
    world.configure(ALWAYS_ON)
    for i in range(9):
        world.poll(TEN + HOUR, marked(SERVER, TEN), institution=f"office-{i}")

    assert world.fleet.with_incidents().incidents == {}


@pytest.mark.parametrize(
    ("configured", "warning", "critical"),
    [("warning: 11h", 11, 11), ("critical: 2h", 2, 2)],
)
def test_a_page_never_comes_before_the_ticket_and_what_is_configured_stays(
    world: World, configured: str, warning: float, critical: float
) -> None:
    world.poll(TEN, marked(SERVER, TEN))
    world.configure(f"institutions: [{{match: {{}}, allowance: {{server: {{{configured}}}}}}}]")

    assert world.sync().read.allowance == {"warning": warning * HOUR, "critical": critical * HOUR}


def test_where_two_entries_let_the_page_come_first_it_comes_with_the_ticket(world: World) -> None:
    world.poll(TEN, marked(SERVER, TEN))
    world.configure(
        """
institutions:
  - {match: {}, allowance: {server: {critical: 2h}}}
  - {match: {subdomain: smiles}, allowance: {server: {warning: 5h}}}
"""
    )

    assert world.sync().read.allowance == {"warning": 5 * HOUR, "critical": 5 * HOUR}


def test_a_direction_is_in_use_as_long_as_the_other_never_moved(world: World) -> None:
    world.poll(TEN, altered(SERVER, read_at=TEN - 20 * DAY, write_at=None))

    assert set(world.sync().read.deadline) == {"warning", "critical"}


def test_a_sync_at_locations_that_nobody_listed_is_in_the_offices_own_zone(world: World) -> None:
    world.watch(office("smiles", "America/Denver"))
    world.poll(TEN, marked(altered(SERVER, locations=(Location(99),)), TEN))

    assert world.sync().expectation.timezone == "America/Denver"


def test_an_answer_without_locations_does_not_wake_what_is_inactive(world: World) -> None:
    idle = altered(SERVER, locations=(Location(1, inactive=True),))
    for minutes, sync in enumerate((idle, altered(idle, locations=()), idle)):
        world.poll(TEN + minutes * MINUTE, marked(sync, TEN - 3 * DAY))
        assert world.sync().state is State.INACTIVE
        assert world.overdue() is None


def test_an_answer_without_a_product_changes_no_rule(world: World) -> None:
    world.configure(
        """
schedules:
  late: {hours: {mon-fri: "09:50-18:00"}}
institutions:
  - {match: {emr: Dentrix}, schedule: late, group: east}
"""
    )
    for minutes, emr in enumerate(("Dentrix", "", "Dentrix")):
        world.poll(TEN + minutes * MINUTE, marked(altered(SERVER, emr=emr), TEN - DAY / 2))
        assert world.sync().expectation.schedule == "late"
        assert world.fleet.standings["smiles"].group == "east"
        assert world.overdue() is None


def test_what_an_answer_changes_of_a_sync_holds_at_once(world: World) -> None:
    world.configure(
        """
schedules:
  late: {hours: {mon-fri: "09:50-18:00"}}
institutions:
  - {match: {emr: Dentrix}, schedule: late}
"""
    )
    places = (Location(1, "America/New_York"), Location(2, "America/Denver"))
    world.watch(altered(office("smiles"), locations=places))
    found = []
    for minutes, (emr, number) in enumerate(
        (("Dentrix", 1), ("", 2), ("Eaglesoft", 2), ("Dentrix", 2))
    ):
        told = altered(SERVER, emr=emr, locations=(Location(number),))
        world.poll(TEN + minutes * MINUTE, marked(told, TEN))
        expectation = world.sync().expectation
        found.append((expectation.schedule, expectation.timezone))

    assert found == [
        ("late", "America/New_York"),
        ("late", "America/Denver"),
        ("", "America/Denver"),
        ("late", "America/Denver"),
    ]


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_past_from_elsewhere_replaces_only_a_shorter_one(*, is_shown: bool) -> None:
    long, short = World(), World()
    for day in range(10):
        now = TEN + day * DAY
        long.poll(now, marked(SERVER, now))
        if day > 7:
            short.poll(now, marked(SERVER, now))
    if not is_shown:
        for one in (long, short):
            one.poll(TEN + 10 * DAY)

    def first_seen(one: World, past: World) -> float:
        memories = dict(past.fleet.memory())
        fleet = one.fleet.recalling(memories, policy(one.rules, DEFAULTS))
        return dict(fleet.memory())["smiles"]["Main"].learned.first_seen

    assert first_seen(short, long) == TEN
    assert first_seen(long, short) == TEN


def test_an_incident_begins_no_sooner_than_the_last_one_ended(world: World) -> None:
    """By day 30 of 100 are silent; in the evening the 12 that were dead before are 12 of 40."""
    world.configure(OPEN_AND_SHUT)
    eight, noon = at("2026-03-04 08:00"), at("2026-03-04 12:00")
    dead = {f"open-dead-{i}": eight for i in range(12)}
    struck = {f"open-struck-{i}": noon for i in range(18)}
    fine = [f"open-{i}" for i in range(10)] + [f"shut-{i}" for i in range(60)]
    world.watch(*(office(name) for name in (*dead, *struck, *fine)))

    def poll(clock: str) -> None:
        now = at(f"2026-03-04 {clock}")
        moved = dict.fromkeys((*fine, *struck), now)
        look(world, now, moved | dead | (struck if clock == "12:30" else {}))

    poll("12:00")
    assert world.overdue("open-dead-0") == Severity.CRITICAL
    poll("12:30")
    assert set(world.fleet.incidents) == {"server"}
    poll("13:00")
    assert world.fleet.incidents == {}
    poll("17:30")
    start = world.fleet.incidents[IntegrationType.SERVER]
    assert start == at("2026-03-04 13:00")
    page = world.sync("open-dead-0").read.deadline[Severity.CRITICAL]
    assert not is_held_back(page, start)
