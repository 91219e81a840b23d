"""A world replayed in leaps: looks at which nothing can change are left out.

The deadlines are those of the same `Fleet` that the exporter and `backtest` use, fed with the
same marks. Only looks in the middle of a lively stretch are left out, and those in the middle of
a silence: of the first, the slots in which a mark moved are entered into the record at once;
of the second, it is known when something falls due. A test holds the answer against
`backtest.Replay` on every look. It is many times faster, and needs no file.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace as altered

from nexhealth_exporter.backtest import Alert
from nexhealth_exporter.backtest.baselines import DEFAULT_PLACE, Baselines
from nexhealth_exporter.expectation.incident import SILENT_LEAST_SYNCS, is_held_back
from nexhealth_exporter.expectation.learned import AHEAD_LEAST_SECONDS
from nexhealth_exporter.expectation.slots import SLOT
from nexhealth_exporter.expectation.zone import Piece, pieces_of_day
from nexhealth_exporter.fleet import (
    Fleet,
    Policy,
    Standing,
    Standings,
    SyncStanding,
    relearn_offset,
)
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Location,
    Operation,
    Poll,
    Severity,
    Sync,
)
from nexhealth_exporter.simulator.answers import READ_RED_AFTER
from nexhealth_exporter.simulator.behaviour import Routine
from nexhealth_exporter.simulator.offices import Direction
from nexhealth_exporter.simulator.world import World

DAY = 86400.0
LULL = 20 * 60.0
"""A direction that rests longer than this has paused: the looks around it are kept."""

KINDS = {"onprem": IntegrationType.SERVER, "cloud": IntegrationType.CLOUD}


class Event(NamedTuple):
    """A look that is kept: its number, the marks then and just before (read, write).

    `moved` are the slots in which marks moved since the event before, as bits from slot `first`.
    """

    look: int
    marks: tuple[float | None, float | None]
    before: tuple[float | None, float | None]
    first: int
    moved: int


@dataclass
class Watched:
    """One sync while its world is replayed."""

    office: str
    position: int
    name: str
    kind: IntegrationType
    events: list[Event]
    number: int = -1
    """Of its latest event."""
    settled_until: float = math.inf
    """When its age alone changes something."""

    def is_quiet(self, way: int) -> bool:
        """Whether that direction does not move until the next event."""
        if self.number + 1 == len(self.events):
            return True
        return self.events[self.number + 1].before[way] == self.events[self.number].marks[way]


@dataclass
class Leaps:
    """The replay of one world; `alerts`, `incidents` and `simpler` are what came of it."""

    world: World
    policy: Policy
    step: float
    judged_from: float
    alerts: list[Alert] = field(default_factory=list)
    incidents: list[tuple[IntegrationType, float]] = field(default_factory=list)
    simpler: list[tuple[IntegrationType, Baselines]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the marks and find the looks that matter."""
        self.looks = math.ceil((self.world.end - self.world.start) / self.step)
        self.syncs = list(self._watched())
        inventory = Inventory({i.subdomain: i for i in self._institutions()})
        self._fleet = Fleet().watching(inventory, self.policy)
        self._standings = dict(self._fleet.standings)
        self._active: dict[tuple[int, Operation, Severity], Alert] = {}
        # By type and direction: since when each sync that does not move is silent.
        self._since: dict[tuple[IntegrationType, int], dict[int, float]] = {
            (kind, way): {} for kind in KINDS.values() for way in (0, 1)
        }
        self._look = -1
        # What is to be done at a look: (look, number of the sync, what).
        self._agenda: list[tuple[int, int, bool]] = []

    def run(self) -> "Leaps":
        """Replay it all."""
        for number, sync in enumerate(self.syncs):
            heapq.heappush(self._agenda, (sync.events[0].look, number, True))
        while self._agenda or self._fleet.incidents:
            look = self._next_look()
            if look >= self.looks:
                break
            at = self.world.start + look * self.step
            touched = self._move(look, at)
            touched |= self._follow_incidents(at)
            for number in sorted(touched):
                self._follow(number, look, at)
        return self

    def _next_look(self) -> int:
        """The next look with something to do; while enough are silent, that is every look."""
        due = self._agenda[0][0] if self._agenda else self.looks
        if self._fleet.incidents:
            return min(due, self._look + 1)
        for sinces in self._since.values():
            # An incident cannot begin before so many have used half of their allowance.
            instants = heapq.nsmallest(SILENT_LEAST_SYNCS, sinces.values())
            if len(instants) == SILENT_LEAST_SYNCS:
                first = math.ceil((instants[-1] - self.world.start) / self.step)
                due = min(due, max(first, self._look + 1))
        return due

    def _move(self, look: int, at: float) -> set[int]:
        """Bring every sync that has an event, or falls due, to this look."""
        self._look = look
        touched: set[int] = set()
        while self._agenda and self._agenda[0][0] == look:
            _, number, is_event = heapq.heappop(self._agenda)
            sync = self.syncs[number]
            if is_event:
                sync.number += 1
                self._poll(number, sync, at)
                if sync.number + 1 < len(sync.events):
                    following = sync.events[sync.number + 1].look
                    heapq.heappush(self._agenda, (following, number, True))
            elif at >= sync.settled_until:
                self._poll(number, sync, at)
            touched.add(number)
        return touched

    def _poll(self, number: int, sync: Watched, at: float) -> None:
        """Show the fleet this sync's marks, after what happened since the event before."""
        event = sync.events[sync.number]
        standing = self._standings[sync.office]
        told = list(standing.syncs or ())
        if sync.position < len(told):
            known = told[sync.position]
            learned = known.learned
            if learned.marks != event.marks:
                record = learned.record
                shift = event.first - record.base
                moved = event.moved << shift if shift >= 0 else event.moved >> -shift
                seen = at - self.step
                record = altered(record, active=record.active | moved)
                learned = altered(learned, packed=record.packed())
                learned = learned.with_marks(event.before, (seen, seen))
            told[sync.position] = altered(known, learned=learned)
            standing = altered(
                standing, syncs=tuple(told), last_poll=at - self.step, last_success=at - self.step
            )
        shown = Sync(
            sync.name,
            sync.kind,
            read_at=event.marks[0],
            write_at=event.marks[1],
            locations=(Location(sync.position + 1),),
        )
        others = [s.sync for s in standing.syncs or ()]
        others[sync.position : sync.position + 1] = [shown]
        one = altered(self._fleet, standings=Standings.of([standing]))
        polled = one.after([Poll(sync.office, at, tuple(others))], self.policy)
        self._standings[sync.office] = polled.standings[sync.office]
        self._note(number, sync)

    def _note(self, number: int, sync: Watched) -> None:
        """Since when it is silent, for incidents, and when its age alone changes something."""
        standing = self._standing(sync)
        shown = _without_lively(standing, sync)
        _, *sinces = shown.silence(math.inf)
        for way, since in enumerate(sinces):
            if since is None:
                self._since[sync.kind, way].pop(number, None)
            else:
                self._since[sync.kind, way][number] = since
        at = self.world.start + self._look * self.step
        sync.settled_until = standing.settled_until(at, self.policy.abandoned_after)
        if sync.settled_until < self.world.end:
            settled = math.ceil((sync.settled_until - self.world.start) / self.step)
            heapq.heappush(self._agenda, (max(settled, self._look + 1), number, False))

    def _standing(self, sync: Watched) -> SyncStanding:
        syncs = self._standings[sync.office].syncs
        assert syncs is not None  # noqa: S101 - it has been polled
        return syncs[sync.position]

    def _follow_incidents(self, at: float) -> set[int]:
        """Begin and end incidents; the syncs that this concerns."""
        known = self._fleet.incidents
        if not known and not any(
            sum(since <= at for since in sinces.values()) >= SILENT_LEAST_SYNCS
            for sinces in self._since.values()
        ):
            return set()
        fleet = altered(self._fleet, standings=Standings.of(self._as_of(at))).with_incidents()
        self._fleet = altered(fleet, standings=Standings())
        if fleet.incidents == known:
            return set()
        changed = {kind for kind in KINDS.values() if fleet.incidents.get(kind) != known.get(kind)}
        self.incidents += [
            (kind, fleet.incidents[kind]) for kind in fleet.incidents.keys() - known.keys()
        ]
        touched = {n for n, sync in enumerate(self.syncs) if sync.kind in changed}
        for number in touched:
            sync = self.syncs[number]
            if any(number in self._since[sync.kind, way] for way in (0, 1)):
                standing = self._standings[sync.office]
                told = list(standing.syncs or ())
                told[sync.position] = (fleet.standings[sync.office].syncs or ())[sync.position]
                self._standings[sync.office] = altered(standing, syncs=tuple(told))
                self._note(number, sync)
        return touched

    def _as_of(self, at: float) -> Iterator[Standing]:
        """All standings as if every sync had been looked at now."""
        shown: dict[str, list[SyncStanding]] = {}
        for sync in self.syncs:
            shown.setdefault(sync.office, []).append(_without_lively(self._standing(sync), sync))
        for office, standing in self._standings.items():
            syncs = tuple(shown.get(office, ()))
            yield altered(standing, last_poll=at, last_success=at, syncs=syncs)

    def _follow(self, number: int, look: int, at: float) -> None:
        """Open and close this sync's alerts, and say when the next may fall due."""
        sync = self.syncs[number]
        standing = self._standing(sync)
        begun = self._fleet.incidents.get(sync.kind)
        following = self.looks
        if sync.number + 1 < len(sync.events):
            following = sync.events[sync.number + 1].look
        for way, operation in enumerate(Operation):
            for severity in Severity:
                due = standing.judgement(operation).deadline.get(severity, math.inf)
                key = (number, operation, severity)
                if due > at:
                    if key in self._active:
                        self._active.pop(key).resolved_at = at
                elif key in self._active:
                    continue
                elif sync.is_quiet(way) and not is_held_back(due, begun):
                    alert = Alert(sync.office, sync.name, operation, severity, at)
                    self._active[key] = alert
                    self.alerts.append(alert)
                    continue
                if due < math.inf and sync.is_quiet(way):
                    next_look = max(math.ceil((due - self.world.start) / self.step), look + 1)
                    if next_look < following:
                        heapq.heappush(self._agenda, (next_look, number, False))

    def _institutions(self) -> Iterator[Institution]:
        for office in self.world.offices:
            zones = [sync.behaviour.site.timezone for sync in office.syncs
                     if isinstance(sync.behaviour, Routine)]  # fmt: skip
            yield Institution(
                office.subdomain,
                locations=tuple(Location(i, zone) for i, zone in enumerate(zones, 1)),
            )

    def _watched(self) -> Iterator[Watched]:
        for office in self.world.offices:
            institution = Institution(office.subdomain)
            for position, sync in enumerate(office.syncs):
                routine = sync.behaviour
                assert isinstance(routine, Routine)  # noqa: S101 - worlds are made of them
                kind = KINDS[sync.emr.type or ""]
                marks = (_shown(routine, "read", self), _shown(routine, "write", self))
                late = relearn_offset(institution, sync.name)
                zone = routine.site.timezone
                events = list(_events(marks, zone, late, self))
                self.simpler.append((kind, _simpler(events, zone, kind, self)))
                yield Watched(office.subdomain, position, sync.name, kind, events)


Shown = list[tuple[int, float | None]]
"""Looks at which a direction's mark had changed, with the mark."""


def _shown(routine: Routine, way: Direction, leaps: Leaps) -> Shown:
    start, step = leaps.world.start, leaps.step
    shown: Shown = [(0, _rounded(getattr(routine.marks_at(start), way)))]
    for mark in routine.marks(way, start, leaps.world.end):
        look = math.ceil((mark - start) / step)
        if look == shown[-1][0]:
            shown.pop()
        if look < leaps.looks:
            shown.append((look, _rounded(mark)))
    return shown


def _rounded(mark: float | None) -> float | None:
    """As the API writes it, in milliseconds."""
    return None if mark is None else int(mark * 1000) / 1000


class _Clock:
    """The wall clock of a zone, for instants that follow each other closely."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._piece = Piece(0, 0, 0)

    def offset(self, at: float) -> float:
        """What is to be added to an instant to have its wall time."""
        if not self._piece.start <= at < self._piece.end:
            day = pieces_of_day(self._zone, int(at // DAY))
            self._piece = next(piece for piece in day if at < piece.end)
        return self._piece.offset

    def slot(self, at: float) -> int:
        """The half hour of the wall clock in which it lies."""
        return int((at + self.offset(at)) // SLOT)


def _events(marks: tuple[Shown, Shown], zone: str, late: int, leaps: Leaps) -> Iterator[Event]:
    news: dict[int, list[tuple[int, float | None, bool]]] = {}
    for way, shown in enumerate(marks):
        pausing = True
        for number, (look, mark) in enumerate(shown):
            following = shown[number + 1][1] if number + 1 < len(shown) else None
            pauses = mark is None or following is None or following - mark > LULL
            news.setdefault(look, []).append((way, mark, pausing or pauses))
            pausing = pauses
    now: list[float | None] = [None, None]
    clock = _Clock(zone)
    moved: set[int] = set()
    today = -1
    for look in sorted(news):
        at = leaps.world.start + look * leaps.step
        before = (now[0], now[1])
        is_kept = False
        for way, mark, pauses in news[look]:
            other, was = now[1 - way], now[way]
            now[way] = mark
            is_kept |= pauses
            if mark is None:
                continue
            if other is not None and was is not None and mark - other >= AHEAD_LEAST_SECONDS:
                # The other direction is judged by the half hours in which this one has moved.
                is_kept |= clock.slot(mark) != clock.slot(was)
            if look:
                moved.add(clock.slot(mark))
        day = int((at + clock.offset(at) - late) // DAY)
        if is_kept or day != today:
            first = min(moved, default=0)
            bits = sum(1 << (slot - first) for slot in moved)
            yield Event(look, (now[0], now[1]), before, first, bits)
            moved.clear()
            today = day


def _simpler(events: list[Event], zone: str, kind: IntegrationType, leaps: Leaps) -> Baselines:
    """What the simpler ways made of the judged weeks."""
    start, step = leaps.world.start, leaps.step
    since = math.ceil((leaps.judged_from - start) / step)
    simpler = Baselines(DEFAULT_PLACE._replace(timezone=zone), kind, leaps.judged_from)
    for number, event in enumerate(events):
        is_last = number + 1 == len(events)
        until = leaps.looks if is_last else events[number + 1].look
        if until <= since:
            continue
        read, write = event.marks
        is_reading = is_writing = False
        if not is_last:
            # What moves all the time is fresh, whenever it is looked at.
            fresh = start + until * step
            is_reading, is_writing = (
                events[number + 1].before[way] != event.marks[way] for way in (0, 1)
            )
            read, write = fresh if is_reading else read, fresh if is_writing else write
        is_lively = is_reading and is_writing
        green, red = (
            Sync("", kind, read_at=read, write_at=write, read_up=is_up) for is_up in (True, False)
        )
        begin = max(event.look, since)
        for look in range(begin, begin + 1 if is_lively else until):
            at = start + look * step
            simpler.observe(at, green if read and at - read <= READ_RED_AFTER else red)
    simpler.seconds = (leaps.looks - since) * step
    return simpler


def _without_lively(standing: SyncStanding, sync: Watched) -> SyncStanding:
    """Lively directions as if they had just moved: of looks left out, the marks are not known."""
    if sync.is_quiet(0) and sync.is_quiet(1):
        return standing
    read, write = (
        judgement if sync.is_quiet(way) else altered(judgement, half_used_at=None)
        for way, judgement in enumerate(standing.judgements)
    )
    return altered(standing, read=read, write=write)
