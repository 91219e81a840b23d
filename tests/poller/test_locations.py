"""Polling while NexHealth does not tell where offices are."""

import asyncio

import pytest

from nexhealth_exporter.model import Answer
from nexhealth_exporter.simulator import Office, plain_office
from nexhealth_exporter.simulator import faults as f
from tests.poller.conftest import Open, Polling
from tests.poller.months import DAY, HOUR, PACE, offices, polled_for
from tests.poller.test_poller import next_round, running, until

FAULTS: dict[str, f.Fault] = {
    "400": f.Status(400),
    "401": f.Status(401),
    "403": f.Status(403),
    "404": f.Status(404),
    "429": f.Throttle(retry_after=1),
    "500": f.Status(500),
    "code-false": f.Refusal(),
    "not-json": f.HTML,
    "nothing-readable": f.NUMBERS,
    "cut-off": f.Reset(),
    "never": f.Hang(),
}

CHICAGO = [plain_office(number, timezone="America/Chicago") for number in range(1, 4)]


def zones(polled: Polling) -> list[str]:
    """The zone of each sync that is known."""
    return [s.expectation.timezone for one in polled.fleet for s in one.syncs or ()]


def fallbacks(polled: Polling) -> int:
    return sum(s.hours.is_fallback for one in polled.fleet for s in one.syncs or ())


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_first_start_without_locations_polls_in_the_default_zone_until_they_come(
    polling: Open, fault: f.Fault
) -> None:
    async with polling(CHICAGO, limit=0.3, interval=0.3, inventory_interval=30.0) as polled:
        polled.simulator.faults["/locations"] = fault
        async with running(polled):
            await until(lambda: zones(polled) == 3 * ["America/New_York"])
            assert fallbacks(polled) == 3
            assert (await next_round(polled)).is_up

            polled.simulator.faults.clear()
            await until(lambda: zones(polled) == 3 * ["America/Chicago"])
            assert fallbacks(polled) == 0


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_known_zones_are_kept_while_later_inventories_lack_them(
    polling: Open, fault: f.Fault
) -> None:
    pace = {"interval": 0.3, "inventory_interval": 0.3}
    async with polling(CHICAGO, limit=0.3, **pace) as polled, running(polled):
        await until(lambda: zones(polled) == 3 * ["America/Chicago"])
        polled.simulator.faults["/locations"] = fault
        polled.simulator.add(plain_office(4, timezone="America/Chicago"))
        await until(lambda: zones(polled) == [*3 * ["America/Chicago"], "America/New_York"])

        polled.simulator.faults.clear()
        await until(lambda: zones(polled) == 4 * ["America/Chicago"])


async def answers_of(polling: Open, known: list[Office]) -> list[Answer]:
    async with polling(known) as polled:
        fleet = await polled.poller.once()
    return [answer for standing in fleet if (answer := standing.answer) is not None]


@pytest.mark.parametrize(
    "fault", [*FAULTS.values(), f.Body(b'{"code": true, "data": []}')], ids=[*FAULTS, "empty"]
)
async def test_zones_from_before_a_restart_are_kept_while_none_are_told(
    polling: Open, fault: f.Fault
) -> None:
    answers = await answers_of(polling, CHICAGO[:2])
    again = polling(CHICAGO[1:], answers=answers, limit=0.3, interval=0.3)
    async with again as polled:
        polled.simulator.faults["/locations"] = fault
        async with running(polled):
            await until(lambda: list(polled.fleet.standings) == ["office-2", "office-3"])
            await until(lambda: zones(polled) == ["America/Chicago", "America/New_York"])


async def test_a_failure_to_tell_locations_is_counted_and_logged_once(
    polling: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async with polling(CHICAGO, interval=0.3, inventory_interval=0.3) as polled:
        polled.simulator.faults["/locations"] = f.Status(400)
        async with running(polled):
            await until(lambda: polled.count('nexhealth_poll_failures_total{reason="other"}') >= 3)
    warnings = [r for r in caplog.records if r.levelname == "WARNING"]
    assert [r.msg for r in warnings] == ["inventory incomplete, keeping what is known"]


async def test_a_key_that_may_not_list_locations_is_not_told_to_be_refused(polling: Open) -> None:
    async with polling(CHICAGO, interval=0.3, inventory_interval=0.3) as polled:
        polled.simulator.faults["/locations"] = f.Status(403)
        async with running(polled):
            await until(lambda: polled.simulator.traffic.count("locations") >= 3)
            assert polled.count('nexhealth_poll_failures_total{reason="forbidden"}') == 0


def test_locations_are_asked_for_again_soon_but_ever_less_often() -> None:
    calls: list[int] = []

    async def no_locations(polling: Polling) -> None:
        polling.simulator.faults["/locations"] = f.Status(400)
        for waited in (0.05, 0.15, 0.3, 0.5, 1.0, 2.0, 4.0, 6.0, 6.0):
            await asyncio.sleep(waited * HOUR)
            calls.append(polling.simulator.traffic.count("locations"))

    assert PACE.inventory_interval == 6 * HOUR
    polled_for(DAY, offices(3), PACE, no_locations)
    assert calls == list(range(1, 10))
