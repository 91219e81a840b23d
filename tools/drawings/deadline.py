"""One afternoon: how an allowance is used up, and when a sync counts as overdue."""

from datetime import datetime
from zoneinfo import ZoneInfo

from drawings.paper import Paper
from nexhealth_exporter.expectation.allowance import allowances
from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import HOUR, Schedule, week_plan
from nexhealth_exporter.model import IntegrationType, Operation, Severity, Source

ZONE = ZoneInfo("America/New_York")
KIND = IntegrationType.CLOUD
FROM, UNTIL = datetime(2026, 3, 17, 11, tzinfo=ZONE), datetime(2026, 3, 17, 17, tzinfo=ZONE)
MARK = datetime(2026, 3, 17, 11, 30, tzinfo=ZONE)
LUNCH = (12 * HOUR, 14 * HOUR)
POLL = 20 * 60
BLIND = datetime(2026, 3, 17, 15, 45, tzinfo=ZONE), datetime(2026, 3, 17, 16, 25, tzinfo=ZONE)

LEFT, RIGHT, WIDTH, HEIGHT = 130.0, 930.0, 960, 300
HOURS, COUNTED, POLLS, AXIS = 62.0, 112.0, 182.0, 246.0


def x(at: float) -> float:
    """From left to right through the afternoon."""
    return LEFT + (RIGHT - LEFT) * (at - FROM.timestamp()) / (UNTIL - FROM).total_seconds()


def clock(at: float) -> str:
    """The time of day at the office."""
    return f"{datetime.fromtimestamp(at, ZONE):%H:%M}"


def deadline() -> str:
    """The drawing."""
    schedule = Schedule("office", (((8 * HOUR, 17 * HOUR),),) * 5 + ((), ()), (LUNCH,))
    plan = week_plan(schedule, KIND)
    expected = Expectation(Source.CONFIGURED, "office", str(ZONE), plan)
    allowed = allowances(KIND, Operation.READ, Source.CONFIGURED, {})[Severity.WARNING]
    due = expected.deadline(MARK.timestamp(), allowed) or 0.0
    polls = [FROM.timestamp() + POLL * i for i in range(19)]
    seen = [at for at in polls if not BLIND[0].timestamp() < at < BLIND[1].timestamp()]
    overdue = next(at for at in seen if at >= due)

    paper = Paper(
        WIDTH,
        HEIGHT,
        f"The last mark at {clock(MARK.timestamp())}, lunch, the deadline at {clock(due)}; polls"
        f" fail around it, so the sync is overdue at {clock(overdue)}.",
    )
    for words, row in (("expected", HOURS), ("counts", COUNTED), ("polls", POLLS)):
        paper.text(16, row + 5, words, "strong")
    _hours(paper, expected, due)
    _polls(paper, polls, seen, due)
    last = f"last mark {clock(MARK.timestamp())}"
    for at, words, colour, kind in (
        (MARK.timestamp(), last, "mark", "middle"),
        (due, f"deadline {clock(due)}", "warning", "end"),
        (overdue, f"overdue {clock(overdue)}", "critical", "middle"),
    ):
        paper.line([(x(at), 36), (x(at), AXIS)], colour, stroke_dasharray="4 3")
        paper.text(x(at), 28, words, "small", kind, colour=colour)
    _axis(paper)
    foot = (
        f"A browser-based sync; its allowance before a ticket is {allowed / HOUR:g} h. The deadline"
        f" is a fact from {clock(MARK.timestamp())} on; being overdue needs a look after it."
    )
    paper.text(LEFT, HEIGHT - 12, foot, "small", "soft")
    return paper.svg()


def _hours(paper: Paper, expected: Expectation, due: float) -> None:
    for segment in expected.segments(FROM.timestamp()):
        begin, end = max(segment.start, FROM.timestamp()), min(segment.end, UNTIL.timestamp())
        if begin >= end:
            break
        if segment.is_expected:
            paper.box(x(begin), HOURS - 14, x(end) - x(begin), 28, "open")
            _counted(paper, max(begin, MARK.timestamp()), min(end, due))
        else:
            paper.text((x(begin) + x(end)) / 2, HOURS + 5, "lunch", "small", "soft", "middle")


def _counted(paper: Paper, begin: float, end: float) -> None:
    if begin >= end:
        return
    paper.box(x(begin), COUNTED - 12, x(end) - x(begin), 24, "warning", fill_opacity="0.35")
    minutes = round((end - begin) / 60)
    words = f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
    paper.text((x(begin) + x(end)) / 2, COUNTED + 5, words, "small", "middle")


def _polls(paper: Paper, polls: list[float], seen: list[float], due: float) -> None:
    for at in polls:
        is_seen = at in seen
        colour = "unknown" if not is_seen else "critical" if at >= due else "mark"
        paper.dot(x(at), POLLS, 6 if is_seen else 4, colour, fill_opacity="1" if is_seen else "0.4")
    fails = f"{len(polls) - len(seen)} polls fail"
    paper.text(x(due) - 8, POLLS + 26, fails, "small", "end", colour="unknown")


def _axis(paper: Paper) -> None:
    paper.line([(LEFT, AXIS), (RIGHT, AXIS)], "soft")
    for hour in range(FROM.hour, UNTIL.hour + 1):
        at = FROM.replace(hour=hour).timestamp()
        paper.text(x(at), AXIS + 18, clock(at), "small", "soft", "middle")
