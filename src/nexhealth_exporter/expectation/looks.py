"""A look at a sync, and what it enters into the record of its weeks.

A slot is entered as `active` when either mark moved in it. It is `silent` when the sync moved
before and after it and the stretch between was short enough to be a rest. In a longer stretch,
or during a fleet incident, it is `suspect`: it may have been an outage, and teaches only if it
recurs. Any other slot teaches nothing: nobody looked, or the silence was longer than a week.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from nexhealth_exporter.expectation.evidence import DAYS_KEPT
from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.incident import Incident
from nexhealth_exporter.expectation.quiet import Quiet, longest, start_slot_of
from nexhealth_exporter.expectation.record import Record
from nexhealth_exporter.expectation.schedule import DAY, HOUR, MINUTE
from nexhealth_exporter.expectation.slots import SLOTS, WEEK, monday_of, slot_of
from nexhealth_exporter.expectation.tuning import tuning_of
from nexhealth_exporter.model import IntegrationType

WEEKS_KEPT = 7
"""How many local weeks are kept, including the present one."""

UNWATCHED_AFTER_SECONDS = 45.0 * MINUTE
"""After so long without a look, it is not known what happened in between."""

INCIDENT_LEAD_SECONDS = 2.5 * HOUR
"""An incident may have silenced syncs so long before its start, since it only starts when they have
used half of their warning allowance: the longest one is twice this."""

INCIDENT_TAIL_SECONDS = 2.0 * HOUR
"""So long after an incident, the syncs that it has silenced may still be coming back."""

SILENCE_MOST_SECONDS = 7.0 * DAY
"""A longer silence teaches nothing at all."""

REST_LEAST_SLOTS = 2
"""Fewer slots between two moves are no rest: people pause, but are at work."""

REST_MOST_EXPECTED_SECONDS = 12.0 * HOUR
"""A silence of more expected time may be an outage.

Nobody's working day is longer, and a day off must teach."""

PAUSE_LEAST_SECONDS = 40.0 * MINUTE
"""A direction that rests for so long while the sync moves has paused."""

QUIET_LEAST_SECONDS = 25.0 * MINUTE
"""A direction that rests for less has just not moved."""

QUIET_LEAST_SHARE = 0.55
"""A quiet stretch of less than this share of what its type is allowed anyway cannot raise any
allowance, and is not kept."""

LATE_MARK_SECONDS = 15.0 * MINUTE
"""A mark that is so old when it is first seen came late: until then, another was the latest."""


Marks = tuple[float | None, float | None]
"""The marks of reads and of writes."""


class Look(NamedTuple):
    """A successful poll of a sync. Instants are POSIX seconds; pairs are read, write.

    `before` is the instant of the poll before it, None if there was none. Expectations and
    `critical_allowance` were in force until now.
    """

    at: float
    before: float | None
    marks: Marks
    kind: IntegrationType
    expectation: Expectation
    directions: tuple[Expectation, Expectation]
    """The expectations of its reads and of its writes."""
    critical_allowance: Callable[[int], float]
    """By direction (0 read, 1 write), the expected seconds of silence before a page.

    It is only called when a silence has ended, which is rare.
    """
    is_skipped: Callable[[int], bool]
    """Whether nothing is to be learned from a local day (days since 1970)."""
    incidents: Sequence[Incident] = ()
    """The latest ones of its type."""
    is_still_overdue: Callable[[], bool] = bool
    """Whether a direction that was overdue has not moved at this look either.

    It is only called once a day, when the pattern would be learned again.
    """
    relearn_offset: int = 0
    """Seconds after local midnight at which its pattern is learned again: not all at once."""

    @property
    def zone(self) -> str:
        """The zone by whose wall clock its slots count."""
        return self.expectation.timezone

    @property
    def gap_from(self) -> float | None:
        """The poll before it, if that is so long ago that it is not known what happened since."""
        if self.before is None or self.at - self.before <= UNWATCHED_AFTER_SECONDS:
            return None
        return self.before


def entered(record: Record, known: Marks, look: Look) -> Record:
    """The record after a look that found other marks than the `known` ones."""
    record = replace(record, active=record.active | _moved(record, known, look))
    if known == (None, None):
        return record  # nothing was seen to begin, so nothing has ended
    return _with_quiets(_with_rest(record, known, look), known, look)


def oldest_kept(now: int) -> int:
    """The first slot that is kept when `now` is the present one."""
    return monday_of(now) - (WEEKS_KEPT - 1) * WEEK


def newest_of(marks: Marks, at: float) -> float | None:
    """The newer of both marks; one in the future counts as made now, since it only shows a move."""
    return max([min(mark, at) for mark in marks if mark is not None], default=None)


def _bits(record: Record, first: int, last: int) -> int:
    """The slots of the record from `first` until `last`, without the latter, as a mask."""
    first, last = max(first - record.base, 0), last - record.base
    return ((1 << (last - first)) - 1) << first if last > first else 0


def _moved(record: Record, known_marks: Marks, look: Look) -> int:
    """The slots in which a mark has moved, as a mask."""
    moved = 0
    for mark, known in zip(look.marks, known_marks, strict=True):
        if mark is not None and mark != known and mark > look.at - WEEKS_KEPT * 7 * DAY:
            slot = slot_of(min(mark, look.at), look.zone)
            moved |= _bits(record, slot, slot + 1)
    return moved


def _with_rest(record: Record, known: Marks, look: Look) -> Record:
    """The record with the silence entered that has just ended, if any."""
    before, newest = newest_of(known, look.at), newest_of(look.marks, look.at)
    if before is None or newest is None or newest <= before:
        return record
    if newest - before > SILENCE_MOST_SECONDS:
        return record
    first, last = slot_of(before, look.zone) + 1, slot_of(newest, look.zone)
    if last <= first:
        return record
    if look.gap_from is not None:
        newest = min(newest, max(look.gap_from, before))
        last = min(last, slot_of(newest, look.zone))
    elif last - first < REST_LEAST_SLOTS:
        return replace(record, active=record.active | _bits(record, first, last))
    slots = suspect = _bits(record, first, last) & ~record.active
    seconds = look.expectation.unexpected(before, newest)
    if seconds <= REST_MOST_EXPECTED_SECONDS:
        # What many offices do at once may be an incident, but if it recurs it is theirs. Else a
        # Friday that most have off would count as an incident every week, and never be learned.
        suspect = slots & _slots_of_incidents(record, look)
    return replace(
        record, silent=record.silent | slots & ~suspect, suspect=record.suspect | suspect
    )


def _with_quiets(record: Record, known: Marks, look: Look) -> Record:
    """The record with the quiet stretch of each direction that has just ended, if any."""
    pauses, quiets, absences = list(record.pauses), list(record.quiets), list(record.absences)
    usual = tuning_of(look.kind).usual_quiet
    for way in (0, 1):
        before, mark = known[way], look.marks[way]
        if before is None or mark is None or mark <= before:
            continue
        moved, end = _ended(mark, look)
        if end - before < QUIET_LEAST_SECONDS or _is_in_incident(look, before, end):
            continue
        slots = _bits(record, slot_of(before, look.zone) + 1, slot_of(moved, look.zone))
        seconds = look.directions[way].unexpected(before, end)
        if seconds > look.critical_allowance(way):
            absences[way] |= slots
            continue
        if mark - before >= PAUSE_LEAST_SECONDS:
            pauses[way] |= slots
        if seconds >= QUIET_LEAST_SHARE * usual:
            day = slot_of(end, look.zone) // SLOTS
            recent = [q for q in quiets[way] if day - q.day <= DAYS_KEPT]
            began = start_slot_of(look.directions[way], before, usual)
            quiets[way] = longest([*recent, Quiet(day, round(seconds), began)])
    return replace(
        record,
        pauses=(pauses[0], pauses[1]),
        quiets=(quiets[0], quiets[1]),
        absences=(absences[0], absences[1]),
    )


def _ended(mark: float, look: Look) -> tuple[float, float]:
    """When a silence ended before that mark: by the marks, and by what the polls show."""
    if look.gap_from is not None:
        end = min(mark, look.gap_from)
        return end, end
    moved = min(mark, look.at)
    if look.before is not None and look.at - mark >= LATE_MARK_SECONDS:
        return moved, max(moved, look.before)
    return moved, moved


def _slots_of_incidents(record: Record, look: Look) -> int:
    """The slots in which an incident may have silenced the sync, so that silence proves nothing."""
    slots = 0
    for begun, over in look.incidents:
        last = min(over + INCIDENT_TAIL_SECONDS, look.at)
        first = slot_of(begun - INCIDENT_LEAD_SECONDS, look.zone)
        slots |= _bits(record, first, slot_of(last, look.zone) + 1)
    return slots


def _is_in_incident(look: Look, start: float, end: float) -> bool:
    return any(begun < end and start < over for begun, over in look.incidents)
