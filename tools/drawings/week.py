"""Lag and unexpected lag over six days in which a server stops on a Friday afternoon."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from drawings.paper import Paper
from nexhealth_exporter.expectation.allowance import allowances
from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import HOUR, Schedule, week_plan
from nexhealth_exporter.model import IntegrationType, Operation, Severity, Source

ZONE = ZoneInfo("America/New_York")
FIRST, DAYS, STEP = datetime(2026, 3, 12, tzinfo=ZONE), 6, 300
STOPPED = datetime(2026, 3, 13, 15, 30, tzinfo=ZONE)
REPAIRED = datetime(2026, 3, 16, 13, tzinfo=ZONE)
PLAIN = 20 * 60
KIND = IntegrationType.SERVER

LEFT, RIGHT, WIDTH, HEIGHT = 190.0, 940.0, 960, 505
LAG, UNEXPECTED = (40.0, 170.0, 72.0), (210.0, 340.0, 7.0)
"""Top and foot of a panel, and how many hours it is high."""
STRIPS = {"lag > 20 min alone": 388.0, "our ticket (warning)": 418.0, "our page (critical)": 448.0}


def expectation() -> Expectation:
    """Monday to Friday from 8 to 17, as a configured server."""
    hours = ((8 * HOUR, 17 * HOUR),)
    schedule = Schedule("office", (hours,) * 5 + ((), ()), ())
    return Expectation(Source.CONFIGURED, "office", str(ZONE), week_plan(schedule, KIND))


def mark(expected: Expectation, now: float) -> float:
    """When the sync last moved: with every step in its hours, but for the outage."""
    if STOPPED.timestamp() < now < REPAIRED.timestamp():
        return STOPPED.timestamp()
    segment = expected.at(now)
    return now if segment.is_expected else segment.start


def x(now: float) -> float:
    """From left to right through the days."""
    start = FIRST.timestamp()
    return LEFT + (RIGHT - LEFT) * (now - start) / (DAYS * 24 * HOUR)


def y(panel: tuple[float, float, float], seconds: float) -> float:
    """The height of a duration in a panel."""
    top, foot, hours = panel
    return foot - (foot - top) * seconds / HOUR / hours


def stretches(holds: list[tuple[float, bool]]) -> list[tuple[float, float]]:
    """From and until, for each run of instants at which it holds."""
    found: list[tuple[float, float]] = []
    for now, is_so in holds:
        if is_so and found and found[-1][1] == now:
            found[-1] = (found[-1][0], now + STEP)
        elif is_so:
            found.append((now, now + STEP))
    return found


def clock(at: float) -> str:
    """An instant as people at the office say it."""
    return f"{datetime.fromtimestamp(at, ZONE):%a %H:%M}"


def week() -> str:
    """The drawing."""
    paper = Paper(
        WIDTH,
        HEIGHT,
        "A server that is off at night and at weekends stops on Friday at 15:30. Its lag alone"
        " exceeds 20 minutes every night; its unexpected lag grows in open hours only.",
    )
    expected = expectation()
    allowed = allowances(KIND, Operation.READ, Source.CONFIGURED, {})
    start = FIRST.timestamp()
    instants = [start + STEP * i for i in range(DAYS * 24 * HOUR // STEP + 1)]
    marks = {now: mark(expected, now) for now in instants}
    deadlines = {s: expected.deadline(STOPPED.timestamp(), allowed[s]) or 0.0 for s in allowed}

    _days(paper, expected)
    lags = [(x(now), y(LAG, now - marks[now])) for now in instants]
    unexpected = {now: expected.unexpected(marks[now], now) for now in instants}
    _panel(paper, LAG, "lag", 24)
    paper.line(lags, "plain", stroke_width="2")
    _panel(paper, UNEXPECTED, "unexpected lag", 2)
    for severity, colour in ((Severity.WARNING, "warning"), (Severity.CRITICAL, "critical")):
        level, at = y(UNEXPECTED, allowed[severity]), deadlines[severity]
        paper.line([(LEFT, level), (RIGHT, level)], colour, stroke_dasharray="5 4")
        hours = f"allowance: {allowed[severity] / HOUR:g} h".replace("0.75 h", "45 min")
        paper.text(LEFT + 6, level - 5, hours, "small", colour=colour)
        paper.line([(x(at), level), (x(at), STRIPS["our page (critical)"] + 12)], colour)
    paper.line([(x(n), y(UNEXPECTED, unexpected[n])) for n in instants], "mark", stroke_width="2")

    _strips(paper, marks, deadlines)
    for severity, colour in ((Severity.WARNING, "warning"), (Severity.CRITICAL, "critical")):
        at = deadlines[severity]
        paper.dot(x(at), y(UNEXPECTED, allowed[severity]), 4, colour)
        nudge, kind = (-6.0, "end") if severity is Severity.WARNING else (6.0, "small")
        paper.text(x(at) + nudge, 376, f"deadline {clock(at)}", "small", kind, colour=colour)
    _outage(paper)
    foot = "Shaded: hours in which the sync is expected to run."
    paper.text(LEFT, HEIGHT - 8, foot, "small", "soft")
    return paper.svg()


def _days(paper: Paper, expected: Expectation) -> None:
    end = (FIRST + timedelta(days=DAYS)).timestamp()
    for segment in expected.segments(FIRST.timestamp()):
        if segment.start >= end:
            break
        if segment.is_expected:
            left = x(max(segment.start, FIRST.timestamp()))
            paper.box(left, 32, x(min(segment.end, end)) - left, 430, "open")
    for day in range(DAYS):
        noon = FIRST + timedelta(days=day, hours=12)
        paper.text(x(noon.timestamp()), HEIGHT - 28, f"{noon:%A}", "small", "soft", "middle")


def _panel(paper: Paper, panel: tuple[float, float, float], words: str, every: int) -> None:
    top, foot, hours = panel
    paper.text(16, (top + foot) / 2, words, "strong")
    for hour in range(0, int(hours) + 1, every):
        level = y(panel, hour * HOUR)
        paper.line([(LEFT, level), (RIGHT, level)], "line")
        paper.text(LEFT - 12, level + 4, f"{hour} h", "small", "soft", "end")


def _strips(paper: Paper, marks: dict[float, float], deadlines: dict[Severity, float]) -> None:
    """When a plain rule, our tickets and our pages would alert; `marks` by instant."""
    overdue = {
        severity: [(now, at <= now < REPAIRED.timestamp()) for now in marks]
        for severity, at in deadlines.items()
    }
    rows = (
        ([(now, now - mark > PLAIN) for now, mark in marks.items()], "plain"),
        (overdue[Severity.WARNING], "warning"),
        (overdue[Severity.CRITICAL], "critical"),
    )
    for (words, top), (holds, colour) in zip(STRIPS.items(), rows, strict=True):
        paper.text(LEFT - 12, top + 5, words, "small", "end")
        paper.line([(LEFT, top), (RIGHT, top)], "line")
        for begin, end in stretches(holds[:-1]):
            paper.box(x(begin), top - 6, x(end) - x(begin), 12, colour)


def _outage(paper: Paper) -> None:
    for when, words in ((STOPPED, "stops"), (REPAIRED, "is repaired")):
        at = when.timestamp()
        paper.line([(x(at), 32), (x(at), UNEXPECTED[1])], "soft", stroke_dasharray="2 3")
        paper.text(x(at), 26, f"{words} {clock(at)}", "small", "middle")
