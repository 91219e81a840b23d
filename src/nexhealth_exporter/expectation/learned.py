"""What has been seen of one sync: when its marks moved, kept as bits of half-hour slots.

A slot is half an hour of the office's wall clock, counted from 1970. It is `active` when
either mark moved in it. It is `silent` when the sync moved before and after it and the stretch
between was short enough to be a rest; in a longer stretch it is `suspect`: it may have been an
outage, and teaches only if it comes again. Any other slot teaches nothing: nobody looked, or
the vendor had an incident, or the silence was longer than a week.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from nexhealth_exporter.expectation.deriving import derived
from nexhealth_exporter.expectation.evidence import DAYS_KEPT, Evidence
from nexhealth_exporter.expectation.pattern import Pattern, usual_of
from nexhealth_exporter.expectation.quiet import SLOT, SLOTS, Expecting, Quiet, hour_of, longest
from nexhealth_exporter.expectation.record import Record, by_clock_of, unpacked
from nexhealth_exporter.expectation.schedule import DAY
from nexhealth_exporter.expectation.zone import is_zone, offset_at, piece_at
from nexhealth_exporter.model import IntegrationType

WEEKS = 7
"""How many local weeks are kept, the present one included."""

WEEK = 7 * SLOTS
_MONDAY = 4 * SLOTS
"""1970 began on a Thursday."""

BLIND = 45 * 60.0
"""After so many seconds without a look, what happened between is not known."""

UNTOLD = 2.5 * 3600.0
"""So many seconds before its start an incident may have begun to silence: half of the most that is
tolerated of any before a ticket."""

GRACE = 2 * 3600.0
"""So many seconds after an incident, those that it has silenced may still be coming back."""

LEAST_SEEN = 2.5 * DAY
"""So many seconds after it was first met a sync may have a pattern."""

LONGEST = 7 * DAY
"""A longer silence teaches nothing at all."""

BRIDGED = 2
"""Activity so many slots apart has none between that teaches rest: people pause."""

TRUSTED = 10 * 3600.0
"""A silence of more expected seconds, or beyond the critical allowance, may be an outage."""

PAUSE = 40 * 60.0
"""A direction that rests for so long while the sync moves has paused."""

NOTABLE = 25 * 60.0
"""A direction that rests for a shorter time has just not moved."""

AHEAD = 2.0 * SLOT
"""One direction is ahead of the other by so many seconds at least if the other may be dead."""

LITTLE = 0.55
"""A rest of less of the quiet that its type is allowed anyway could widen no allowance."""


Marks = tuple[float | None, float | None]
"""Of reads and of writes."""


class Look(NamedTuple):
    """A successful poll of a sync. Instants are POSIX seconds; pairs are read, write.

    `before` is the poll before it, None if there was none. `hours` and `tolerated`
    (seconds) were in force until now.
    """

    at: float
    before: float | None
    marks: Marks
    zone: str
    kind: IntegrationType
    hours: tuple[Expecting, Expecting, Expecting]
    """Of the sync, of its reads, of its writes."""
    tolerated: Callable[[int], float]
    """By direction (0 read, 1 write), beyond how many expected seconds a silence is critical.

    Asked for silences only, which most looks do not end.
    """
    skipped: Callable[[int], bool]
    """Tells of a local day (days since 1970) that it is not to be learned from."""
    disturbed: Sequence[tuple[float, float]] = ()
    """From when until when fleet incidents of its type lasted; infinite while one does."""
    stagger: int = 0
    """Seconds after local midnight at which its pattern is made anew: not all at once."""


class Learned(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is known of one sync. It changes only when a mark has moved, or its zone or type.

    `read` and `write` are the marks, and `read_seen` and `write_seen` when each was first met: one
    by one, since pairs would be a tenth of what a fleet holds. `packed` is the record of its weeks,
    `made_on` the local day (since 1970) on which `pattern` was made of it. `zone` is whose wall
    clock its slots are of; one that is not known is taken for the present one.
    """

    first_seen: float
    read: float | None
    write: float | None
    read_seen: float
    write_seen: float
    packed: bytes
    made_on: int = 0
    pattern: Pattern | None = None
    zone: str = ""

    @property
    def marks(self) -> Marks:
        """The marks of reads and of writes."""
        return self.read, self.write

    @property
    def seen(self) -> tuple[float, float]:
        """When each of them was first met."""
        return self.read_seen, self.write_seen

    def met(self, marks: Marks, seen: tuple[float, float]) -> "Learned":
        """The same with these marks, first met then."""
        return replace(self, read=marks[0], write=marks[1], read_seen=seen[0], write_seen=seen[1])

    @property
    def record(self) -> Record:
        """When it moved, week by week; unpacked each time."""
        return unpacked(self.packed)

    def ahead(self, way: int) -> bytes | None:
        """What `alone` rests on: the record, packed, where the other is an hour ahead.

        None where it is not, for most looks need not unpack it.
        """
        mark, other = self.marks[way], self.marks[1 - way]
        return None if mark is None or other is None or other - mark < AHEAD else self.packed

    def alone(self, way: int, zone: str) -> int:
        """In how many half hours since the mark of that direction the other one has moved.

        That of the mark does not count.
        """
        mark, packed = self.marks[way], self.ahead(way)
        if mark is None or packed is None:
            return 0
        record = unpacked(packed)
        return (record.active >> max(slot_of(mark, zone) + 1 - record.base, 0)).bit_count()

    def after_routine(
        self,
        marks: Marks,
        at: float,
        zone: str,
        stagger: int,
    ) -> "Learned | None":
        """The record after a look that taught nothing new, which most do; None if it may have.

        Marks that moved within their half hours are all that such a look brought.
        """
        old_marks, seen = self.marks, self.seen
        if marks == old_marks:
            return self
        start, _, offset = piece_at(zone, at)
        now = (at + offset) // SLOT
        if (now * SLOT - stagger) // DAY != self.made_on:
            return None
        for way in (0, 1):
            mark, known = marks[way], old_marks[way]
            if mark == known:
                continue
            if mark is None or known is None or not known <= seen[way] <= at or mark > at:
                return None
            if abs(mark - known) >= NOTABLE:
                return None
            if mark >= start and known >= start:
                is_one_slot = (mark + offset) // SLOT == (known + offset) // SLOT
            else:
                is_one_slot = slot_of(mark, zone) == slot_of(known, zone)
            if not is_one_slot:
                return None
            seen = (seen[0], at) if way else (at, seen[1])
        return self.met(marks, seen)

    def caught_up(self, before: float, at: float) -> "Learned":
        """The record at a look after a long time in which no poll was, the last at `before`.

        A mark that was ahead of our clock then and is not any more counts as met when it was
        made: either our clock was behind, or nobody looked.
        """
        if at - before <= BLIND:
            return self
        read, write = (
            mark if mark is not None and before < mark <= at else seen
            for mark, seen in zip(self.marks, self.seen, strict=True)
        )
        return self if (read, write) == self.seen else self.met(self.marks, (read, write))

    def by_clock_of(
        self, zone: str, kind: IntegrationType, skipped: Callable[[int], bool]
    ) -> "Learned":
        """The same by the wall clock of another zone: what was seen was seen at the same moments.

        `skipped` is that of a `Look`.
        """
        if not is_zone(self.zone):
            return replace(self, zone=zone)
        record, pattern = by_clock_of(self.record, self.zone, zone), self.pattern
        if pattern is not None:
            evidence = _evidence(record, self.made_on)
            pattern = derived(evidence, self.made_on, skipped, kind, pattern)
        return replace(self, packed=record.packed(), pattern=pattern, zone=zone)

    def anew(self, at: float) -> "Learned":
        """Without what its weeks taught; its marks stay known, and when it was first seen."""
        return replace(self, packed=first_met(at, self.zone).packed, made_on=0, pattern=None)

    def after(self, look: Look) -> "Learned":
        """What is known after a look at which a mark had moved."""
        old = _begun_in_time(self, look)
        now = slot_of(_present(old, look), look.zone)
        # A week is dropped when the pattern is made anew, not at midnight: until then a look
        # that is routine leaves the same as this.
        record = _shifted(old.record, (now * SLOT - look.stagger) // SLOT)
        record = replace(record, active=record.active | _moved(record, old.marks, look))
        is_first = old.read is None and old.write is None
        if not is_first:
            record = _quieted(_rested(record, old.marks, look), old.marks, look)
        made_on, pattern = old.made_on, old.pattern
        today = (now * SLOT - look.stagger) // DAY
        if today != made_on:
            made_on = _shared(today)
            if look.at - old.first_seen < LEAST_SEEN:
                pattern = None  # nor need the evidence be gathered
            else:
                pattern = derived(_evidence(record, today), today, look.skipped, look.kind, pattern)
        read, write = look.marks
        return Learned(
            old.first_seen,
            read,
            write,
            old.read_seen if read == old.read else look.at,
            old.write_seen if write == old.write else look.at,
            _packed_first(record) if is_first else record.packed(),
            made_on,
            pattern,
            old.zone,
        )


@lru_cache(maxsize=8)
def _shared(day: int) -> int:
    """The same number for all that are met or made anew on that day."""
    return day


def _evidence(record: Record, today: int) -> Evidence:
    """What is to be made a pattern of on that day."""
    return Evidence(
        record.base // SLOTS,
        record.active,
        record.silent,
        record.suspect,
        record.pauses,
        tuple(
            tuple(quiet for quiet in way if today - quiet.day <= DAYS_KEPT) for way in record.quiets
        ),
    )


def _present(record: Learned, look: Look) -> float:
    """Now; but by the marks where our clock is so far ahead of them that weeks would be dropped.

    A mark that has just moved is not a week old.
    """
    newest = _newest(look.marks, look.at)
    if newest is None or look.at - newest <= LONGEST:
        return look.at
    return max(newest, min(record.first_seen, look.at))


def _begun_in_time(record: Learned, look: Look) -> Learned:
    """The same, or a new one where both clocks tell that it was begun by a clock that was ahead.

    It would learn nothing until then.
    """
    newest = max((mark for mark in look.marks if mark is not None), default=look.at)
    if max(newest, look.at) >= record.first_seen:
        return record
    return first_met(look.at, look.zone).met(record.marks, record.seen)


def _newest(marks: Sequence[float | None], at: float) -> float | None:
    # A mark in the future says only that it moved.
    return max([min(mark, at) for mark in marks if mark is not None], default=None)


def _shifted(record: Record, now: int) -> Record:
    """The same with the oldest weeks dropped, so that the present one has room."""
    monday = now - (now - _MONDAY) % WEEK
    oldest = monday - (WEEKS - 1) * WEEK
    drop = oldest - record.base
    if drop <= 0:
        return record
    return replace(
        record,
        base=oldest,
        active=record.active >> drop,
        silent=record.silent >> drop,
        suspect=record.suspect >> drop,
        pauses=(record.pauses[0] >> drop, record.pauses[1] >> drop),
    )


def _bits(record: Record, first: int, last: int) -> int:
    """The slots from first to last, without last."""
    first, last = max(first - record.base, 0), last - record.base
    return ((1 << (last - first)) - 1) << first if last > first else 0


def _moved(record: Record, known_marks: Marks, look: Look) -> int:
    moved = 0
    for mark, known in zip(look.marks, known_marks, strict=True):
        if mark is not None and mark != known and mark > look.at - WEEKS * LONGEST:
            slot = slot_of(min(mark, look.at), look.zone)
            moved |= _bits(record, slot, slot + 1)
    return moved


def _rested(record: Record, known: Marks, look: Look) -> Record:
    """With the silence between two moves entered."""
    before, newest = _newest(known, look.at), _newest(look.marks, look.at)
    if before is None or newest is None or newest <= before:
        return record
    if newest - before > LONGEST:
        return record
    first, last = slot_of(before, look.zone) + 1, slot_of(newest, look.zone)
    if last <= first:
        return record
    if look.before is not None and look.at - look.before > BLIND:
        newest = min(newest, max(look.before, before))
        last = min(last, slot_of(newest, look.zone))
    elif last - first < BRIDGED:
        return replace(record, active=record.active | _bits(record, first, last))
    slots = _bits(record, first, last) & ~record.active & ~_disturbed(record, look)
    seconds = look.hours[0].unexpected(before, newest)
    if seconds <= TRUSTED or seconds <= max(look.tolerated(0), look.tolerated(1)):
        return replace(record, silent=record.silent | slots)
    return replace(record, suspect=record.suspect | slots)


def _quieted(record: Record, known: Marks, look: Look) -> Record:
    """With the quiet stretches that each direction has just ended."""
    pauses, quiets = list(record.pauses), list(record.quiets)
    usual = usual_of(look.kind)
    for way in (0, 1):
        before, mark = known[way], look.marks[way]
        if before is None or mark is None or mark - before < NOTABLE:
            continue
        end = min(mark, look.at)
        if look.before is not None and look.at - look.before > BLIND:
            end = min(end, look.before)
        if end - before > LONGEST or _is_disturbed(look, before, end):
            continue
        seconds = look.hours[1 + way].unexpected(before, end)
        if seconds > look.tolerated(way):
            continue
        if mark - before >= PAUSE:
            pauses[way] |= _bits(record, slot_of(before, look.zone) + 1, slot_of(end, look.zone))
        if seconds < LITTLE * usual:
            continue
        day = slot_of(end, look.zone) // SLOTS
        recent = [q for q in quiets[way] if day - q.day <= DAYS_KEPT]
        began = hour_of(look.hours[1 + way], look.zone, before, usual)
        quiets[way] = longest([*recent, Quiet(day, round(seconds), began)])
    return replace(
        record, pauses=(pauses[0], pauses[1]), quiets=(tuple(quiets[0]), tuple(quiets[1]))
    )


def first_met(at: float, zone: str) -> Learned:
    """The record of a sync that was never seen before."""
    slot = slot_of(at, zone)
    monday = slot - (slot - _MONDAY) % WEEK
    record = _empty(monday - (WEEKS - 1) * WEEK)
    return Learned(at, None, None, at, at, record, zone=zone)


@lru_cache(maxsize=8)
def _empty(base: int) -> bytes:
    """The same record for all that are met in one week, packed."""
    return Record(base).packed()


@lru_cache(maxsize=64)
def _packed_first(record: Record) -> bytes:
    """The same for all whose first marks lie in the same half hours."""
    return record.packed()


def _disturbed(record: Record, look: Look) -> int:
    """The slots of incidents, in which a silence says nothing; before and after them it does."""
    slots = 0
    for begun, over in look.disturbed:
        last = min(over + GRACE, look.at)
        first = slot_of(begun - UNTOLD, look.zone)
        slots |= _bits(record, first, slot_of(last, look.zone) + 1)
    return slots


def _is_disturbed(look: Look, start: float, end: float) -> bool:
    return any(begun < end and start < over for begun, over in look.disturbed)


def slot_of(at: float, zone: str) -> int:
    """The slot of the wall clock in which the instant lies."""
    return int((at + offset_at(zone, at)) // SLOT)
