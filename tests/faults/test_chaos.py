"""Whatever goes wrong, what the page says is true, and all is well again without a restart."""

import asyncio
import re
from collections.abc import Callable

import aiohttp
import pytest

from nexhealth_exporter.plan import Scope
from tests.compressed import compressed
from tests.faults.chaos import HOUR, INTERVAL, chaos, live
from tests.faults.truth import Seen, Wrong, office

SEEDS = {Scope.INSTITUTION: 6, Scope.FLEET: 7}


@pytest.mark.parametrize("scope", SEEDS)
def test_rounds_of_chaos_show_nothing_untrue(scope: Scope) -> None:
    print(compressed(live(SEEDS[scope], 1, offices=6, scope=scope)))  # noqa: T201 - the figures


@pytest.mark.timeout(300)
def test_offices_come_and_go_by_the_thousand() -> None:
    many, inventory = 500, 2 * INTERVAL

    async def churn() -> None:
        async with chaos(1, many, Scope.FLEET, inventory) as world:
            await asyncio.sleep(INTERVAL)
            for first in (10_001, 20_001):
                for name in list(world.simulator.offices):
                    world.simulator.remove(name)
                for number in range(first, first + many):
                    world.simulator.add(office(number))
                await asyncio.sleep(inventory + 2 * INTERVAL)
                seen = await world.page()
                assert seen.one("up") == 1
                assert seen.one("institutions") == many
                polled = seen.by("institution_poll_success", "institution")
                assert polled.keys() == world.simulator.offices.keys()
                assert set(polled.values()) == {1.0}
                assert len(seen.samples["sync_read_lag_seconds"]) == many

    compressed(churn())


def changed(name: str, by: float) -> Callable[[str], str]:
    """The first sample of that name is larger."""

    def change(page: str) -> str:
        def larger(found: re.Match[str]) -> str:
            return f"{found[1]} {float(found[2]) + by}"

        return re.sub(rf"(?m)^(nexhealth_{name}{{.*}}) (\S+)$", larger, page, count=1)

    return change


LIES: dict[str, Callable[[str], str]] = {
    "a mark that never was": changed("sync_last_read_timestamp_seconds", -3000.0),
    "a lag that stopped": changed("sync_write_lag_seconds", -2.0),
    "too much unexpected lag": changed("sync_read_unexpected_lag_seconds", 60.0),
    "another deadline": changed("sync_write_deadline_timestamp_seconds", 1.0),
    "another allowance": changed("sync_read_allowance_seconds", 60.0),
    "another colour": changed("sync_read_up", -1.0),
    "rest in the middle of the day": changed("sync_expected_up", -1.0),
    "a poll that never was": changed("institution_last_poll_timestamp_seconds", 60.0),
    "a series too few": lambda p: re.sub(r"(?m)^nexhealth_sync_write_up.*\n", "", p, count=1),
    "a series twice": lambda p: re.sub(
        r"(?m)^(nexhealth_sync_last_read_timestamp_seconds{.*\n)", r"\1\1", p, count=1
    ),
}


def test_a_page_that_lies_is_noticed() -> None:
    async def lying() -> list[str]:
        unnoticed = []
        async with chaos(1, 4, Scope.INSTITUTION) as world:
            await world.is_well_again()
            await world.pass_time(HOUR)
            began = world.clocks.wrong()
            async with aiohttp.ClientSession() as session, session.get(world.url) as response:
                page = await response.text()
            for name, lie in LIES.items():
                assert lie(page) != page
                try:
                    world.truth.compare(Seen.of(lie(page)), began, world.clocks.wrong())
                except Wrong:
                    continue
                unnoticed.append(name)
        return unnoticed

    assert compressed(lying()) == []
