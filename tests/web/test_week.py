"""The picture of the week: what is drawn where."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from nexhealth_exporter.report.row import rows
from nexhealth_exporter.web.week import LEFT, WIDTH, Bar, Week, week
from tests.expectation.conftest import at
from tests.fleet.conftest import CLOUD, SERVER, World, marked, office

HOURS = """
schedules:
  own: {hours: {mon-fri: "08:00-17:00"}, lunch: "12:00-13:00", holidays: [US]}
institutions:
  - {match: {}, schedule: own}
"""


def drawn(world: World, now: str, mark: str, zone: str = "America/New_York") -> Week:
    world.watch(office("smiles", zone))
    world.configure(HOURS)
    world.poll(at(now, zone), marked(CLOUD, at(mark, zone)))
    found = rows(world.fleet, at(now, zone))[0]
    assert found.sync is not None
    return week(found, found.sync)


def clock(x: float) -> float:
    """The hour of the day at that place."""
    return round((x - LEFT) / WIDTH * 24, 2)


def spans(bars: list[Bar]) -> list[tuple[float, float]]:
    return [(clock(bar.x), clock(bar.x + bar.width)) for bar in bars]


def on(picture: Week, label: str, kind: str) -> list[tuple[float, float]]:
    day = next(day for day in picture.days if day.label == label)
    return spans([b for b in picture.bars if b.y == day.y and b.kind == kind])


def test_expected_hours_rests_and_unexpected_lag(world: World) -> None:
    picture = drawn(world, "2026-03-04 14:00", "2026-03-03 16:00")

    assert [day.label for day in picture.days] == [
        "Sun 1", "Mon 2", "Tue 3", "Wed 4", "Thu 5", "Fri 6", "Sat 7",
    ]  # fmt: skip
    assert [day.label for day in picture.days if day.is_today] == ["Wed 4"]
    assert on(picture, "Mon 2", "expected") == [(8, 12), (13, 17)]
    assert on(picture, "Sun 1", "rest") == [(0, 24)]
    assert on(picture, "Tue 3", "unexpected") == [(16, 17)]
    assert on(picture, "Wed 4", "unexpected") == [(8, 12), (13, 14)]
    assert on(picture, "Thu 5", "unexpected") == []
    assert {bar.word for bar in picture.bars} == {"", "weekend"}
    assert {p.kind: clock(p.x) for p in picture.points} == {
        "read": 16, "write": 16, "warning": 9.5, "critical": 14.0, "now": 14,
    }  # fmt: skip


def test_the_hours_are_told_in_words_too(world: World) -> None:
    hours = {d.label: d.hours for d in drawn(world, "2026-03-04 14:00", "2026-03-04 13:50").days}

    assert hours["Sun 1"] == "closed"
    assert hours["Mon 2"] == "08:00 to 12:00, 13:00 to 17:00"


@pytest.mark.parametrize(
    ("now", "changed"), [("2026-03-09 14:00", "Sun 8"), ("2026-11-02 14:00", "Sun 1")]
)
def test_days_on_which_clocks_change_are_rows_like_others(
    world: World, now: str, changed: str
) -> None:
    picture = drawn(world, now, now)

    assert len(picture.days) == 7
    assert on(picture, changed, "rest")[-1][1] == 24
    for day in picture.days:
        if day.hours != "closed":
            assert on(picture, day.label, "expected") == [(8, 12), (13, 17)]
    assert all(LEFT <= b.x <= b.x + b.width <= LEFT + WIDTH + 0.01 for b in picture.bars)


def test_activity_is_drawn_as_it_was_and_ahead_as_it_usually_is(world: World) -> None:
    start, now = at("2026-02-09 00:00"), at("2026-03-04 10:21")
    mark = start
    for poll in range(int(start), int(now), 1200):
        local = datetime.fromtimestamp(poll, ZoneInfo("America/New_York"))
        mark = poll if local.weekday() < 5 and 8 <= local.hour < 12 else mark
        world.poll(poll, marked(SERVER, mark))
    found = rows(world.fleet, now)[0]
    assert found.sync is not None

    picture = week(found, found.sync)

    assert {
        (day.label, strip.kind, clock(strip.x), round(clock(strip.x + strip.width + 1), 2))
        for day in picture.days
        for strip in picture.activity
        if strip.y + strip.height == pytest.approx(day.y + picture.row)
    } == {
        ("Mon 2", "moved", 8, 12),
        ("Tue 3", "moved", 8, 12),
        ("Wed 4", "moved", 8, 10.35),
        *((day, "usual", hour, hour + 1) for day in ("Thu 5", "Fri 6") for hour in range(8, 12)),
    }
    assert picture.has("moved")
    assert picture.has("usual")


def test_where_nothing_is_wrong_nothing_alarms(world: World) -> None:
    picture = drawn(world, "2026-03-04 12:30", "2026-03-04 11:50")

    assert {point.kind for point in picture.points} == {"now", "read", "write"}
    assert not picture.has("unexpected")


def test_a_sync_that_is_not_judged_has_no_unexpected_lag(world: World) -> None:
    now = at("2026-03-04 14:00")
    world.poll(now, marked(SERVER, now - 90 * 86400))
    found = rows(world.fleet, now)[0]
    assert found.sync is not None

    assert not week(found, found.sync).has("unexpected")


@pytest.mark.parametrize("second", [0, 30, 119, 120])
def test_what_has_moved_just_now_is_drawn_with_a_width(world: World, second: int) -> None:
    now = f"2026-03-04 14:{second // 60:02}:{second % 60:02}"
    picture = drawn(world, now, "2026-03-04 14:00")

    (moved,) = [strip for strip in picture.activity if strip.kind == "moved"]
    assert clock(moved.x) == 14
    assert moved.width > 0
