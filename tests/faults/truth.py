"""What the page must say, computed by other means than the exporter's: from the simulated world.

All offices keep UTC. Some are always open, the others from midnight to noon, every day.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from nexhealth_exporter.simulator import Simulator
from nexhealth_exporter.simulator.answers import READ_RED_AFTER, WRITE_RED_AFTER
from nexhealth_exporter.simulator.offices import (
    CURVE,
    DENTRIX,
    Location,
    Marks,
    Office,
    Steady,
    Sync,
)

HOUR, DAY = 3600.0, 86400.0
WARNING, CRITICAL = 45 * 60.0, 4 * HOUR
WAYS = ("read", "write")
Range = tuple[float, float]

CLOSE = 0.02
"""Seconds: marks are told in milliseconds, and lags on a grid of an eighth of a second."""

CONFIGURATION = """
schedules:
  always: {hours: {mon-sun: "00:00-24:00"}, holidays: none}
  mornings: {hours: {mon-sun: "00:00-12:00"}, holidays: none}
institutions:
  - {match: {subdomain: "always-*"}, schedule: always}
  - {match: {subdomain: "mornings-*"}, schedule: mornings}
  - match: {}
    allowance: {server: {warning: 45m, critical: 4h}, cloud: {warning: 45m, critical: 4h}}
"""


@dataclass
class Breakable:
    """Marks that move all the time, but stand still during outages; a pure function of time."""

    outages: list[list[float]] = field(default_factory=list)
    """From when until when; the latest may last."""

    def marks_at(self, t: float) -> Marks:
        for start, end in self.outages:
            if start <= t < end:
                return Steady().marks_at(start)
        return Steady().marks_at(t)

    def stop(self, now: float) -> None:
        """It moves no more; nothing happens if it did not."""
        if not self.outages or self.outages[-1][1] < math.inf:
            self.outages.append([now, math.inf])

    def go_on(self, now: float) -> None:
        if self.outages:
            self.outages[-1][1] = min(self.outages[-1][1], now)


def office(number: int) -> Office:
    """One with one sync; every other is open in the morning only."""
    kind = ("always", "mornings")[number % 2]
    emr = (DENTRIX, CURVE)[number // 2 % 2]
    sync = Sync("Main", emr, Breakable(), (number,))
    places = (Location(number, "Main", "UTC"),)
    return Office(number, f"{kind}-{number}", f"Office {number}", (sync,), places)


def is_open(institution: str, t: float) -> bool:
    return institution.startswith("always") or t % DAY < DAY / 2


def open_seconds(institution: str, start: float, end: float) -> float:
    """How much of the stretch the office is open."""
    if institution.startswith("always"):
        return max(end - start, 0.0)

    def until(t: float) -> float:
        return t // DAY * (DAY / 2) + min(t % DAY, DAY / 2)

    return max(until(end) - until(start), 0.0)


def after_open_seconds(institution: str, start: float, seconds: float) -> float:
    """The first instant at which so much of the time since `start` was open."""
    if institution.startswith("always") or start == -math.inf:
        return start + seconds
    at, left = start, seconds
    while True:
        closing = at // DAY * DAY + DAY / 2
        room = max(closing - at, 0.0)
        if left <= room:
            return at + left
        at, left = at // DAY * DAY + DAY, left - room


class Wrong(AssertionError):
    """The page says something that is not so."""


Labels = Mapping[str, str]
_LINE = re.compile(r"(?m)^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass
class Seen:
    """A page: its samples by family, without the prefix."""

    samples: dict[str, list[tuple[Labels, float]]]

    @classmethod
    def of(cls, page: str) -> "Seen":
        """As prometheus-client reads it."""
        families = text_string_to_metric_families(page)
        return cls._of((s.name, s.labels, s.value) for family in families for s in family.samples)

    @classmethod
    def quickly(cls, page: str) -> "Seen":
        """The same of a page, also in OpenMetrics, whose labels hold nothing that is escaped."""
        lines = _LINE.findall(page)
        return cls._of(
            (name, dict(_LABEL.findall(its)), float(value)) for name, its, value in lines
        )

    @classmethod
    def _of(cls, samples: Iterable[tuple[str, Labels, float]]) -> "Seen":
        found: dict[str, list[tuple[Labels, float]]] = defaultdict(list)
        series = set()
        for name, labels, value in samples:
            key = name, frozenset(labels.items())
            if key in series:
                raise Wrong(f"{key} stands twice")
            series.add(key)
            found[name.removeprefix("nexhealth_")].append((labels, value))
        return cls(found)

    def one(self, name: str, **labels: str) -> float | None:
        """The first value with these labels."""
        for its, value in self.samples.get(name, ()):
            if labels.items() <= its.items():
                return value
        return None

    def by(self, name: str, label: str) -> dict[str, float]:
        """The values by one label."""
        return {labels[label]: value for labels, value in self.samples.get(name, ())}


@dataclass
class Truth:
    """Compares pages with the simulated world. `asked_at` has the world's time for each instant
    that the exporter took for the time of a poll; an answer may be older by `reach` seconds.
    """

    simulator: Simulator
    asked_at: Mapping[float, float]
    reach: float
    compared: int = 0
    ahead: set[tuple[str, float]] = field(default_factory=set)
    """Marks that were in the future by the exporter's clock: deadlines count from when it met
    them, which nobody but the exporter knows."""

    def compare(self, seen: Seen, began: float, ended: float) -> None:
        """A page that was asked for between these instants of the exporter's clock.

        Raises Wrong.
        """
        polls = seen.by("institution_last_poll_timestamp_seconds", "institution")
        lags = seen.samples.get("sync_read_lag_seconds", [])
        reads, writes = (
            seen.by(f"sync_last_{way}_timestamp_seconds", "institution") for way in WAYS
        )
        # A mark in the future has no lag.
        instants = {round(lag + reads[its["institution"]], 2) for its, lag in lags if lag > 0}
        if instants and max(instants) - min(instants) > CLOSE:
            raise Wrong(f"one page has several instants: {instants}")
        drawn_at = max(instants, default=math.floor(began * 8) / 8)
        if not began - 0.125 - CLOSE <= drawn_at <= ended + CLOSE:
            raise Wrong(f"drawn at {drawn_at}, not between {began} and {ended}")
        expected = {name: dict[str, Range]() for name in _FAMILIES}
        for institution, read in reads.items():
            if institution in self.simulator.offices:
                told = Marks(read, writes.get(institution))
                for name, value in self._expected(institution, polls[institution], told, drawn_at):
                    expected[name][institution] = value
        for name in _FAMILIES:
            self._family(name, seen, expected[name], reads)

    def _family(
        self,
        name: str,
        seen: Seen,
        expected: Mapping[str, Range],
        shown: Mapping[str, float],
    ) -> None:
        """Every sample lies between two values, and none is missing or too many."""
        family, _, severity = name.partition("/")
        told = {
            labels["institution"]: value
            for labels, value in seen.samples.get(family, ())
            if not severity or severity in labels.values()
        }
        for institution, value in told.items():
            if institution not in shown:
                raise Wrong(f"{name} of {institution} stands there without a mark")
            if institution not in self.simulator.offices:
                continue  # known until the next inventory
            low, high = expected[institution]
            if not low - CLOSE <= value <= high + CLOSE:
                raise Wrong(f"{name} of {institution} is {value}, not {low} to {high}")
            self.compared += 1
        missing = expected.keys() - told.keys()
        if missing:
            raise Wrong(f"{name} is missing for {missing}")

    def _expected(
        self, institution: str, polled_at: float, told: Marks, now: float
    ) -> Iterator[tuple[str, Range]]:
        """For each family the least and the most that may be told, given both marks."""
        if polled_at not in self.asked_at:
            raise Wrong(f"{institution} was polled at {polled_at}, when nobody asked")
        at = self.asked_at[polled_at]
        (sync,) = self.simulator.offices[institution].office.syncs
        truths = zip(
            sync.behaviour.marks_at(at - self.reach), sync.behaviour.marks_at(at), strict=True
        )
        for way, mark, (first, last), red_after in zip(
            WAYS, told, truths, (READ_RED_AFTER, WRITE_RED_AFTER), strict=True
        ):
            if mark is None or first is None or last is None:
                raise Wrong(f"{institution} has no mark")
            yield f"sync_last_{way}_timestamp_seconds", (first, last)
            lag = max(now - mark, 0.0)
            yield f"sync_{way}_lag_seconds", (lag, lag)
            unexpected = open_seconds(institution, mark, now)
            yield f"sync_{way}_unexpected_lag_seconds", (unexpected, unexpected)
            for severity, allowance in (("warning", WARNING), ("critical", CRITICAL)):
                yield f"sync_{way}_allowance_seconds/{severity}", (allowance, allowance)
                deadline = after_open_seconds(institution, mark, allowance)
                earliest = self._earliest(institution + way, mark, polled_at)
                least = min(after_open_seconds(institution, earliest, allowance), deadline)
                yield f"sync_{way}_deadline_timestamp_seconds/{severity}", (least, deadline)
            green = [float(t - m <= red_after) for t, m in ((at - self.reach, first), (at, last))]
            yield f"sync_{way}_up", (min(green), max(green))
        up = float(is_open(institution, now))
        yield "sync_expected_up", (up, up)
        if not up:
            yield "sync_expected_downtime/closed", (1.0, 1.0)

    def _earliest(self, name: str, mark: float, polled_at: float) -> float:
        """From when the deadline may count: a mark in the future counts from when it was met."""
        if mark > polled_at:
            self.ahead.add((name, mark))
        return -math.inf if (name, mark) in self.ahead else mark


_FAMILIES = (
    *(
        family
        for way in WAYS
        for family in (
            f"sync_last_{way}_timestamp_seconds",
            f"sync_{way}_lag_seconds",
            f"sync_{way}_unexpected_lag_seconds",
            f"sync_{way}_up",
            *(
                f"sync_{way}_{what}/{severity}"
                for what in ("deadline_timestamp_seconds", "allowance_seconds")
                for severity in ("warning", "critical")
            ),
        )
    ),
    "sync_expected_up",
    "sync_expected_downtime/closed",
)
