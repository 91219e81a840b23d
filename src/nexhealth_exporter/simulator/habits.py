"""When the marks of a sync can move, given who is at the office: servers, browsers, batches.

A habit turns one local day of a site into spans, separately for reads and writes. Time is divided
into cells of equal length; within a span, each cell holds a mark with the span's chance.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import exp
from typing import NamedTuple, Protocol

from nexhealth_exporter.simulator.draws import sixteen
from nexhealth_exporter.simulator.site import Site, Why
from nexhealth_exporter.simulator.wallclock import instant, midnight

_MINUTE = 60.0
_HOUR = 3600.0

_MORNING = 480.0
"""Local minutes at which a browser that was left open is closed."""

_CHECKS_IN = 0.97
"""Chance that a browser which nobody uses checks in within a cell."""


class Span(NamedTuple):
    """A stretch of time (POSIX seconds), and the chance of a mark in each of its cells."""

    start: float
    end: float
    chance: float = 1.0


Spans = tuple[Span, ...]


class Habit(Protocol):
    """How the marks of a sync follow the people of its site."""

    @property
    def read_cell(self) -> float:
        """Seconds of a cell of reads."""

    @property
    def write_cell(self) -> float:
        """Seconds of a cell of writes."""

    def spans(self, site: Site, seed: int, day: int) -> tuple[Spans, Spans]:
        """Spans of reads and of writes that begin on that local day, in order."""


def without(spans: Spans, start: float, end: float) -> Spans:
    """The spans less the time between two instants."""
    cut: list[Span] = []
    for span in spans:
        if span.end <= start or end <= span.start:
            cut.append(span)
            continue
        if span.start < start:
            cut.append(span._replace(end=start))
        if end < span.end:
            cut.append(span._replace(start=end))
    return tuple(cut)


class Power(StrEnum):
    """When the office keeps its server switched on."""

    ALWAYS = "always"
    NIGHTS_OFF = "nights-off"
    WEEKENDS_OFF = "weekends-off"
    """Switched off before every day on which nobody plans to work."""


class Backup(NamedTuple):
    """A nightly job during which the server does not sync."""

    minute: float
    """Local minutes after midnight."""
    minutes: float
    chance: float = 1.0
    """Chance to run, for each night."""
    reads_only: bool = True


class Reboot(NamedTuple):
    """A restart of the server at a fixed time of the week."""

    weekday: int
    """0 is Monday."""
    minute: float
    minutes: float


@dataclass(frozen=True, slots=True)
class Server:
    """A sync on a machine in the office, which runs while the machine is on."""

    power: Power = Power.NIGHTS_OFF
    lead: float = 15.0
    """Minutes from switching on until opening."""
    trail: float = 15.0
    """Minutes from closing until switching off."""
    left_on: float = 0.03
    """Chance per night that nobody switches the machine off."""
    backup: Backup | None = None
    reboot: Reboot | None = None
    stray_reboot: float = 0.01
    """Chance per day that the machine is down for 15 to 50 minutes."""
    stray_minutes: tuple[float, float] = (450.0, 630.0)
    """Local minutes after midnight between which such a restart begins."""
    read_cell: float = 600.0
    write_cell: float = 300.0

    def spans(self, site: Site, seed: int, day: int) -> tuple[Spans, Spans]:
        """While the machine is on, except during backups and reboots."""
        draw = sixteen(seed, "server", day)
        on = self._on(site, day, draw)
        zone = site.timezone
        if draw[1] < self.stray_reboot:
            earliest, latest = self.stray_minutes
            down = instant(zone, day, earliest + (latest - earliest) * draw[2])
            on = without(on, down, down + _MINUTE * (15 + 35 * draw[3]))
        if self.reboot is not None and (day + 6) % 7 == self.reboot.weekday:
            down = instant(zone, day, self.reboot.minute)
            on = without(on, down, down + _MINUTE * self.reboot.minutes)
        backup = self.backup
        if backup is None or draw[4] >= backup.chance:
            return on, on
        begin = instant(zone, day, backup.minute + 10 * draw[5])
        saved = without(on, begin, begin + _MINUTE * backup.minutes * (0.8 + 0.4 * draw[6]))
        return saved, on if backup.reads_only else saved

    def _on(self, site: Site, day: int, draw: list[float]) -> Spans:
        begin, end = midnight(site.timezone, day), midnight(site.timezone, day + 1)
        if self.power is Power.ALWAYS:
            return (Span(begin, end),)
        people = site.day(day).open
        if people:
            start = people[0][0] - _MINUTE * self.lead
            stop = people[-1][1] + _MINUTE * self.trail
            if self.power is Power.WEEKENDS_OFF:
                start = begin if _runs_overnight(site, day - 1) else start
                stop = end if _runs_overnight(site, day) else stop
            elif draw[0] < self.left_on:
                stop = max(stop, end + _HOUR * 8)
            return (Span(start, stop),)
        kept_on = self.power is Power.WEEKENDS_OFF and _runs_overnight(site, day - 1)
        return (Span(begin, end),) if kept_on and site.day(day).why is Why.SUDDEN else ()


def _runs_overnight(site: Site, day: int) -> bool:
    """Whether a server that is switched off for days off runs through the night after `day`."""
    if not (site.working(day) and site.working(day + 1)):
        return False
    return bool(site.day(day).open) or site.working(day - 1)


@dataclass(frozen=True, slots=True)
class Cloud:
    """A sync in browsers: marks move when somebody works with the schedule."""

    interactions: float = 5.0
    """Per hour, on an ordinary morning."""
    afternoon: float = 0.7
    """Pace after lunch, relative to the morning."""
    lunch: tuple[float, float] | None = (720.0, 780.0)
    """Local minutes."""
    lunch_pace: float = 0.08
    day_spread: float = 0.35
    """By what share the pace differs from day to day, in either direction."""
    quiet_spell: float = 0.06
    """Chance per day of 40 to 110 minutes in which nobody uses the schedule."""
    stray: float = 0.04
    """Chance per day, also at weekends, that somebody logs in from home in the evening."""
    left_open: float = 0.0
    """Chance per night that a browser is left open: it goes on to check in for writes."""
    read_cell: float = 300.0
    write_cell: float = 300.0

    def spans(self, site: Site, seed: int, day: int) -> tuple[Spans, Spans]:
        """Morning, lunch and afternoon at their pace, except for quiet spells."""
        draw = sixteen(seed, "cloud", day)
        people = site.day(day).open
        pace = self.interactions * (1 + self.day_spread * (2 * draw[0] - 1))
        spans: Spans = ()
        for start, end in people:
            spans += self._paced(site, day, Span(start, end), pace)
        if people and draw[1] < self.quiet_spell:
            latest = max(people[-1][1] - people[0][0] - _HOUR, 0)
            quiet = people[0][0] + latest * draw[2]
            spans = without(spans, quiet, quiet + _MINUTE * (40 + 70 * draw[3]))
        if draw[4] < self.stray:
            look = instant(site.timezone, day, 18.5 * 60 + 200 * draw[5])
            if not people or look > people[-1][1] + _HOUR / 4:
                spans += (Span(look, look + _MINUTE * 15, 0.8),)
        writes = tuple(s._replace(chance=s.chance * 0.96) for s in spans)
        if people and draw[6] < self.left_open:
            morning = instant(site.timezone, day + 1, _MORNING)
            writes = tuple(sorted((*writes, Span(people[-1][1], morning, _CHECKS_IN))))
        return spans, writes

    def _paced(self, site: Site, day: int, span: Span, pace: float) -> Spans:
        usual = self._chance(pace)
        if self.lunch is None:
            begin = end = instant(site.timezone, day, 780)
        else:
            begin, end = (instant(site.timezone, day, minute) for minute in self.lunch)
        parts = (
            Span(span.start, min(span.end, begin), usual),
            Span(max(span.start, begin), min(span.end, end), self._chance(pace * self.lunch_pace)),
            Span(max(span.start, end), span.end, self._chance(pace * self.afternoon)),
        )
        return tuple(part for part in parts if part.start < part.end)

    def _chance(self, pace: float) -> float:
        return 1 - exp(-pace * self.read_cell / _HOUR)


@dataclass(frozen=True, slots=True)
class Batch:
    """A sync that moves a few times a day, at set times, when the office is open that day."""

    minutes: tuple[float, ...] = (465.0, 660.0, 840.0, 1020.0)
    """Local minutes after midnight."""
    spread: float = 6.0
    """Up to so many minutes a run may begin late."""
    read_cell: float = 120.0
    write_cell: float = 120.0

    def spans(self, site: Site, seed: int, day: int) -> tuple[Spans, Spans]:
        """Five minutes at each of the set times."""
        if not site.day(day).open:
            return (), ()
        draw = sixteen(seed, "batch", day)
        begins = (
            instant(site.timezone, day, minute + self.spread * draw[number % 16])
            for number, minute in enumerate(self.minutes)
        )
        runs = tuple(Span(begin, begin + 5 * _MINUTE) for begin in begins)
        return runs, runs
