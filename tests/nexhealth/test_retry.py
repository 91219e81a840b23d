"""Trying again: what may pass, how often, how long; and what a 429 does to all."""

import asyncio
import time
from email.utils import formatdate

import pytest
from aiohttp import web

from nexhealth_exporter.errors import (
    ConnectionFailed,
    PollError,
    ServerError,
    Throttled,
    Timeout,
)
from nexhealth_exporter.model import Institution, Inventory
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.nexhealth.retry import Limit
from nexhealth_exporter.nexhealth.throttling import retry_after_seconds
from nexhealth_exporter.simulator import Simulator, plain_offices
from nexhealth_exporter.simulator import faults as f
from tests.nexhealth.conftest import Client, Recorder, Server, failure, plain_answer

OFFICE = Institution("office-1")
NOW = 1_790_000_000.0


@pytest.mark.parametrize("fault", [f.Status(500), f.Status(502, "html"), f.Reset()], ids=repr)
async def test_what_may_pass_is_tried_again(
    sim: Simulator, nexhealth: NexHealth, fault: f.Fault
) -> None:
    sim.faults["office-1"] = f.First(2, fault)
    assert await nexhealth.syncs(OFFICE)
    assert sim.traffic.count("sync_status") == 3


@pytest.mark.parametrize(
    ("fault", "kind"), [(f.Status(503), ServerError), (f.Reset(), ConnectionFailed)], ids=repr
)
async def test_what_does_not_pass_is_tried_three_times(
    sim: Simulator, nexhealth: NexHealth, fault: f.Fault, kind: type[PollError]
) -> None:
    sim.faults["office-1"] = fault
    assert type(await failure(nexhealth.syncs(OFFICE))) is kind
    assert sim.traffic.count("sync_status") == 3


@pytest.mark.parametrize(
    "fault", [f.Status(400), f.Status(403), f.Status(404), f.Refusal(), f.HTML], ids=repr
)
async def test_what_cannot_pass_is_asked_once(
    sim: Simulator, nexhealth: NexHealth, fault: f.Fault
) -> None:
    sim.faults["office-1"] = fault
    await failure(nexhealth.syncs(OFFICE))
    assert sim.traffic.count("sync_status") == 1


async def test_retries_end_with_the_time_limit_of_the_poll(sim: Simulator, client: Client) -> None:
    sim.faults["office-1"] = f.Hang()
    async with client(sim.url, timeout=0.5) as nexhealth:
        await nexhealth.syncs(Institution("office-2"))
        error = await failure(nexhealth.syncs(OFFICE))
    assert type(error) is Timeout
    assert sim.traffic.count("sync_status") <= 3


async def test_the_time_limit_runs_from_the_first_turn_and_is_not_prolonged() -> None:
    limit = Limit(0.2)

    async def ask_on_and_on() -> None:
        await asyncio.sleep(0.3)
        limit.start()
        async with limit.enforced():
            for _ in range(10):
                limit.start()
                await asyncio.sleep(0.1)

    assert type(await failure(ask_on_and_on())) is Timeout
    assert limit.left < 0.1


async def test_an_answer_about_all_that_never_ends_is_given_up(client: Client) -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        if request.path != "/sync_status":
            return plain_answer(request)
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    async with Server(trickle) as url, client(url, timeout=0.1) as nexhealth, asyncio.timeout(20):
        assert type(await failure(nexhealth.fleet(Inventory()))) is Timeout


async def test_an_outage_costs_few_retries(sim: Simulator, nexhealth: NexHealth) -> None:
    await nexhealth.syncs(OFFICE)
    for office in sim.offices:
        sim.faults[office] = f.Status(500)
    offices = [Institution(f"office-{n % 4 + 1}") for n in range(100)]
    sim.traffic.clear()
    answers = await asyncio.gather(*(nexhealth.syncs(o) for o in offices), return_exceptions=True)
    assert {type(answer) for answer in answers} == {ServerError}
    assert sim.traffic.count() == 110
    sim.faults.clear()
    sim.faults["office-1"] = f.First(1, f.Throttle(retry_after=1))
    assert await nexhealth.syncs(OFFICE)  # a 429 costs none of them
    for _ in range(9):
        await nexhealth.syncs(OFFICE)  # successes earn new ones
    sim.faults["office-1"] = f.First(1, f.Status(500))
    assert await nexhealth.syncs(OFFICE)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("3", 3.0),
        (" 3 ", 3.0),
        ("0", 0.0),
        ("2.5", 2.5),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("Wed, 21 Oct 2026 07:28:00 -0000", 2_567_680.0),
    ],
)
def test_retry_after_is_read_in_seconds_or_as_a_date(told: str, seconds: float) -> None:
    assert retry_after_seconds(told, NOW) == seconds


@pytest.mark.parametrize(
    "told",
    [
        None,
        "",
        "soon",
        "-5",
        "1e9",
        "nan",
        "9" * 400,
        "\u0663",
        "Wed, 99 Oct 2026 07:28:00 GMT",
        "Wed, 21 Oct 99999 07:28:00 GMT",
        "Wed, 21 Oct 2026 07:28:00 +99999999",
        ", ,",
    ],
)
def test_retry_after_that_makes_no_sense_is_as_good_as_none(told: str | None) -> None:
    assert retry_after_seconds(told, NOW) is None


@pytest.mark.parametrize("as_date", [False, True])
async def test_a_429_is_tried_again_when_its_retry_after_is_over(
    sim: Simulator, nexhealth: NexHealth, *, as_date: bool
) -> None:
    sim.faults["office-1"] = f.First(1, f.Throttle(retry_after=2, as_date=as_date))
    began = time.monotonic()
    assert await nexhealth.syncs(OFFICE)
    assert time.monotonic() - began > 0.9
    assert sim.traffic.count("sync_status") == 2


async def test_a_429_holds_every_call_of_the_key(
    sim: Simulator, client: Client, meter: Recorder
) -> None:
    pacer = Pacer(1000, 60_000)
    sim.faults["office-1"] = f.First(1, f.Throttle(retry_after=2))
    async with client(sim.url, pacer=pacer) as nexhealth:
        asked = [asyncio.ensure_future(nexhealth.syncs(OFFICE))]
        async with asyncio.timeout(10):
            while not pacer.paused_for:  # noqa: ASYNC110 -- it tells nobody
                await asyncio.sleep(0.01)
        asked.append(asyncio.ensure_future(nexhealth.syncs(Institution("office-2"))))
        await asyncio.gather(*asked)
    first, *others = [call.at for call in sim.traffic.calls if call.endpoint == "sync_status"]
    assert len(others) == 2
    assert min(others) - first > 1.9
    assert 1.5 < meter.throttled_seconds < 3


async def test_a_429_without_retry_after_waits_longer_each_time_until_another_answer(
    sim: Simulator, client: Client
) -> None:
    async with client(sim.url, timeout=10.0) as nexhealth:
        sim.faults["office-1"] = f.First(2, f.Throttle())
        assert await nexhealth.syncs(OFFICE)
        sim.faults["office-1"] = f.First(1, f.Throttle())
        assert await nexhealth.syncs(OFFICE)
    at = [call.at for call in sim.traffic.calls if call.endpoint == "sync_status"]
    assert at[1] - at[0] > 0.9
    assert at[2] - at[1] > 1.9
    assert 0.9 < at[4] - at[3] < 1.9


@pytest.mark.parametrize("as_date", [False, True])
async def test_a_503_is_tried_again_when_its_retry_after_is_over_and_holds_no_other_call(
    sim: Simulator, nexhealth: NexHealth, meter: Recorder, *, as_date: bool
) -> None:
    told = formatdate(time.time() + 3, usegmt=True) if as_date else "2"
    sim.faults["office-1"] = f.First(1, f.Status(503, headers={"Retry-After": told}))
    asked = asyncio.ensure_future(nexhealth.syncs(OFFICE))
    await nexhealth.syncs(Institution("office-2"))
    assert not asked.done()
    assert await asked
    at = [call.at for call in sim.traffic.calls if call.subdomain == "office-1"]
    assert len(at) == 2
    assert 1.9 < at[1] - at[0] < 4
    assert 1.9 < meter.throttled_seconds < 4


@pytest.mark.parametrize("told", ["3600", "9" * 12, formatdate(4e9, usegmt=True)])
async def test_a_503_that_asks_for_more_time_than_there_is_fails_at_once(
    sim: Simulator, client: Client, meter: Recorder, told: str
) -> None:
    pacer = Pacer(1000, 60_000)
    sim.faults["office-1"] = f.Status(503, headers={"Retry-After": told})
    async with client(sim.url, pacer=pacer) as nexhealth:
        error = await failure(nexhealth.syncs(OFFICE))
    assert (type(error), error.status) == (ServerError, 503)
    assert sim.traffic.count("sync_status") == 1
    assert pacer.paused_for == 0
    assert meter.throttled_seconds < 0.5


async def test_a_burst_of_429s_is_one_reason_to_pause(client: Client) -> None:
    refusals, all_are_here = iter(range(12)), asyncio.Barrier(12)

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/sync_status" and next(refusals, None) is not None:
            await all_are_here.wait()
            return web.Response(status=429)
        return plain_answer(request)

    async with Server(answer) as url, client(url) as nexhealth:
        answers = await asyncio.gather(*(nexhealth.syncs(OFFICE) for _ in range(12)))
    assert answers == [()] * 12


async def test_a_retry_after_of_a_day_fails_at_once_and_pauses_five_minutes(
    sim: Simulator, client: Client
) -> None:
    pacer = Pacer(1000, 60_000)
    sim.faults["office-1"] = f.Throttle(retry_after=86_400)
    async with client(sim.url, pacer=pacer) as nexhealth:
        error = await failure(nexhealth.syncs(OFFICE))
    assert type(error) is Throttled
    assert error.status == 429
    assert 290 < pacer.paused_for <= 300


@pytest.mark.parametrize("retry_after", [None, "seconds", "date"])
async def test_with_limits_above_those_of_the_api_every_poll_still_succeeds(
    client: Client, retry_after: str | None
) -> None:
    offices = plain_offices(40)
    async with Simulator(offices, per_second=20, retry_after=retry_after) as sim:
        async with client(sim.url, pacer=Pacer(100, 6000)) as nexhealth:
            inventory = await nexhealth.inventory()
            answers = await asyncio.gather(*(nexhealth.syncs(i) for i in inventory))
        assert len(answers) == 40
        assert sim.traffic.count("sync_status", 429) > 0
