"""The week as a picture: expected hours, observed activity, unexpected lag, marks, deadlines.

Geometry only; the template draws it. One row for each local day, midnight to midnight on
the clock of the office, so a day on which clocks change is still one row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.expectation import Expectation, Segment
from nexhealth_exporter.expectation.learned import Learned
from nexhealth_exporter.expectation.slots import SLOT, SLOTS
from nexhealth_exporter.fleet import SyncStanding
from nexhealth_exporter.formatting import clock
from nexhealth_exporter.model import Operation, Reason, Severity
from nexhealth_exporter.report.row import CALM, Row
from nexhealth_exporter.report.story import REASONS

DAYS_BEFORE, DAYS_AFTER = 3, 3
LEFT, TOP, WIDTH = 108.0, 34.0, 720.0
ROW, GAP = 30.0, 8.0
RIGHT, BOTTOM = 14.0, 4.0
_DAY = 86400.0
_EPOCH = date(1970, 1, 1)
_STRIP = 9.0
"""The height of the activity strip, at the bottom of a row."""
_STRIP_GAP = 1.0
_LABEL_WIDTH = 64.0
"""The least width of a bar that carries a word."""
_WORDS = REASONS | {Reason.CLOSED: ""}
"""What is written into a rest. Nights stay blank: that is what a night looks like."""


class Bar(NamedTuple):
    """A stretch of one day; `kind` is expected, half, rest or unexpected. `word` stands inside."""

    kind: str
    x: float
    y: float
    width: float
    word: str


class Point(NamedTuple):
    """An instant in the picture; `kind` is now, read, write, warning or critical."""

    kind: str
    x: float
    y: float


class Strip(NamedTuple):
    """Activity at the bottom of a row; `kind` is moved (seen to move) or usual (often moves then).

    `height` is proportional to the share of past weeks with activity.
    """

    kind: str
    x: float
    y: float
    width: float
    height: float


class Day(NamedTuple):
    """A row: its label, where it is, and its hours in words."""

    label: str
    month: str
    y: float
    is_today: bool
    hours: str


@dataclass(frozen=True, slots=True)
class Week:
    """Everything to draw, in units of the picture."""

    width: float
    height: float
    days: tuple[Day, ...]
    bars: tuple[Bar, ...]
    points: tuple[Point, ...]
    activity: tuple[Strip, ...]
    hours: tuple[tuple[str, float], ...]
    row: float = ROW
    top: float = TOP
    left: float = LEFT

    def has(self, kind: str) -> bool:
        """Whether anything of that kind is drawn, so that the legend names it."""
        kinds = {bar.kind for bar in self.bars} | {point.kind for point in self.points}
        return kind in kinds | {strip.kind for strip in self.activity}


def week(row: Row, sync: SyncStanding) -> Week:
    """The picture of a sync: three days back, today, three days ahead."""
    frame = _Frame(sync.expectation, row.now)
    return Week(
        width=LEFT + WIDTH + RIGHT,
        height=TOP + len(frame.dates) * (ROW + GAP) + BOTTOM,
        days=tuple(frame.days()),
        bars=(*frame.hours(), *frame.unexpected(_silent_since(row, sync), row.now)),
        points=tuple(frame.points(_instants(row, sync))),
        activity=(*frame.moved(sync.learned), *frame.usual(sync.learned)),
        hours=tuple((f"{hour:02}", frame.x(hour * 3600.0)) for hour in range(0, 25, 3)),
    )


def _silent_since(row: Row, sync: SyncStanding) -> float | None:
    """The mark from which the shown unexpected lag counts: that of the direction that decides."""
    if row.condition in CALM or not (sync.read.deadline or sync.write.deadline):
        return None
    deciding = next(
        (j for j in sync.judgements if row.due in j.deadline.values()), sync.judgements[0]
    )
    return deciding.anchor


def _instants(row: Row, sync: SyncStanding) -> Iterator[tuple[str, float]]:
    """The points to draw, in that order: fresh marks lie close to now and are drawn above it."""
    yield "now", row.now
    for operation in Operation:
        mark = sync.judgement(operation).mark
        if mark is not None:
            yield operation.value, mark
    for severity in Severity:
        due = None if row.condition in CALM else row.deadline(severity)
        if due is not None:
            yield severity.value, due


class _Frame:
    """Where instants lie in the picture."""

    def __init__(self, expectation: Expectation, now: float) -> None:
        self._expectation = expectation
        self._zone = ZoneInfo(expectation.timezone)
        self._now = self._local(now)
        today = self._now.date()
        self._today = today
        self.dates = tuple(
            today + timedelta(days=offset) for offset in range(-DAYS_BEFORE, DAYS_AFTER + 1)
        )
        self._start = self._midnight(self.dates[0])
        self._end = self._midnight(self.dates[-1] + timedelta(days=1))

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, self._zone)

    def _midnight(self, day: date) -> float:
        return datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp()

    def x(self, second: float) -> float:
        """Where a second of the local day lies."""
        return round(LEFT + WIDTH * second / _DAY, 2)

    def _y(self, day: date) -> float:
        return TOP + (day - self.dates[0]).days * (ROW + GAP)

    def _segments(self, start: float, end: float) -> Iterator[Segment]:
        """Segments cut to that span; none reaches over a local midnight."""
        for segment in self._expectation.segments(start):
            if segment.start >= end:
                return
            yield altered(segment, start=max(segment.start, start), end=min(segment.end, end))

    def _placed(self, segment: Segment) -> tuple[date, float, float]:
        """Its day, and from where to where on the clock it reaches."""
        begin = self._local(segment.start)
        second = begin.hour * 3600.0 + begin.minute * 60 + begin.second
        return begin.date(), second, min(second + segment.end - segment.start, _DAY)

    def days(self) -> Iterator[Day]:
        """The rows with their labels."""
        for day in self.dates:
            label = f"{day:%a} {day.day}"
            yield Day(label, f"{day:%b}", self._y(day), day == self._today, self._said(day))

    def _said(self, day: date) -> str:
        start, end = self._midnight(day), self._midnight(day + timedelta(days=1))
        spans: list[list[float]] = []
        for segment in self._segments(start, end):
            if not segment.is_open:
                continue
            if spans and spans[-1][1] == segment.start:
                spans[-1][1] = segment.end
            else:
                spans.append([segment.start, segment.end])
        zone = self._expectation.timezone
        if spans == [[start, end]]:
            return "all day"
        return ", ".join(f"{clock(a, zone)} to {clock(b, zone)}" for a, b in spans) or "closed"

    def hours(self) -> Iterator[Bar]:
        """Expected hours and rests, neighbours of one kind joined."""
        joined: Bar | None = None
        for segment in self._segments(self._start, self._end):
            day, begin, end = self._placed(segment)
            x, width = self.x(begin), (end - begin) / _DAY * WIDTH
            kind = "rest" if not segment.is_open else "expected" if segment.value == 1 else "half"
            word = _WORDS[segment.reason] if segment.reason and kind == "rest" else ""
            y = self._y(day)
            if joined and joined.kind == kind and joined.y == y and joined.word == word:
                joined = joined._replace(width=x + width - joined.x)
                continue
            if joined:
                yield _worded(joined)
            joined = Bar(kind, x, y, width, word)
        if joined:
            yield _worded(joined)

    def unexpected(self, since: float | None, now: float) -> Iterator[Bar]:
        """Unexpected lag: the expected time between the mark and now."""
        if since is None or since >= now:
            return
        for segment in self._segments(max(since, self._start), now):
            if segment.value > 0:
                day, begin, end = self._placed(segment)
                yield Bar(
                    "unexpected", self.x(begin), self._y(day), (end - begin) / _DAY * WIDTH, ""
                )

    def points(self, instants: Iterator[tuple[str, float]]) -> Iterator[Point]:
        """Those instants that lie within the picture."""
        for kind, at in instants:
            if self._start <= at < self._end:
                day, begin, _ = self._placed(Segment(at, at, 0.0, None))
                yield Point(kind, self.x(begin), self._y(day))

    def moved(self, learned: Learned) -> Iterator[Strip]:
        """When it was seen to move, until today."""
        record = learned.record
        for day in self.dates[: DAYS_BEFORE + 1]:
            first = (day - _EPOCH).days * SLOTS - record.base
            if first < 0:
                continue
            moves = [record.active >> (first + slot) & 1 for slot in range(SLOTS)]
            for is_moving, run in groupby(range(SLOTS), moves.__getitem__):
                slots = list(run)
                if is_moving:
                    end = min((slots[-1] + 1) * SLOT, self._passed(day))
                    yield self._strip("moved", day, slots[0] * SLOT, end)

    def usual(self, learned: Learned) -> Iterator[Strip]:
        """In which hours of the days ahead it usually moves; nothing while that is not known."""
        activity = b"" if learned.pattern is None else learned.pattern.week.activity
        for day in self.dates[DAYS_BEFORE + 1 :]:
            hours = activity[day.weekday() * 24 : (day.weekday() + 1) * 24]
            for hour, percent in enumerate(hours):
                if percent:
                    begin = hour * 3600
                    yield self._strip("usual", day, begin, begin + 3600, percent / 100)

    def _passed(self, day: date) -> float:
        """How many seconds of that day's clock are over."""
        if day < self._today:
            return _DAY
        return self._now.hour * 3600.0 + self._now.minute * 60 + self._now.second

    def _strip(self, kind: str, day: date, begin: float, end: float, share: float = 1.0) -> Strip:
        height = share * _STRIP
        # A slot that has only just begun would be narrower than the gap between strips.
        width = max((end - begin) / _DAY * WIDTH - _STRIP_GAP, _STRIP_GAP)
        return Strip(kind, self.x(begin), self._y(day) + ROW - height, width, height)


def _worded(bar: Bar) -> Bar:
    """The same bar, its word left out where it would not fit."""
    width = round(bar.width, 2)
    return bar._replace(width=width, word=bar.word if width >= _LABEL_WIDTH else "")
