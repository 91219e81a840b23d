"""Every sync with its condition at an instant, worst first."""

import math
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from nexhealth_exporter.expectation.expectation import Expectation, Segment
from nexhealth_exporter.expectation.incident import is_held_back
from nexhealth_exporter.expectation.judgement import Judgement
from nexhealth_exporter.fleet import Fleet, Standing, SyncStanding
from nexhealth_exporter.model import IntegrationType, Operation, Severity, State

FLUCTUATION = 20 * 60.0
"""Seconds of unexpected lag that are normal while a sync runs."""


class Condition(StrEnum):
    """The condition of a sync, worst first."""

    OVERDUE_CRITICAL = "overdue_critical"
    OVERDUE_WARNING = "overdue_warning"
    LATE = "late"
    UNKNOWN = "unknown"
    NO_SYNC = "no_sync"
    FRESH = "fresh"
    RESTING = "resting"
    ABANDONED = "abandoned"
    INACTIVE = "inactive"


CALM = frozenset({Condition.FRESH, Condition.RESTING})
"""Conditions in which nothing is wrong: to show lag and deadlines would only alarm."""

_RANK = {condition: rank for rank, condition in enumerate(Condition)}
SEVERITY_OF = {
    Condition.OVERDUE_CRITICAL: Severity.CRITICAL,
    Condition.OVERDUE_WARNING: Severity.WARNING,
}
"""The conditions in which a sync is overdue, each with its severity."""

_OVERDUE = {severity: condition for condition, severity in SEVERITY_OF.items()}
_NOT_JUDGED = {State.ABANDONED: Condition.ABANDONED, State.INACTIVE: Condition.INACTIVE}


class Row(NamedTuple):
    """A sync at the instant `now`, or an institution without a known sync (`sync` None).

    `now_piece` is the expectation now. `due` is the deadline to show: the next one, or if the
    sync is overdue, the first one missed by the directions that are overdue at its severity.
    `is_held_back` is True if the sync is overdue, but a fleet incident explains it.
    """

    standing: Standing
    sync: SyncStanding | None
    condition: Condition
    now: float
    now_piece: Segment | None = None
    due: float | None = None
    is_held_back: bool = False

    @property
    def severity(self) -> Severity | None:
        """The severity at which the sync is overdue."""
        return SEVERITY_OF.get(self.condition)

    @property
    def is_overdue(self) -> bool:
        """Whether the sync is overdue at either severity."""
        return self.severity is not None

    @property
    def is_blind(self) -> bool:
        """Whether the latest poll failed, so that the row shows what was last known."""
        return self.standing.failure is not None

    @property
    def integration_type(self) -> IntegrationType | None:
        """The integration type; None if no sync is known."""
        return None if self.sync is None else self.sync.integration_type

    @property
    def overdue_operations(self) -> tuple[Operation, ...]:
        """The directions that are overdue at the row's severity."""
        if self.sync is None or self.severity is None:
            return ()
        return tuple(
            operation
            for operation in Operation
            if self.sync.judgement(operation).is_overdue(self.severity, self.standing.last_success)
        )

    def deadline(self, severity: Severity) -> float | None:
        """The earliest deadline of that severity: of the overdue directions, else of both."""
        operation = self.first_due(severity)
        if self.sync is None or operation is None:
            return None
        return self.sync.judgement(operation).deadline[severity]

    def first_due(self, severity: Severity) -> Operation | None:
        """The direction with that deadline; None if there is none."""
        if self.sync is None:
            return None
        asked = self.overdue_operations or tuple(Operation)
        known = {operation: self.sync.judgement(operation).deadline for operation in asked}
        due = {operation: each[severity] for operation, each in known.items() if severity in each}
        return min(due, key=due.__getitem__, default=None)

    @property
    def unexpected(self) -> float | None:
        """The larger unexpected lag of both directions, in seconds; None if neither is known."""
        if self.sync is None:
            return None
        known = [j.unexpected(self.now) for j in self.sync.judgements]
        return max((u for u in known if u is not None), default=None)


class _Moment(dict[Expectation, Segment]):
    """What all rows share: the instant, the incidents, and the piece of each expectation then."""

    def __init__(self, fleet: Fleet, now: float) -> None:
        super().__init__()
        self.now = now
        self.incidents = fleet.incidents

    def __missing__(self, expectation: Expectation) -> Segment:
        piece = self[expectation] = expectation.piece(self.now)
        return piece


def rows(fleet: Fleet, now: float) -> list[Row]:
    """Every known sync and every institution without one: worst first, then by deadline."""
    moment = _Moment(fleet, now)
    return sorted((row for s in fleet for row in _rows(s, moment)), key=_worst_first)


def overdue_rows(fleet: Fleet, now: float) -> list[Row]:
    """The rows of overdue syncs, worst first; cheaper than to make all rows."""
    moment = _Moment(fleet, now)
    found = [
        _row(standing, sync, moment)
        for standing, sync in fleet.syncs()
        if standing.last_success is not None and _first_deadline(sync) <= standing.last_success
    ]
    return sorted((row for row in found if row.is_overdue), key=_worst_first)


def rows_of(standing: Standing, fleet: Fleet, now: float) -> list[Row]:
    """The rows of one institution, in the order of its answer."""
    return _rows(standing, _Moment(fleet, now))


def _rows(standing: Standing, moment: _Moment) -> list[Row]:
    if standing.syncs:
        return [_row(standing, sync, moment) for sync in standing.syncs]
    is_known = standing.syncs is not None
    return [Row(standing, None, Condition.NO_SYNC if is_known else Condition.UNKNOWN, moment.now)]


def _worst_first(row: Row) -> tuple[int, float, str, str]:
    name = row.sync.sync.name if row.sync else ""
    due = math.inf if row.due is None else row.due
    return (_RANK[row.condition], due, row.standing.institution.subdomain, name)


def _row(standing: Standing, sync: SyncStanding, moment: _Moment) -> Row:
    success, due = standing.last_success, _first_deadline(sync)
    # Most syncs have missed no deadline, which is quick to find out.
    severity = None if success is None or due > success else sync.overdue(success)
    if severity is not None:
        late = [j for j in sync.judgements if j.is_overdue(severity, success)]
        due = min(at for judgement in late for at in judgement.deadline.values())
    now, piece = moment.now, moment[sync.hours.expectation]
    begun = moment.incidents.get(sync.integration_type)
    return Row(
        standing=standing,
        sync=sync,
        condition=_OVERDUE[severity] if severity else _condition(standing, sync, piece, now),
        now=now,
        now_piece=piece,
        due=None if due == math.inf else due,
        is_held_back=severity is not None and is_held_back(_alert_deadline(sync, severity), begun),
    )


def _alert_deadline(sync: SyncStanding, severity: Severity) -> float:
    """The earliest deadline of that severity, from which its alert fires."""
    return min(j.deadline[severity] for j in sync.judgements if severity in j.deadline)


def _first_deadline(sync: SyncStanding) -> float:
    """The earliest of all deadlines; infinite if there is none."""
    read, write = sync.read, sync.write
    deadlines = (read.warning_at, read.critical_at, write.warning_at, write.critical_at)
    return min((at for at in deadlines if at is not None), default=math.inf)


def _condition(standing: Standing, sync: SyncStanding, piece: Segment, now: float) -> Condition:
    """The condition of a sync that is not overdue."""
    if sync.state is not State.ACTIVE:
        return _NOT_JUDGED[sync.state]
    if sync.read.mark is None or sync.write.mark is None or standing.last_success is None:
        return Condition.UNKNOWN
    if not piece.is_open:
        return Condition.RESTING
    late_from = min(_late_from(sync.read, now), _late_from(sync.write, now))
    if late_from <= standing.last_success:
        return Condition.LATE
    # The mark may have moved since the last successful poll: we cannot know.
    if standing.failure is not None and late_from <= now:
        return Condition.UNKNOWN
    return Condition.FRESH


def _late_from(judgement: Judgement, now: float) -> float:
    """When unexpected lag exceeds the normal fluctuation; infinite if it does not before `now`."""
    mark = judgement.anchor
    if now - mark <= FLUCTUATION:
        return math.inf
    return _exceeded(judgement.expectation, mark)


@lru_cache(maxsize=65536)
def _exceeded(expectation: Expectation, mark: float) -> float:
    at = expectation.deadline(mark, FLUCTUATION)
    return math.inf if at is None else at
