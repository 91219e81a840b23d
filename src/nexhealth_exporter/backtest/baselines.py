"""Four simpler ways to alert, replayed for comparison."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import DEFAULT_HOURS, week_plan
from nexhealth_exporter.model import IntegrationType, Source, Sync

MINUTE, HOUR = 60.0, 3600.0

PLAIN_AFTER = 30 * MINUTE
"""Lag over 20 minutes, for 10 minutes."""

FIXED_AFTER = 90 * MINUTE
"""Lag over 60 minutes, for 30 minutes, within Monday to Friday 08:00 to 17:00."""

DEFAULT_AFTER = {
    IntegrationType.SERVER: 45 * MINUTE,
    IntegrationType.CLOUD: 2 * HOUR,
    IntegrationType.UNKNOWN: 2 * HOUR,
}


class Place(NamedTuple):
    """The zone and the country whose clock and holidays the default hours follow."""

    timezone: str
    country: str


DEFAULT_PLACE = Place("America/New_York", "US")


@cache
def _default_hours(place: Place, kind: IntegrationType) -> Expectation:
    """The default hours there, with holidays, and with lunch for browser-based syncs."""
    days = week_plan(DEFAULT_HOURS, kind)
    return Expectation(Source.DEFAULT, "", place.timezone, days, (place.country,))


class Baselines:
    """The four baselines for one sync; the older of both marks counts.

    `counts` is how often each of them began to alert, by name: plain, colour, fixed and default.
    """

    __slots__ = (
        "_alerting", "_default_at", "_kind", "_last", "_mark", "_place", "counts", "seconds",
    )  # fmt: skip

    def __init__(self, place: Place, kind: IntegrationType | None, at: float) -> None:
        self.counts: Counter[str] = Counter()
        self.seconds = 0.0
        self._kind = kind or IntegrationType.UNKNOWN
        self._place = place
        self._alerting: set[str] = set()
        self._last = at
        self._mark: float | None = None
        self._default_at: float | None = None

    def observe(self, at: float, sync: Sync) -> None:
        """Take one observation."""
        self.seconds += min(at - self._last, HOUR)
        self._last = at
        read, write = sync.read_at, sync.write_at
        mark = read if write is None or (read is not None and read < write) else write
        if mark is None:
            return
        if mark != self._mark:
            self._mark, self._default_at = mark, None
        is_red = sync.read_up is False
        if at - mark > PLAIN_AFTER or self._alerting or is_red:
            self._follow(at, mark, is_red=is_red)

    def _follow(self, at: float, mark: float, *, is_red: bool) -> None:
        lag = at - mark
        verdicts = {
            "plain": lag > PLAIN_AFTER,
            "colour": is_red,
            "fixed": lag > FIXED_AFTER and self._in_office_hours(at),
            "default": lag > DEFAULT_AFTER[self._kind] and self._is_due(at, mark),
        }
        alerting = {name for name, alerts in verdicts.items() if alerts}
        if alerting != self._alerting:
            self.counts.update(alerting - self._alerting)
            self._alerting = alerting

    def _in_office_hours(self, at: float) -> bool:
        return _default_hours(self._place, IntegrationType.SERVER).piece(at).value > 0

    def _is_due(self, at: float, mark: float) -> bool:
        if self._default_at is None:
            hours = _default_hours(self._place, self._kind)
            due = hours.deadline(mark, DEFAULT_AFTER[self._kind])
            self._default_at = float("inf") if due is None else due
        return self._default_at <= at


@dataclass(slots=True)
class Tally:
    """Sums over all syncs of one type."""

    seconds: float = 0.0
    syncs: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, baselines: Baselines) -> None:
        """Add those of one sync."""
        self.syncs += 1
        self.seconds += baselines.seconds
        self.counts.update(baselines.counts)
