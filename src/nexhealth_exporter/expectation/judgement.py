"""What follows from a sync's marks: state, deadlines, and whether it is overdue."""

import math
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import TypeVar

import msgspec

from nexhealth_exporter.expectation.expectation import Expectation, Running
from nexhealth_exporter.expectation.incident import Incident
from nexhealth_exporter.expectation.schedule import DAY
from nexhealth_exporter.model import SEVERITIES, Severity, State, Sync

NOT_IN_USE_AFTER = 14.0 * DAY
"""A direction that rests this long while the other moves is not in use: no page for it."""


_T = TypeVar("_T")

Pair = tuple[_T, _T]
"""Of reads and of writes."""

TICKET = (Severity.WARNING,)


# There are two of each for every sync. As Structs they take a third of the memory that
# dataclasses with mappings took, and the garbage collector need not look at them.
class Basis(msgspec.Struct, frozen=True, gc=False):
    """What the judgement of one direction rests on. Instants and durations in seconds.

    `anchor` is what lag counts from: the mark, or when the sync (or a mark that lies in the future)
    was first seen. `warning` and `critical` are how much unexpected lag is tolerated.
    `severities` are those that this direction can reach. `past_incidents` are the fleet incidents
    that ended after the anchor, the oldest first.
    """

    mark: float | None
    anchor: float
    expectation: Expectation
    warning: float
    critical: float
    severities: tuple[Severity, ...]
    past_incidents: tuple[Incident, ...]


class Judgement(Basis, frozen=True, gc=False):
    """A basis, and what follows from it for one direction of a sync: one object, for memory's sake.

    `warning_at` and `critical_at` are its deadlines, None where it cannot or shall not fire.
    `half_used_at` is the instant at which half of the warning allowance was used up, None if
    it never is.
    """

    warning_at: float | None
    critical_at: float | None
    half_used_at: float | None

    @property
    def allowance(self) -> Mapping[Severity, float]:
        """Seconds of unexpected lag that are tolerated, by severity."""
        return {Severity.WARNING: self.warning, Severity.CRITICAL: self.critical}

    @property
    def deadline(self) -> Mapping[Severity, float]:
        """The deadlines, by severity; those that there are."""
        both = zip(SEVERITIES, (self.warning_at, self.critical_at), strict=True)
        return {severity: at for severity, at in both if at is not None}

    def lag(self, now: float) -> float | None:
        """Age of the mark; None without a mark, never negative."""
        return None if self.mark is None else max(0.0, now - self.mark)

    def unexpected(self, now: float) -> float | None:
        """Lag that expected downtime does not explain; None without a mark."""
        return None if self.mark is None else self.expectation.unexpected(self.mark, now)

    def running(self, now: float) -> Running | None:
        """The unexpected lag as a line from `now` on; None without a mark."""
        return None if self.mark is None else self.expectation.running(self.mark, now)

    def is_overdue(self, severity: Severity, last_success: float | None) -> bool:
        """True when a successful poll came after the deadline and the mark had not moved."""
        deadline = self.warning_at if severity == Severity.WARNING else self.critical_at
        return deadline is not None and last_success is not None and deadline <= last_success


_basis_of = attrgetter(*Basis.__struct_fields__)


def anchor_of(mark: float | None, first_seen: float, mark_seen: float) -> float:
    """What lag counts from, as an instant.

    A mark in the future counts from when it was first met: else it would hide an outage.
    """
    if mark is None:
        return first_seen
    return min(mark, mark_seen)


def state_of(sync: Sync, anchors: Pair[float], at: float, after: float) -> State:
    """Whether the sync is judged at all, at the poll's instant `at`.

    `after` is the age in seconds at which a sync whose marks both rest is abandoned.
    """
    if sync.inactive:
        return State.INACTIVE
    if at - anchors[0] > after and at - anchors[1] > after:
        return State.ABANDONED
    return State.ACTIVE


def settled_until(anchors: Iterable[float], at: float, abandoned_after: float) -> float:
    """The next instant after `at` at which state or severities may change by age alone."""
    turns = [a + age for a in anchors for age in (NOT_IN_USE_AFTER, abandoned_after)]
    return min([turn for turn in turns if turn >= at], default=math.inf)


def severities_of(
    way: int, state: State, anchors: Pair[float], marks: Pair[float | None], at: float
) -> tuple[Severity, ...]:
    """Which severities a direction (0 read, 1 write) can reach: one not in use is a ticket at most.

    It is not in use if it rests while the other did move: one without a mark never moved. A sync
    that is not active reaches none.
    """
    if state is not State.ACTIVE:
        return ()
    if at - anchors[way] <= NOT_IN_USE_AFTER:
        return SEVERITIES
    other = 1 - way
    moves = marks[other] is not None and at - anchors[other] <= NOT_IN_USE_AFTER
    return TICKET if moves else SEVERITIES


def judge(basis: Basis, before: Judgement | None = None) -> Judgement:
    """Deadlines from the anchor forwards through the expectation.

    A judgement on the very same basis is kept: deadlines do not change for lack of news.
    What a fleet incident has silenced is given its whole allowance again when that has ended,
    unless it was overdue before: offices that have closed meanwhile cannot show that they live.
    """
    if before is not None and _basis_of(before) == _basis_of(basis):
        return before
    half_used_at = warning_at = critical_at = None
    if basis.severities:
        half_used_at, warning_at, critical_at = basis.expectation.deadlines(
            _counted_from(basis), basis.warning / 2, basis.warning, basis.critical
        )
    return Judgement(
        mark=basis.mark,
        anchor=basis.anchor,
        expectation=basis.expectation,
        warning=basis.warning,
        critical=basis.critical,
        severities=basis.severities,
        past_incidents=basis.past_incidents,
        warning_at=warning_at,
        critical_at=critical_at if Severity.CRITICAL in basis.severities else None,
        half_used_at=half_used_at,
    )


def _counted_from(basis: Basis) -> float:
    since = basis.anchor
    for start, end in basis.past_incidents:
        due = basis.expectation.deadline(since, basis.warning)
        if due is not None and due <= start:
            break
        since = end
    return since
