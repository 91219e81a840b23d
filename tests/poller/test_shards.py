"""Shards of one key: each institution is watched by one of them, and each takes its part."""

import asyncio
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexhealth_exporter import settings
from nexhealth_exporter.cli.parts import connect, pace_of, policy_of, watches
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import Institution
from nexhealth_exporter.plan import shard_of
from nexhealth_exporter.poller import Poller
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.settings import ApiKey, Settings
from nexhealth_exporter.simulator import Simulator, plain_offices
from tests.turns import turns

names = st.text(st.characters(codec="ascii", categories=("Ll", "Nd")), min_size=1, max_size=20)


def of_shard(shard: int, shards: int, **others: str) -> Settings:
    told = {"SHARD": str(shard), "SHARDS": str(shards), "API_KEY": "simulated-key", **others}
    return settings.load({}, {f"NEXHEALTH_EXPORTER_{name}": value for name, value in told.items()})


@given(st.lists(names, unique=True, max_size=30), st.integers(1, 9))
def test_all_shards_together_watch_each_institution_exactly_once(
    subdomains: list[str], shards: int
) -> None:
    watching = [watches(of_shard(shard, shards), Rules()) for shard in range(shards)]
    for subdomain in subdomains:
        assert sum(is_watched(Institution(subdomain)) for is_watched in watching) == 1


@given(st.lists(names, unique=True, max_size=30), st.integers(1, 8))
def test_with_one_shard_more_institutions_move_to_the_new_one_only(
    subdomains: list[str], shards: int
) -> None:
    before = [watches(of_shard(shard, shards), Rules()) for shard in range(shards)]
    after = [watches(of_shard(shard, shards + 1), Rules()) for shard in range(shards + 1)]
    for institution in map(Institution, subdomains):
        *stayed, moved = [is_watched(institution) for is_watched in after]
        were = [was_watched(institution) for was_watched in before]
        assert stayed == ([False] * shards if moved else were)


@pytest.mark.parametrize("shards", [2, 3, 7])
def test_shards_are_about_equally_large(shards: int) -> None:
    sizes = Counter(shard_of(f"office-{n}", shards) for n in range(shards * 500))

    assert len(sizes) == shards
    assert all(400 < size < 600 for size in sizes.values())


@given(st.integers(1, 50), st.integers(50, 400), st.integers(50, 4000), st.integers(0, 10**6))
def test_the_parts_of_all_shards_are_the_limits_of_the_key(
    shards: int, per_second: int, per_minute: int, budget: int
) -> None:
    # As by default, half of what the API allows.
    limits = {
        "API_REQUESTS_PER_SECOND": str(per_second),
        "API_REQUESTS_PER_MINUTE": str(per_minute),
        "API_CALLS_BUDGET": str(budget),
    }
    parts = [of_shard(shard, shards, **limits) for shard in range(shards)]

    assert sum(part.rates.per_second for part in parts) == per_second
    assert sum(part.rates.per_minute for part in parts) == per_minute
    assert all(min(part.rates) >= 1 for part in parts)
    assert sum(pace_of(part).budget for part in parts) == pytest.approx(budget)


async def test_shards_at_work_together_keep_to_the_limits_of_the_key() -> None:
    # As by default, half of what the API allows.
    limits = {
        "API_REQUESTS_PER_SECOND": "30",
        "API_REQUESTS_PER_MINUTE": "1000",
        "POLL_SCOPE": "institution",
    }
    async with Simulator(plain_offices(60), per_second=60, per_minute=2000) as simulator:
        shards = [of_shard(n, 3, API_URL=simulator.url, **limits) for n in range(3)]
        began = time.monotonic()
        async with turns() as held:
            fleets = await asyncio.gather(*map(polled, shards))
        seconds = time.monotonic() - began

        asked = Counter(c.subdomain for c in simulator.traffic.calls if c.subdomain)
        assert set(asked) == set(simulator.offices)
        assert set(asked.values()) == {1}
        assert sum(len(fleet.standings) for fleet in fleets) == 60
        assert simulator.traffic.count(status=429) == 0
        assert simulator.traffic.busiest(1.0 - held.longest) <= 30
        assert seconds > 1.5


async def polled(chosen: Settings) -> Fleet:
    own = OwnMetrics("test")
    async with connect(chosen, ApiKey(chosen), own) as api:
        poller = Poller(
            api,
            pace_of(chosen),
            policy_of(chosen, Rules()),
            watches=watches(chosen, Rules()),
            concurrency=50,
            meter=own,
            clock=time.time,
        )
        return await poller.once()
