"""Every watched institution at one moment: frozen, and replaced whole."""

import math
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.incident import incidents
from nexhealth_exporter.fleet.judging import Judging, excused
from nexhealth_exporter.fleet.standing import (
    NO_MEMORY,
    REMEMBERED,
    Disturbance,
    Disturbances,
    Memory,
    Policy,
    Standing,
    SyncStanding,
)
from nexhealth_exporter.fleet.standings import Standings
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Poll, State


class Round(msgspec.Struct, frozen=True, gc=False):
    """One complete round: when it ended, how long it took, whether the API could be used."""

    ended_at: float
    duration: float
    is_up: bool


# One for each answer: a copy of a Struct takes a fifth of what one of a dataclass takes.
class Fleet(msgspec.Struct, frozen=True, weakref=True):
    """Every watched institution by subdomain, the fleet incidents that last, the latest round.

    `remembered` is what is known of institutions that are not watched (any more, or yet).
    `disturbances` are the latest incidents of each type, those that last included.
    """

    standings: Standings = msgspec.field(default_factory=Standings)
    incidents: Mapping[IntegrationType, float] = msgspec.field(default_factory=dict)
    round: Round | None = None
    remembered: Mapping[str, Memory] = msgspec.field(default_factory=dict)
    disturbances: Disturbances = msgspec.field(default_factory=dict)

    def __iter__(self) -> Iterator[Standing]:
        """Every institution's standing."""
        return self.standings.each()

    def syncs(self) -> Iterator[tuple[Standing, SyncStanding]]:
        """Every known sync with its institution's standing."""
        for standing in self:
            for sync in standing.syncs or ():
                yield standing, sync

    def watching(self, inventory: Inventory, policy: Policy) -> "Fleet":
        """The fleet of exactly these institutions; what is known of them stays."""
        known, judging = self.standings, Judging(policy, self.disturbances)
        remembered = dict(self.memory())
        standings = Standings.of(
            judging.renamed(known.get(i.subdomain), i, remembered.pop(i.subdomain, NO_MEMORY))
            for i in inventory
        )
        # A mapping from which all was taken keeps its room.
        return altered(self, standings=standings, remembered=remembered or {})

    def memory(self) -> Iterator[tuple[str, Memory]]:
        """Everything that is to outlive the process, by institution."""
        yield from self.remembered.items()
        for standing in self:
            yield standing.institution.subdomain, standing.memory()

    def alone(self, subdomain: str) -> "Fleet":
        """What is known of that institution, and nobody else."""
        known, kept = self.standings.get(subdomain), self.remembered.get(subdomain)
        return altered(
            self,
            standings=Standings.of([] if known is None else [known]),
            remembered={} if kept is None else {subdomain: kept},
        )

    def after(self, polls: Iterable[Poll], policy: Policy) -> "Fleet":
        """The fleet after these polls. Polls of institutions no longer watched are dropped."""
        changed: dict[str, Standing] = {}
        judging = Judging(policy, self.disturbances)
        for poll in polls:
            before = changed.get(poll.subdomain) or self.standings.get(poll.subdomain)
            if before is not None:
                changed[poll.subdomain] = judging.polled(before, poll)
        return altered(self, standings=self.standings.after(changed.values()))

    def recalling(self, memories: Mapping[str, Memory], policy: Policy) -> "Fleet":
        """The fleet with a past that it did not see itself: what others remember of its syncs."""
        remembered = {**memories, **self.remembered}
        judging = Judging(policy, self.disturbances)
        standings = Standings.of(
            judging.recalling(standing, remembered.pop(standing.institution.subdomain, {}))
            for standing in self
        )
        return altered(self, standings=standings, remembered=remembered)

    def rejudged(self, policy: Policy, told: Iterable[Institution] | None = None) -> "Fleet":
        """The same marks under a new policy; of these institutions, as they are told, or of all."""
        judging = Judging(policy, self.disturbances)
        known = (standing.institution for standing in self)
        anew = (
            judging.rejudged(altered(self.standings[i.subdomain], institution=i))
            for i in (known if told is None else told)
            if i.subdomain in self.standings
        )
        return altered(self, standings=self.standings.after(anew))

    def with_incidents(self, now: float = math.inf) -> "Fleet":
        """The fleet with its incidents as they follow from the marks.

        Each sync counts as of the latest good poll of its institution, so that while we
        are blind no incident begins or ends. None is said to end after `now`, though our clock
        may have been ahead at some of the polls: nobody is excused for time to come.
        An incident ends when no sync of its type is left.
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
        # Before anybody was looked at, it is not known who is left.
        before = self._incidents_of_somebody() if self.incidents and latest else self.incidents
        lasting = incidents(before, (silence for silence, _ in up), latest)
        if lasting == self.incidents:
            return self
        ended = self.incidents.keys() - lasting.keys()
        disturbances = dict(self.disturbances)
        for kind, start in {**self.incidents, **lasting}.items():
            earlier = (d for d in disturbances.get(kind, ()) if d.end < math.inf)
            present = Disturbance(start, latest if kind in ended else math.inf)
            disturbances[kind] = (*earlier, present)[-REMEMBERED:]
        over = {kind: disturbances[kind] for kind in ended}
        standings = Standings.of(excused(standing, over) for standing in self)
        return altered(self, standings=standings, incidents=lasting, disturbances=disturbances)

    def _incidents_of_somebody(self) -> Mapping[IntegrationType, float]:
        """The incidents of types of which there are syncs: those of others would never end.

        Of an institution whose answer is not known, those count that are remembered.
        """
        kinds = {sync.integration_type for _, sync in self.syncs() if sync.state is State.ACTIVE}
        for standing in self:
            if standing.syncs is None:
                kinds |= {kept.integration_type for kept in standing.kept.values()}
        return {kind: start for kind, start in self.incidents.items() if kind in kinds}

    def after_round(self, ended: Round) -> "Fleet":
        """The fleet with the latest round's facts."""
        return altered(self, round=ended)
