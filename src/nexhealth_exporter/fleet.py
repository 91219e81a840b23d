"""What is known of all institutions at one moment, and how polls change it.

A `Fleet` is frozen and replaced whole: new = old.after(polls). Nothing in it depends on
the clock; whoever draws it brings the instant.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nexhealth_exporter.expectation.allowance import AllowanceRules, allowances
from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.incident import Silence, incidents
from nexhealth_exporter.expectation.judgement import (
    Basis,
    Judgement,
    anchor_of,
    judge,
    settled_until,
    severities_of,
    state_of,
)
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Operation,
    Poll,
    Severity,
    State,
    Sync,
)


@dataclass(frozen=True, slots=True)
class Hours:
    """When one sync is expected to run, and what is tolerated of it.

    `is_fallback` is True when neither configuration nor locations gave a usable zone.
    """

    expectation: Expectation
    allowance: AllowanceRules
    is_fallback: bool


SyncFacts = tuple[str, IntegrationType]
"""What a group may depend on: a sync's product and its integration type."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator and the defaults say, as the fleet needs it. Durations in seconds."""

    hours: Callable[[Institution, Sync, IntegrationType], Hours]
    group: Callable[[Institution, Sequence[SyncFacts]], str]
    stale_after: float
    abandoned_after: float


@dataclass(frozen=True, slots=True)
class SyncStanding:
    """A sync with what follows from its marks. `seen` is when each mark was first met."""

    sync: Sync
    integration_type: IntegrationType
    first_seen: float
    seen: Mapping[Operation, float]
    state: State
    hours: Hours
    read: Judgement
    write: Judgement
    settled_until: float
    """Until this instant nothing changes but by news of its marks."""

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
        halves = [j.half_used_at for j in self.judgements]
        since = max((h for h in halves if h is not None), default=None)
        if None in halves or since is None or since > last_success:
            since = None
        return Silence(self.integration_type, since)


@dataclass(frozen=True, slots=True)
class Standing:
    """An institution and its syncs; `syncs` is None while no answer is known.

    `last_poll` and `last_success` are instants of the latest poll and the latest good one;
    `failure` is the reason's label if the latest poll failed.
    """

    institution: Institution
    group: str = ""
    syncs: tuple[SyncStanding, ...] | None = None
    last_poll: float | None = None
    last_success: float | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One complete round: when it ended, how long it took, whether the API could be used."""

    ended_at: float
    duration: float
    is_up: bool


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every watched institution by subdomain, the fleet incidents that last, the latest round."""

    standings: Mapping[str, Standing] = field(default_factory=dict)
    incidents: Mapping[IntegrationType, float] = field(default_factory=dict)
    round: Round | None = None

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
        standings = {
            institution.subdomain: _renamed(
                self.standings.get(institution.subdomain), institution, policy
            )
            for institution in inventory
        }
        return replace(self, standings=standings)

    def after(self, polls: Iterable[Poll], policy: Policy) -> "Fleet":
        """The fleet after these polls. Polls of institutions no longer watched are dropped."""
        standings = dict(self.standings)
        for poll in polls:
            before = standings.get(poll.subdomain)
            if before is not None:
                standings[poll.subdomain] = _polled(before, poll, policy)
        return replace(self, standings=standings)

    def rejudged(self, policy: Policy) -> "Fleet":
        """The same marks under a new policy."""
        standings = {
            subdomain: _rejudged(standing, policy) for subdomain, standing in self.standings.items()
        }
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
        return self if lasting == self.incidents else replace(self, incidents=lasting)

    def after_round(self, ended: Round) -> "Fleet":
        """The fleet with the latest round's facts and incidents."""
        return replace(self.with_incidents(), round=ended)


def _renamed(before: Standing | None, institution: Institution, policy: Policy) -> Standing:
    if before is None:
        return Standing(institution, policy.group(institution, ()))
    if before.institution == institution:
        return before
    return _rejudged(replace(before, institution=institution), policy)


def _rejudged(standing: Standing, policy: Policy) -> Standing:
    syncs, at = standing.syncs, standing.last_success
    if syncs is not None and at is not None:
        syncs = tuple(_standing(standing.institution, s.sync, s, at, policy) for s in syncs)
    return _grouped(replace(standing, syncs=syncs), policy)


def _polled(before: Standing, poll: Poll, policy: Policy) -> Standing:
    if poll.syncs is None:
        return _failed(before, poll, policy.stale_after)
    known = {standing.sync.name: standing for standing in before.syncs or ()}
    syncs = tuple(
        old
        if (old := known.get(sync.name)) is not None and _says_nothing_new(sync, old, poll.at)
        else _standing(before.institution, sync, old, poll.at, policy)
        for sync in poll.syncs
    )
    after = Standing(before.institution, before.group, syncs, poll.at, poll.at)
    if before.syncs is not None and _facts(syncs) == _facts(before.syncs):
        return after
    return _grouped(after, policy)


def _says_nothing_new(sync: Sync, before: SyncStanding, at: float) -> bool:
    return at < before.settled_until and (sync is before.sync or sync == before.sync)


def _grouped(standing: Standing, policy: Policy) -> Standing:
    facts = _facts(standing.syncs or ())
    return replace(standing, group=policy.group(standing.institution, facts))


def _facts(syncs: Sequence[SyncStanding]) -> list[SyncFacts]:
    return [(s.sync.emr, s.integration_type) for s in syncs]


def _failed(before: Standing, poll: Poll, stale_after: float) -> Standing:
    failed = replace(before, last_poll=poll.at, failure=poll.failure)
    if before.last_success is None or poll.at - before.last_success > stale_after:
        return replace(failed, syncs=None)
    return failed


def _standing(
    institution: Institution, sync: Sync, before: SyncStanding | None, at: float, policy: Policy
) -> SyncStanding:
    kind = sync.integration_type or (before.integration_type if before else IntegrationType.UNKNOWN)
    hours = policy.hours(institution, sync, kind)
    first_seen = before.first_seen if before else at
    marks = {Operation.READ: sync.read_at, Operation.WRITE: sync.write_at}
    seen = _seen(before, marks, at)
    anchors = {op: anchor_of(marks[op], first_seen, seen[op]) for op in Operation}
    state = state_of(sync, anchors, at, policy.abandoned_after)
    judgements = {
        op: judge(
            Basis(
                mark=marks[op],
                anchor=anchors[op],
                expectation=hours.expectation,
                allowance=allowances(kind, op, hours.expectation.source, hours.allowance),
                severities=severities_of(op, anchors, at) if state is State.ACTIVE else (),
            ),
            before.judgement(op) if before else None,
        )
        for op in Operation
    }
    return SyncStanding(
        sync=sync,
        integration_type=kind,
        first_seen=first_seen,
        seen=seen,
        state=state,
        hours=hours,
        read=judgements[Operation.READ],
        write=judgements[Operation.WRITE],
        settled_until=settled_until(anchors.values(), at, policy.abandoned_after),
    )


def _seen(
    before: SyncStanding | None, marks: Mapping[Operation, float | None], at: float
) -> dict[Operation, float]:
    """When each mark was first met."""
    if before is None:
        return dict.fromkeys(Operation, at)
    return {
        op: before.seen[op] if before.judgement(op).mark == marks[op] else at for op in Operation
    }
