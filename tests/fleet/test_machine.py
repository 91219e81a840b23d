"""Laws of the snapshot, whatever happens in whichever order."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.judgement import NOT_IN_USE_AFTER
from nexhealth_exporter.fleet import Fleet, SyncStanding
from nexhealth_exporter.model import Inventory, Poll, Severity, Sync
from nexhealth_exporter.policy import policy
from nexhealth_exporter.rules import Rules
from tests.expectation.conftest import at
from tests.fleet.conftest import CLOUD, DAY, DEFAULTS, SERVER, office

OFFICES = ("canines", "molars", "smiles")
START = at("2026-03-04 10:00")
"""A Wednesday."""

LATER = st.sampled_from((1.0, 300.0, 3600.0, 9 * 3600.0, 23 * 3600.0, 3 * DAY, 31 * DAY))
"""Seconds between two things that happen: stale answers and abandoned syncs included."""

NEWS = st.dictionaries(
    st.sampled_from(("Main", "Second", "Third")),
    st.tuples(st.sampled_from((SERVER, CLOUD)), *(st.sampled_from(("new", "old")),) * 2),
)
"""What an answer tells: for each sync what it is, and whether each of its marks has moved."""


class Snapshots(RuleBasedStateMachine):
    """Polls of three offices, and a model of what must be known after each."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = policy(Rules(), DEFAULTS)
        self.fleet = Fleet()
        self.now = START
        self.watched: set[str] = set()
        self.marks: dict[tuple[str, str], tuple[float | None, float | None]] = {}
        self.told: dict[str, tuple[float, tuple[Sync, ...]]] = {}
        self.met: dict[tuple[str, str], float] = {}
        self.failed: dict[str, bool] = {}
        self.past: list[frozenset[str] | Poll] = []

    @initialize()
    def begin(self) -> None:
        self.watch(set(OFFICES[:2]))

    @rule(offices=st.sets(st.sampled_from(OFFICES)))
    def watch(self, offices: set[str]) -> None:
        self.past.append(frozenset(offices))
        self.fleet = watching(self.fleet, offices, self.policy)
        for gone in self.watched - offices:
            self.told.pop(gone, None)
            self.failed.pop(gone, None)
        self.watched = offices

    @rule(name=st.sampled_from(OFFICES), later=LATER, news=NEWS)
    def answer(self, name: str, later: float, news: dict[str, tuple[Sync, str, str]]) -> None:
        self.now += later
        syncs = tuple(self._sync(name, sync, *told) for sync, told in news.items())
        before, (looked, _) = self._syncs(name), self.told.get(name, (self.now, ()))
        self._after(Poll(name, self.now, syncs))
        if name not in self.watched:
            return
        self.told[name], self.failed[name] = (self.now, syncs), False
        for sync in syncs:
            self.met.setdefault((name, sync.name), self.now)
        for sync_name, after in self._syncs(name).items():
            old = before.get(sync_name)
            if old is not None and (old.sync, old.state) == (after.sync, after.state):
                # Without news no deadline changes, but that a page goes or comes by age alone.
                assert tickets(after) == tickets(old)
                if not rests_since_two_weeks(after, looked, self.now):
                    assert deadlines(after) == deadlines(old)

    @rule(name=st.sampled_from(OFFICES), later=LATER)
    def fail(self, name: str, later: float) -> None:
        self.now += later
        before, kept = self._syncs(name), dict(self.fleet.memory()).get(name, {})
        self._after(Poll(name, self.now, failure="timeout"))
        if name not in self.watched:
            return
        self.failed[name] = True
        if name in self.told and self.now - self.told[name][0] > DEFAULTS.stale_after:
            del self.told[name]
        elif name in self.told:
            # A poll that fails loses nothing.
            assert self._syncs(name) == before
        # What was learned stays even when nothing is shown any more.
        assert dict(self.fleet.memory()).get(name, {}) == kept

    @invariant()
    def what_is_watched_is_known_and_nothing_else(self) -> None:
        assert self.fleet.standings.keys() == self.watched
        for standing in self.fleet:
            name = standing.institution.subdomain
            assert (standing.failure is not None) == self.failed.get(name, False)
            if name not in self.told:
                assert not standing.syncs
                continue
            succeeded, syncs = self.told[name]
            assert standing.last_success == succeeded
            assert [s.sync for s in standing.syncs or ()] == list(syncs)

    @invariant()
    def nothing_is_overdue_that_nobody_looked_at_after_its_deadline(self) -> None:
        for standing, sync in self.fleet.syncs():
            for judgement in sync.judgements:
                for severity, deadline in judgement.deadline.items():
                    looked = standing.last_success
                    assert looked is not None
                    assert judgement.is_overdue(severity, looked) == (deadline <= looked)
                both = {*judgement.deadline} == {*Severity}
                assert not both or (
                    judgement.deadline[Severity.WARNING] <= judgement.deadline[Severity.CRITICAL]
                )

    @invariant()
    def when_a_sync_was_first_seen_is_never_forgotten(self) -> None:
        found = {
            (name, sync): kept.learned.first_seen
            for name, memory in self.fleet.memory()
            for sync, kept in memory.items()
        }
        assert found == self.met

    def teardown(self) -> None:
        """The same past makes the same fleet, poll by poll or many polls at once."""
        for at_once in (1, 3, 1000):
            assert picture(replayed(self.past, at_once)) == picture(self.fleet)

    def _sync(self, office_name: str, name: str, kind: Sync, read: str, write: str) -> Sync:
        old = self.marks.get((office_name, name), (None, None))
        marks = tuple(
            self.now - 30 if news == "new" else mark
            for news, mark in zip((read, write), old, strict=True)
        )
        self.marks[office_name, name] = (marks[0], marks[1])
        return altered(kind, name=name, read_at=marks[0], write_at=marks[1])

    def _syncs(self, name: str) -> dict[str, SyncStanding]:
        standing = self.fleet.standings.get(name)
        return {s.sync.name: s for s in (standing.syncs or ())} if standing else {}

    def _after(self, poll: Poll) -> None:
        before, seen = self.fleet, picture(self.fleet)
        self.past.append(poll)
        self.fleet = before.after([poll], self.policy)
        # A snapshot is a value: what was drawn of the old one can still be drawn.
        assert picture(before) == seen
        others = [name for name in self.watched if name != poll.subdomain]
        assert all(self.fleet.standings[name] is before.standings[name] for name in others)


def watching(fleet: Fleet, offices: set[str] | frozenset[str], by: Any) -> Fleet:
    return fleet.watching(Inventory({name: office(name) for name in sorted(offices)}), by)


def deadlines(sync: SyncStanding) -> list[Mapping[Severity, float]]:
    return [judgement.deadline for judgement in sync.judgements]


def tickets(sync: SyncStanding) -> list[float | None]:
    return [judgement.warning_at for judgement in sync.judgements]


def rests_since_two_weeks(sync: SyncStanding, before: float, now: float) -> bool:
    """Whether either direction has come to count as not in use between two looks."""
    anchors = [judgement.anchor for judgement in sync.judgements]
    return any(before - anchor <= NOT_IN_USE_AFTER < now - anchor for anchor in anchors)


def picture(fleet: Fleet) -> object:
    """All that anybody can see of a fleet, as plain values."""
    return {
        standing.institution.subdomain: (
            *(standing.group, standing.last_poll, standing.last_success, standing.failure),
            [
                (s.sync, s.integration_type, s.state, s.first_seen, deadlines(s))
                for s in standing.syncs or ()
            ],
            standing.syncs is None,
            sorted(standing.memory()),
        )
        for standing in fleet
    }


def replayed(past: Sequence[frozenset[str] | Poll], at_once: int) -> Fleet:
    by = policy(Rules(), DEFAULTS)
    fleet, waiting = Fleet(), list[Poll]()
    for event in [*past, None]:
        if isinstance(event, Poll):
            waiting.append(event)
        if not isinstance(event, Poll) or len(waiting) >= at_once:
            fleet, waiting = fleet.after(waiting, by), []
        if isinstance(event, frozenset):
            fleet = watching(fleet, event, by)
    return fleet


def test_the_snapshot_keeps_its_laws_whatever_happens_in_whichever_order() -> None:
    limits = settings(max_examples=40, stateful_step_count=25)
    run_state_machine_as_test(Snapshots, settings=limits)


def test_a_direction_that_rests_for_two_weeks_loses_its_page_but_not_its_ticket() -> None:
    """A past that the machine found: only the other direction had moved meanwhile."""
    machine = Snapshots()
    machine.begin()
    machine.answer("canines", 1.0, {"Main": (SERVER, "new", "new")})
    for _ in range(4):
        machine.answer("canines", 3 * DAY, {"Main": (SERVER, "new", "old")})
    (old,) = machine._syncs("canines").values()  # noqa: SLF001
    machine.answer("canines", 3 * DAY, {"Main": (SERVER, "old", "old")})
    (after,) = machine._syncs("canines").values()  # noqa: SLF001
    machine.teardown()
    assert old.read.deadline == after.read.deadline
    assert old.write.deadline.keys() == {Severity.WARNING, Severity.CRITICAL}
    assert after.write.deadline == {Severity.WARNING: old.write.warning_at}
