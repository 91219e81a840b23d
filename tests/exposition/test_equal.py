"""The page says exactly what prometheus-client would have said of the same fleet."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.exposition.text import encodable
from nexhealth_exporter.fleet import Fleet, Policy, Round
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Location,
    Poll,
    Sync,
)
from tests.exposition.fleets import DAY, NOW, fleet_of, policy
from tests.exposition.reading import (
    OF_FLEET,
    assert_same,
    families,
    reference,
    samples,
    text_of,
)

NAMES = st.sampled_from(["a", 'b"\\\n', "💚"]) | st.text(max_size=8)
"""Few of them, so that the same sync is met again."""
TEXTS = st.text(
    st.sampled_from('a"\\\n\r\t\0{},=# é💚\u2028\ud83d\udc9a')
    | st.characters(exclude_categories=()),
    max_size=8,
)
AGES = st.sampled_from([-90000.0, -5.0, 0.0, 0.007, 59.5, 3 * 3600.0, 2 * DAY, 40 * DAY, 500 * DAY])
MARKS = st.none() | st.builds(
    lambda age, more: round(NOW - age - more, 3),
    AGES,
    st.just(0.0) | st.floats(0, 20000, allow_subnormal=False),
)
COLOURS = st.none() | st.booleans()
SYNCS = st.lists(
    st.builds(
        Sync,
        name=NAMES,
        integration_type=st.none() | st.sampled_from(IntegrationType),
        emr=TEXTS,
        read_at=MARKS,
        write_at=MARKS,
        read_up=COLOURS,
        write_up=COLOURS,
        locations=st.lists(st.builds(Location, st.integers(1, 9), inactive=st.booleans())).map(
            tuple
        ),
    ),
    max_size=3,
    unique_by=lambda sync: encodable(sync.name),
).map(tuple)
ORDINARY = {"office": (Sync("Main", IntegrationType.SERVER, "Dentrix", NOW - 60, NOW - 90),)}
"""Tried first: whoever forgets one of the two ways to draw a metric need not wait for a search."""
WAITS = st.sampled_from([0.0, 0.3, 61.0, 3600.0, 12 * 3600.0, 3 * DAY, 140 * DAY, -0.4, -7200.0])


@given(
    offices=st.dictionaries(NAMES.map(encodable), SYNCS, max_size=4),
    salt=st.integers(0, 44),
    wait=WAITS,
    block_size=st.integers(1, 3),
)
@example(offices=ORDINARY, salt=1, wait=61.0, block_size=1)
@settings(max_examples=150)
def test_the_page_has_exactly_the_samples_that_prometheus_client_would_write(
    offices: dict[str, tuple[Sync, ...]], salt: int, wait: float, block_size: int
) -> None:
    polls = [Poll(name, NOW + i, syncs) for i, (name, syncs) in enumerate(offices.items())]
    fleet = (
        fleet_of(polls, policy(salt))
        .with_incidents(NOW)
        .after_round(Round(NOW, 12.5, is_up=bool(salt % 2)))
    )
    now = NOW + 5 + wait

    async def pages() -> tuple[str, str]:
        page = Page(OwnMetrics("1"), block_size=block_size)
        text = await text_of(page, fleet, now, names=OF_FLEET, is_gzip=False)
        return text, await text_of(page, fleet, now, names=OF_FLEET, openmetrics=True)

    text, openmetrics = asyncio.run(pages())
    expected = reference(fleet, now)
    assert_same(samples(families(text)), expected)
    assert_same(samples(families(openmetrics, openmetrics=True)), expected)


class World:
    """A fleet that things happen to, and the page that is drawn of it time and again."""

    def __init__(self, block_size: int) -> None:
        self.now = NOW
        self.policy: Policy = policy()
        self.fleet = Fleet()
        self.page = Page(OwnMetrics("1"), block_size=block_size)

    def watch(self, offices: dict[str, str]) -> None:
        inventory = Inventory(
            {
                subdomain: Institution(subdomain, id=None if name == "" else len(name), name=name)
                for subdomain, name in offices.items()
            }
        )
        self.fleet = self.fleet.watching(inventory, self.policy)

    def poll(self, subdomain: str, syncs: tuple[Sync, ...]) -> None:
        self.fleet = self.fleet.after([Poll(subdomain, self.now, syncs)], self.policy)

    def fail(self, subdomain: str) -> None:
        poll = Poll(subdomain, self.now, failure="timeout")
        self.fleet = self.fleet.after([poll], self.policy)

    def reload(self, salt: int) -> None:
        self.policy = policy(salt)
        self.fleet = self.fleet.rejudged(self.policy)

    def end_round(self, duration: float) -> None:
        known = self.fleet.with_incidents(self.now)
        self.fleet = known.after_round(Round(self.now, duration, is_up=duration < 100))

    def wait(self, seconds: float) -> None:
        self.now += seconds


OFFICES = st.sampled_from("abcde")
EVENTS = st.one_of(
    st.builds(lambda o: lambda w: w.watch(o), st.dictionaries(OFFICES, st.sampled_from(["", "A"]))),
    st.builds(lambda o, s: lambda w: w.poll(o, s), OFFICES, SYNCS),
    st.builds(lambda o, s: lambda w: w.poll(o, s), OFFICES, SYNCS),
    st.builds(lambda o: lambda w: w.fail(o), OFFICES),
    st.builds(lambda s: lambda w: w.reload(s), st.integers(0, 44)),
    st.builds(lambda d: lambda w: w.end_round(d), st.floats(0, 300)),
    st.builds(lambda s: lambda w: w.wait(s), WAITS),
    st.builds(lambda s: lambda w: w.wait(s), WAITS),
)


@given(st.lists(EVENTS, min_size=2, max_size=12), st.integers(1, 3))
@example([lambda w: w.poll("a", ORDINARY["office"]), lambda w: w.wait(61.0)], 1)
@settings(max_examples=150)
def test_what_is_kept_between_pages_never_shows(
    events: list[Callable[[World], None]], block_size: int
) -> None:
    async def live() -> None:
        world = World(block_size)
        world.watch(dict.fromkeys("abc", "Office"))
        for event in events:
            event(world)
            text = await text_of(world.page, world.fleet, world.now, names=OF_FLEET)
            assert_same(samples(families(text)), reference(world.fleet, world.now))

    asyncio.run(live())


IN_NEW_YORK = 24
"""The salt by which office "a" keeps default hours there: it is open at `NOW`."""
SINCE = st.one_of(st.none(), st.floats(-60, 3 * 3600), st.sampled_from([0.0, 7200.0, DAY]))


@given(
    st.integers(0, 44),
    st.lists(st.tuples(SINCE, SINCE, st.floats(-1800, 5400)), min_size=2, max_size=10),
)
@example(IN_NEW_YORK, [(600.0, 600.0, 60.0), (None, 600.0, 60.0), (60.0, 60.0, 60.0)])
def test_marks_may_move_within_hours_and_out_of_them(
    salt: int, moves: list[tuple[float | None, float | None, float]]
) -> None:
    async def live() -> None:
        world = World(1)
        world.reload(salt)
        world.watch({"a": "Office"})
        for read, write, wait in moves:
            marks = [None if age is None else world.now - age for age in (read, write)]
            world.poll("a", (Sync("Dentrix", IntegrationType.SERVER, "", marks[0], marks[1]),))
            for seconds in (0, wait):
                world.wait(seconds)
                text = await text_of(world.page, world.fleet, world.now, names=OF_FLEET)
                assert_same(samples(families(text)), reference(world.fleet, world.now))

    asyncio.run(live())


@pytest.mark.parametrize("hostile", ["\ud800", "x\udc00y"])
def test_what_utf_8_cannot_hold_is_replaced(hostile: str) -> None:
    sync = Sync("Dentrix", IntegrationType.SERVER, hostile, read_at=NOW)

    async def drawn() -> str:
        fleet = fleet_of([Poll("office", NOW, (sync,))])
        return await text_of(Page(OwnMetrics("1")), fleet, NOW)

    assert 'emr="' + hostile.replace(hostile.strip("xy"), "\ufffd") in asyncio.run(drawn())
