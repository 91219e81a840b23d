"""What is known of all institutions at one moment, and how polls change it.

A `Fleet` is frozen and replaced whole: new = old.after(polls). Nothing in it depends on
the clock; whoever draws it brings the instant.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple
from zlib import crc32

import msgspec
from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.allowance import (
    AllowanceRules,
    Room,
    allowances,
    hour_after,
    room_after,
)
from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.incident import Silence, incidents
from nexhealth_exporter.expectation.judgement import (
    NONE,
    Basis,
    Judgement,
    anchor_of,
    judge,
    settled_until,
    severities_of,
    state_of,
)
from nexhealth_exporter.expectation.learned import Learned, Look, first_met
from nexhealth_exporter.expectation.pattern import Pattern
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Operation,
    Poll,
    Severity,
    Source,
    State,
    Sync,
)

STAGGER = 6 * 3600
"""Patterns are made anew within so many seconds after midnight: not all at once."""


def _never(_day: int) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Hours:
    """When one sync is expected to run, and what is tolerated of it.

    `is_fallback` is True when neither configuration nor locations gave a usable zone.
    `apart` are the expectations of reads and of writes, where these differ from the sync's.
    `pattern` is what was learned, which knows their quiet stretches. `skips` tells on which
    local days (since 1970) nothing is to be learned.
    """

    expectation: Expectation
    allowance: AllowanceRules
    is_fallback: bool
    apart: tuple[Expectation, Expectation] | None = None
    pattern: Pattern | None = None
    skips: Callable[[int], bool] = _never

    def of(self, operation: Operation) -> Expectation:
        """The expectation of one direction."""
        if self.apart is None:
            return self.expectation
        return self.apart[operation is Operation.WRITE]

    def allowances(
        self, kind: IntegrationType, operation: Operation, mark: float | None = None
    ) -> dict[Severity, float]:
        """Seconds of unexpected lag since `mark` that are tolerated of one direction."""
        room = Room()
        if self.pattern is not None:
            way, expectation = int(operation is Operation.WRITE), self.of(operation)
            is_learned = self.expectation.source is Source.LEARNED
            began = hour_after(expectation, mark, kind) if is_learned else None
            stretch = self.pattern.stretch(way, kind, began)
            room = Room(stretch, self.pattern.patience(kind, began))
            if mark is not None and is_learned:
                room = room_after(expectation, mark, room, kind)
        return allowances(kind, operation, self.expectation.source, self.allowance, room)


SyncFacts = tuple[str, IntegrationType]
"""What a group may depend on: a sync's product and its integration type."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator and the defaults say, as the fleet needs it. Durations in seconds."""

    hours: Callable[[Institution, Sync, IntegrationType, Pattern | None], Hours]
    group: Callable[[Institution, Sequence[SyncFacts]], str]
    stale_after: float
    abandoned_after: float


class SyncStanding(msgspec.Struct, frozen=True, gc=False):
    """A sync with what was learned of it, and what follows from its marks."""

    sync: Sync
    integration_type: IntegrationType
    learned: Learned
    state: State
    hours: Hours
    read: Judgement
    write: Judgement
    settled_until: float
    """Until this instant nothing changes but by news of its marks."""

    @property
    def first_seen(self) -> float:
        """When it was met for the first time."""
        return self.learned.first_seen

    @property
    def expectation(self) -> Expectation:
        """When it is expected to run."""
        return self.hours.expectation

    @property
    def judgements(self) -> tuple[Judgement, Judgement]:
        """Both directions, read first."""
        return (self.read, self.write)

    def judgement(self, operation: Operation) -> Judgement:
        """One direction."""
        return self.read if operation is Operation.READ else self.write

    def overdue(self, last_success: float | None) -> Severity | None:
        """The worst severity that either direction has reached."""
        for severity in (Severity.CRITICAL, Severity.WARNING):
            if any(j.is_overdue(severity, last_success) for j in self.judgements):
                return severity
        return None

    def silence(self, last_success: float) -> Silence:
        """Since when both directions have used half of their warning allowance."""
        read, write = self.read.half_used_at, self.write.half_used_at
        since = None if read is None or write is None else max(read, write)
        if since is not None and since > last_success:
            since = None
        return Silence(self.integration_type, since)


class Kept(NamedTuple):
    """What was learned of a sync that is not shown now, and when it was last looked at."""

    learned: Learned
    looked_at: float


Memory = Mapping[str, Kept]
"""What is remembered of an institution's syncs, by their names."""


class Disturbance(NamedTuple):
    """From when until when a fleet incident lasted; infinite while it does."""

    start: float
    end: float


Disturbances = Mapping[IntegrationType, Disturbance]
"""The latest of each type."""

_NO_MEMORY: "Memory" = MappingProxyType({})


class Standing(msgspec.Struct, frozen=True, gc=False):
    """An institution and its syncs; `syncs` is None while no answer is known.

    `last_poll` and `last_success` are instants of the latest poll and the latest good one;
    `failure` is the reason's label if the latest poll failed. `kept` is what is remembered of
    syncs that are not shown.
    """

    institution: Institution
    group: str = ""
    syncs: tuple[SyncStanding, ...] | None = None
    last_poll: float | None = None
    last_success: float | None = None
    failure: str | None = None
    kept: Memory = _NO_MEMORY

    def memory(self) -> Memory:
        """What is to be remembered of its syncs, those that are shown included."""
        if self.syncs is None or self.last_success is None:
            return self.kept
        shown = {s.sync.name: Kept(s.learned, self.last_success) for s in self.syncs}
        return {**self.kept, **shown} if self.kept else shown


@dataclass(frozen=True, slots=True)
class Round:
    """One complete round: when it ended, how long it took, whether the API could be used."""

    ended_at: float
    duration: float
    is_up: bool


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every watched institution by subdomain, the fleet incidents that last, the latest round.

    `remembered` is what is known of institutions that are not watched (any more, or yet).
    `disturbances` are the latest incidents of each type, those that lasted included.
    """

    standings: Mapping[str, Standing] = field(default_factory=dict)
    incidents: Mapping[IntegrationType, float] = field(default_factory=dict)
    round: Round | None = None
    remembered: Mapping[str, Memory] = field(default_factory=dict)
    disturbances: Disturbances = field(default_factory=dict)

    def __iter__(self) -> Iterator[Standing]:
        """Every institution's standing."""
        return iter(self.standings.values())

    def syncs(self) -> Iterator[tuple[Standing, SyncStanding]]:
        """Every known sync with its institution's standing."""
        for standing in self:
            for sync in standing.syncs or ():
                yield standing, sync

    def watching(self, inventory: Inventory, policy: Policy) -> "Fleet":
        """The fleet of exactly these institutions; what is known of them stays."""
        known = self.standings
        remembered = {**self.remembered, **{s: known[s].memory() for s in known}}
        standings = {
            i.subdomain: _renamed(
                known.get(i.subdomain),
                i,
                remembered.pop(i.subdomain, {}),
                policy,
                self.disturbances,
            )
            for i in inventory
        }
        return replace(self, standings=standings, remembered=remembered)

    def memory(self) -> Iterator[tuple[str, Memory]]:
        """Everything that is to outlive the process, by institution."""
        yield from self.remembered.items()
        for subdomain, standing in self.standings.items():
            yield subdomain, standing.memory()

    def after(self, polls: Iterable[Poll], policy: Policy) -> "Fleet":
        """The fleet after these polls. Polls of institutions no longer watched are dropped."""
        standings = dict(self.standings)
        for poll in polls:
            before = standings.get(poll.subdomain)
            if before is not None:
                standings[poll.subdomain] = _polled(before, poll, policy, self.disturbances)
        return replace(self, standings=standings)

    def recalling(self, memories: Mapping[str, Memory], policy: Policy) -> "Fleet":
        """The fleet with a past that it did not see itself: what others remember of its syncs."""
        remembered = {**memories, **self.remembered}
        standings = {
            subdomain: _recalling(
                standing, remembered.pop(subdomain, {}), policy, self.disturbances
            )
            for subdomain, standing in self.standings.items()
        }
        return replace(self, standings=standings, remembered=remembered)

    def rejudged(self, policy: Policy, subdomains: Iterable[str] | None = None) -> "Fleet":
        """The same marks under a new policy; of these institutions, or of all."""
        standings = dict(self.standings)
        for subdomain in self.standings if subdomains is None else subdomains:
            if subdomain in standings:
                standings[subdomain] = _rejudged(standings[subdomain], policy, self.disturbances)
        return replace(self, standings=standings)

    def with_incidents(self) -> "Fleet":
        """The fleet with its incidents as they follow from the marks.

        Each sync counts as of the latest good poll of its institution, so that while we
        are blind no incident begins or ends.
        """
        up = [
            (sync.silence(standing.last_success), standing.last_success)
            for standing, sync in self.syncs()
            if sync.state is State.ACTIVE
            and standing.last_success is not None
            and sync.expectation.piece(standing.last_success).is_expected
        ]
        latest = max((at for _, at in up), default=0.0)
        lasting = incidents(self.incidents, (silence for silence, _ in up), latest)
        if lasting == self.incidents:
            return self
        ended = {
            kind: Disturbance(start, latest)
            for kind, start in self.incidents.items()
            if kind not in lasting
        }
        present = {kind: Disturbance(start, math.inf) for kind, start in lasting.items()}
        disturbances = {**self.disturbances, **ended, **present}
        standings = {name: _excused(s, ended) for name, s in self.standings.items()}
        return replace(self, standings=standings, incidents=lasting, disturbances=disturbances)

    def after_round(self, ended: Round) -> "Fleet":
        """The fleet with the latest round's facts and incidents."""
        return replace(self.with_incidents(), round=ended)


def _renamed(
    before: Standing | None,
    institution: Institution,
    memory: Memory,
    policy: Policy,
    disturbances: Disturbances,
) -> Standing:
    if before is None:
        return Standing(institution, policy.group(institution, ()), kept=memory)
    if before.institution == institution:
        return before
    return _rejudged(altered(before, institution=institution), policy, disturbances)


def _recalling(
    standing: Standing, memory: Memory, policy: Policy, disturbances: Disturbances
) -> Standing:
    recalled = altered(standing, kept={**standing.kept, **memory})
    at = standing.last_success
    if standing.syncs is None or at is None or not memory:
        return recalled
    syncs = tuple(
        _met(
            altered(recalled, last_success=None),
            s.sync,
            None,
            at,
            policy=policy,
            disturbances=disturbances,
        )
        if s.sync.name in memory
        else s
        for s in standing.syncs
    )
    shown = {s.sync.name for s in syncs}
    kept = {name: k for name, k in recalled.kept.items() if name not in shown}
    return altered(standing, syncs=syncs, kept=kept)


def _rejudged(standing: Standing, policy: Policy, disturbances: Disturbances) -> Standing:
    syncs, at = standing.syncs, standing.last_success
    if syncs is not None and at is not None:
        syncs = tuple(
            _standing(
                standing.institution,
                s.sync,
                s.learned,
                s,
                at,
                policy=policy,
                disturbances=disturbances,
            )
            for s in syncs
        )
    return _grouped(altered(standing, syncs=syncs), policy)


def _excused(standing: Standing, ended: Disturbances) -> Standing:
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


def _lenient(judgement: Judgement, lasted: Disturbance) -> Judgement:
    basis = judgement.basis
    return judge(altered(basis, excuse=_excuse(lasted, basis.anchor)), judgement)


def _excuse(lasted: Disturbance | None, anchor: float) -> Disturbance | None:
    return lasted if lasted is not None and anchor < lasted.end < math.inf else None


def _polled(
    before: Standing,
    poll: Poll,
    policy: Policy,
    disturbances: Disturbances,
) -> Standing:
    if poll.syncs is None:
        return _failed(before, poll, policy.stale_after)
    known = {standing.sync.name: standing for standing in before.syncs or ()}
    syncs = tuple(
        old
        if (old := known.get(sync.name)) is not None and _says_nothing_new(sync, old, poll.at)
        else _met(before, sync, old, poll.at, policy=policy, disturbances=disturbances)
        for sync in poll.syncs
    )
    kept = before.kept
    if kept or len(syncs) != len(known) or known.keys() != {s.sync.name for s in syncs}:
        shown = {s.sync.name for s in syncs}
        kept = {name: k for name, k in before.memory().items() if name not in shown}
    after = Standing(before.institution, before.group, syncs, poll.at, poll.at, kept=kept)
    if before.syncs is not None and _facts(syncs) == _facts(before.syncs):
        return after
    return _grouped(after, policy)


def _met(
    standing: Standing,
    sync: Sync,
    before: SyncStanding | None,
    at: float,
    *,
    policy: Policy,
    disturbances: Disturbances,
) -> SyncStanding:
    """The sync after a poll, with what that poll taught."""
    institution = standing.institution
    looked_at = standing.last_success
    if before is not None:
        learned, hours, kind = before.learned, before.hours, _kind(sync, before)
    else:
        kept = standing.kept.get(sync.name)
        kind = _kind(sync, None)
        pattern = None if kept is None else kept.learned.pattern
        hours = policy.hours(institution, sync, kind, pattern)
        zone = hours.expectation.timezone
        learned, looked_at = kept if kept is not None else (first_met(at, zone), None)
    # An answer without a mark is no news of it: the last one that could be read stays known.
    read, write = learned.marks
    marks = (
        read if sync.read_at is None else sync.read_at,
        write if sync.write_at is None else sync.write_at,
    )
    late = stagger(institution, sync.name)
    routine = learned.after_routine(marks, at, hours.expectation.timezone, late)
    if routine is not None:
        learned = routine
    else:
        look = Look(
            at=at,
            before=looked_at,
            marks=marks,
            zone=hours.expectation.timezone,
            kind=kind,
            hours=(hours.expectation, hours.of(Operation.READ), hours.of(Operation.WRITE)),
            tolerated=(
                hours.allowances(kind, Operation.READ)[Severity.CRITICAL],
                hours.allowances(kind, Operation.WRITE)[Severity.CRITICAL],
            ),
            skipped=hours.skips,
            disturbed=disturbances.get(kind),
            stagger=late,
        )
        learned = learned.after(look)
    is_same = before is not None and _kept_the_same(sync, kind, learned, before)
    return _standing(
        institution,
        sync,
        learned,
        before,
        at,
        policy=policy,
        disturbances=disturbances,
        hours=hours if is_same else None,
    )


def _kept_the_same(
    sync: Sync, kind: IntegrationType, learned: Learned, before: SyncStanding
) -> bool:
    """Whether everything is as it was from which its hours follow, under the same policy."""
    return (
        learned.pattern is before.learned.pattern
        and kind is before.integration_type
        and sync.emr == before.sync.emr
        and sync.locations == before.sync.locations
    )


def stagger(institution: Institution, sync: str) -> int:
    """How many seconds after midnight that sync's pattern is made anew."""
    name = f"{institution.subdomain}/{sync}"
    return crc32(name.encode("utf-8", "surrogatepass")) % STAGGER


def _kind(sync: Sync, before: SyncStanding | None) -> IntegrationType:
    return sync.integration_type or (before.integration_type if before else IntegrationType.UNKNOWN)


def _says_nothing_new(sync: Sync, before: SyncStanding, at: float) -> bool:
    return at < before.settled_until and (sync is before.sync or sync == before.sync)


def _grouped(standing: Standing, policy: Policy) -> Standing:
    facts = _facts(standing.syncs or ())
    return altered(standing, group=policy.group(standing.institution, facts))


def _facts(syncs: Sequence[SyncStanding]) -> list[SyncFacts]:
    return [(s.sync.emr, s.integration_type) for s in syncs]


def _failed(before: Standing, poll: Poll, stale_after: float) -> Standing:
    failed = altered(before, last_poll=poll.at, failure=poll.failure)
    if before.last_success is None or poll.at - before.last_success > stale_after:
        return altered(failed, syncs=None, kept=before.memory())
    return failed


def _standing(
    institution: Institution,
    sync: Sync,
    learned: Learned,
    before: SyncStanding | None,
    at: float,
    *,
    policy: Policy,
    disturbances: Disturbances,
    hours: Hours | None = None,
) -> SyncStanding:
    kind = _kind(sync, before)
    lasted = disturbances.get(kind)
    hours = hours or policy.hours(institution, sync, kind, learned.pattern)
    marks = {Operation.READ: sync.read_at, Operation.WRITE: sync.write_at}
    known = dict(zip(Operation, learned.marks, strict=True))
    anchors = {
        op: anchor_of(known[op], learned.first_seen, seen)
        for op, seen in zip(Operation, learned.seen, strict=True)
    }
    state = state_of(sync, anchors, at, policy.abandoned_after)
    judgements = {}
    for op in Operation:
        allowance = hours.allowances(kind, op, anchors[op])
        basis = Basis(
            mark=marks[op],
            anchor=anchors[op],
            expectation=hours.of(op),
            warning=allowance[Severity.WARNING],
            critical=allowance[Severity.CRITICAL],
            severities=severities_of(op, anchors, known, at) if state is State.ACTIVE else NONE,
            excuse=_excuse(lasted, anchors[op]),
        )
        judgements[op] = judge(basis, before.judgement(op) if before else None)
    return SyncStanding(
        sync=sync,
        integration_type=kind,
        learned=learned,
        state=state,
        hours=hours,
        read=judgements[Operation.READ],
        write=judgements[Operation.WRITE],
        settled_until=settled_until(anchors.values(), at, policy.abandoned_after),
    )
