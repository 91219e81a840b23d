"""Feeds observations to the same `Fleet` as the live exporter uses, and collects its alerts."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from nexhealth_exporter.backtest.baselines import DEFAULT_PLACE, Baselines, Place
from nexhealth_exporter.backtest.observations import Batch, Observation, instant
from nexhealth_exporter.expectation.incident import is_held_back
from nexhealth_exporter.expectation.zone import is_zone
from nexhealth_exporter.fleet import Fleet, Policy, Standing, SyncStanding
from nexhealth_exporter.model import (
    SEVERITIES,
    WAYS,
    Institution,
    IntegrationType,
    Inventory,
    Location,
    Operation,
    Poll,
    Severity,
    Sync,
)
from nexhealth_exporter.nexhealth.payload import integration_type, is_green

MISSING_STEPS = 3
"""A sync that is missing from so many steps of its institution has vanished."""

_UNOBSERVED = "unobserved"
"""The failure of an institution that has not been observed for too long."""


@dataclass(slots=True)
class Alert:
    """One alert for one direction; its instants are those of observations."""

    institution: str
    sync: str
    operation: Operation
    severity: Severity
    fired_at: float
    resolved_at: float | None = None


_Active = dict[tuple[str, Operation, Severity], Alert]
"""The firing alerts of one institution, by sync, direction and severity."""


@dataclass(slots=True)
class Incident:
    """A fleet incident; `end` is None while it lasts."""

    integration_type: IntegrationType
    start: float
    end: float | None = None


@dataclass(slots=True)
class _ObservedSync:
    """A sync as last observed, and in which step of its institution.

    `sync` is replaced only if something in it has changed.
    """

    seen: Observation
    sync: Sync
    at: float
    step: int
    baselines: Baselines

    @property
    def kind(self) -> IntegrationType:
        """Its latest type that is known."""
        return self.sync.integration_type or IntegrationType.UNKNOWN


@dataclass(slots=True)
class _Office:
    """An institution, as known from its observations.

    Its syncs may be observed at the same instant or one after the other: a new step begins when a
    sync is observed again.
    """

    institution: Institution
    is_watched: bool
    syncs: dict[str, _ObservedSync] = field(default_factory=dict)
    zones: dict[str, str | None] = field(default_factory=dict)
    step: int = 0


class Replay:
    """Feeds observations to a fleet, without looking ahead, and collects the alerts."""

    def __init__(
        self,
        policy: Policy,
        watches: Callable[[Institution], bool],
        default: Place = DEFAULT_PLACE,
    ) -> None:
        self.fleet = Fleet()
        self.alerts: list[Alert] = []
        self.incidents: list[Incident] = []
        self.first: float | None = None
        self.last: float | None = None
        self._policy = policy
        self._watches = watches
        self._default = default
        self._offices: dict[str, _Office] = {}
        # When each institution was observed last, the longest waiting first.
        self._looked_at: dict[str, float] = {}
        self._active: dict[str, _Active] = {}
        self._lasting: dict[IntegrationType, Incident] = {}

    def feed(self, batch: Batch, *, is_reported: bool = True) -> None:
        """Process the next observations; baselines see only those that are to be reported."""
        polls = self._polls(batch, is_reported=is_reported)
        if self.first is None:
            self.first = batch.rows[0][0]
        self.last = batch.rows[-1][0]
        unseen = self._unseen(polls, self.last)
        self.fleet = self.fleet.after([*polls, *unseen], self._policy).with_incidents()
        self._follow_incidents(self.last)
        standings = self.fleet.standings
        for poll in polls:
            standing = standings.get(poll.subdomain)
            if standing is not None:
                self._follow(standing, poll.at)

    @property
    def observed(self) -> Iterator[tuple[IntegrationType, Baselines]]:
        """The type and the baselines of each watched sync."""
        for office in self._offices.values():
            for observed in office.syncs.values() if office.is_watched else ():
                yield observed.kind, observed.baselines

    @property
    def kinds(self) -> dict[tuple[str, str], IntegrationType]:
        """The type of each sync, by institution and name: that of `observed`."""
        return {
            (subdomain, name): observed.kind
            for subdomain, office in self._offices.items()
            for name, observed in office.syncs.items()
        }

    def _polls(self, batch: Batch, *, is_reported: bool) -> list[Poll]:
        touched: dict[str, float] = {}
        offices = self._offices
        has_changed = False
        for at, seen in batch.rows:
            office = offices.get(seen.institution)
            if office is None or office.zones.get(seen.sync, seen) != seen.timezone:
                office = self._met(office, seen)
                has_changed = True
            observed = office.syncs.get(seen.sync)
            if observed is None:
                made = _sync(seen, office.zones, None)
                observed = _ObservedSync(
                    seen, made, at, office.step, self._baselines(seen, made, at)
                )
                office.syncs[seen.sync] = observed
            elif _differs(observed.seen, seen):
                kind = observed.sync.integration_type
                observed.sync, observed.seen = _sync(seen, office.zones, kind), seen
            office.step += observed.step == office.step and observed.at < at
            observed.at, observed.step = at, office.step
            if is_reported:
                observed.baselines.observe(at, observed.sync)
            touched[seen.institution] = at
        if has_changed:
            inventory = Inventory(
                {s: o.institution for s, o in offices.items() if o.is_watched},
            )
            self.fleet = self.fleet.watching(inventory, self._policy)
        return [Poll(name, at, _present(offices[name])) for name, at in touched.items()]

    def _baselines(self, seen: Observation, made: Sync, at: float) -> Baselines:
        """The baselines for a new sync; they ignore configured zones."""
        zone = seen.timezone if seen.timezone is not None else ""
        place = self._default._replace(timezone=zone) if is_zone(zone) else self._default
        return Baselines(place, made.integration_type, at)

    def _met(self, office: _Office | None, seen: Observation) -> _Office:
        zones = {**(office.zones if office else {}), seen.sync: seen.timezone}
        locations = tuple(Location(i, zone) for i, zone in enumerate(zones.values(), 1))
        institution = Institution(seen.institution, locations=locations)
        if office is None:
            office = _Office(institution, self._watches(institution))
            self._offices[seen.institution] = office
        office.institution, office.zones = institution, zones
        return office

    def _unseen(self, polls: Iterable[Poll], at: float) -> list[Poll]:
        """Failed polls of institutions that the live exporter would not show any more."""
        for poll in polls:
            self._looked_at.pop(poll.subdomain, None)
            self._looked_at[poll.subdomain] = poll.at
        gone: list[Poll] = []
        for name, looked_at in self._looked_at.items():
            if at - looked_at <= self._policy.stale_after:
                break
            gone.append(Poll(name, at, failure=_UNOBSERVED))
        for poll in gone:
            del self._looked_at[poll.subdomain]
        return gone

    def _follow_incidents(self, at: float) -> None:
        for kind, start in self.fleet.incidents.items():
            if kind not in self._lasting:
                self._lasting[kind] = Incident(kind, start)
                self.incidents.append(self._lasting[kind])
        for kind in self._lasting.keys() - self.fleet.incidents.keys():
            self._lasting.pop(kind).end = at

    def _follow(self, standing: Standing, at: float) -> None:
        """Open and close alerts of the syncs of an institution that were observed at `at`."""
        subdomain = standing.institution.subdomain
        active = self._active.setdefault(subdomain, {})
        self._close_vanished(standing, active, at)
        observed = self._offices[subdomain].syncs
        for sync in standing.syncs or ():
            if observed[sync.sync.name].at == at:
                self._follow_sync(subdomain, sync, active, at)

    def _follow_sync(self, subdomain: str, sync: SyncStanding, active: _Active, at: float) -> None:
        begun = self.fleet.incidents.get(sync.integration_type)
        for operation, judgement in zip(WAYS, sync.judgements, strict=True):
            deadlines = (judgement.warning_at, judgement.critical_at)
            for severity, due in zip(SEVERITIES, deadlines, strict=True):
                key = (sync.sync.name, operation, severity)
                if due is None or due > at:
                    if key in active:
                        active.pop(key).resolved_at = at
                elif key not in active and not is_held_back(due, begun):
                    active[key] = Alert(subdomain, key[0], operation, severity, at)
                    self.alerts.append(active[key])

    def _close_vanished(self, standing: Standing, active: _Active, at: float) -> None:
        """Close the alerts of syncs that the institution no longer has."""
        names = {sync.sync.name for sync in standing.syncs or ()} if active else set()
        for key in [key for key in active if key[0] not in names]:
            active.pop(key).resolved_at = at


def _differs(one: Observation, other: Observation) -> bool:
    return (
        one.read_at != other.read_at
        or one.write_at != other.write_at
        or one.read_status != other.read_status
        or one.write_status != other.write_status
        or one.emr_type != other.emr_type
    )


def _sync(seen: Observation, zones: Iterable[str], kind: IntegrationType | None) -> Sync:
    """The sync; `kind` is its type if the observation lacks one, as in API answers."""
    place = list(zones).index(seen.sync) + 1
    return Sync(
        name=seen.sync,
        integration_type=integration_type(seen.emr_type) or kind,
        read_at=_mark(seen.read_at),
        write_at=_mark(seen.write_at),
        read_up=is_green(seen.read_status),
        write_up=is_green(seen.write_status),
        locations=(Location(place),),
    )


def _mark(text: str | None) -> float | None:
    """The mark in POSIX seconds; None if it is missing or unreadable, as in API answers."""
    try:
        return None if text is None else instant(text)
    except ValueError:
        return None


def _present(office: _Office) -> tuple[Sync, ...]:
    """The syncs of an institution now, including those that were missing only just now."""
    all_told = office.syncs.values()
    return tuple(t.sync for t in all_told if office.step - t.step < MISSING_STEPS)
