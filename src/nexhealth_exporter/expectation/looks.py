"""A look at a sync, and what it enters into the record of its weeks.

A slot is entered as `active` when either mark moved in it. It is `silent` when the sync moved
before and after it and the stretch between was short enough to be a rest; in a longer stretch
or an incident of the vendor it is `suspect`: it may have been an outage, and teaches only if it
comes again. Any other slot teaches nothing: nobody looked, or the silence was longer than a week.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from nexhealth_exporter.expectation.evidence import DAYS_KEPT
from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.quiet import Quiet, longest, start_slot_of
from nexhealth_exporter.expectation.record import Record
from nexhealth_exporter.expectation.schedule import DAY
from nexhealth_exporter.expectation.slots import SLOTS, WEEK, monday_of, slot_of
from nexhealth_exporter.expectation.tuning import usual_quiet_of
from nexhealth_exporter.model import IntegrationType

WEEKS = 7
"""How many local weeks are kept, the present one included."""

BLIND = 45 * 60.0
"""After so many seconds without a look, what happened between is not known."""

UNTOLD = 2.5 * 3600.0
"""So many seconds before its start an incident may have begun to silence: half of the most that is
tolerated of any before a ticket."""

GRACE = 2 * 3600.0
"""So many seconds after an incident, those that it has silenced may still be coming back."""

LONGEST = 7 * DAY
"""A longer silence teaches nothing at all."""

TOGETHER = 2
"""Moves so few slots apart belong together: people pause, and what lies between is no rest."""

TRUSTED = 12 * 3600.0
"""A silence of more expected seconds, or beyond the critical allowance, may be an outage.

Nobody's working day is longer, and a day off must teach."""

PAUSE = 40 * 60.0
"""A direction that rests for so long while the sync moves has paused."""

NOTABLE = 25 * 60.0
"""A direction that rests for a shorter time has just not moved."""

LATE = 15 * 60.0
"""A mark that is so old when it comes was late: until then the one before it was the latest."""

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
    kind: IntegrationType
    hours: tuple[Expectation, Expectation, Expectation]
    """Of the sync, of its reads, of its writes."""
    tolerated: Callable[[int], float]
    """By direction (0 read, 1 write), beyond how many expected seconds a silence is critical.

    Asked for silences only, which most looks do not end.
    """
    skipped: Callable[[int], bool]
    """Tells of a local day (days since 1970) that it is not to be learned from."""
    disturbed: Sequence[tuple[float, float]] = ()
    """From when until when fleet incidents of its type lasted; infinite while one does."""
    is_owing: Callable[[], bool] = bool
    """Whether a direction that is overdue has not moved at this look either.

    Asked once a day, when the pattern would be made anew.
    """
    stagger: int = 0
    """Seconds after local midnight at which its pattern is made anew: not all at once."""

    @property
    def zone(self) -> str:
        """By whose wall clock its slots count."""
        return self.hours[0].timezone


def entered(record: Record, known: Marks, look: Look) -> Record:
    """The record after a look at which other marks were met than those that were known."""
    record = replace(record, active=record.active | _moved(record, known, look))
    if known == (None, None):
        return record  # nothing has ended that was seen to begin
    return _quieted(_rested(record, known, look), known, look)


def oldest_kept(now: int) -> int:
    """The first of the slots that are kept at that one."""
    return monday_of(now) - (WEEKS - 1) * WEEK


def newest_of(marks: Marks, at: float) -> float | None:
    """The newer of both marks. One in the future says only that it moved."""
    return max([min(mark, at) for mark in marks if mark is not None], default=None)


def _bits(record: Record, first: int, last: int) -> int:
    """The slots from first to last, without last."""
    first, last = max(first - record.base, 0), last - record.base
    return ((1 << (last - first)) - 1) << first if last > first else 0


def _moved(record: Record, known_marks: Marks, look: Look) -> int:
    moved = 0
    for mark, known in zip(look.marks, known_marks, strict=True):
        if mark is not None and mark != known and mark > look.at - WEEKS * 7 * DAY:
            slot = slot_of(min(mark, look.at), look.zone)
            moved |= _bits(record, slot, slot + 1)
    return moved


def _rested(record: Record, known: Marks, look: Look) -> Record:
    """With the silence between two moves entered."""
    before, newest = newest_of(known, look.at), newest_of(look.marks, look.at)
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
    elif last - first < TOGETHER:
        return replace(record, active=record.active | _bits(record, first, last))
    slots = suspect = _bits(record, first, last) & ~record.active
    seconds = look.hours[0].unexpected(before, newest)
    if seconds <= TRUSTED or seconds <= max(look.tolerated(0), look.tolerated(1)):
        # What many offices do at once may be an incident, but if it comes again it is theirs: else
        # a Friday that most have off would be one in each week, and never be learned.
        suspect = slots & _disturbed(record, look)
    return replace(
        record, silent=record.silent | slots & ~suspect, suspect=record.suspect | suspect
    )


def _quieted(record: Record, known: Marks, look: Look) -> Record:
    """With the quiet stretches that each direction has just ended."""
    pauses, quiets, absences = list(record.pauses), list(record.quiets), list(record.absences)
    usual = usual_quiet_of(look.kind)
    for way in (0, 1):
        before, mark = known[way], look.marks[way]
        if before is None or mark is None or mark <= before:
            continue
        end = moved = min(mark, look.at)
        if look.before is not None and look.at - look.before > BLIND:
            end = moved = min(mark, look.before)
        elif look.before is not None and look.at - mark >= LATE:
            end = max(moved, look.before)
        if not NOTABLE <= end - before <= LONGEST or _is_disturbed(look, before, end):
            continue
        seconds = look.hours[1 + way].unexpected(before, end)
        slots = _bits(record, slot_of(before, look.zone) + 1, slot_of(moved, look.zone))
        if seconds > look.tolerated(way):
            absences[way] |= slots
            continue
        if mark - before >= PAUSE:
            pauses[way] |= slots
        if seconds < LITTLE * usual:
            continue
        day = slot_of(end, look.zone) // SLOTS
        recent = [q for q in quiets[way] if day - q.day <= DAYS_KEPT]
        began = start_slot_of(look.hours[1 + way], before, usual)
        quiets[way] = longest([*recent, Quiet(day, round(seconds), began)])
    return replace(
        record,
        pauses=(pauses[0], pauses[1]),
        quiets=(tuple(quiets[0]), tuple(quiets[1])),
        absences=(absences[0], absences[1]),
    )


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
