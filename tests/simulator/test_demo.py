"""Whenever the demo is started, the exporter sees every state in it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nexhealth_exporter.backtest import Replay, batches
from nexhealth_exporter.cli.demo import LOOKS, WATCHED
from nexhealth_exporter.fleet import Fleet, Policy, SyncStanding
from nexhealth_exporter.model import Poll, Source, State
from nexhealth_exporter.nexhealth.client import NexHealth
from nexhealth_exporter.nexhealth.pacer import Pacer
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.rules import Rules, read
from nexhealth_exporter.simulator import Simulator
from nexhealth_exporter.simulator.demo import Demo, demo
from nexhealth_exporter.simulator.offices import Marks
from nexhealth_exporter.simulator.record import write_observations

NOWS = (
    "2026-01-01T00:05Z",  # New Year
    "2026-03-08T09:59Z",  # clocks go forward in New York
    "2026-03-29T01:00Z",  # and in Europe
    "2026-06-07T11:00Z",  # a Sunday everywhere but in the far east
    "2026-07-04T16:20Z",
    "2026-09-23T03:31Z",
    "2026-10-16T19:45Z",
    "2026-11-01T06:30Z",  # clocks go back in New York
    "2026-12-24T13:40Z",
    "2026-12-25T22:10Z",
    "2027-02-16T13:59Z",
)
AS_STATES = {
    "without sync": "",
    "unknown zone": "fresh",
    "no zone": "fresh",
    "writes not in use": "overdue: warning",
}
REST = {"closed", "lunch", "closure", "weekend", "holiday", "learned"}


class Unmetered:
    """A meter that counts rejected entries only."""

    def __init__(self) -> None:
        self.entries = 0

    def called(self, endpoint: str, code: str, seconds: float) -> None:
        pass

    def throttled(self, seconds: float) -> None:
        pass

    def rejected(self, entries: int) -> None:
        self.entries += entries

    def token_expires(self, at: float) -> None:
        pass


def policy_of(rules: Rules) -> Policy:
    return policy(rules, Defaults("America/New_York", "US", 86400.0, 30 * 86400.0))


def learned(made: Demo, rules: Rules, now: float, folder: Path) -> Fleet:
    """A fleet that has watched for weeks those that stand for a state and are known."""
    known = [office for office in made.learned if office.subdomain in made.shows]
    past = folder / "past.jsonl"
    start = (now - WATCHED) // LOOKS * LOOKS
    write_observations(known, past, start=start, end=now, step=LOOKS)
    replay = Replay(policy_of(rules), rules.monitored)
    with past.open("rb") as lines:
        for batch in batches(lines, past.name):
            replay.feed(batch, is_reported=False)
    return Fleet(remembered=dict(replay.fleet.memory()))


async def polled(sim: Simulator, rules: Rules, now: float, before: Fleet) -> Fleet:
    """The fleet as the exporter judges it after one poll at `now`."""
    meter = Unmetered()
    client = NexHealth(
        sim.url,
        lambda: sim.api_key,
        version="v3.0.0",
        timeout=20,
        max_concurrency=10,
        pacer=Pacer(50, 1000),
        meter=meter,
        clock=lambda: now,
    )
    async with client:
        inventory = await client.inventory()
        answers = await client.fleet(inventory)
    assert meter.entries == 0
    force = policy_of(rules)
    polls = [
        Poll(institution.subdomain, now, answers.get(institution.subdomain, ()))
        for institution in inventory
        if rules.monitored(institution)
    ]
    return before.watching(inventory, force).after(polls, force).with_incidents()


def seen(sync: SyncStanding, now: float) -> str:
    """The state of a sync in the words of the demo."""
    if sync.state is not State.ACTIVE:
        return sync.state.value
    overdue = sync.overdue(now)
    if overdue is not None:
        return f"overdue: {overdue.value}"
    if sync.sync.read_at is None:
        return "null marks"
    if sync.sync.write_at is None:
        return "null write mark"
    piece = sync.expectation.piece(now)
    if not piece.is_expected:
        return f"resting: {piece.reason.value if piece.reason else ''}"
    halves = [j.half_used_at for j in sync.judgements]
    return "due soon" if all(h is not None and h <= now for h in halves) else "fresh"


@pytest.mark.parametrize("moment", NOWS)
async def test_every_state_exists_at(moment: str, tmp_path: Path) -> None:
    now = datetime.fromisoformat(moment).timestamp()
    made = demo(now)
    rules = read(made.configuration, "demo.yaml")
    async with Simulator(made.offices, clock=lambda: now) as sim:
        fleet = await polled(sim, rules, now, learned(made, rules, now, tmp_path))

    sources = {sync.expectation.source for _, sync in fleet.syncs()}
    assert sources == set(Source)
    beside = [s for _, s in fleet.syncs() if s.expectation.source is Source.CONFIGURED]
    assert any(sync.learned.pattern for sync in beside)
    states = {
        subdomain: [seen(sync, now) for sync in standing.syncs or ()]
        for subdomain, standing in fleet.standings.items()
    }
    for subdomain, shows in made.shows.items():
        if shows in {"unknown zone", "no zone"}:
            standing = fleet.standings[subdomain]
            assert all(sync.hours.is_fallback for sync in standing.syncs or ())
        expected = AS_STATES.get(shows, shows.partition(",")[0])
        if expected.startswith("fresh"):
            expected = "fresh"
        assert set(states[subdomain]) == ({expected} if expected else set()), subdomain
    missing = {text.split()[1] for text in made.missing}
    shown = {text.partition(": ")[2] for text in made.shows.values() if "resting" in text}
    assert shown == REST - missing
    assert not fleet.incidents
    assert "acme-sandbox" in sim.offices


async def test_the_demo_reads_as_a_fleet_of_many_offices() -> None:
    made = demo(datetime(2026, 9, 23, 15, tzinfo=UTC).timestamp())
    assert 60 <= len(made.offices) <= 110
    assert len({office.subdomain for office in made.offices}) == len(made.offices)
    assert len({office.name for office in made.offices}) == len(made.offices)
    assert len({office.id for office in made.offices}) == len(made.offices)
    assert sum(len(office.syncs) > 1 for office in made.offices) >= 3
    kinds = {sync.emr.type for office in made.offices for sync in office.syncs}
    assert kinds == {"onprem", "cloud", None}
    assert len({place.timezone for o in made.offices for place in o.locations}) >= 8


def test_the_same_instant_and_seed_make_the_same_demo() -> None:
    now = datetime(2026, 9, 23, 15, tzinfo=UTC).timestamp()
    one, other, another = demo(now), demo(now), demo(now, seed=2)
    assert one.configuration == other.configuration
    past = now - 10 * 86400

    def marks(made: Demo) -> list[Marks]:
        return [s.behaviour.marks_at(past) for o in made.offices for s in o.syncs]

    assert marks(one) == marks(other)
    assert marks(one) != marks(another)
