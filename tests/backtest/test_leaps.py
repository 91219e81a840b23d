"""The benchmark of the alerts leaves out looks at which nothing can change: the answer is the same.

It is held against `Replay` on every look, over an incident of the vendor and its end.
"""

from pathlib import Path

import pytest
from bench.leaps import Leaps

from nexhealth_exporter.backtest import Alert, Replay, batches
from nexhealth_exporter.fleet import Policy
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.rules import read
from nexhealth_exporter.simulator.fleets import Mix
from nexhealth_exporter.simulator.record import write_observations
from nexhealth_exporter.simulator.world import World

DAY, STEP = 86400.0, 900.0
START = 1_771_200_000.0
WAYS = ("plain", "colour", "fixed", "default")


def rules(world: World) -> Policy:
    defaults = Defaults("America/New_York", "US", DAY, 30 * DAY)
    return policy(read(world.configuration(), "closures"), defaults)


def told(alert: Alert) -> tuple[object, ...]:
    return (
        alert.institution,
        alert.sync,
        alert.operation,
        alert.severity,
        alert.fired_at,
        alert.resolved_at,
    )


@pytest.mark.parametrize("one_way", [0.0, 1.0])
def test_leaping_over_looks_changes_no_alert(tmp_path: Path, one_way: float) -> None:
    world = World(27, 28, START, 13, mix=Mix(incidents_one_way=one_way))
    since = START + 6 * DAY
    leaps = Leaps(world, rules(world), STEP, since).run()

    path = tmp_path / "seen.jsonl"
    write_observations(world.offices, path, start=START, end=world.end, step=STEP)
    replay = Replay(rules(world), lambda _: True)
    with path.open("rb") as lines:
        for batch in batches(lines, path.name):
            replay.feed(batch, is_reported=batch.rows[0][0] >= since)

    assert sorted(map(repr, map(told, leaps.alerts))) == sorted(map(repr, map(told, replay.alerts)))
    assert leaps.incidents == [(i.integration_type, i.start) for i in replay.incidents] != []
    counts = [
        [sum(s.counts[way] for _, s in found) for way in WAYS]
        for found in (leaps.simpler, list(replay.observed))
    ]
    assert counts[0] == counts[1] != [0, 0, 0, 0]
