"""What is known about one institution and its syncs, and the hours by which they are judged."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from msgspec.structs import force_setattr

from nexhealth_exporter.expectation.allowance import (
    AllowanceRules,
    Room,
    allowances,
    room_after,
)
from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.incident import Incident, Silence
from nexhealth_exporter.expectation.judgement import Judgement, settled_until
from nexhealth_exporter.expectation.learned import Learned
from nexhealth_exporter.expectation.pattern import Pattern
from nexhealth_exporter.model import (
    Answer,
    Institution,
    IntegrationType,
    Operation,
    Severity,
    Source,
    State,
    Sync,
    SyncFacts,
)


def _never(_day: int) -> bool:
    return False


class Hours(msgspec.Struct, frozen=True, gc=False):
    """When one sync is expected to run, and how much silence is tolerated.

    `is_fallback` is True if neither the configuration nor the locations gave a usable zone.
    `apart` are the expectations of reads and of writes, if they differ from the sync's. `pattern`
    is what was learned, with the quiet stretches of both directions. `is_skipped` returns True
    for the local days (since 1970) on which nothing is learned.
    """

    expectation: Expectation
    allowance: AllowanceRules
    is_fallback: bool
    apart: tuple[Expectation, Expectation] | None = None
    pattern: Pattern | None = None
    is_skipped: Callable[[int], bool] = _never

    def of(self, operation: Operation) -> Expectation:
        """The expectation of one direction."""
        if self.apart is None:
            return self.expectation
        return self.apart[operation is Operation.WRITE]

    def allowances(
        self,
        kind: IntegrationType,
        operation: Operation,
        mark: float | None = None,
        alone: int = 0,
    ) -> dict[Severity, float]:
        """Seconds of unexpected lag since `mark` that are tolerated for one direction.

        `alone` is the number of half hours since then in which the other direction has moved.
        """
        room: Room | None = None
        if self.pattern is not None:
            way = int(operation is Operation.WRITE)
            if mark is None or self.expectation.source is not Source.LEARNED:
                room = Room.of(self.pattern, way, kind)
            else:
                room = room_after(mark, self.of(operation), self.pattern, way, kind, alone=alone)
        return allowances(kind, operation, self.expectation.source, self.allowance, room)


class Policy(msgspec.Struct, frozen=True):
    """How to judge, from configuration and defaults. Durations in seconds."""

    hours: Callable[[Institution, Sync, IntegrationType, Pattern | None], Hours]
    group: Callable[[Institution, Sequence[SyncFacts]], str]
    stale_after: float
    abandoned_after: float


class SyncStanding(msgspec.Struct, frozen=True, gc=False):
    """A sync, what was learned about it, and what follows from its marks."""

    sync: Sync
    integration_type: IntegrationType
    learned: Learned
    state: State
    hours: Hours
    read: Judgement
    write: Judgement

    @property
    def first_seen(self) -> float:
        """When it was first seen."""
        return self.learned.first_seen

    @property
    def expectation(self) -> Expectation:
        """When it is expected to run."""
        return self.hours.expectation

    def settled_until(self, since: float, abandoned_after: float) -> float:
        """Until when the judgement made at `since` holds if no mark moves.

        Both are instants; `abandoned_after` is an age in seconds.
        """
        anchors = (self.read.anchor, self.write.anchor)
        return settled_until(anchors, since, abandoned_after)

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
            if self.read.is_overdue(severity, last_success):
                return severity
            if self.write.is_overdue(severity, last_success):
                return severity
        return None

    def silence(self, last_success: float) -> Silence:
        """Since when each direction has used half of its warning allowance.

        A direction that never moved, or that is not in use, is silent only together with the
        other: alone it shows how the office works, not that something has stopped.
        """
        read, write = self.read.half_used_at, self.write.half_used_at
        if read is not None and read > last_success:
            read = None
        if write is not None and write > last_success:
            write = None
        if read is not None or write is not None:
            both = None if read is None or write is None else max(read, write)
            read = read if self._tells_alone(0) else both
            write = write if self._tells_alone(1) else both
        return Silence(self.integration_type, read, write)

    def _tells_alone(self, way: int) -> bool:
        is_in_use = Severity.CRITICAL in self.judgements[way].severities
        return is_in_use and self.learned.marks[way] is not None


class SyncMemory(NamedTuple):
    """What outlives a sync's standing: what was learned, when it was last polled, and its type.

    The type is included because an answer that lacks it must not change it, not even after a
    restart.
    """

    learned: Learned
    looked_at: float
    integration_type: IntegrationType = IntegrationType.UNKNOWN


Memory = Mapping[str, SyncMemory]
"""The memory of an institution: that of its syncs, by name."""


Incidents = Mapping[IntegrationType, tuple[Incident, ...]]
"""The latest fleet incidents of each type, the oldest first."""

MOST_INCIDENTS = 20
"""Incidents per type; an office that was silent through several of them needs them all."""

NO_MEMORY: "Memory" = MappingProxyType({})


_STAMPS = count(1)


class Standing(msgspec.Struct, frozen=True, gc=False, eq=False):  # noqa: PLW1641 - holds mappings
    """An institution and its syncs; `syncs` is None while no answer is known.

    `last_poll` and `last_success` are the instants of the latest poll and the latest successful
    one; `failure` is the label of the reason if the latest poll failed. `remembered` is the memory
    of syncs that are not in `syncs`. `stamp` is unique to each standing: whoever has drawn one
    recognises it by its stamp, without keeping the standing itself.
    """

    institution: Institution
    group: str = ""
    syncs: tuple[SyncStanding, ...] | None = None
    last_poll: float | None = None
    last_success: float | None = None
    failure: str | None = None
    remembered: Memory = NO_MEMORY
    stamp: int = 0

    def __post_init__(self) -> None:
        force_setattr(self, "stamp", next(_STAMPS))

    def __eq__(self, other: object) -> bool:
        """Whether all but the stamp is equal."""
        if not isinstance(other, Standing):
            return NotImplemented
        compared = [name for name in self.__struct_fields__ if name != "stamp"]
        return all(getattr(self, name) == getattr(other, name) for name in compared)

    @property
    def answer(self) -> Answer | None:
        """The last answer, while it is known."""
        if self.syncs is None or self.last_success is None:
            return None
        return Answer(self.institution, self.last_success, tuple(s.sync for s in self.syncs))

    def memory(self) -> Memory:
        """The memory of all its syncs, including those in `syncs`."""
        if self.syncs is None or self.last_success is None:
            return self.remembered
        shown = {
            s.sync.name: SyncMemory(s.learned, self.last_success, s.integration_type)
            for s in self.syncs
        }
        return {**self.remembered, **shown} if self.remembered else shown
