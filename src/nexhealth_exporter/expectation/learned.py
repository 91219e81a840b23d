"""What is known of one sync: its marks, the record of its weeks, and the pattern made of that."""

from collections.abc import Callable
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from nexhealth_exporter.expectation.deriving import derived
from nexhealth_exporter.expectation.evidence import DAYS_KEPT, Evidence
from nexhealth_exporter.expectation.looks import (
    BLIND,
    LATE,
    LONGEST,
    NOTABLE,
    Look,
    Marks,
    entered,
    newest_of,
    oldest_kept,
)
from nexhealth_exporter.expectation.pattern import Pattern
from nexhealth_exporter.expectation.record import Record, by_clock_of, unpacked
from nexhealth_exporter.expectation.schedule import DAY
from nexhealth_exporter.expectation.slots import SLOT, SLOTS, slot_of
from nexhealth_exporter.expectation.zone import is_zone, piece_at
from nexhealth_exporter.model import IntegrationType

LEAST_SEEN = 2.5 * DAY
"""So many seconds after it was first met a sync may have a pattern."""

AHEAD = 2.0 * SLOT
"""One direction is ahead of the other by so many seconds at least if the other may be dead."""


class Learned(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is known of one sync. It changes only when a mark has moved, or its zone or type.

    `read` and `write` are the marks, and `read_seen` and `write_seen` when each was first met: one
    by one, since pairs would be a tenth of what a fleet holds. `packed` is the record of its weeks,
    `made_on` the local day (since 1970) on which `pattern` was made of it. `zone` is the one by
    whose wall clock its slots count; where it is not known, the present one is assumed.
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
        """What `alone` is counted in: the record, packed, if the other direction is an hour ahead.

        None if it is not, so that most looks need not unpack it.
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
        """The same after a look that taught nothing new, as most do; None where it may have taught.

        Such a look brought at most marks that moved within their half hour.
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
            if abs(mark - known) >= NOTABLE or at - mark >= LATE:
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
        oldest = oldest_kept((now * SLOT - look.stagger) // SLOT)
        record = entered(old.record.since(oldest), old.marks, look)
        is_first = old.marks == (None, None)
        made_on, pattern = old.made_on, old.pattern
        today = (now * SLOT - look.stagger) // DAY
        # What is overdue stays so until its mark moves: its hours must not change under it.
        if today != made_on and not (pattern is not None and look.is_owing()):
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
        record.absences,
    )


def _present(record: Learned, look: Look) -> float:
    """Now; but by the marks where our clock is so far ahead of them that weeks would be dropped.

    A mark that has just moved is not a week old.
    """
    newest = newest_of(look.marks, look.at)
    if newest is None or look.at - newest <= LONGEST:
        return look.at
    return max(newest, min(record.first_seen, look.at))


def _begun_in_time(record: Learned, look: Look) -> Learned:
    """The same, or a new one where both clocks say that ours was ahead when it was begun.

    The old one would learn nothing until that instant has come.
    """
    newest = max((mark for mark in look.marks if mark is not None), default=look.at)
    if max(newest, look.at) >= record.first_seen:
        return record
    return first_met(look.at, look.zone).met(record.marks, record.seen)


def first_met(at: float, zone: str) -> Learned:
    """The record of a sync that was never seen before."""
    return Learned(at, None, None, at, at, _empty(oldest_kept(slot_of(at, zone))), zone=zone)


@lru_cache(maxsize=8)
def _empty(base: int) -> bytes:
    """The same record for all that are met in one week, packed."""
    return Record(base).packed()


@lru_cache(maxsize=64)
def _packed_first(record: Record) -> bytes:
    """The same for all whose first marks lie in the same half hours."""
    return record.packed()
