"""What is known of one sync: its marks, the record of its weeks, and the pattern made of that."""

from collections.abc import Callable
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from nexhealth_exporter.expectation.deriving import derived
from nexhealth_exporter.expectation.evidence import DAYS_KEPT, Evidence
from nexhealth_exporter.expectation.looks import (
    LATE_MARK_SECONDS,
    QUIET_LEAST_SECONDS,
    SILENCE_MOST_SECONDS,
    UNWATCHED_AFTER_SECONDS,
    Look,
    Marks,
    entered,
    newest_of,
    oldest_kept,
)
from nexhealth_exporter.expectation.pattern import Pattern
from nexhealth_exporter.expectation.record import Record, by_clock_of, unpacked
from nexhealth_exporter.expectation.schedule import DAY
from nexhealth_exporter.expectation.sharing import shared
from nexhealth_exporter.expectation.slots import SLOT, SLOTS, slot_of
from nexhealth_exporter.expectation.zone import is_zone, piece_at
from nexhealth_exporter.model import IntegrationType

PATTERN_AFTER_SECONDS = 2.5 * DAY
"""A sync may have a pattern once so long has passed since it was first seen."""

AHEAD_LEAST_SECONDS = 2.0 * SLOT
"""A direction may be dead if the other is ahead of it by so much."""


class Learned(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is known of one sync. It changes only with one of its marks, its zone or its type.

    `read` and `write` are the marks; `read_seen` and `write_seen` are when each was first seen.
    They are separate fields because pairs would take a tenth of the memory of a fleet. `packed` is
    the record of its weeks; `made_on` is the local day (since 1970) on which `pattern` was made of
    it. `zone` is the one by whose wall clock its slots count; if it is empty, the present one is
    assumed.
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
        """When each of them was first seen."""
        return self.read_seen, self.write_seen

    def with_marks(self, marks: Marks, seen: tuple[float, float]) -> "Learned":
        """The same with these marks, first seen at these instants."""
        return replace(self, read=marks[0], write=marks[1], read_seen=seen[0], write_seen=seen[1])

    @property
    def record(self) -> Record:
        """The record of its weeks, unpacked each time."""
        return unpacked(self.packed)

    def packed_if_behind(self, way: int) -> bytes | None:
        """The packed record if the other direction is an hour ahead of this one (0 read, 1 write).

        Else None: then nothing is counted in it, and most looks need not unpack it.
        """
        mark, other = self.marks[way], self.marks[1 - way]
        if mark is None or other is None or other - mark < AHEAD_LEAST_SECONDS:
            return None
        return self.packed

    def slots_alone(self, way: int, zone: str) -> int:
        """In how many half hours since the mark of one direction the other one has moved.

        The half hour of the mark does not count, nor do those in which the direction usually rests.
        Without a pattern it is 0.
        """
        mark, packed = self.marks[way], self.packed_if_behind(way)
        if mark is None or packed is None or self.pattern is None:
            return 0
        record, pauses = unpacked(packed), self.pattern.week.pauses_of(way)
        days = record.active.bit_length() // SLOTS + 1
        moved = record.active & ~pauses.over(record.base // SLOTS, days)
        return (moved >> max(slot_of(mark, zone) + 1 - record.base, 0)).bit_count()

    def after_routine_look(
        self, marks: Marks, at: float, zone: str, relearn_offset: int
    ) -> "Learned | None":
        """The same after a look that taught nothing, as most do; None if it may have taught.

        A look at `at` teaches nothing if no mark moved beyond its half hour. Then `after_look`
        would give the same, at many times the cost.
        """
        old_marks, seen = self.marks, self.seen
        if marks == old_marks:
            return self
        start, _, offset = piece_at(zone, at)
        now = (at + offset) // SLOT
        if (now * SLOT - relearn_offset) // DAY != self.made_on:
            return None
        for way in (0, 1):
            mark, known = marks[way], old_marks[way]
            if mark == known:
                continue
            if mark is None or known is None or not known <= seen[way] <= at or mark > at:
                return None
            if abs(mark - known) >= QUIET_LEAST_SECONDS or at - mark >= LATE_MARK_SECONDS:
                return None
            if mark >= start and known >= start:
                is_one_slot = (mark + offset) // SLOT == (known + offset) // SLOT
            else:
                is_one_slot = slot_of(mark, zone) == slot_of(known, zone)
            if not is_one_slot:
                return None
            seen = (seen[0], at) if way else (at, seen[1])
        return self.with_marks(marks, seen)

    def after_gap(self, before: float, at: float) -> "Learned":
        """The same at a look at `at` if there was no poll for long since the one at `before`.

        A mark that was ahead of our clock then and is not any more counts as first seen when it was
        made: either our clock was behind, or nobody looked.
        """
        if at - before <= UNWATCHED_AFTER_SECONDS:
            return self
        read, write = (
            mark if mark is not None and before < mark <= at else seen
            for mark, seen in zip(self.marks, self.seen, strict=True)
        )
        return self if (read, write) == self.seen else self.with_marks(self.marks, (read, write))

    def by_clock_of(
        self, zone: str, kind: IntegrationType, is_skipped: Callable[[int], bool]
    ) -> "Learned":
        """The same by the wall clock of another zone: what was seen keeps its instants.

        `is_skipped` is that of a `Look`.
        """
        if not is_zone(self.zone):
            return replace(self, zone=zone)
        record, pattern = by_clock_of(self.record, self.zone, zone), self.pattern
        if pattern is not None:
            evidence = _evidence(record, self.made_on, self.marks, zone)
            pattern = derived(evidence, self.made_on, is_skipped, kind, pattern)
        return replace(self, packed=record.packed(), pattern=pattern, zone=zone)

    def started_over(self, at: float) -> "Learned":
        """The same with an empty record and no pattern; its marks and `first_seen` stay known."""
        return replace(self, packed=first_met(at, self.zone).packed, made_on=0, pattern=None)

    def after_look(self, look: Look) -> "Learned":
        """What is known after a look that may have taught something."""
        old = _begun_in_time(self, look)
        now = slot_of(_present(old, look), look.zone)
        # A week is dropped when the pattern is learned again, not at midnight. Until then, a
        # routine look must leave the same record as this.
        oldest = oldest_kept((now * SLOT - look.relearn_offset) // SLOT)
        record = entered(old.record.since(oldest), old.marks, look)
        is_first = old.marks == (None, None)
        made_on, pattern = old.made_on, old.pattern
        today = (now * SLOT - look.relearn_offset) // DAY
        # What is overdue stays overdue until its mark moves, so its hours must not change.
        if today != made_on and not (pattern is not None and look.is_still_overdue()):
            made_on = shared(today)
            if look.at - old.first_seen < PATTERN_AFTER_SECONDS:
                pattern = None  # nor need the evidence be gathered
            else:
                evidence = _evidence(record, today, look.marks, look.zone)
                pattern = derived(evidence, today, look.is_skipped, look.kind, pattern)
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


def _evidence(record: Record, today: int, marks: Marks, zone: str) -> Evidence:
    """That part of the record of which a pattern is made on that day."""
    now = record.base + record.active.bit_length()
    # A mark may lie far in the future.
    ends = [record.base if m is None else min(slot_of(m, zone) + 1, now) for m in marks]
    read, write = (record.active & (1 << max(end - record.base, 0)) - 1 for end in ends)
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
        (read, write),
    )


def _present(known: Learned, look: Look) -> float:
    """The instant of the look, corrected if our clock is far ahead: else weeks would be dropped.

    It is far ahead if the newest mark seems to be more than a week old though one has just moved.
    """
    newest = newest_of(look.marks, look.at)
    if newest is None or look.at - newest <= SILENCE_MOST_SECONDS:
        return look.at
    return max(newest, min(known.first_seen, look.at))


def _begun_in_time(known: Learned, look: Look) -> Learned:
    """The same, or a new one if our clock was ahead when it was begun, as both clocks say now.

    The old one would learn nothing until that instant has come.
    """
    newest = max((mark for mark in look.marks if mark is not None), default=look.at)
    if max(newest, look.at) >= known.first_seen:
        return known
    return first_met(look.at, look.zone).with_marks(known.marks, known.seen)


def first_met(at: float, zone: str) -> Learned:
    """What is known of a sync at its first look, before that look is entered."""
    return Learned(at, None, None, at, at, _empty(oldest_kept(slot_of(at, zone))), zone=zone)


@lru_cache(maxsize=8)
def _empty(base: int) -> bytes:
    """The packed empty record, as one object for all that are first seen in one week."""
    return Record(base).packed()


@lru_cache(maxsize=64)
def _packed_first(record: Record) -> bytes:
    """The packed record, as one object for all whose first marks lie in the same half hours."""
    return record.packed()
