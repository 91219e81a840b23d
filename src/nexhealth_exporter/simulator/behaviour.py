"""How the marks of one sync move, from its habit, the people at its site, and outages.

`Routine.marks_at(t)` looks back from `t` for the newest mark, and `Routine.marks` lists all marks
of a stretch. Both see the same marks, because each cell of time determines on its own whether and
when it holds one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, nextafter

from nexhealth_exporter.simulator.draws import subseed, uniform
from nexhealth_exporter.simulator.habits import Habit, Span, Spans
from nexhealth_exporter.simulator.offices import Direction, Marks
from nexhealth_exporter.simulator.site import Site
from nexhealth_exporter.simulator.troubles import SOUND, Troubles
from nexhealth_exporter.simulator.wallclock import day_of

_LOOK_BACK = 120
"""Days without a mark after which there never was one."""
_MEMO = 16


@dataclass(frozen=True)
class Routine:
    """A sync whose marks follow a habit, the people of a site, and outages."""

    habit: Habit
    site: Site
    seed: int
    troubles: Troubles = SOUND
    _spans: dict[int, tuple[Spans, Spans]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _seeds: tuple[int, int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Draw the seeds once."""
        seeds = tuple(subseed(self.seed, word) for word in ("read", "write", "moves"))
        object.__setattr__(self, "_seeds", seeds)

    def marks_at(self, t: float) -> Marks:
        """The newest marks not later than `t`; None if there was none in four months."""
        return Marks(self._newest("read", t), self._newest("write", t))

    def marks(self, direction: Direction, start: float, end: float) -> list[float]:
        """Every mark of that direction in [start, end), in order."""
        found = {
            at
            for span in self._between(direction, start, end)
            for at in self._in_span(direction, span)
            if start <= at < end and self.troubles.covering(direction, at) is None
        }
        return sorted(found)

    def up(self, direction: Direction, start: float, end: float) -> list[tuple[float, float]]:
        """When the sync would move its marks if nothing broke, in order, overlaps joined."""
        joined: list[tuple[float, float]] = []
        for span in self._between(direction, start, end):
            begin, stop = max(span.start, start), min(span.end, end)
            if joined and begin <= joined[-1][1]:
                begin, stop = joined[-1][0], max(joined.pop()[1], stop)
            joined.append((begin, stop))
        return joined

    def _between(self, direction: Direction, start: float, end: float) -> Iterator[Span]:
        zone = self.site.timezone
        for day in range(day_of(zone, start) - 1, day_of(zone, end) + 1):
            for span in self._of_day(direction, day):
                if span.start < end and span.end > start:
                    yield span

    def _of_day(self, direction: Direction, day: int) -> Spans:
        known = self._spans.get(day)
        if known is None:
            if len(self._spans) >= _MEMO:
                self._spans.clear()
            known = self._spans[day] = self.habit.spans(self.site, self.seed, day)
        return known[direction == "write"]

    def _cell(self, direction: Direction) -> tuple[float, int]:
        """The length of a cell, and the seed of where in the cell its mark falls."""
        if direction == "read":
            return self.habit.read_cell, self._seeds[0]
        return self.habit.write_cell, self._seeds[1]

    def _in_span(self, direction: Direction, span: Span) -> Iterator[float]:
        length, seed = self._cell(direction)
        moves = self._seeds[2]
        for cell in range(int(span.start // length), int(span.end // length) + 1):
            at = (cell + uniform(seed, cell)) * length
            if span.start <= at < span.end and (
                span.chance >= 1 or uniform(moves, cell) < span.chance
            ):
                yield at

    def _newest(self, direction: Direction, t: float) -> float | None:
        t = self._before_trouble(direction, t)
        day = day_of(self.site.timezone, t)
        for back in range(_LOOK_BACK):
            for span in reversed(self._of_day(direction, day - back)):
                if span.start <= t:
                    at = self._newest_in(direction, span, t)
                    if at is not None:
                        return at
        return None

    def _newest_in(self, direction: Direction, span: Span, t: float) -> float | None:
        length, seed = self._cell(direction)
        moves = self._seeds[2]
        cell = int(min(t, span.end) // length)
        while True:
            at = (cell + uniform(seed, cell)) * length
            if at < span.start:
                return None
            if (
                at <= t
                and at < span.end
                and (span.chance >= 1 or uniform(moves, cell) < span.chance)
            ):
                clear = self._before_trouble(direction, at)
                if clear == at:
                    return at
                t, cell = clear, int(clear // length) + 1
            cell -= 1

    def _before_trouble(self, direction: Direction, t: float) -> float:
        """`t`, or the beginning of the outages that cover it."""
        while (outage := self.troubles.covering(direction, t)) is not None:
            # Just before, not at the beginning: a mark there belongs to the outage.
            t = nextafter(outage.start, -inf)
        return t
