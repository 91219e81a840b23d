"""How an institution's standing changes: by a poll, by a new policy, by what others remember."""

import math
import operator
from collections.abc import Sequence
from zlib import crc32

import msgspec
from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.judgement import (
    NONE,
    NOT_IN_USE_AFTER,
    Basis,
    Judgement,
    anchor_of,
    judge,
    severities_of,
    state_of,
)
from nexhealth_exporter.expectation.learned import Learned, first_met
from nexhealth_exporter.expectation.looks import Look, Marks
from nexhealth_exporter.fleet.standing import (
    NO_MEMORY,
    Disturbance,
    Disturbances,
    Hours,
    Kept,
    Memory,
    Policy,
    Standing,
    SyncStanding,
)
from nexhealth_exporter.model import (
    WAYS,
    Institution,
    IntegrationType,
    Operation,
    Poll,
    Severity,
    State,
    Sync,
    SyncFacts,
)

STAGGER = 6 * 3600
"""Patterns are made anew within so many seconds after midnight: not all at once."""


class Judging(msgspec.Struct, frozen=True):
    """Makes new standings of old ones; what it goes by is the same for the whole fleet."""

    policy: Policy
    disturbances: Disturbances

    def renamed(
        self, before: Standing | None, institution: Institution, memory: Memory
    ) -> Standing:
        """The standing of an institution as the inventory has it now; new ones have a memory."""
        if before is None:
            return Standing(institution, self.policy.group(institution, ()), kept=memory)
        if before.institution == institution:
            return before
        return self.rejudged(altered(before, institution=institution))

    def recalling(self, standing: Standing, memory: Memory) -> Standing:
        """With a past of its syncs that was not seen here, where it reaches further back."""
        known = {name: kept.learned for name, kept in standing.kept.items()}
        known |= {s.sync.name: s.learned for s in standing.syncs or ()}
        memory = {
            name: kept
            for name, kept in memory.items()
            if name not in known or kept.learned.first_seen < known[name].first_seen
        }
        recalled = altered(standing, kept={**standing.kept, **memory})
        at = standing.last_success
        if standing.syncs is None or at is None or not memory:
            return recalled
        unseen = altered(recalled, last_success=None)
        syncs = tuple(
            self._met(unseen, s.sync, None, at) if s.sync.name in memory else s
            for s in standing.syncs
        )
        shown = {s.sync.name for s in syncs}
        kept = {name: k for name, k in recalled.kept.items() if name not in shown}
        return altered(standing, syncs=syncs, kept=kept)

    def rejudged(self, standing: Standing) -> Standing:
        """The same marks, judged anew."""
        syncs, at, institution = standing.syncs, standing.last_success, standing.institution
        if syncs is not None and at is not None:
            syncs = tuple(
                self._standing(institution, s.sync, s.learned, s, at, kind=s.integration_type)
                for s in syncs
            )
        return self._grouped(altered(standing, syncs=syncs))

    def polled(self, before: Standing, poll: Poll) -> Standing:
        """The standing after that poll."""
        if poll.syncs is None:
            return self._failed(before, poll)
        known = {standing.sync.name: standing for standing in before.syncs or ()}
        syncs = tuple(
            old
            if (old := known.get(sync.name)) is not None
            and self._says_nothing_new(sync, old, before.last_success, poll.at)
            else self._met(before, sync, old, poll.at)
            for sync in (_as_known(sync, known.get(sync.name)) for sync in poll.syncs)
        )
        if before.syncs is not None and _are_same(syncs, before.syncs):
            syncs = before.syncs  # the page may hold them until it is drawn again
        kept = before.kept
        if kept or len(syncs) != len(known) or known.keys() != {s.sync.name for s in syncs}:
            shown = {s.sync.name for s in syncs}
            memory = before.memory().items()
            kept = {name: k for name, k in memory if name not in shown} or NO_MEMORY
        after = Standing(before.institution, before.group, syncs, poll.at, poll.at, kept=kept)
        if syncs is before.syncs or (
            before.syncs is not None and _facts(syncs) == _facts(before.syncs)
        ):
            return after
        return self._grouped(after)

    def _says_nothing_new(
        self, sync: Sync, before: SyncStanding, since: float | None, at: float
    ) -> bool:
        """Whether all that followed at the last good poll, `since`, still does.

        It does not if our clock was wrong then: ahead, it made marks look older than they were;
        behind, it met them before they were made.
        """
        if since is None or at < since or sync != before.sync:
            return False
        if before.learned.caught_up(since, at) is not before.learned:
            return False
        return at < before.settled_until(since, self.policy.abandoned_after)

    def _failed(self, before: Standing, poll: Poll) -> Standing:
        failed = altered(before, last_poll=poll.at, failure=poll.failure)
        success = before.last_success
        if success is None or poll.at - success > self.policy.stale_after:
            return altered(failed, syncs=None, kept=before.memory())
        return failed

    def _grouped(self, standing: Standing) -> Standing:
        facts = _facts(standing.syncs or ())
        return altered(standing, group=self.policy.group(standing.institution, facts))

    def _met(
        self, standing: Standing, sync: Sync, before: SyncStanding | None, at: float
    ) -> SyncStanding:
        """The sync after a poll, with what that poll taught."""
        institution = standing.institution
        kept = None if before is not None else standing.kept.get(sync.name)
        kind = _kind(sync, before or kept)
        looked_at: float | None = None
        if before is not None:
            looked_at = standing.last_success
            learned, hours = before.learned, before.hours
        elif kept is not None:
            looked_at = kept.looked_at
            learned, hours = self._by_its_clock(institution, sync, kind, kept.learned)
        else:
            hours = self.policy.hours(institution, sync, kind, None)
            learned = first_met(at, hours.expectation.timezone)
        if _is_another(kind, before or kept):
            learned = learned.anew(at)
        learned = self._taught(
            institution, sync, learned, hours, before, kind=kind, looked_at=looked_at, at=at
        )
        is_same = before is None or _described_alike(sync, kind, before)
        still_hold = is_same and learned.pattern is hours.pattern
        return self._standing(
            institution, sync, learned, before, at, kind=kind, hours=hours if still_hold else None
        )

    def _taught(
        self,
        institution: Institution,
        sync: Sync,
        learned: Learned,
        hours: Hours,
        before: SyncStanding | None,
        *,
        kind: IntegrationType,
        looked_at: float | None,
        at: float,
    ) -> Learned:
        """What is known of a sync after a look at it; `looked_at` is when the look before was."""
        # An answer without a mark is no news of it: the last one that could be read stays known.
        read, write = learned.marks
        marks = (
            read if sync.read_at is None else sync.read_at,
            write if sync.write_at is None else sync.write_at,
        )
        known, late = learned, stagger(institution, sync.name)
        if looked_at is not None:
            learned = learned.caught_up(looked_at, at)
        routine = learned.after_routine(marks, at, hours.expectation.timezone, late)
        if routine is not None:
            return routine

        def is_owing() -> bool:
            was = before
            if was is None and looked_at is not None:
                # Only remembered: since a restart, or for want of an answer.
                was = self._standing(
                    institution, sync, known, None, looked_at, kind=kind, hours=hours
                )
            return was is not None and _is_owing(was, marks, looked_at, at)

        look = Look(
            at=at,
            before=looked_at,
            marks=marks,
            kind=kind,
            hours=(hours.expectation, hours.of(Operation.READ), hours.of(Operation.WRITE)),
            tolerated=lambda way: hours.allowances(kind, WAYS[way])[Severity.CRITICAL],
            skipped=hours.skips,
            disturbed=self.disturbances.get(kind, ()),
            is_owing=is_owing,
            stagger=late,
        )
        return learned.after(look)

    def _by_its_clock(
        self, institution: Institution, sync: Sync, kind: IntegrationType, learned: Learned
    ) -> tuple[Learned, Hours]:
        """What was learned, by the clock of the zone that holds now, and the hours of it."""
        hours = self.policy.hours(institution, sync, kind, learned.pattern)
        zone = hours.expectation.timezone
        if learned.zone == zone:
            return learned, hours
        learned = learned.by_clock_of(zone, kind, hours.skips)
        return learned, self.policy.hours(institution, sync, kind, learned.pattern)

    def _standing(
        self,
        institution: Institution,
        sync: Sync,
        learned: Learned,
        before: SyncStanding | None,
        at: float,
        *,
        kind: IntegrationType,
        hours: Hours | None = None,
    ) -> SyncStanding:
        """The sync judged; `hours` are given where those that it had still hold."""
        lasted, own = self.disturbances.get(kind, ()), hours
        if own is None:
            learned, own = self._by_its_clock(institution, sync, kind, learned)
        marks, known, seen = (sync.read_at, sync.write_at), learned.marks, learned.seen
        anchors = (
            anchor_of(known[0], learned.first_seen, seen[0]),
            anchor_of(known[1], learned.first_seen, seen[1]),
        )
        state = state_of(sync, anchors, at, self.policy.abandoned_after)
        olds = (None, None) if before is None else before.judgements
        judged_alike = None if hours is None else before
        judged: list[Judgement] = []
        for way, operation in enumerate(WAYS):
            anchor = anchors[way]
            warning, critical = _tolerated(own, kind, way, anchor, learned, before=judged_alike)
            basis = Basis(
                mark=marks[way],
                anchor=anchor,
                expectation=own.of(operation),
                warning=warning,
                critical=critical,
                severities=(
                    severities_of(way, anchors, known, at) if state is State.ACTIVE else NONE
                ),
                excuse=_excuse(lasted, anchor),
            )
            judged.append(judge(basis, olds[way]))
        return SyncStanding(
            sync=sync,
            integration_type=kind,
            learned=learned,
            state=state,
            hours=own,
            read=judged[0],
            write=judged[1],
        )


def _tolerated(
    hours: Hours,
    kind: IntegrationType,
    way: int,
    anchor: float,
    learned: Learned,
    *,
    before: SyncStanding | None,
) -> tuple[float, float]:
    """The allowances of a direction, for a ticket and for a page, in seconds.

    `before` is how it was judged by these hours, if it was: that still holds while its mark has
    not moved, nor the other one come further ahead of it.
    """
    if before is not None:
        basis = before.judgements[way].basis
        if hours.pattern is None or (  # without a pattern no mark matters
            basis.anchor == anchor and before.learned.ahead(way) is learned.ahead(way)
        ):
            return basis.warning, basis.critical
    alone = 0 if hours.pattern is None else learned.alone(way, hours.expectation.timezone)
    allowed = hours.allowances(kind, WAYS[way], anchor, alone)
    return allowed[Severity.WARNING], allowed[Severity.CRITICAL]


def _is_owing(before: SyncStanding, marks: Marks, looked_at: float | None, at: float) -> bool:
    """Whether a direction that was overdue has not moved since; not of one that is not in use."""
    return any(
        mark is not None
        and mark == known
        and at - judgement.basis.anchor <= NOT_IN_USE_AFTER
        and judgement.is_overdue(Severity.WARNING, looked_at)
        for mark, known, judgement in zip(
            marks, before.learned.marks, before.judgements, strict=True
        )
    )


def excused(standing: Standing, ended: Disturbances) -> Standing:
    """With the whole allowance given again to those that fleet incidents have silenced."""
    if not ended or not any(s.integration_type in ended for s in standing.syncs or ()):
        return standing
    syncs = tuple(
        altered(s, read=_lenient(s.read, lasted), write=_lenient(s.write, lasted))
        if (lasted := ended.get(s.integration_type)) is not None
        else s
        for s in standing.syncs or ()
    )
    return altered(standing, syncs=syncs)


def _lenient(judgement: Judgement, lasted: tuple[Disturbance, ...]) -> Judgement:
    basis = judgement.basis
    return judge(altered(basis, excuse=_excuse(lasted, basis.anchor)), judgement)


def _excuse(lasted: tuple[Disturbance, ...], anchor: float) -> tuple[Disturbance, ...]:
    return tuple(one for one in lasted if anchor < one.end < math.inf) if lasted else ()


def _described_alike(sync: Sync, kind: IntegrationType, before: SyncStanding) -> bool:
    """Whether the answer says the same of it from which its hours follow beside its pattern."""
    return (
        kind is before.integration_type
        and sync.emr == before.sync.emr
        and sync.locations == before.sync.locations
    )


def stagger(institution: Institution, sync: str) -> int:
    """How many seconds after midnight that sync's pattern is made anew."""
    name = f"{institution.subdomain}/{sync}"
    return crc32(name.encode("utf-8", "surrogatepass")) % STAGGER


def _kind(sync: Sync, before: SyncStanding | Kept | None) -> IntegrationType:
    return sync.integration_type or (before.integration_type if before else IntegrationType.UNKNOWN)


def _as_known(sync: Sync, before: SyncStanding | None) -> Sync:
    """The sync; what the answer lacks of it stays as it was: rules and its state depend on it."""
    if before is None or (sync.emr and sync.locations):
        return sync
    known = before.sync
    return altered(sync, emr=sync.emr or known.emr, locations=sync.locations or known.locations)


def _is_another(kind: IntegrationType, before: SyncStanding | Kept | None) -> bool:
    """Whether another system has taken its place: what ran at night may be a browser now."""
    return before is not None and before.integration_type not in {kind, IntegrationType.UNKNOWN}


def _are_same(some: Sequence[SyncStanding], others: Sequence[SyncStanding]) -> bool:
    return len(some) == len(others) and all(map(operator.is_, some, others))


def _facts(syncs: Sequence[SyncStanding]) -> list[SyncFacts]:
    return [(s.sync.emr, s.integration_type) for s in syncs]
