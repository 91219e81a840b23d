"""How an institution's standing changes: by a poll, a new policy, or memory from elsewhere."""

import math
import operator
from collections.abc import Sequence
from zlib import crc32

import msgspec
from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.incident import Incident
from nexhealth_exporter.expectation.judgement import (
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
from nexhealth_exporter.expectation.sharing import shared
from nexhealth_exporter.fleet.standing import (
    NO_MEMORY,
    Hours,
    Incidents,
    Memory,
    Policy,
    Standing,
    SyncMemory,
    SyncStanding,
)
from nexhealth_exporter.model import (
    WAYS,
    Institution,
    IntegrationType,
    Operation,
    Poll,
    Severity,
    Sync,
    SyncFacts,
)

RELEARN_WITHIN = 6 * 3600
"""Patterns are derived again within so many seconds after midnight, not all at once."""


class Judging(msgspec.Struct, frozen=True):
    """Makes new standings from old ones, by the policy and the incidents of the whole fleet."""

    policy: Policy
    incidents: Incidents

    def renamed(
        self, before: Standing | None, institution: Institution, memory: Memory
    ) -> Standing:
        """The standing of an institution as the inventory lists it now; a new one gets `memory`."""
        if before is None:
            return Standing(institution, self.policy.group(institution, ()), remembered=memory)
        if before.institution == institution:
            return before
        return self.rejudged(altered(before, institution=institution))

    def recalling(self, standing: Standing, memory: Memory) -> Standing:
        """With the memory of those syncs of which it reaches further back than what is known."""
        known = {name: sync.learned for name, sync in standing.remembered.items()}
        known |= {s.sync.name: s.learned for s in standing.syncs or ()}
        memory = {
            name: sync
            for name, sync in memory.items()
            if name not in known or sync.learned.first_seen < known[name].first_seen
        }
        recalled = altered(standing, remembered={**standing.remembered, **memory})
        at = standing.last_success
        if standing.syncs is None or at is None or not memory:
            return recalled
        unseen = altered(recalled, last_success=None)
        syncs = tuple(
            self._after_poll(unseen, s.sync, None, at) if s.sync.name in memory else s
            for s in standing.syncs
        )
        shown = {s.sync.name for s in syncs}
        remembered = {name: m for name, m in recalled.remembered.items() if name not in shown}
        return altered(standing, syncs=syncs, remembered=remembered)

    def rejudged(self, standing: Standing) -> Standing:
        """The same marks, judged again."""
        syncs, at, institution = standing.syncs, standing.last_success, standing.institution
        if syncs is not None and at is not None:
            syncs = tuple(self._rejudged(institution, s, at) for s in syncs)
        return self._grouped(altered(standing, syncs=syncs))

    def _rejudged(self, institution: Institution, before: SyncStanding, at: float) -> SyncStanding:
        sync, kind = before.sync, before.integration_type
        learned, hours = self._by_its_clock(institution, sync, kind, before.learned)
        polled = _PolledSync(institution, sync, kind, at, before, at, learned, hours)
        return self._judged(polled, learned, hours, None)

    def polled(self, before: Standing, poll: Poll) -> Standing:
        """The standing after that poll."""
        if poll.syncs is None:
            return self._failed(before, poll)
        known = {standing.sync.name: standing for standing in before.syncs or ()}
        syncs = tuple(
            self._after_poll(before, sync, known.get(sync.name), poll.at) for sync in poll.syncs
        )
        if before.syncs is not None and _are_same(syncs, before.syncs):
            syncs = before.syncs  # the page may hold them until it is drawn again
        remembered = before.remembered
        if remembered or len(syncs) != len(known) or known.keys() != {s.sync.name for s in syncs}:
            shown = {s.sync.name for s in syncs}
            memory = before.memory().items()
            remembered = {name: m for name, m in memory if name not in shown} or NO_MEMORY
        after = Standing(
            before.institution, before.group, syncs, poll.at, poll.at, remembered=remembered
        )
        if syncs is before.syncs or (
            before.syncs is not None and _facts(syncs) == _facts(before.syncs)
        ):
            return after
        return self._grouped(after)

    def _still_holds(
        self, sync: Sync, before: SyncStanding, since: float | None, at: float
    ) -> bool:
        """Whether the judgement of the last successful poll, at `since`, still holds.

        It does not if our clock was wrong then: ahead, it made marks look older than they were;
        behind, it met them before they were made.
        """
        if since is None or at < since or sync != before.sync:
            return False
        if before.learned.after_gap(since, at) is not before.learned:
            return False
        return at < before.settled_until(since, self.policy.abandoned_after)

    def _failed(self, before: Standing, poll: Poll) -> Standing:
        failed = altered(before, last_poll=poll.at, failure=poll.failure)
        success = before.last_success
        if success is None or poll.at - success > self.policy.stale_after:
            return altered(failed, syncs=None, remembered=before.memory())
        return failed

    def _grouped(self, standing: Standing) -> Standing:
        facts = _facts(standing.syncs or ())
        return altered(standing, group=self.policy.group(standing.institution, facts))

    def _after_poll(
        self, standing: Standing, sync: Sync, before: SyncStanding | None, at: float
    ) -> SyncStanding:
        """The standing of a sync after a poll, with what that poll taught."""
        if before is not None:
            sync = _as_known(sync, before.sync)
            if self._still_holds(sync, before, standing.last_success, at):
                return before
        polled = self._polled_sync(standing, sync, before, at)
        learned, hours = self._taught(polled), polled.hours
        are_same_hours = learned.pattern is hours.pattern and (
            before is None or _described_alike(sync, polled.kind, before)
        )
        if not are_same_hours:
            institution, kind = polled.institution, polled.kind
            learned, hours = self._by_its_clock(institution, sync, kind, learned)
        return self._judged(polled, learned, hours, before if are_same_hours else None)

    def _polled_sync(
        self, standing: Standing, sync: Sync, before: SyncStanding | None, at: float
    ) -> "_PolledSync":
        """The sync with what is known of it from `before`, else from memory, else nothing."""
        institution = standing.institution
        memory = None if before is not None else standing.remembered.get(sync.name)
        kind = _kind(sync, before or memory)
        looked_at: float | None = None
        if before is not None:
            looked_at = standing.last_success
            learned, hours = before.learned, before.hours
        elif memory is not None:
            looked_at = memory.looked_at
            learned, hours = self._by_its_clock(institution, sync, kind, memory.learned)
        else:
            hours = self.policy.hours(institution, sync, kind, None)
            learned = first_met(at, hours.expectation.timezone)
        if _is_another(kind, before or memory):
            learned = learned.started_over(at)
        return _PolledSync(institution, sync, kind, at, before, looked_at, learned, hours)

    def _taught(self, polled: "_PolledSync") -> Learned:
        """What is known of a sync after a poll."""
        known, hours, kind, looked_at = polled.learned, polled.hours, polled.kind, polled.looked_at
        # If an answer lacks a mark, the last one that could be read stays known.
        read, write = known.marks
        sync, at = polled.sync, polled.at
        marks = (
            read if sync.read_at is None else sync.read_at,
            write if sync.write_at is None else sync.write_at,
        )
        offset = relearn_offset(polled.institution, sync.name)
        if looked_at is not None:
            known = known.after_gap(looked_at, at)
        routine = known.after_routine_look(marks, at, hours.expectation.timezone, offset)
        if routine is not None:
            return routine
        look = Look(
            at=at,
            before=looked_at,
            marks=marks,
            kind=kind,
            expectation=hours.expectation,
            directions=(hours.of(Operation.READ), hours.of(Operation.WRITE)),
            critical_allowance=lambda way: hours.allowances(kind, WAYS[way])[Severity.CRITICAL],
            is_skipped=hours.is_skipped,
            incidents=self.incidents.get(kind, ()),
            is_still_overdue=lambda: self._is_still_overdue(polled, marks),
            relearn_offset=offset,
        )
        return known.after_look(look)

    def _is_still_overdue(self, polled: "_PolledSync", marks: Marks) -> bool:
        """Whether a direction that was overdue at the last poll has not moved since.

        False for a direction that is not in use. A sync that is only remembered, since a restart
        or for want of an answer, is first judged as of that poll.
        """
        before, looked_at = polled.before, polled.looked_at
        if before is None:
            if looked_at is None:
                return False
            last = altered(polled, at=looked_at)
            before = self._judged(last, polled.learned, polled.hours, None)
        return any(
            mark is not None
            and mark == known
            and polled.at - judgement.anchor <= NOT_IN_USE_AFTER
            and judgement.is_overdue(Severity.WARNING, looked_at)
            for mark, known, judgement in zip(
                marks, before.learned.marks, before.judgements, strict=True
            )
        )

    def _by_its_clock(
        self, institution: Institution, sync: Sync, kind: IntegrationType, learned: Learned
    ) -> tuple[Learned, Hours]:
        """The hours of a sync, and what was learned by the clock of the zone that they have now."""
        hours = self.policy.hours(institution, sync, kind, learned.pattern)
        zone = hours.expectation.timezone
        if learned.zone == zone:
            return learned, hours
        learned = learned.by_clock_of(zone, kind, hours.is_skipped)
        return learned, self.policy.hours(institution, sync, kind, learned.pattern)

    def _judged(
        self,
        polled: "_PolledSync",
        learned: Learned,
        hours: Hours,
        judged_alike: SyncStanding | None,
    ) -> SyncStanding:
        """The sync judged by these; `judged_alike` is its last standing, if by the same hours."""
        sync, kind, at, before = polled.sync, polled.kind, polled.at, polled.before
        lasted = self.incidents.get(kind, ())
        marks, known, seen = (sync.read_at, sync.write_at), learned.marks, learned.seen
        anchors = (
            anchor_of(known[0], learned.first_seen, seen[0]),
            anchor_of(known[1], learned.first_seen, seen[1]),
        )
        state = state_of(sync, anchors, at, self.policy.abandoned_after)
        olds = (None, None) if before is None else before.judgements
        judged: list[Judgement] = []
        for way, operation in enumerate(WAYS):
            anchor = anchors[way]
            allowed = _allowances_kept(judged_alike, way, anchor, learned)
            warning, critical = allowed or _allowances(hours, kind, way, anchor, learned)
            basis = Basis(
                mark=marks[way],
                anchor=anchor,
                expectation=hours.of(operation),
                warning=warning,
                critical=critical,
                severities=severities_of(way, state, anchors, known, at),
                past_incidents=_past(lasted, anchor),
            )
            judged.append(judge(basis, olds[way]))
        return SyncStanding(
            sync=sync,
            integration_type=kind,
            learned=learned,
            state=state,
            hours=hours,
            read=judged[0],
            write=judged[1],
        )


class _PolledSync(msgspec.Struct, frozen=True, gc=False):
    """A sync as a poll at `at` reports it, and what was known of it until then.

    `before` is its standing, None if it was not shown; `looked_at` is the instant of the last poll
    that it was in, None if there was none. `learned` and `hours` are as of that poll.
    """

    institution: Institution
    sync: Sync
    kind: IntegrationType
    at: float
    before: SyncStanding | None
    looked_at: float | None
    learned: Learned
    hours: Hours


def _allowances_kept(
    before: SyncStanding | None, way: int, anchor: float, learned: Learned
) -> tuple[float, float] | None:
    """The allowances that a direction had by these same hours; None if they no longer hold.

    They hold while its mark has not moved and the other direction has not moved further ahead.
    Without a pattern they always hold.
    """
    if before is None:
        return None
    judged = before.judgements[way]
    if before.hours.pattern is not None:
        behind = before.learned.packed_if_behind(way)
        if judged.anchor != anchor or behind is not learned.packed_if_behind(way):
            return None
    return judged.warning, judged.critical


def _allowances(
    hours: Hours, kind: IntegrationType, way: int, anchor: float, learned: Learned
) -> tuple[float, float]:
    """The allowances of a direction (0 read, 1 write) in seconds, for warning and critical."""
    alone = learned.slots_alone(way, hours.expectation.timezone)
    allowed = hours.allowances(kind, WAYS[way], anchor, alone)
    return shared(allowed[Severity.WARNING]), shared(allowed[Severity.CRITICAL])


def excused(standing: Standing, ended: Incidents) -> Standing:
    """With the whole allowance given again to syncs that were silent in incidents that ended."""
    if not ended or not any(s.integration_type in ended for s in standing.syncs or ()):
        return standing
    syncs = tuple(
        altered(s, read=_lenient(s.read, lasted), write=_lenient(s.write, lasted))
        if (lasted := ended.get(s.integration_type)) is not None
        else s
        for s in standing.syncs or ()
    )
    return altered(standing, syncs=syncs)


def _lenient(judgement: Judgement, lasted: tuple[Incident, ...]) -> Judgement:
    return judge(altered(judgement, past_incidents=_past(lasted, judgement.anchor)), judgement)


def _past(lasted: tuple[Incident, ...], anchor: float) -> tuple[Incident, ...]:
    """Those that have ended, after the anchor."""
    return tuple(one for one in lasted if anchor < one.end < math.inf) if lasted else ()


def _described_alike(sync: Sync, kind: IntegrationType, before: SyncStanding) -> bool:
    """Whether it has the same type, product and locations: its hours follow from these."""
    return (
        kind is before.integration_type
        and sync.emr == before.sync.emr
        and sync.locations == before.sync.locations
    )


def relearn_offset(institution: Institution, sync: str) -> int:
    """How many seconds after local midnight the pattern of that sync is derived again."""
    name = f"{institution.subdomain}/{sync}"
    return crc32(name.encode("utf-8", "surrogatepass")) % RELEARN_WITHIN


def _kind(sync: Sync, before: SyncStanding | SyncMemory | None) -> IntegrationType:
    """Its type: what the API says, else what is known, else what such a product usually is."""
    if sync.integration_type is not None:
        return sync.integration_type
    if before is not None and before.integration_type is not IntegrationType.UNKNOWN:
        return before.integration_type
    return sync.likely_type or IntegrationType.UNKNOWN


def _as_known(sync: Sync, known: Sync) -> Sync:
    """The sync, with what the answer lacks as it was before: rules and its state depend on it."""
    if sync.emr and sync.locations:
        return sync
    return altered(sync, emr=sync.emr or known.emr, locations=sync.locations or known.locations)


def _is_another(kind: IntegrationType, before: SyncStanding | SyncMemory | None) -> bool:
    """Whether its type has changed, so that what was learned about the old system may be wrong."""
    return before is not None and before.integration_type not in {kind, IntegrationType.UNKNOWN}


def _are_same(some: Sequence[SyncStanding], others: Sequence[SyncStanding]) -> bool:
    return len(some) == len(others) and all(map(operator.is_, some, others))


def _facts(syncs: Sequence[SyncStanding]) -> list[SyncFacts]:
    return [(s.sync.emr, s.integration_type) for s in syncs]
