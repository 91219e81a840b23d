"""The calls over real HTTP: what is sent, how fast, and what comes of it."""

import asyncio
import time

import pytest
from aiohttp import web

from nexhealth_exporter.errors import (
    ConnectionFailed,
    Malformed,
    NotFound,
    ServerError,
    Throttled,
    Timeout,
)
from nexhealth_exporter.model import Institution, IntegrationType
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.simulator import Simulator, plain_offices
from nexhealth_exporter.simulator import faults as f
from tests.nexhealth.answers import body, entry
from tests.nexhealth.conftest import Client, Recorder, Server, failure, plain_answer
from tests.turns import turns

OFFICE = Institution("office-1", id=1)


def counted(sim: Simulator) -> dict[tuple[str, str], int]:
    """What the simulator saw, as the meter would tell it."""
    return {
        (endpoint, str(status) if status else "none"): number
        for (endpoint, status), number in sim.traffic.counts.items()
    }


async def test_the_inventory_has_names_and_zones(nexhealth: NexHealth) -> None:
    inventory = await nexhealth.inventory()
    assert list(inventory.institutions) == [f"office-{n}" for n in (1, 2, 3, 4)]
    first = inventory.institutions["office-1"]
    assert (first.name, first.id, first.country) == ("Office 1", 1, "US")
    assert first.locations[0].timezone == "America/New_York"


async def test_an_institution_that_was_created_anew_is_polled_before_the_next_inventory(
    sim: Simulator, nexhealth: NexHealth
) -> None:
    inventory = await nexhealth.inventory()
    sim.faults["office-1"] = f.Body(body([entry(institution_id=99)]))
    assert len(await nexhealth.syncs(inventory.institutions["office-1"])) == 1
    sim.faults["office-1"] = f.Body(body([entry(institution_id=2)]))
    assert type(await failure(nexhealth.syncs(inventory.institutions["office-1"]))) is Malformed


async def test_one_institution_and_the_fleet_tell_the_same(nexhealth: NexHealth) -> None:
    inventory = await nexhealth.inventory()
    fleet = await nexhealth.fleet(inventory)
    assert set(fleet) == set(inventory.institutions)
    (sync,) = await nexhealth.syncs(inventory.institutions["office-1"])
    (same,) = fleet["office-1"]
    assert (sync.name, sync.integration_type, sync.emr) == (
        same.name,
        same.integration_type,
        same.emr,
    )
    assert sync.integration_type is not IntegrationType.UNKNOWN


async def test_the_fleet_call_goes_without_a_subdomain(
    sim: Simulator, nexhealth: NexHealth
) -> None:
    await nexhealth.fleet(await nexhealth.inventory())
    assert sim.traffic.calls[-1].subdomain is None
    assert sim.traffic.count("sync_status") == 1


async def test_every_call_is_metered_and_none_twice(
    sim: Simulator, nexhealth: NexHealth, meter: Recorder
) -> None:
    sim.faults["office-2"] = f.First(1, f.Status(503))
    sim.faults["office-3"] = f.First(1, f.Reset())
    sim.faults["office-4"] = f.Status(403)
    inventory = await nexhealth.inventory()
    await asyncio.gather(*(nexhealth.syncs(i) for i in inventory), return_exceptions=True)
    assert meter.calls == counted(sim)
    assert meter.calls["sync_status", "none"] == 1
    assert meter.calls["sync_status", "503"] == 1
    assert len(meter.durations) == sum(meter.calls.values()) == 9


async def test_a_call_that_never_reached_the_api_is_not_counted_as_one(
    sim: Simulator, nexhealth: NexHealth, meter: Recorder
) -> None:
    await nexhealth.syncs(OFFICE)
    before = dict(meter.calls)
    await sim.go_away()
    assert isinstance(await failure(nexhealth.syncs(OFFICE)), ConnectionFailed)
    # A kept-alive connection may break under one call; refused connections carry none.
    assert sum(meter.calls.values()) - sum(before.values()) <= 1


async def test_it_goes_on_when_the_api_comes_back(sim: Simulator, nexhealth: NexHealth) -> None:
    await nexhealth.syncs(OFFICE)
    await sim.go_away()
    await failure(nexhealth.syncs(OFFICE))
    await sim.come_back()
    assert await nexhealth.syncs(OFFICE)


async def test_one_connection_is_kept_for_calls_that_follow_each_other(client: Client) -> None:
    peers: set[object] = set()

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return plain_answer(request)

    async with Server(answer) as url, client(url) as nexhealth:
        for _ in range(5):
            await nexhealth.syncs(OFFICE)
            await asyncio.sleep(0.05)
    assert len(peers) == 1


async def test_headers_say_version_and_who_asks_and_no_vendor_type(client: Client) -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.path_qs, dict(request.headers)))
        return plain_answer(request)

    async with Server(answer) as url, client(f"{url}/base/") as nexhealth:
        await nexhealth.syncs(Institution("a b&c=d/\u00e9?#"))
    assert [path for path, _ in seen] == [
        "/base/authenticates",
        "/base/sync_status?subdomain=a%20b%26c%3Dd%2F%C3%A9%3F%23",
    ]
    assert seen[0][1]["Authorization"] == "simulated-key"
    assert seen[1][1]["Authorization"] == "Bearer token-1"
    for _, headers in seen:
        assert headers["Nex-Api-Version"] == "v3.0.0"
        assert headers["Accept"] == "*/*"
        assert headers["User-Agent"].startswith("nexhealth-exporter/")


@pytest.mark.parametrize(
    ("refused", "named", "has_zones"), [("/locations", True, False), ("/institutions", True, True)]
)
async def test_the_inventory_makes_do_with_the_endpoint_that_the_key_may_use(
    sim: Simulator, nexhealth: NexHealth, refused: str, named: bool, has_zones: bool
) -> None:
    sim.faults[refused] = f.Status(403)
    first = (await nexhealth.inventory()).institutions["office-1"]
    assert bool(first.name) is named
    assert bool(first.locations[0].timezone) is has_zones


@pytest.mark.parametrize("endpoint", ["/institutions", "/locations"])
@pytest.mark.parametrize(
    "fault", [f.Status(403), f.Status(404), f.Body(b'{"code": true, "data": []}')]
)
async def test_what_an_endpoint_of_the_inventory_told_is_kept_while_it_tells_nothing(
    sim: Simulator, nexhealth: NexHealth, endpoint: str, fault: f.Fault
) -> None:
    known = await nexhealth.inventory()
    sim.faults[endpoint] = fault
    assert await nexhealth.inventory() == known


async def test_an_institution_that_the_list_of_locations_leaves_out_keeps_its_zone(
    sim: Simulator, nexhealth: NexHealth
) -> None:
    (known, *_) = await nexhealth.inventory()
    told = {"id": 2, "subdomain": "office-2", "locations": [{"id": 21, "tz": "America/Denver"}]}
    sim.faults["/locations"] = f.Body(body([told, {"id": 1, "subdomain": ["unreadable"]}]))
    sim.remove("office-3")
    found = (await nexhealth.inventory()).institutions
    assert list(found) == ["office-1", "office-2", "office-4"]
    assert found["office-1"] == known
    assert [at.timezone for at in found["office-2"].locations] == ["America/Denver"]


async def test_who_is_listed_no_more_is_gone_though_no_locations_are_told(
    sim: Simulator, nexhealth: NexHealth
) -> None:
    known = await nexhealth.inventory()
    sim.faults["/locations"] = f.Status(403)
    sim.remove("office-1")
    assert set(await nexhealth.inventory()) == set(known) - {known.institutions["office-1"]}


async def test_an_endpoint_of_the_inventory_that_never_told_anything_keeps_nobody(
    sim: Simulator, nexhealth: NexHealth
) -> None:
    sim.faults["/institutions"] = f.Body(b'{"code": true, "data": []}')
    assert len(await nexhealth.inventory()) == 4
    sim.faults["/locations"] = f.Body(b'{"code": true, "data": [{"id": 1, "subdomain": "new"}]}')
    assert set((await nexhealth.inventory()).institutions) == {"new"}


async def test_the_inventory_fails_when_nothing_may_be_listed(
    sim: Simulator, nexhealth: NexHealth
) -> None:
    sim.faults["/institutions"] = f.Status(500)
    assert type(await failure(nexhealth.inventory())) is ServerError
    sim.faults["/institutions"] = f.Status(404)
    sim.faults["/locations"] = f.Status(403)
    assert type(await failure(nexhealth.inventory())) is NotFound


async def test_a_zone_is_kept_however_it_is_written(sim: Simulator, nexhealth: NexHealth) -> None:
    sim.faults["/locations"] = f.Body(
        b'{"code": true, "data": {"id": 1, "subdomain": "office-1", "locations":'
        b' [{"id": 11, "tz": "Somewhere Standard Time", "last_sync_time": "never"}]}}'
    )
    first = (await nexhealth.inventory()).institutions["office-1"]
    assert first.locations[0].timezone == "Somewhere Standard Time"


async def test_a_large_answer_may_take_longer_than_the_timeout_as_long_as_it_flows(
    client: Client,
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path != "/sync_status":
            return plain_answer(request)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"code": true, "data": [')
        for _ in range(8):
            await asyncio.sleep(0.1)
            await response.write(b" ")
        await response.write(b"]}")
        return response

    async with Server(answer) as url, client(url, timeout=0.5) as nexhealth:
        assert await nexhealth.fleet(await nexhealth.inventory()) == {}
        assert type(await failure(nexhealth.syncs(OFFICE))) is Timeout


async def test_calls_as_they_arrive_keep_to_the_rate(client: Client, meter: Recorder) -> None:
    async with Simulator(plain_offices(60), per_second=None, per_minute=None) as sim:
        async with client(sim.url, pacer=Pacer(25, 1000)) as nexhealth, turns() as held:
            inventory = await nexhealth.inventory()
            await asyncio.gather(*(nexhealth.syncs(i) for i in inventory))
        assert sim.traffic.busiest(1.0 - held.longest) <= 25
        assert sim.traffic.busiest(1.0 + held.longest) > 20
        assert meter.calls == counted(sim)


async def test_calls_in_flight_keep_to_the_concurrency(client: Client) -> None:
    async with Simulator(plain_offices(16), per_second=None, per_minute=None) as sim:
        async with client(sim.url, max_concurrency=4) as nexhealth:
            inventory = await nexhealth.inventory()
            sim.faults["*"] = f.Slow(0.1)
            await asyncio.gather(*(nexhealth.syncs(i) for i in inventory))
        assert sim.traffic.peak_concurrency == 4


async def test_what_waits_for_the_limits_is_metered_as_throttled(
    sim: Simulator, client: Client, meter: Recorder
) -> None:
    async with client(sim.url, pacer=Pacer(10, 600)) as nexhealth:
        began = time.monotonic()
        await asyncio.gather(*(nexhealth.syncs(OFFICE) for _ in range(9)))
        passed = time.monotonic() - began
    # Each waits for its own turn only: together they cannot wait longer than time passed.
    assert 0.7 < meter.throttled_seconds <= passed


async def test_a_long_queue_is_no_reason_for_a_timeout(sim: Simulator, client: Client) -> None:
    async with client(sim.url, timeout=0.3, pacer=Pacer(10, 600)) as nexhealth:
        answers = await asyncio.gather(*(nexhealth.syncs(OFFICE) for _ in range(15)))
    assert len(answers) == 15


async def test_too_many_requests_end_as_throttled(sim: Simulator, nexhealth: NexHealth) -> None:
    sim.faults["office-1"] = f.Throttle(retry_after=86_400)
    assert type(await failure(nexhealth.syncs(OFFICE))) is Throttled
    assert sim.traffic.count("sync_status") == 1
