"""Every watched institution at one moment: frozen, and replaced whole."""

import math
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.incident import Incident, incidents
from nexhealth_exporter.fleet.judging import Judging, excused
from nexhealth_exporter.fleet.standing import (
    MOST_INCIDENTS,
    NO_MEMORY,
    Incidents,
    Memory,
    Policy,
    Standing,
    SyncStanding,
)
from nexhealth_exporter.fleet.standings import Standings
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Poll, State


class Round(msgspec.Struct, frozen=True, gc=False):
    """A complete round: when it ended, its duration in seconds, whether the API was usable."""

    ended_at: float
    duration: float
    is_up: bool


# Copied for each answer: that takes a Struct a fifth of the time that it takes a dataclass.
class Fleet(msgspec.Struct, frozen=True, weakref=True):
    """Every watched institution by subdomain, the fleet incidents under way, the latest round.

    `incidents` holds the start of each by type. `latest_incidents` are the latest of each type,
    past ones and those under way. `remembered` is the memory of institutions that are not watched
    (any more, or yet), by subdomain.
    """

    standings: Standings = msgspec.field(default_factory=Standings)
    incidents: Mapping[IntegrationType, float] = msgspec.field(default_factory=dict)
    round: Round | None = None
    remembered: Mapping[str, Memory] = msgspec.field(default_factory=dict)
    latest_incidents: Incidents = msgspec.field(default_factory=dict)

    def __iter__(self) -> Iterator[Standing]:
        """Every institution's standing."""
        return self.standings.each()

    def syncs(self) -> Iterator[tuple[Standing, SyncStanding]]:
        """Every known sync with its institution's standing."""
        for standing in self:
            for sync in standing.syncs or ():
                yield standing, sync

    def watching(self, inventory: Inventory, policy: Policy) -> "Fleet":
        """The fleet of exactly these institutions; what is known about them is kept."""
        known, judging = self.standings, Judging(policy, self.latest_incidents)
        remembered = dict(self.memory())
        standings = Standings.of(
            judging.renamed(known.get(i.subdomain), i, remembered.pop(i.subdomain, NO_MEMORY))
            for i in inventory
        )
        # A new dict, since an emptied one does not free its table.
        return altered(self, standings=standings, remembered=remembered or {})

    def memory(self) -> Iterator[tuple[str, Memory]]:
        """What outlives the process, of each institution, watched or not."""
        yield from self.remembered.items()
        for standing in self:
            yield standing.institution.subdomain, standing.memory()

    def alone(self, subdomain: str) -> "Fleet":
        """The fleet with only that institution."""
        known, memory = self.standings.get(subdomain), self.remembered.get(subdomain)
        return altered(
            self,
            standings=Standings.of([] if known is None else [known]),
            remembered={} if memory is None else {subdomain: memory},
        )

    def after(self, polls: Iterable[Poll], policy: Policy) -> "Fleet":
        """The fleet after these polls; those of institutions that are not watched are dropped."""
        changed: dict[str, Standing] = {}
        judging = Judging(policy, self.latest_incidents)
        for poll in polls:
            before = changed.get(poll.subdomain) or self.standings.get(poll.subdomain)
            if before is not None:
                changed[poll.subdomain] = judging.polled(before, poll)
        return altered(self, standings=self.standings.after(changed.values()))

    def recalling(self, memories: Mapping[str, Memory], policy: Policy) -> "Fleet":
        """The fleet with memories that were learned elsewhere."""
        remembered = {**memories, **self.remembered}
        judging = Judging(policy, self.latest_incidents)
        standings = Standings.of(
            judging.recalling(standing, remembered.pop(standing.institution.subdomain, {}))
            for standing in self
        )
        return altered(self, standings=standings, remembered=remembered)

    def rejudged(self, policy: Policy, changed: Iterable[Institution] | None = None) -> "Fleet":
        """The same marks judged by a policy: of all institutions, or of those `changed`."""
        judging = Judging(policy, self.latest_incidents)
        known = (standing.institution for standing in self)
        anew = (
            judging.rejudged(altered(self.standings[i.subdomain], institution=i))
            for i in (known if changed is None else changed)
            if i.subdomain in self.standings
        )
        return altered(self, standings=self.standings.after(anew))

    def with_incidents(self, now: float = math.inf) -> "Fleet":
        """The fleet with its incidents as they follow from the marks.

        Each sync counts as of the latest successful poll of its institution, so that no incident
        begins or ends while polls fail. No incident ends after `now`, even if the clock was ahead
        at some polls: nothing may be excused for the future. An incident ends when no sync of its
        type is left.
        """
        up = [
            (sync.silence(standing.last_success), standing.last_success)
            for standing, sync in self.syncs()
            if sync.state is State.ACTIVE
            and standing.last_success is not None
            and sync.expectation.piece(standing.last_success).is_expected
        ]
        looks = [at for _, at in up] or [standing.last_success or 0.0 for standing in self]
        latest = min(max(looks, default=0.0), now)
        # Before the first poll it is not known which syncs are left.
        before = self._incidents_of_somebody() if self.incidents and latest else self.incidents
        lasting = incidents(before, (silence for silence, _ in up), latest)
        # What was silent in an earlier incident may be so still: the next one begins no sooner
        # than that one ended, and offices that were overdue before either stay so.
        for kind in lasting.keys() - before.keys():
            ends = [one.end for one in self.latest_incidents.get(kind, ()) if one.end < math.inf]
            lasting[kind] = max([lasting[kind], *ends])
        if lasting == self.incidents:
            return self
        ended = self.incidents.keys() - lasting.keys()
        by_type = dict(self.latest_incidents)
        for kind, start in {**self.incidents, **lasting}.items():
            earlier = (i for i in by_type.get(kind, ()) if i.end < math.inf)
            present = Incident(start, latest if kind in ended else math.inf)
            by_type[kind] = (*earlier, present)[-MOST_INCIDENTS:]
        over = {kind: by_type[kind] for kind in ended}
        standings = Standings.of(excused(standing, over) for standing in self)
        return altered(self, standings=standings, incidents=lasting, latest_incidents=by_type)

    def _incidents_of_somebody(self) -> Mapping[IntegrationType, float]:
        """The incidents of those types of which there are syncs; others would never end.

        For an institution without a known answer, its remembered syncs count.
        """
        kinds = {sync.integration_type for _, sync in self.syncs() if sync.state is State.ACTIVE}
        for standing in self:
            if standing.syncs is None:
                kinds |= {memory.integration_type for memory in standing.remembered.values()}
        return {kind: start for kind, start in self.incidents.items() if kind in kinds}

    def after_round(self, ended: Round) -> "Fleet":
        """The fleet with this as its latest round."""
        return altered(self, round=ended)
