"""What the configuration file says about an institution and about a sync."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from nexhealth_exporter.expectation.allowance import AllowanceRules, Bounds
from nexhealth_exporter.expectation.schedule import DateRange, Schedule
from nexhealth_exporter.formatting import duration
from nexhealth_exporter.model import Institution, Operation, Severity, SyncFacts
from nexhealth_exporter.rules.matching import Entries, T

if TYPE_CHECKING:
    from nexhealth_exporter.rules.schema import AllowanceKey, ClosureEntry, Entry

_NO_ALLOWANCE: AllowanceRules = {}
"""Shared by all syncs without a configured allowance."""


class SyncRules(msgspec.Struct, frozen=True):
    """What is configured for one sync; what is None or empty is learned or has a default.

    `closures` are those announced for it, in addition to those of its schedule.
    """

    schedule: Schedule | None = None
    timezone: str | None = None
    allowance: AllowanceRules = msgspec.field(default_factory=dict)
    closures: tuple[DateRange, ...] = ()


_NOTHING = SyncRules(allowance=_NO_ALLOWANCE)
"""Shared where there are no entries, which is the usual case."""


class Rules(msgspec.Struct, frozen=True):
    """The configuration file in force; empty without a file.

    `name` and `text` are those of the file, `lines` has the line of each entry.
    """

    schedules: Mapping[str, Schedule] = msgspec.field(default_factory=dict)
    institutions: "Entries[Entry]" = msgspec.field(default_factory=Entries)
    closures: "Entries[ClosureEntry]" = msgspec.field(default_factory=Entries)
    name: str = ""
    text: str = ""
    lines: Mapping[tuple[str, int], int] = msgspec.field(default_factory=dict)

    def for_sync(self, institution: Institution, facts: SyncFacts) -> SyncRules:
        """Each key is taken from the first matching entry that has it, closures from all."""
        if not self.institutions.items and not self.closures.items:
            return _NOTHING
        schedule: str | None = None
        timezone: str | None = None
        allowance: dict[AllowanceKey, Bounds] = {}
        for _, matcher, entry in self.institutions.of_institution(institution):
            if not matcher.sync(*facts):
                continue
            schedule = schedule or entry.schedule
            timezone = timezone or entry.timezone
            for leaf, bounds in entry.allowance.leaves() if entry.allowance else ():
                allowance.setdefault(leaf, bounds)
        closures = {
            days
            for _, matcher, entry in self.closures.of_institution(institution)
            if matcher.sync(*facts)
            for days in entry.days
        }
        return SyncRules(
            self.schedules[schedule] if schedule else None,
            timezone,
            allowance or _NO_ALLOWANCE,
            tuple(sorted(closures)),
        )

    def group(self, institution: Institution, syncs: Iterable[SyncFacts] = ()) -> str:
        """The group of the institution; empty if none is configured.

        A match on emr or integration type holds if any of `syncs` matches.
        """
        known = tuple(syncs)
        for _, matcher, entry in self.institutions.of_institution(institution):
            fits = not entry.match.asks_for_sync or any(matcher.sync(*sync) for sync in known)
            if entry.group is not None and fits:
                return entry.group
        return ""

    def monitored(self, institution: Institution) -> bool:
        """Whether the institution is to be polled."""
        for _, _, entry in self.institutions.of_institution(institution):
            if entry.monitored is not None:
                return entry.monitored
        return True

    def unmatched(
        self, fleet: Iterable[tuple[Institution, Iterable[SyncFacts]]]
    ) -> tuple[str, ...]:
        """A sentence for each entry that matches nothing in the fleet, and each unused schedule."""
        known = [(institution, tuple(syncs)) for institution, syncs in fleet]
        sentences = [
            *self._idle("institutions", self.institutions, known),
            *self._idle("closures", self.closures, known),
        ]
        used = {entry.schedule for entry in self.institutions.items}
        sentences += [
            f"{self.name}: schedules.{name} is used by no entry."
            for name in self.schedules
            if name not in used
        ]
        return tuple(sentences)

    def out_of_order(
        self, fleet: Iterable[tuple[Institution, Iterable[SyncFacts]]]
    ) -> tuple[str, ...]:
        """A sentence for each pair of entries by which a sync would page before its ticket.

        A single entry that says so is refused when the file is read.
        """
        found = {
            sentence
            for institution, syncs in fleet
            for facts in set(syncs)
            for sentence in self._crossed(institution, facts)
        }
        return tuple(sorted(found))

    def _crossed(self, institution: Institution, facts: SyncFacts) -> Iterator[str]:
        given: dict[AllowanceKey, tuple[int, Bounds]] = {}
        for position, matcher, entry in self.institutions.of_institution(institution):
            if entry.allowance and matcher.sync(*facts):
                for leaf, bounds in entry.allowance.leaves():
                    given.setdefault(leaf, (position, bounds))
        _, kind = facts
        for operation in Operation:
            ticket = given.get((kind, operation, Severity.WARNING))
            page = given.get((kind, operation, Severity.CRITICAL))
            if ticket and page and not ticket[1].precedes(page[1]):
                lines = [self.lines["institutions", position] for position, _ in (ticket, page)]
                yield (
                    f"{self.name}:{lines[0]}: allowance.{kind}.{operation} warns after "
                    f"{_told(ticket[1])}, but line {lines[1]} pages after {_told(page[1])}; the "
                    "page is delayed until the warning."
                )

    def _idle(
        self,
        section: str,
        entries: Entries[T],
        fleet: Iterable[tuple[Institution, tuple[SyncFacts, ...]]],
    ) -> Iterator[str]:
        busy = {
            position
            for institution, syncs in fleet
            for position, matcher, entry in entries.of_institution(institution)
            if not entry.match.asks_for_sync or any(matcher.sync(*sync) for sync in syncs)
        }
        for position, entry in enumerate(entries.items):
            if position not in busy:
                line = self.lines[section, position]
                asked = str(entry.match) or "everything"
                yield f"{self.name}:{line}: {section}[{position}] ({asked}) matches nothing."


def _told(bounds: Bounds) -> str:
    low, high = map(duration, bounds)
    return low if low == high else f"{low} to {high}"
