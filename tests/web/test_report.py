"""How a sync stands and why, said in one sentence; what to do about it."""

import shlex

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.errors import POLL_FAILURE_REASONS
from nexhealth_exporter.expectation.schedule import HOUR, MINUTE
from nexhealth_exporter.formatting import duration, rfc3339, when
from nexhealth_exporter.model import IntegrationType, Location, Operation, Sync
from nexhealth_exporter.report import Condition, Row, overdue_rows, rows, summarise, why
from nexhealth_exporter.report.remedy import closure_line, next_step, silence_command
from nexhealth_exporter.report.story import FAILURES, brief
from tests.expectation.conftest import at
from tests.fleet.conftest import CLOUD, DAY, SERVER, World, marked, office

STANDARD = """
schedules:
  standard:
    hours: {mon-fri: "08:00-17:00"}
    lunch: "12:00-13:00"
    holidays: [US]
    closures: ["2026-03-12", "2026-06-05..2026-06-12"]
  always-on: {hours: {mon-sun: "00:00-24:00"}, holidays: none}
institutions:
  - {match: {subdomain: "night-*"}, schedule: always-on}
  - {match: {}, schedule: standard}
"""
TUESDAY = "2026-03-03"


@pytest.fixture
def world() -> World:
    made = World()
    made.configure(STANDARD)
    return made


def row(world: World, now: float, institution: str = "smiles") -> Row:
    return next(
        r for r in rows(world.fleet, now) if r.standing.institution.subdomain == institution
    )


def seen(world: World, now: str, sync: Sync, institution: str = "smiles") -> Row:
    """The row after a poll at that instant."""
    world.poll(at(now), sync, institution=institution)
    return row(world, at(now), institution)


def test_a_sync_that_stops_in_the_middle_of_the_day(world: World) -> None:
    found = seen(world, f"{TUESDAY} 15:40", marked(SERVER, at(f"{TUESDAY} 11:32")))

    assert found.condition == Condition.OVERDUE_CRITICAL
    assert (
        why(found) == "Overdue since 12:17, critical since 15:32: "
        "reading and writing stopped at 11:32, in the middle of open hours."
    )
    assert at(f"{TUESDAY} 12:17") == found.due
    assert "services are still installed" in next_step(found)


def test_a_sync_that_does_not_come_back_at_opening(world: World) -> None:
    found = seen(world, f"{TUESDAY} 09:00", marked(SERVER, at("2026-03-02 16:58")))

    assert found.condition == Condition.OVERDUE_WARNING
    assert (
        why(found) == "Overdue since 08:43: reading and writing did not come back at opening "
        "on Tuesday, 08:00; critical at 11:58 if it stays so. Is the office closed?"
    )
    assert next_step(found).startswith("Ask whether the office is closed.")


def test_an_office_that_rests_now_is_called_when_it_opens(world: World) -> None:
    silent = marked(CLOUD, at(f"{TUESDAY} 08:10"))
    lunch, after = (seen(world, f"{TUESDAY} {clock}", silent) for clock in ("12:30", "13:00"))
    friday = seen(world, "2026-03-06 17:37", marked(SERVER, at("2026-03-05 16:58")))

    assert next_step(friday).startswith("It is resting until Mon 08:00: call then. Ask whether")
    assert next_step(lunch).startswith(
        "It is resting until 13:00: call then. Ask the office to log in"
    )
    assert next_step(after).startswith("Ask the office to log in")


def test_a_cloud_sync_that_does_not_come_back_after_lunch(world: World) -> None:
    found = seen(world, f"{TUESDAY} 16:00", marked(CLOUD, at(f"{TUESDAY} 11:50")))

    assert (
        why(found)
        == "Overdue since 15:20: reading and writing did not come back after the lunch break "
        "at 13:00; critical on Wed 09:50 if it stays so. Is the office closed?"
    )


def test_a_server_that_runs_day_and_night(world: World) -> None:
    found = seen(world, f"{TUESDAY} 04:00", marked(SERVER, at(f"{TUESDAY} 03:00")), "night-owls")

    assert "stopped at 03:00, though it runs day and night; critical at 07:00" in why(found)


def test_only_the_direction_that_is_silent_is_named(world: World) -> None:
    silent = marked(SERVER, at(f"{TUESDAY} 11:32"), at(f"{TUESDAY} 15:39"))

    found = seen(world, f"{TUESDAY} 15:40", silent)

    assert (
        why(found) == "Overdue since 12:17, critical since 15:32: "
        "reading stopped at 11:32, in the middle of open hours, while writing went on."
    )


def test_a_direction_that_is_silent_too_is_told_before_its_own_deadline(world: World) -> None:
    found = seen(
        world, f"{TUESDAY} 12:20", marked(SERVER, at(f"{TUESDAY} 11:32"), at(f"{TUESDAY} 11:50"))
    )
    assert (
        why(found) == "Overdue since 12:17: reading stopped at 11:32, in the middle of open "
        "hours, and writing is silent too; critical at 15:32 if it stays so."
    )

    # So short a silence is normal.
    found = seen(
        world, f"{TUESDAY} 12:20", marked(SERVER, at(f"{TUESDAY} 11:32"), at(f"{TUESDAY} 12:01"))
    )
    assert "too" not in why(found)
    # Nobody has looked since, so nothing says that writing has stopped.
    assert "too" not in why(row(world, at(f"{TUESDAY} 14:00")))


def test_nobody_is_asked_whether_an_office_is_closed_in_which_one_direction_went_on(
    world: World,
) -> None:
    over_night = at("2026-03-02 16:50")

    found = seen(world, f"{TUESDAY} 12:30", marked(SERVER, over_night, at(f"{TUESDAY} 12:20")))
    assert (
        why(found) == "Overdue since 08:35, critical since 11:50: reading did not come back "
        "at opening on Tuesday, 08:00, while writing went on."
    )
    assert "did not come back at opening" in brief(found)

    # What moved after the other stopped, but not since the opening, says nothing of today.
    evening = at("2026-03-02 17:40")
    found = seen(world, f"{TUESDAY} 08:50", marked(SERVER, over_night, evening), "molars")
    assert "while" not in why(found)
    assert why(found).endswith("Is the office closed?")


@pytest.mark.parametrize(
    ("read", "write", "said"),
    [
        (
            "2026-03-03 10:32",
            "2026-03-03 10:36",
            "reading stopped at 10:32 and writing at 10:36, in the middle of open hours",
        ),
        (
            "2026-03-02 16:50",
            "2026-03-03 08:31",
            (
                "reading did not come back at opening on Tuesday, 08:00; "
                "writing stopped at 08:31, in the middle of open hours"
            ),
        ),
    ],
)
def test_directions_that_stopped_apart_are_told_apart(
    world: World, read: str, write: str, said: str
) -> None:
    found = seen(world, f"{TUESDAY} 11:30", marked(SERVER, at(read), at(write)))

    assert said == brief(found).replace("R", "r", 1)


def test_of_a_direction_that_still_works_no_deadline_is_told(world: World) -> None:
    now = at(f"{TUESDAY} 15:40")

    found = seen(world, f"{TUESDAY} 15:40", marked(SERVER, now - MINUTE, now - 20 * DAY))

    assert found.condition == Condition.OVERDUE_WARNING
    assert "critical" not in why(found)
    assert overdue_rows(world.fleet, now) == [found]


def test_a_sync_that_never_read(world: World) -> None:
    world.poll(at("2026-03-02 09:00"), marked(SERVER, None))

    found = seen(world, f"{TUESDAY} 15:40", marked(SERVER, None))

    assert found.condition == Condition.OVERDUE_CRITICAL
    assert "never began since this sync was first seen Mon 09:00." in why(found)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (f"{TUESDAY} 12:30", "lunch break, since 12:00, back at 13:00"),
        (f"{TUESDAY} 22:00", "outside its hours, since 17:00, back on Wed 08:00"),
        ("2026-03-07 10:00", "weekend, since Fri 17:00, back on Mon 08:00"),
        ("2026-03-08 10:00", "weekend, since Fri 17:00, back on Mon 08:00"),
        ("2026-03-12 10:00", "announced closure, since Wed 17:00, back on Fri 08:00"),
        ("2026-05-25 10:00", "holiday, since Fri 17:00, back on Tue 08:00"),
        # Ten days: "since Thu, back on Mon" would be those of the next weekend.
        ("2026-06-09 09:00", "announced closure, since Thu 17:00, back on 15 Jun 08:00"),
        ("2026-06-14 09:00", "weekend, since 4 Jun 17:00, back on 15 Jun 08:00"),
    ],
)
def test_why_a_sync_rests_since_when_and_until_when(world: World, now: str, said: str) -> None:
    found = seen(world, now, marked(CLOUD, at(now) - 40 * MINUTE))

    assert found.condition == Condition.RESTING
    assert f"Resting as expected: {said}." == why(found)
    assert next_step(found) == "Nothing to do."


def test_up_to_twenty_minutes_are_fresh_and_more_are_late(world: World) -> None:
    mark = at(f"{TUESDAY} 10:00")

    assert seen(world, f"{TUESDAY} 10:19", marked(SERVER, mark)).condition == Condition.FRESH
    late = seen(world, f"{TUESDAY} 10:30", marked(SERVER, mark))

    assert late.condition == Condition.LATE
    assert (
        why(late)
        == "Late but tolerated: silent for 30 min of the time in which it should refresh; "
        "overdue at 10:45 if it stays so."
    )


def test_a_night_does_not_make_a_sync_late_at_opening(world: World) -> None:
    found = seen(world, f"{TUESDAY} 08:10", marked(SERVER, at("2026-03-02 16:55")))

    assert found.condition == Condition.FRESH
    assert found.unexpected == 15 * MINUTE


def test_silence_that_we_did_not_look_at_is_unknown(world: World) -> None:
    world.poll(at(f"{TUESDAY} 10:00"), marked(SERVER, at(f"{TUESDAY} 09:55")))
    world.fail(at(f"{TUESDAY} 10:30"))

    found = row(world, at(f"{TUESDAY} 13:00"))

    assert found.condition == Condition.UNKNOWN
    assert why(found) == "Unknown: last seen 3 h ago, NexHealth did not answer in time."
    assert "polls fail" in next_step(found)


def test_what_was_overdue_stays_so_while_we_are_blind(world: World) -> None:
    world.poll(at(f"{TUESDAY} 10:00"), marked(SERVER, at(f"{TUESDAY} 09:00")))
    world.fail(at(f"{TUESDAY} 13:00"))

    assert row(world, at(f"{TUESDAY} 23:00")).condition == Condition.OVERDUE_WARNING


def test_no_answer_and_no_sync_are_told_apart(world: World) -> None:
    world.watch(office("new"), office("empty"), office("broken"))
    world.poll(at(f"{TUESDAY} 10:00"), institution="empty")
    world.fail(at(f"{TUESDAY} 10:00"), "broken")
    now = at(f"{TUESDAY} 10:01")

    assert {r.standing.institution.subdomain: why(r) for r in rows(world.fleet, now)} == {
        "new": "Unknown: NexHealth has not been asked about this institution yet.",
        "broken": "Unknown: no answer to show, NexHealth did not answer in time.",
        "empty": "No sync is installed at this institution yet.",
    }


def test_abandoned_and_inactive_syncs_are_not_judged(world: World) -> None:
    dead = marked(SERVER, at(f"{TUESDAY} 10:00") - 92 * DAY)
    unused = altered(dead, locations=(Location(1, inactive=True),))

    abandoned = seen(world, f"{TUESDAY} 10:00", dead)
    inactive = seen(world, f"{TUESDAY} 10:00", unused, "gone")

    assert why(abandoned) == "Abandoned: silent for 92 d, so it is no longer evaluated."
    assert why(inactive) == "Inactive: none of its locations is in use, so it is not evaluated."


def test_the_worst_come_first_and_then_the_soonest_deadline(world: World) -> None:
    now = at(f"{TUESDAY} 15:00")
    ages = {"a": 5 * MINUTE, "b": 60 * MINUTE, "c": 25 * MINUTE, "d": 6 * HOUR, "e": 10 * MINUTE}
    for name, age in ages.items():
        world.poll(now, marked(SERVER, now - age), institution=name)
    world.poll(now, marked(SERVER, now - 90 * DAY), institution="f")
    world.poll(now, marked(SERVER, now - 5 * HOUR), institution="g")

    assert list("dgbceaf") == [r.standing.institution.subdomain for r in rows(world.fleet, now)]


def test_a_fleet_incident_speaks_for_those_that_it_made_overdue(world: World) -> None:
    now = at(f"{TUESDAY} 15:00")
    world.poll(now, marked(SERVER, now - 5 * HOUR), institution="before")
    world.poll(now, marked(SERVER, now - 50 * MINUTE), institution="within")
    incident = {IntegrationType.SERVER: now - 27 * MINUTE}
    world.fleet = altered(world.fleet, incidents=incident)

    found = rows(world.fleet, now)

    assert [(r.standing.institution.subdomain, r.is_held_back) for r in found] == [
        ("before", False),
        ("within", True),
    ]
    assert summarise(world.fleet, found).held_back == 1
    assert "fleet incident" in next_step(found[1])


def test_times_are_those_of_the_office(world: World) -> None:
    world.watch(office("smiles"), office("kathmandu", "Asia/Kathmandu"))
    now = at("2026-03-03 12:30", "Asia/Kathmandu")

    world.poll(
        now, marked(SERVER, at("2026-03-03 11:00", "Asia/Kathmandu")), institution="kathmandu"
    )

    assert "Overdue since 11:45" in why(row(world, now, "kathmandu"))


def test_the_closure_line_announces_what_it_says(world: World) -> None:
    hostile = "smile-[1]*\N{TOOTH}"
    found = seen(world, f"{TUESDAY} 10:00", marked(SERVER, at("2026-03-02 16:58")), hostile)
    assert found.sync is not None

    line = closure_line(found, found.sync)
    world.configure(f"{STANDARD}closures:\n  {line}\n")

    assert 'days: ["2026-03-03"]' in line
    assert "\N{TOOTH}" in line, "readers of YAML other than ours know no halves of a character"
    assert row(world, at(f"{TUESDAY} 10:05"), hostile).condition == Condition.RESTING


def test_the_closure_line_covers_every_day_missed(world: World) -> None:
    found = seen(world, "2026-03-05 10:00", marked(SERVER, at("2026-03-02 16:58")))
    assert found.sync is not None

    assert 'days: ["2026-03-03..2026-03-05"]' in closure_line(found, found.sync)


def test_the_silence_is_one_shell_command_until_the_office_had_time_to_come_back(
    world: World,
) -> None:
    name = 'O\'Neil "main" \\ $(reboot)\nDB'
    sync = altered(marked(SERVER, at("2026-03-06 08:30")), name=name)
    found = seen(world, "2026-03-06 10:00", sync)
    assert found.sync is not None

    words = shlex.split(silence_command(found, found.sync))

    assert words[:3] == ["amtool", "silence", "add"]
    assert f"--end={rfc3339(at('2026-03-09 08:45'))}" in words
    assert words[-2:] == [
        'institution="smiles"',
        'sync="O\'Neil \\"main\\" \\\\ $(reboot)\\nDB"',
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (8040, "2 h 14 min"),
        (86400 * 3 + 3600 * 4 + 1, "3 d 4 h"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert said == duration(seconds)


def test_instants_are_as_short_as_they_are_clear() -> None:
    now, zone = at(f"{TUESDAY} 15:00"), "America/New_York"

    assert when(at(f"{TUESDAY} 09:05"), zone, now) == "09:05"
    assert when(at("2026-03-02 09:05"), zone, now) == "Mon 09:05"
    assert when(at("2026-02-24 09:05"), zone, now) == "24 Feb 09:05"
    assert when(at("2025-03-01 09:05"), zone, now) == "1 Mar 2025"


def test_the_list_says_it_in_few_words(world: World) -> None:
    found = seen(world, f"{TUESDAY} 12:30", marked(CLOUD, at(f"{TUESDAY} 11:50")))

    assert brief(found) == "Lunch break, since 12:00, back at 13:00"


def test_every_failure_has_words() -> None:
    assert set(FAILURES) == set(POLL_FAILURE_REASONS)


def test_where_one_direction_still_works_the_office_is_not_to_blame(world: World) -> None:
    now = at("2026-03-04 15:00")
    world.poll(now, marked(SERVER, now - 6 * HOUR, write_at=now - MINUTE))

    (row,) = rows(world.fleet, now)

    assert row.is_overdue
    assert next_step(row) == (
        "Writing still works, so the connection to the office is fine: "
        "ask NexHealth why reading stopped."
    )


@pytest.mark.parametrize(
    ("missing", "soon", "late"),
    [
        (Operation.WRITE, "Wait for its first write;", "ask NexHealth why writing never began."),
        (Operation.READ, "Wait for its first read;", "ask NexHealth why reading never began."),
    ],
)
def test_a_direction_that_never_began_has_not_stopped(
    world: World, missing: Operation, soon: str, late: str
) -> None:
    half = {f"{missing}_at": None}

    first = seen(world, "2026-03-02 09:00", altered(marked(SERVER, at("2026-03-02 08:59")), **half))
    assert next_step(first).startswith(soon)
    last = seen(world, f"{TUESDAY} 15:00", altered(marked(SERVER, at(f"{TUESDAY} 14:59")), **half))
    assert last.is_overdue
    assert next_step(last).endswith(late)
