"""Whole weeks of single offices as promtool stories: `python -m tests.alerts.weeks` writes them.

The deadlines come from the exporter's own core; when an alert must fire is written down by hand.
Offices come 15 minutes after their hours begin and leave 15 minutes before they end.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from nexhealth_exporter.expectation.allowance import allowances
from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import DAY, HOUR, Schedule, Window, week_plan
from nexhealth_exporter.model import IntegrationType, Operation, Severity, Source

STORIES = Path(__file__).parents[2] / "alerts" / "tests"
STEP, SLACK = 300, 900
NEW_YORK, CHICAGO = "America/New_York", "America/Chicago"

Span = tuple[str, str]
"""From and until, local wall time as "2026-03-02 11:30"."""

_DAY: tuple[Window, ...] = ((8 * HOUR, 17 * HOUR),)
_ROUND_THE_CLOCK: tuple[Window, ...] = ((0, DAY),)
OFF_AT_NIGHT = (((7 * HOUR, 19 * HOUR),),) * 7
OFF_AT_WEEKENDS = (_ROUND_THE_CLOCK,) * 5 + ((), ())
WORKDAYS = (_DAY,) * 5 + ((), ())
ALWAYS_ON = (_ROUND_THE_CLOCK,) * 7
LUNCH: tuple[Window, ...] = ((12 * HOUR, 13 * HOUR),)


@dataclass(frozen=True)
class Story:
    """One office from a local midnight on; `firing` is when its alerts must fire, and only then."""

    name: str
    text: str
    first: date
    kind: IntegrationType
    windows: tuple[tuple[Window, ...], ...]
    zone: str = NEW_YORK
    days: int = 8
    lunch: tuple[Window, ...] = ()
    holidays: tuple[str, ...] = ()
    closures: tuple[tuple[date, date], ...] = ()
    outages: Sequence[Span] = ()
    firing: Mapping[Severity, Span] = field(default_factory=dict)

    @property
    def alert(self) -> str:
        """The name of the alert that concerns it."""
        server = self.kind is IntegrationType.SERVER
        return f"NexHealth{'Server' if server else 'Cloud'}SyncOverdue"

    @property
    def start(self) -> float:
        """The local midnight at which the story begins, as an instant."""
        return self.instant(f"{self.first} 00:00")

    def instant(self, wall: str) -> float:
        """The instant of a local wall time."""
        return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(self.zone)).timestamp()

    def expectation(self) -> Expectation:
        """When it is expected to run."""
        schedule = Schedule("story", self.windows, self.lunch)
        days = week_plan(schedule, self.kind)
        closures = self.closures
        return Expectation(
            Source.CONFIGURED, "story", self.zone, days, holidays=self.holidays, closures=closures
        )


SERVER, CLOUD = IntegrationType.SERVER, IntegrationType.CLOUD
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL

ALL = (
    Story(
        "week_of_a_server_that_is_off_at_night",
        "Its lag is twelve hours every morning, and nothing fires.",
        date(2026, 3, 16),
        SERVER,
        OFF_AT_NIGHT,
    ),
    Story(
        "week_of_a_server_that_is_off_at_weekends",
        "Its lag is two days on Monday, and nothing fires.",
        date(2026, 3, 16),
        SERVER,
        OFF_AT_WEEKENDS,
        zone=CHICAGO,
    ),
    Story(
        "week_of_a_cloud_office_with_lunch",
        "Nobody works over lunch, at night and at the weekend, and nothing fires.",
        date(2026, 3, 16),
        CLOUD,
        WORKDAYS,
        lunch=LUNCH,
    ),
    Story(
        "week_with_thanksgiving",
        "The office rests from Wednesday 17:00 to Friday 8:00, and nothing fires.",
        date(2026, 11, 23),
        CLOUD,
        WORKDAYS,
        lunch=LUNCH,
        holidays=("US",),
    ),
    Story(
        "week_of_vacation",
        "A closure over the whole working week, and nothing fires.",
        date(2026, 7, 11),
        CLOUD,
        WORKDAYS,
        days=10,
        closures=((date(2026, 7, 13), date(2026, 7, 17)),),
    ),
    Story(
        "week_in_which_summer_time_begins",
        "The night of Sunday, 8 March, lacks an hour, and nothing fires.",
        date(2026, 3, 6),
        SERVER,
        OFF_AT_NIGHT,
    ),
    Story(
        "week_in_which_summer_time_ends",
        "The night of Sunday, 1 November, has an hour twice, and nothing fires.",
        date(2026, 10, 30),
        SERVER,
        OFF_AT_NIGHT,
    ),
    Story(
        "outage_that_begins_before_lunch",
        "Half an hour before lunch and two after it make the ticket; the page comes next morning.",
        date(2026, 3, 16),
        CLOUD,
        WORKDAYS,
        lunch=LUNCH,
        outages=[("2026-03-17 11:30", "2026-03-18 13:00")],
        firing={
            WARNING: ("2026-03-17 15:00", "2026-03-18 13:15"),
            CRITICAL: ("2026-03-18 09:30", "2026-03-18 13:15"),
        },
    ),
    Story(
        "outage_that_begins_on_friday_evening",
        "Fifteen open minutes on Friday, thirty on Monday: no ticket before Monday 8:30.",
        date(2026, 3, 18),
        SERVER,
        WORKDAYS,
        zone=CHICAGO,
        outages=[("2026-03-20 16:45", "2026-03-23 14:00")],
        firing={
            WARNING: ("2026-03-23 08:30", "2026-03-23 14:15"),
            CRITICAL: ("2026-03-23 11:45", "2026-03-23 14:15"),
        },
    ),
    Story(
        "outage_over_the_change_to_summer_time",
        "The same when an hour is lacking in between: local time decides.",
        date(2026, 3, 4),
        SERVER,
        WORKDAYS,
        zone=CHICAGO,
        outages=[("2026-03-06 16:45", "2026-03-09 14:00")],
        firing={
            WARNING: ("2026-03-09 08:30", "2026-03-09 14:15"),
            CRITICAL: ("2026-03-09 11:45", "2026-03-09 14:15"),
        },
    ),
    Story(
        "outage_that_begins_during_a_holiday",
        "The office rests on Thanksgiving and does not come back on Friday.",
        date(2026, 11, 23),
        SERVER,
        WORKDAYS,
        holidays=("US",),
        outages=[("2026-11-26 12:00", "2026-11-27 15:00")],
        firing={
            WARNING: ("2026-11-27 08:30", "2026-11-27 15:15"),
            CRITICAL: ("2026-11-27 11:45", "2026-11-27 15:15"),
        },
    ),
    Story(
        "outage_of_a_server_that_is_always_on_during_a_holiday",
        "It runs on holidays too, so 45 minutes make a ticket and 4 hours a page.",
        date(2026, 11, 23),
        SERVER,
        ALWAYS_ON,
        outages=[("2026-11-26 12:00", "2026-11-26 20:00")],
        firing={
            WARNING: ("2026-11-26 12:45", "2026-11-26 20:15"),
            CRITICAL: ("2026-11-26 16:00", "2026-11-26 20:15"),
        },
    ),
)


def runs(story: Story, expectation: Expectation, now: float) -> bool:
    """Whether the office's sync really refreshes then."""
    if any(story.instant(a) < now <= story.instant(b) for a, b in story.outages):
        return False
    segment = expectation.at(now)
    if not segment.is_expected:
        return False
    always = segment.end - segment.start > DAY
    return always or segment.start + SLACK <= now < segment.end - SLACK


def series(story: Story) -> Iterator[tuple[str, list[int]]]:
    """Labels and samples of every series, in seconds since the story's start."""
    expectation = story.expectation()
    allowed = allowances(story.kind, Operation.READ, Source.CONFIGURED, {})
    times = [story.start + STEP * i for i in range(story.days * DAY // STEP)]
    last, marks = next(t for t in times if runs(story, expectation, t)), []
    for now in times:
        last = now if runs(story, expectation, now) else last
        marks.append(min(last, now))
    yield (
        'nexhealth_institution_last_poll_timestamp_seconds{institution="office"}',
        [int(now - story.start) for now in times],
    )
    key = f'institution="office",sync="main",integration_type="{story.kind}"'
    for severity, seconds in allowed.items():
        yield (
            f'nexhealth_sync_read_deadline_timestamp_seconds{{{key},severity="{severity}"}}',
            [int((expectation.deadline(m, seconds) or 0) - story.start) for m in marks],
        )


def notation(samples: Sequence[int]) -> str:
    """The samples in promtool's notation: `a+bxn` for each run in equal steps."""
    runs_: list[str] = []
    i = 0
    while i < len(samples):
        step = samples[i + 1] - samples[i] if i + 1 < len(samples) else 0
        n = i
        while n + 1 < len(samples) and samples[n + 1] - samples[n] == step:
            n += 1
        runs_.append(f"{samples[i]}{step:+d}x{n - i}")
        i = n + 1
    return " ".join(runs_)


def assertions(story: Story) -> Iterator[str]:
    """What must fire, at 33 minutes past every hour but those in which that just changes."""
    edges = [story.instant(wall) for span in story.firing.values() for wall in span]
    for hour in range(story.days * 24):
        at = story.start + hour * HOUR + 1980
        if any(0 <= at - edge < SLACK for edge in edges):
            continue
        firing = [
            severity
            for severity, (begin, end) in story.firing.items()
            if story.instant(begin) < at < story.instant(end)
        ]
        wall = datetime.fromtimestamp(at, ZoneInfo(story.zone)).strftime("%a %H:%M")
        samples = ", ".join(
            f'{{labels: \'{{alertname="{story.alert}",severity="{severity}"}}\', value: 1}}'
            for severity in firing
        )
        yield (
            f"      - {{expr: *firing, eval_time: {hour * 60 + 33}m, exp_samples: [{samples}]}}"
            f"  # {wall}\n"
        )


def written(story: Story) -> str:
    """The story as a file for promtool."""
    begins = story.first.strftime("%A, %d %B %Y")
    inputs = "".join(
        f"      - series: '{name}'\n        values: '{notation(samples)}'\n"
        for name, samples in series(story)
    )
    return (
        f"# {story.text}\n"
        f"# Begins on {begins}, 0:00 in {story.zone}. Written by tests/alerts/weeks.py.\n"
        "rule_files: [../syncs.yaml]\n"
        "evaluation_interval: 15m\n"
        "tests:\n"
        "  - interval: 5m\n"
        f"    input_series:\n{inputs}"
        "    promql_expr_test:\n"
        "      - expr: &firing count by (alertname, severity)"
        ' (ALERTS{alertname=~".*Overdue",alertstate="firing"})\n'
        "        eval_time: 0m\n"
        "        exp_samples: []\n"
        f"{''.join(assertions(story))}"
    )


def main() -> None:
    """Write every story."""
    for story in ALL:
        (STORIES / f"{story.name}.yaml").write_text(written(story))


if __name__ == "__main__":
    main()
