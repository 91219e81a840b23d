"""The live exporter and the backtest judge the same observations alike."""

import itertools
from pathlib import Path

from nexhealth_exporter.backtest import Replay, batches
from nexhealth_exporter.fleet import Fleet, Policy
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Location, Poll, Sync
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.simulator.record import Observation, observations, write_observations
from nexhealth_exporter.simulator.world import World

DAY, STEP = 86400.0, 1800.0
START = 1_771_200_000.0
KINDS = {"onprem": IntegrationType.SERVER, "cloud": IntegrationType.CLOUD}


def rules() -> Policy:
    return policy(Rules(), Defaults("America/New_York", "US", DAY, 30 * DAY))


def judged(fleet: Fleet) -> dict[tuple[str, str], object]:
    return {
        (standing.institution.subdomain, s.sync.name): (
            s.read.deadline,
            s.write.deadline,
            s.read.allowance,
            s.expectation.source,
            s.expectation.days,
            s.first_seen,
        )
        for standing, s in fleet.syncs()
    }


def as_polled(seen: Observation) -> Sync:
    """What the client makes of the API's answer: marks have milliseconds there."""
    marks = (None if at is None else int(at * 1000) / 1000 for at in (seen.read, seen.write))
    read_at, write_at = marks
    kind = KINDS.get(seen.sync.emr.type or "")
    places = tuple(Location(number) for number in seen.sync.locations)
    return Sync(seen.sync.name, kind, read_at=read_at, write_at=write_at, locations=places)


def test_deadlines_are_the_same(tmp_path: Path) -> None:
    world = World(7, 10, START, 24)
    path = tmp_path / "seen.jsonl"
    write_observations(world.offices, path, start=START, end=world.end, step=STEP)
    replay = Replay(rules(), lambda _: True)
    with path.open("rb") as lines:
        for batch in batches(lines, path.name):
            replay.feed(batch)

    known = Inventory(
        {
            office.subdomain: Institution(
                office.subdomain,
                office.id,
                locations=tuple(Location(p.id, p.timezone) for p in office.locations),
            )
            for office in world.offices
        }
    )
    live, live_policy = Fleet(), rules()
    live = live.watching(known, live_policy)
    found = observations(world.offices, START, world.end, STEP)
    for at, row in itertools.groupby(found, key=lambda seen: seen.at):
        # The poller's answers come one by one.
        for office, told in itertools.groupby(row, key=lambda seen: seen.office.subdomain):
            live = live.after([Poll(office, at, tuple(map(as_polled, told)))], live_policy)
        live = live.with_incidents()

    assert judged(live) == judged(replay.fleet)
    assert live.incidents == replay.fleet.incidents
    sources = {s.expectation.source for _, s in live.syncs()}
    assert "learned" in sources
