"""How the page is handed out, and what it says at which moment."""

import asyncio
import gzip
import time
import zlib
from collections.abc import Sequence
from datetime import datetime
from sys import getrefcount
from weakref import ref
from zoneinfo import ZoneInfo

import pytest

from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import DEFAULT_HOURS, week_plan
from nexhealth_exporter.exposition.block import COLUMNS, Block
from nexhealth_exporter.exposition.deflate import Part, plain
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.exposition.row import Column
from nexhealth_exporter.fleet import Fleet, Hours, Policy, Round, Standing
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Poll, Source, Sync
from tests.exposition.fleets import DAY, NOW, fleet_of, policy
from tests.exposition.reading import (
    ALL,
    OF_FLEET,
    assert_same,
    families,
    reference,
    samples,
    text_of,
)
from tests.turns import others

LARGEST = 256 * 1024
CLOSING = datetime(2026, 10, 23, 17, tzinfo=ZoneInfo("America/New_York")).timestamp()
"""Of default hours, on a Friday."""
SERVER = IntegrationType.SERVER


def fleet(offices: int, at: float = NOW) -> Fleet:
    return fleet_of(
        Poll(f"office-{i}", at, (Sync(f"Dentrix {i}", SERVER, "Dentrix", at - i, at - 2 * i),))
        for i in range(offices)
    )


def page() -> Page:
    return Page(OwnMetrics("1"))


async def test_chunks_are_small_and_make_one_gzip_stream_of_the_plain_page() -> None:
    drawn, offices = page(), fleet(2000)
    plain = await drawn.write(offices, NOW, openmetrics=True, names=ALL, gzip=False)
    packed = await drawn.write(offices, NOW, openmetrics=True, names=ALL, gzip=True)
    assert len(plain) > 10
    assert len(packed) > 1
    assert max(map(len, [*plain, *packed])) <= LARGEST

    stream = zlib.decompressobj(wbits=31)
    text = stream.decompress(b"".join(packed)) + stream.flush()
    assert stream.eof
    assert not stream.unused_data  # several members would leave some: curl refuses those
    ours = b"".join(plain).partition(b"# HELP nexhealth_poll_interval_seconds")[0]
    assert len(ours) > 1_000_000
    assert text.startswith(ours)
    assert text.endswith(b"\n# EOF\n")


async def test_a_line_longer_than_a_chunk_is_split_between_chunks() -> None:
    sync = Sync("x" * (3 * LARGEST), SERVER, read_at=NOW)
    offices = fleet_of([Poll("office", NOW, (sync,))])
    chunks = await page().write(offices, NOW, openmetrics=False, names=ALL, gzip=False)
    assert max(map(len, chunks)) <= LARGEST
    assert sync.name in families(b"".join(chunks).decode())[0].samples[0].labels.values()


async def test_without_institutions_there_is_still_a_page() -> None:
    found = samples(families(await text_of(page(), Fleet(), NOW)))
    assert found["nexhealth_institutions", frozenset()] == 0
    assert ("nexhealth_up", frozenset()) not in found


@pytest.mark.parametrize(("is_up", "value"), [(True, 1), (False, 0)])
async def test_up_tells_of_the_latest_round(is_up: bool, value: float) -> None:
    ended = Fleet().after_round(Round(NOW, 1.5, is_up=is_up))
    found = samples(families(await text_of(page(), ended, NOW)))
    assert found["nexhealth_up", frozenset()] == value
    assert found["nexhealth_poll_round_duration_seconds", frozenset()] == 1.5
    assert found["nexhealth_poll_last_round_timestamp_seconds", frozenset()] == NOW


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_names_limit_the_page_in_every_part_of_it(*, openmetrics: bool) -> None:
    wanted = {
        "nexhealth_sync_read_lag_seconds",
        "nexhealth_institutions",
        "nexhealth_poll_failures_total",
        "nexhealth_api_throttled_seconds_total",
        "nexhealth_exporter_build_info",
        "no_such_metric",
    }
    text = await text_of(page(), fleet(3), NOW, names=frozenset(wanted), openmetrics=openmetrics)
    names = {name for name, _ in samples(families(text, openmetrics=openmetrics))}
    assert names == wanted - {"no_such_metric"}


async def test_unknown_institutions_have_no_samples_but_their_info() -> None:
    watching = Fleet().watching(Inventory({"new": Institution("new", 7, "New")}), policy())
    found = samples(families(await text_of(page(), watching, NOW)))
    of_it = {name for name, labels in found if ("institution", "new") in labels}
    assert of_it == {"nexhealth_institution_info"}

    failed = watching.after([Poll("new", NOW, failure="timeout")], policy())
    found = samples(families(await text_of(page(), failed, NOW)))
    labels = frozenset({("institution", "new")})
    assert found["nexhealth_institution_poll_success", labels] == 0
    assert ("nexhealth_institution_last_poll_timestamp_seconds", labels) not in found
    assert ("nexhealth_institution_syncs", labels) not in found

    bare = failed.after([Poll("new", NOW + 1, ())], policy())
    found = samples(families(await text_of(page(), bare, NOW + 2)))
    assert found["nexhealth_institution_syncs", labels] == 0
    assert found["nexhealth_institution_last_poll_timestamp_seconds", labels] == NOW + 1


def default_hours(*, is_fallback: bool = False) -> Policy:
    expectation = Expectation(
        Source.DEFAULT, "", "America/New_York", week_plan(DEFAULT_HOURS, SERVER)
    )
    return Policy(
        lambda *_: Hours(expectation, {}, is_fallback=is_fallback), lambda *_: "", DAY, 30 * DAY
    )


async def test_after_a_weekend_only_open_hours_count() -> None:
    opened = datetime(2026, 10, 26, 8, tzinfo=ZoneInfo("America/New_York")).timestamp()
    offices = fleet_of(
        [Poll("office", CLOSING, (Sync("Dentrix", SERVER, "", CLOSING, CLOSING),))], default_hours()
    )
    drawn = page()

    async def read(now: float) -> dict[str, float]:
        found = samples(families(await text_of(drawn, offices, now)))
        return {
            name.removeprefix("nexhealth_sync_") + dict(labels).get("reason", ""): value
            for (name, labels), value in found.items()
            if ("sync", "Dentrix") in labels
        }

    at_night = await read(CLOSING + 6 * 3600)
    assert at_night["read_lag_seconds"] == 6 * 3600
    assert at_night["read_unexpected_lag_seconds"] == 0
    assert at_night["expected_up"] == 0
    assert at_night["expected_downtimeclosed"] == 1
    assert (await read(CLOSING + 30 * 3600))["expected_downtimeweekend"] == 1

    on_monday = await read(opened + 600)
    assert on_monday["read_lag_seconds"] == 63 * 3600 + 600
    assert on_monday["write_unexpected_lag_seconds"] == 600
    assert on_monday["expected_up"] == 1
    assert not [name for name in on_monday if name.startswith("expected_downtime")]

    later = await read(opened + 600.25)
    assert later["read_unexpected_lag_seconds"] == 600.25


async def test_the_loop_goes_on_while_a_large_page_is_drawn() -> None:
    offices = fleet(1500)
    async with others() as turns:
        await page().write(offices, NOW, openmetrics=False, names=ALL, gzip=True)
    assert turns.count > 10


async def test_overlapping_scrapes_share_the_work() -> None:
    offices, drawn = fleet(500), page()

    async def scrape() -> bytes:
        chunks = await drawn.write(offices, NOW, openmetrics=False, names=ALL, gzip=True)
        return gzip.decompress(b"".join(chunks))[:1_000_000]

    began = time.process_time()
    await Page(OwnMetrics("1")).write(offices, NOW, openmetrics=False, names=ALL, gzip=True)
    alone = time.process_time() - began
    began = time.process_time()
    together = await asyncio.gather(*(scrape() for _ in range(8)))
    assert time.process_time() - began < 4 * alone
    assert len(set(together)) == 1


async def test_a_poll_between_scrapes_of_one_instant_makes_no_second_page() -> None:
    before, drawn = fleet(100), page()
    after = before.after([Poll("office-1", NOW, ())], default_hours())
    assert after != before

    async def scrape(offices: Fleet, at: float) -> Sequence[bytes]:
        return await drawn.write(offices, at, openmetrics=False, names=ALL, gzip=True)

    one, other = await asyncio.gather(scrape(before, NOW), scrape(after, NOW + 0.1))
    assert one is other
    assert await scrape(after, NOW) != one


async def test_a_client_that_hangs_up_takes_the_page_from_nobody() -> None:
    offices, drawn = fleet(700), page()
    gone = asyncio.create_task(drawn.write(offices, NOW, openmetrics=False, names=ALL, gzip=True))
    stays = asyncio.create_task(text_of(drawn, offices, NOW))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).count("nexhealth_sync_info{") == 700
    assert gone.cancelled()
    assert (await text_of(drawn, fleet(10), NOW + 60)).count("nexhealth_sync_info{") == 10


async def test_a_page_that_everybody_left_is_not_drawn_to_its_end() -> None:
    offices, drawn = fleet(700), page()
    before = asyncio.all_tasks()
    gone = [
        asyncio.create_task(
            drawn.write(offices, NOW, openmetrics=False, names=frozenset({str(n)}), gzip=False)
        )
        for n in range(100)
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks() - before) == 200
    for task in gone:
        task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not asyncio.all_tasks() - before
    assert (await text_of(drawn, offices, NOW)).count("nexhealth_sync_info{") == 700


async def test_closing_time_is_followed_to_the_instant_and_back() -> None:
    mark = CLOSING - 3600
    offices = fleet_of(
        [Poll("office", mark, (Sync("Dentrix", SERVER, "", mark, mark),))], default_hours()
    )
    drawn = page()
    labels = frozenset(
        {("institution", "office"), ("sync", "Dentrix"), ("integration_type", "server")}
    )
    moments = (
        (0, 3600, 0),
        (-60, 3540, 1),
        (0, 3600, 0),
        (600, 3600, 0),
        (-600, 3000, 1),
        (1200, 3600, 0),
    )
    for now, lag, is_expected in moments:
        found = samples(families(await text_of(drawn, offices, CLOSING + now)))
        assert found["nexhealth_sync_read_unexpected_lag_seconds", labels] == lag
        assert found["nexhealth_sync_expected_up", labels] == is_expected


def at_closing(read_at: float | None, seen_at: float) -> list[Standing]:
    """An office that closes then, and what it told at `seen_at` of its reads."""
    syncs = (Sync("Dentrix", SERVER, "", read_at, CLOSING - 3600),)
    return list(fleet_of([Poll("one", seen_at, syncs)], default_hours()))


def column(name: str) -> Column:
    return next(column for column in COLUMNS if column.family.name == name)


def test_unexpected_lag_is_drawn_again_only_while_it_grows() -> None:
    block, standings = Block(CLOSING), at_closing(CLOSING - 3600, CLOSING - 60)

    def drawn(now: float) -> list[Part]:
        for _ in block.steps(standings, now):
            pass
        names = ("nexhealth_sync_read_lag_seconds", "nexhealth_sync_read_unexpected_lag_seconds")
        return [block.parts[column(name)] for name in names]

    moments = (-30, 0, 600, 1200, 1800)
    lags, unexpected = zip(*(drawn(CLOSING + after) for after in moments), strict=True)
    assert len(set(lags)) == len(moments)
    assert len(set(unexpected)) == 2
    assert unexpected[2] is unexpected[4]


def test_a_mark_that_is_gone_takes_its_lags_along_while_an_office_rests() -> None:
    block = Block(CLOSING)
    for mark, lines in ((CLOSING - 3600, 1), (None, 0), (CLOSING - 1800, 1)):
        for _ in block.steps(at_closing(mark, CLOSING - 60), CLOSING + 600):
            pass
        for name in (
            "nexhealth_sync_read_lag_seconds",
            "nexhealth_sync_read_unexpected_lag_seconds",
        ):
            assert b"".join(plain([block.parts[column(name)]])).count(b"\n") == lines


async def test_a_mark_that_leaves_the_horizon_loses_what_lies_before_it() -> None:
    marks = {"old": NOW - 500 * DAY, "leaving": NOW - 399.9 * DAY, "coming": NOW + 5.25}
    syncs = tuple(Sync(name, SERVER, "", mark, None) for name, mark in marks.items())
    offices = fleet_of([Poll("office", NOW, syncs)], default_hours())
    drawn = page()
    for hour in range(48):
        now = NOW + hour * 3500
        text = await text_of(drawn, offices, now, names=OF_FLEET)
        assert_same(samples(families(text)), reference(offices, now))


@pytest.mark.parametrize("steps", range(1, 12))
@pytest.mark.parametrize("moments", [(600, -600, 1200), (-1200, 600, -600)])
def test_a_page_given_up_halfway_is_made_up_for(
    steps: int, moments: tuple[float, float, float]
) -> None:
    before, halfway, after = (CLOSING + moment for moment in moments)
    mark = CLOSING - 3600
    polls = [
        Poll(name, mark, (Sync("Dentrix", SERVER, "", mark, mark),)) for name in ("one", "two")
    ]
    standings = list(fleet_of(polls, default_hours()))

    def drawn(block: Block, now: float) -> dict[str, bytes]:
        for _ in block.steps(standings, now):
            pass
        return {
            f"{column.family.name} {column.tail!r}": b"".join(plain([its]))
            for column, its in block.parts.items()
        }

    block = Block(CLOSING)
    drawn(block, before)
    given_up = block.steps(standings, halfway)
    for _ in range(steps):
        next(given_up, None)
    assert drawn(block, after) == drawn(Block(CLOSING), after)


@pytest.mark.parametrize("steps", range(1, 5))
def test_who_has_no_zone_is_counted_though_the_page_before_was_given_up(steps: int) -> None:
    polls = [Poll("office", NOW, (Sync("Dentrix", SERVER, read_at=NOW),))]
    standings = list(fleet_of(polls, default_hours(is_fallback=True)))
    block = Block(NOW)
    given_up = block.steps(standings, NOW)
    for _ in range(steps):
        next(given_up)
    for _ in block.steps(standings, NOW):
        pass
    assert block.fallbacks == 1


async def test_a_fleet_given_up_halfway_leaves_nothing_on_the_page_of_the_one_before() -> None:
    drawn, before, after = Page(OwnMetrics("1"), block_size=50), fleet(700), fleet(700, NOW + 60)
    await text_of(drawn, before, NOW + 90)
    given_up = asyncio.create_task(
        drawn.write(after, NOW + 90, openmetrics=False, names=ALL, gzip=True)
    )
    for _ in range(4):
        await asyncio.sleep(0)
    given_up.cancel()
    text = await text_of(drawn, before, NOW + 91, names=OF_FLEET)
    assert_same(samples(families(text)), reference(before, NOW + 91))


async def test_a_page_keeps_no_fleet_beside_the_one_that_is_known() -> None:
    drawn, offices = page(), fleet(3)

    def held() -> list[int]:
        return [getrefcount(offices.standings[f"office-{i}"]) for i in range(3)]

    before = held()
    await text_of(drawn, offices, NOW)
    assert held() == before
    # Those that have come are told from those that have gone, wherever they lie.
    gone = ref(offices)
    offices = fleet(3, at=NOW + 60)
    assert gone() is None
    text = await text_of(drawn, offices, NOW + 60, names=OF_FLEET)
    assert_same(samples(families(text)), reference(offices, NOW + 60))
