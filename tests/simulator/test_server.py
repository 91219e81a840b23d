"""The simulated NexHealth answers, refuses and fails over real HTTP."""

import asyncio
import json
import ssl
import time
import tracemalloc
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
import trustme
from tests.e2e.processes import until

from nexhealth_exporter.simulator import Simulator, plain_office, plain_offices
from nexhealth_exporter.simulator import faults as f
from nexhealth_exporter.simulator.offices import Still
from nexhealth_exporter.simulator.traffic import busiest

VERSION = {"Nex-Api-Version": "v3.0.0"}


class Client:
    """A thin HTTP client that holds a token."""

    def __init__(self, sim: Simulator, session: aiohttp.ClientSession) -> None:
        self.sim = sim
        self.session = session
        self.token = ""

    async def authenticate(self, key: str = "simulated-key") -> tuple[int, Any]:
        headers = {"Authorization": key, **VERSION}
        async with self.session.post(f"{self.sim.url}/authenticates", headers=headers) as r:
            body = await r.json(content_type=None)
            if r.status == 201:
                self.token = body["data"]["token"]
            return r.status, body

    async def get(
        self, path: str, headers: dict[str, str] | None = None, **query: str
    ) -> tuple[int, Any]:
        sent = VERSION if headers is None else headers
        sent = {"Authorization": f"Bearer {self.token}", **sent}
        async with self.session.get(f"{self.sim.url}{path}", headers=sent, params=query) as r:
            self.headers = r.headers
            return r.status, json.loads(await r.read())


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(plain_offices(4)) as simulator:
        yield simulator


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        client = Client(sim, session)
        await client.authenticate()
        yield client


async def test_a_key_buys_a_token_that_says_when_it_expires(client: Client) -> None:
    status, body = await client.authenticate()
    assert status == 201
    assert body["description"] == "Authenticated"
    payload = body["data"]["token"].split(".")[1]
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    assert claims["exp"] - claims["iat"] == 3600
    assert abs(claims["iat"] - time.time()) < 5


async def test_a_wrong_key_is_refused(client: Client) -> None:
    status, body = await client.authenticate("wrong")
    assert (status, body["code"], body["data"]) == (401, False, None)


async def test_no_call_without_a_token_that_is_valid_now(sim: Simulator, client: Client) -> None:
    assert (await client.get("/sync_status"))[0] == 200
    client.token += "x"
    assert (await client.get("/sync_status"))[0] == 401
    client.token = ""
    assert (await client.get("/institutions"))[0] == 401
    await client.authenticate()
    sim.clock = lambda: time.time() + 3601
    assert (await client.get("/locations"))[0] == 401


async def test_revoked_tokens_are_refused(sim: Simulator, client: Client) -> None:
    sim.tokens.revoke()
    assert (await client.get("/sync_status"))[0] == 401
    await client.authenticate()
    assert (await client.get("/sync_status"))[0] == 200


async def test_the_version_header_decides(client: Client) -> None:
    assert (await client.get("/sync_status", headers={}))[0] == 404
    status, body = await client.get("/sync_status", headers={"Nex-Api-Version": "v2"})
    assert status == 403
    assert "API version 'v2' is below the minimum allowed" in body["error"][0]
    old = {"Accept": "application/vnd.Nexhealth+json;version=2"}
    assert (await client.get("/sync_status", headers=old))[0] == 403
    _, body = await client.get("/sync_status", headers={"Nex-Api-Version": "v3.1.0"})
    assert "ehr" in body["data"][0]
    assert "emr" not in body["data"][0]


async def test_one_institution_or_all(client: Client) -> None:
    _, body = await client.get("/sync_status")
    assert [entry["institution_id"] for entry in body["data"]] == [1, 2, 3, 4]
    assert (body["code"], body["error"], body["count"]) == (True, None, 4)
    _, body = await client.get("/sync_status", subdomain="office-2")
    (entry,) = body["data"]
    assert entry["institution_id"] == 2
    assert entry["emr"]["type"] == "onprem"
    assert entry["read_status"] == "green"
    assert "tz" not in entry["locations"][0]
    assert "subdomain" not in entry


async def test_a_foreign_subdomain_is_out_of_reach(client: Client) -> None:
    status, body = await client.get("/sync_status", subdomain="elsewhere")
    assert status == 403
    assert body["error"] == ["You don't have access to perform this action."]


async def test_parameters_nobody_knows_are_named(client: Client) -> None:
    status, body = await client.get("/institutions", per_page="5")
    assert (status, body["code"]) == (200, True)
    assert "per_page" in body["description"]


async def test_filters_choose_by_location_and_colour(sim: Simulator, client: Client) -> None:
    sim.add(plain_office(3, behaviour=Still(time.time() - 10_000, time.time())))

    async def ids(query: str) -> list[int]:
        _, body = await client.get(f"/sync_status?{query}")
        return [entry["institution_id"] for entry in body["data"]]

    assert await ids("location_ids[]=21") == [2]
    assert await ids("read_status=red") == [3]
    assert await ids("read_status=green&write_status=green") == [1, 2, 4]
    assert (await client.get("/sync_status?location_ids[]=x"))[0] == 400
    _, body = await client.get("/locations", inactive="true")
    assert [entry["locations"] for entry in body["data"]] == [[], [], [], []]


async def test_inventory_tells_zones_and_private_things(sim: Simulator, client: Client) -> None:
    _, body = await client.get("/locations")
    (location,) = body["data"][0]["locations"]
    assert location["tz"] == "America/New_York"
    assert sim.offices["office-1"].private <= {str(value) for value in location.values()}
    _, body = await client.get("/institutions")
    assert body["data"][3]["subdomain"] == "office-4"
    assert body["data"][3]["emrs"] == ["dentrix"]


async def test_colours_turn_red_after_the_documented_silence(
    sim: Simulator, client: Client
) -> None:
    now = 1_800_000_000.0
    sim.clock = lambda: now
    await client.authenticate()
    for read, write, colours in (
        (149 * 60, 24 * 60, ["green", "green"]),
        (151 * 60, 26 * 60, ["red", "red"]),
    ):
        sim.add(plain_office(1, behaviour=Still(now - read, now - write)))
        _, body = await client.get("/sync_status", subdomain="office-1")
        entry = body["data"][0]
        assert [entry["read_status"], entry["write_status"]] == colours
        assert datetime.fromisoformat(entry["read_status_at"]).timestamp() == now - read
        assert entry["read_status_at"].endswith(":00.000Z")


async def test_a_frozen_direction_stands_while_the_other_goes_on(
    sim: Simulator, client: Client
) -> None:
    now = [1_800_000_000.0]
    sim.clock = lambda: now[0]
    await client.authenticate()
    sim.offices["office-1"].freeze("read")
    before = (await client.get("/sync_status", subdomain="office-1"))[1]["data"][0]
    now[0] += 1800
    after = (await client.get("/sync_status", subdomain="office-1"))[1]["data"][0]
    assert after["read_status_at"] == before["read_status_at"]
    assert after["write_status_at"] > before["write_status_at"]
    sim.offices["office-1"].thaw()
    thawed = (await client.get("/sync_status", subdomain="office-1"))[1]["data"][0]
    assert thawed["read_status_at"] > before["read_status_at"]


@pytest.mark.parametrize("form", [None, "seconds", "date"])
async def test_over_the_limit_is_429(sim: Simulator, client: Client, form: str | None) -> None:
    sim.limit(5, None)
    sim.retry_after = form
    statuses = [(await client.get("/sync_status"))[0] for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    wait = client.headers.get("Retry-After")
    if form == "seconds":
        assert wait == "1"
    elif form == "date":
        assert 0 < parsedate_to_datetime(wait or "").timestamp() - time.time() < 3
    else:
        assert wait is None
    await asyncio.sleep(1.05)
    assert (await client.get("/sync_status"))[0] == 200


async def test_the_sliding_minute_counts_too(sim: Simulator, client: Client) -> None:
    sim.limit(None, 3)
    assert [(await client.get("/sync_status"))[0] for _ in range(4)] == [200, 200, 200, 429]


async def test_the_most_specific_fault_wins(sim: Simulator, client: Client) -> None:
    sim.faults["*"] = f.Status(500)
    sim.faults["/locations"] = f.Status(502, body="html")
    sim.faults["office-1"] = f.Status(503, body="empty")
    url = sim.url
    for path, status in (
        ("/sync_status", 500),
        ("/locations", 502),
        ("/sync_status?subdomain=office-1", 503),
    ):
        async with client.session.get(url + path) as response:
            assert response.status == status
    sim.faults.clear()
    assert (await client.get("/sync_status"))[0] == 200


async def test_first_only_spoils_the_first_calls(sim: Simulator, client: Client) -> None:
    sim.faults["office-1"] = f.First(2, f.Status(500))
    statuses = [(await client.get("/sync_status", subdomain="office-1"))[0] for _ in range(3)]
    assert statuses == [500, 500, 200]


async def test_hang_stall_and_slow(sim: Simulator, client: Client) -> None:
    sim.faults["office-1"] = f.Hang()
    sim.faults["office-2"] = f.Stall()
    sim.faults["office-3"] = f.Slow(0.3)
    for subdomain in ("office-1", "office-2"):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get("/sync_status", subdomain=subdomain), 0.3)
    begin = time.monotonic()
    assert (await client.get("/sync_status", subdomain="office-3"))[0] == 200
    assert time.monotonic() - begin >= 0.3
    assert (await client.get("/sync_status", subdomain="office-4"))[0] == 200


async def test_reset_breaks_the_connection(sim: Simulator, client: Client) -> None:
    sim.faults["*"] = f.Reset()
    with pytest.raises(aiohttp.ClientError):
        await client.get("/sync_status")


@pytest.mark.parametrize("name", sorted(f.GARBAGE))
async def test_garbage_arrives_as_it_is(sim: Simulator, client: Client, name: str) -> None:
    sim.faults["/sync_status"] = f.GARBAGE[name]
    async with client.session.get(f"{sim.url}/sync_status") as response:
        assert response.status == 200
        assert await response.read() == f.GARBAGE[name].content


async def test_a_huge_body_keeps_coming(sim: Simulator, client: Client) -> None:
    sim.faults["*"] = f.Huge(3_000_000)
    async with client.session.get(f"{sim.url}/sync_status") as response:
        assert len(await response.read()) > 3_000_000


async def test_a_flood_takes_no_more_memory_than_it_has_bytes(
    sim: Simulator, client: Client
) -> None:
    sim.faults["/sync_status"] = f.Flood(1, b'"%b"' % (b"x" * 1_000_000))
    tracemalloc.start()
    try:
        _, body = await client.get("/sync_status")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(entry) for entry in body["data"]] == [1_000_000]
    assert most < 50_000_000


async def test_code_false_on_a_200(sim: Simulator, client: Client) -> None:
    sim.faults["*"] = f.Refusal(("Nope",))
    status, body = await client.get("/sync_status")
    assert (status, body["code"], body["error"], body["data"]) == (200, False, ["Nope"], None)


async def test_a_throttle_names_the_wait_if_told(sim: Simulator, client: Client) -> None:
    sim.faults["*"] = f.Throttle(retry_after=7)
    assert (await client.get("/sync_status"))[0] == 429
    assert client.headers["Retry-After"] == "7"
    sim.faults["*"] = f.Throttle(retry_after=60, as_date=True)
    await client.get("/sync_status")
    wait = parsedate_to_datetime(client.headers["Retry-After"]).timestamp() - time.time()
    assert 55 < wait < 63
    sim.faults["*"] = f.Throttle()
    await client.get("/sync_status")
    assert "Retry-After" not in client.headers


async def test_edits_reach_scoped_and_fleet_answers(sim: Simulator, client: Client) -> None:
    sim.faults["office-1"] = f.NULL_MARKS
    sim.faults["office-2"] = f.NO_EMR_TYPE
    sim.faults["office-3"] = f.EHR
    sim.faults["office-4"] = f.DUPLICATES
    fleet = (await client.get("/sync_status"))[1]["data"]
    alone = []
    for number in range(1, 5):
        alone += (await client.get("/sync_status", subdomain=f"office-{number}"))[1]["data"]
    for one, two, three, *four in (fleet, alone):
        assert (one["read_status_at"], one["write_status_at"]) == (None, None)
        assert two["emr"]["display_name"] == "Dentrix"
        assert "type" not in two["emr"]
        assert three["ehr"]["type"] == "cloud"
        assert [entry["sync_source_name"] for entry in four] == ["Dentrix #4"] * 2
    sim.faults["office-1"] = f.STRANGE_ENTRIES
    assert None in (await client.get("/sync_status"))[1]["data"]


async def test_absent_from_the_fleet_but_not_alone(sim: Simulator, client: Client) -> None:
    sim.faults["office-2"] = f.Absent()
    fleet = (await client.get("/sync_status"))[1]["data"]
    assert [entry["institution_id"] for entry in fleet] == [1, 3, 4]
    assert len((await client.get("/sync_status", subdomain="office-2"))[1]["data"]) == 1


async def test_institutions_come_and_go(sim: Simulator, client: Client) -> None:
    sim.remove("office-1")
    sim.add(plain_office(9))
    _, body = await client.get("/institutions")
    assert [entry["id"] for entry in body["data"]] == [2, 3, 4, 9]


async def test_away_and_back_on_the_same_port(sim: Simulator, client: Client) -> None:
    port = sim.port
    sim.faults["office-1"] = f.Hang()
    hanging = asyncio.ensure_future(client.get("/sync_status", subdomain="office-1"))
    await until(lambda: sim.traffic.concurrency == 1)
    await asyncio.wait_for(sim.go_away(), 5)
    with pytest.raises(aiohttp.ClientError):
        await hanging
    with pytest.raises(aiohttp.ClientError):
        await client.get("/sync_status")
    await sim.come_back()
    assert sim.port == port
    assert (await client.get("/sync_status"))[0] == 200


async def test_it_speaks_tls_if_given_a_certificate() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    async with (
        Simulator(plain_offices(1), ssl_context=context) as sim,
        aiohttp.ClientSession() as session,
    ):
        key = {"Authorization": sim.api_key}
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.post(f"{sim.url}/authenticates", headers=key, ssl=trusting)
        authority.configure_trust(trusting)
        async with session.post(f"{sim.url}/authenticates", headers=key, ssl=trusting) as response:
            assert response.status == 201


async def test_traffic_is_recorded(sim: Simulator, client: Client) -> None:
    sim.traffic.clear()
    sim.faults["office-1"] = f.Slow(0.5)
    await asyncio.gather(*(client.get("/sync_status", subdomain="office-1") for _ in range(7)))
    await client.get("/sync_status", subdomain="elsewhere")
    await client.get("/institutions")
    assert sim.traffic.count("sync_status", 200) == 7
    assert sim.traffic.count(status=403) == 1
    assert sim.traffic.count() == 9
    assert sim.traffic.peak_concurrency == 7
    assert sim.traffic.concurrency == 0
    assert 7 <= sim.traffic.busiest(60) <= 9
    assert sim.traffic.calls[-1].endpoint == "institutions"


async def test_a_client_that_gives_up_is_counted_as_such(sim: Simulator, client: Client) -> None:
    sim.faults["office-1"] = f.Hang()
    hanging = asyncio.ensure_future(client.get("/sync_status", subdomain="office-1"))
    await until(lambda: sim.traffic.concurrency == 1)
    hanging.cancel()
    await until(lambda: sim.traffic.concurrency == 0)
    assert sim.traffic.count("sync_status", 0) == 1


def test_the_busiest_window_slides() -> None:
    instants = [0.0, 0.6, 1.1, 1.2, 1.59, 5.0]
    assert busiest(instants, 1.0) == 4
    assert busiest(instants, 0.5) == 3
    assert busiest([0.0, 1.0, 2.0], 1.0) == 1
    assert busiest([], 1.0) == 0


@pytest.mark.parametrize(("host", "shown"), [("::1", "[::1]"), ("", "localhost"), ("a", "a")])
def test_where_it_listens_is_told_as_an_address_that_can_be_asked(host: str, shown: str) -> None:
    assert Simulator((), host=host, port=9).url == f"http://{shown}:9"
