"""Whatever the API answers has its failure, and says nothing that it must not."""

import asyncio
import logging
import time
from contextlib import closing, suppress

import pytest
from aiohttp import web

from nexhealth_exporter.errors import (
    ConnectionFailed,
    Forbidden,
    Malformed,
    NotFound,
    OtherFailure,
    PollError,
    ServerError,
    Timeout,
    TlsFailed,
    TooLarge,
)
from nexhealth_exporter.model import Institution, Inventory
from nexhealth_exporter.nexhealth import NexHealth
from nexhealth_exporter.simulator import Simulator
from nexhealth_exporter.simulator import faults as f
from tests.nexhealth import answers
from tests.nexhealth.conftest import Client, Recorder, Server, failure, plain_answer

OFFICE = Institution("office-1", id=1)


RAW = {
    "no-http": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Malformed),
    "bad-length": (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}", Malformed),
    "long-header": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", Malformed),
    "nothing": (b"", ConnectionFailed),
    "half-headers": (b"HTTP/1.1 200 OK\r\nContent-Le", ConnectionFailed),
    "half-body": (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", ConnectionFailed),
    "half-chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
        ConnectionFailed,
    ),
    "not-gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        Malformed,
    ),
}


async def test_a_redirect_is_a_failure_and_the_token_goes_nowhere_else(client: Client) -> None:
    elsewhere: list[str] = []

    async def other(request: web.Request) -> web.Response:
        elsewhere.append(request.path)
        return plain_answer(request)

    async with Server(other) as target:

        async def answer(request: web.Request) -> web.Response:
            if request.path == "/authenticates":
                return plain_answer(request)
            raise web.HTTPFound(f"{target}/sync_status")

        async with Server(answer) as url, client(url) as nexhealth:
            error = await failure(nexhealth.syncs(OFFICE))
    assert isinstance(error, OtherFailure)
    assert error.reason == "other"
    assert error.status == 302
    assert "redirect" in str(error)
    assert not elsewhere


async def test_cookies_are_not_kept(client: Client) -> None:
    cookies: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        response = plain_answer(request)
        response.set_cookie("session", "tracked")
        return response

    # By name, because jars keep no cookies of addresses.
    named = ("127.0.0.1", "localhost")
    async with Server(answer) as url, client(url.replace(*named)) as nexhealth:
        await nexhealth.syncs(OFFICE)
        await nexhealth.syncs(OFFICE)
    assert cookies == [None] * 3


@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        (f.Status(400), OtherFailure, 400),
        (f.Status(403), Forbidden, 403),
        (f.Status(404), NotFound, 404),
        (f.Status(415, "html"), OtherFailure, 415),
        (f.Status(418, "empty"), OtherFailure, 418),
        (f.Status(422), OtherFailure, 422),
        (f.Status(500), ServerError, 500),
        (f.Status(502, "html"), ServerError, 502),
        (f.Status(503, "text"), ServerError, 503),
        (f.Status(504, "empty"), ServerError, 504),
        (f.Status(599), ServerError, 599),
        (f.Status(204, "empty"), Malformed, None),
        (f.Refusal(), ServerError, 200),
        (f.Reset(), ConnectionFailed, None),
    ],
    ids=repr,
)
async def test_each_status_has_its_failure(
    sim: Simulator,
    nexhealth: NexHealth,
    fault: f.Fault,
    kind: type[PollError],
    status: int | None,
) -> None:
    sim.faults["office-1"] = fault
    error = await failure(nexhealth.syncs(OFFICE))
    assert type(error) is kind
    assert error.status == status
    assert await nexhealth.syncs(Institution("office-2"))


@pytest.mark.parametrize("body", f.GARBAGE.values(), ids=f.GARBAGE.keys())
async def test_garbage_is_malformed_and_is_not_asked_for_again(
    sim: Simulator, nexhealth: NexHealth, body: f.Body
) -> None:
    sim.faults["office-1"] = body
    sim.faults["/institutions"] = body
    assert type(await failure(nexhealth.syncs(OFFICE))) is Malformed
    assert sim.traffic.count("sync_status") == 1
    assert type(await failure(nexhealth.inventory())) is Malformed
    sim.faults["*"] = body
    assert type(await failure(nexhealth.fleet(_inventory(sim)))) is Malformed


async def test_what_the_api_says_about_a_refusal_is_told(
    sim: Simulator, nexhealth: NexHealth
) -> None:
    told = str(await failure(nexhealth.syncs(Institution("foreign"))))
    assert told == (
        "HTTP 403: the key may not see this, the subdomain is misspelled, or this version is "
        "refused. The API says: You don't have access to perform this action."
    )
    sim.faults["office-1"] = f.Refusal(("Sync is", "napping"))
    told = str(await failure(nexhealth.syncs(OFFICE)))
    assert told == "The API says code: false, and Sync is; napping."


@pytest.mark.parametrize(
    ("version", "kind"), [("v2", Forbidden), ("", NotFound), ("v1999", NotFound)]
)
async def test_a_refused_version_header_is_told_as_403_or_404(
    sim: Simulator, client: Client, version: str, kind: type[PollError]
) -> None:
    async with client(sim.url, version=version) as nexhealth:
        error = await failure(nexhealth.syncs(OFFICE))
    assert type(error) is kind
    assert "version" in str(error)


async def test_an_error_without_a_json_body_tells_its_status_only(
    sim: Simulator, nexhealth: NexHealth
) -> None:
    sim.faults["office-1"] = f.Status(404, "html")
    told = str(await failure(nexhealth.syncs(OFFICE)))
    assert told == "HTTP 404: unknown to this key, or the version header was not accepted."


async def test_an_answer_of_500_tb_is_cut_short(
    sim: Simulator, nexhealth: NexHealth, meter: Recorder
) -> None:
    # So many that whoever reads on to the end is stopped by the time limit instead.
    sim.faults["office-1"] = f.Huge(500_000_000_000_000)
    error = await failure(nexhealth.syncs(OFFICE))
    assert type(error) is TooLarge
    assert meter.calls["sync_status", "200"] == 1


@pytest.mark.parametrize(
    "flood",
    [f.Flood(200_001), f.Flood(3_000_000, b"[]"), f.Flood(100_000, b'{"institution_id":1}')],
)
async def test_a_flood_of_tiny_entries_is_too_large_or_rejected(
    sim: Simulator, nexhealth: NexHealth, meter: Recorder, flood: f.Flood
) -> None:
    inventory = await nexhealth.inventory()
    sim.faults["/sync_status"] = sim.faults["office-1"] = flood
    assert type(await failure(nexhealth.syncs(OFFICE))) is TooLarge
    if flood.entries > 200_000:
        assert type(await failure(nexhealth.fleet(inventory))) is TooLarge
    else:
        found = await nexhealth.fleet(inventory)
        assert [len(syncs) for syncs in found.values()] == [1000]
        assert meter.rejected_entries == flood.entries - 1000
    del sim.faults["/sync_status"]
    assert await nexhealth.syncs(Institution("office-2"))


async def test_a_compressed_answer_counts_as_large_as_it_becomes(client: Client) -> None:
    async def answer(request: web.Request) -> web.Response:
        response = plain_answer(request)
        if request.path == "/sync_status":
            response = web.Response(body=b'{"code": true, "data": [' + b" " * 50_000_000 + b"]}")
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async with Server(answer) as url, client(url) as nexhealth:
        assert type(await failure(nexhealth.syncs(OFFICE))) is TooLarge
        assert await nexhealth.fleet(await nexhealth.inventory()) == {}


async def test_an_endless_error_page_is_not_read_to_its_end(client: Client) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path != "/sync_status":
            return plain_answer(request)
        endless = web.StreamResponse(status=404)
        await endless.prepare(request)
        with suppress(ConnectionError):
            while True:
                await endless.write(b"x" * 10_000)
                await asyncio.sleep(0.001)
        return endless

    async with Server(answer) as url, client(url) as nexhealth:
        assert type(await failure(nexhealth.syncs(OFFICE))) is NotFound


@pytest.mark.parametrize(("sent", "kind"), RAW.values(), ids=RAW.keys())
async def test_bytes_that_are_no_answer_have_their_failure(
    client: Client, meter: Recorder, sent: bytes, kind: type[PollError]
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(sent)
            await writer.drain()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, client(f"http://127.0.0.1:{port}") as nexhealth:
        error = await failure(nexhealth.syncs(OFFICE))
    assert type(error) is kind
    assert {endpoint for endpoint, _ in meter.calls} == {"authenticates"}


def answered(data: object) -> bytes:
    """An HTTP response with these data."""
    content = answers.body(data)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one(
    client: Client, meter: Recorder
) -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with closing(writer), suppress(asyncio.IncompleteReadError):
            while b"/authenticates" in await reader.readuntil(b"\r\n\r\n"):
                writer.write(answered({"token": "token-1"}))
            writer.write(answered([answers.entry()]))
            await writer.drain()
            await asyncio.sleep(0.1)  # the connection is idle by then
            writer.write(answered([]))
            await reader.read()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, client(f"http://127.0.0.1:{port}") as nexhealth:
        for _ in range(3):
            assert len(await nexhealth.syncs(OFFICE)) == 1
            await asyncio.sleep(0.3)
    assert connections == 3
    assert meter.calls["sync_status", "200"] == meter.calls.total() - 1 == 3


async def test_entries_that_cannot_be_read_are_metered(
    sim: Simulator, nexhealth: NexHealth, meter: Recorder
) -> None:
    sim.faults["office-1"] = f.STRANGE_ENTRIES
    assert len(await nexhealth.syncs(OFFICE)) == 1
    assert meter.rejected_entries == 5
    assert len(await nexhealth.fleet(await nexhealth.inventory())) == 4
    assert meter.rejected_entries == 10


@pytest.mark.parametrize("fault", [f.EHR, f.NO_EMR, f.NO_EMR_TYPE, f.NO_LOCATIONS, f.NO_MARKS])
async def test_entries_that_lack_something_are_still_syncs(
    sim: Simulator, nexhealth: NexHealth, meter: Recorder, fault: f.Fault
) -> None:
    sim.faults["office-1"] = fault
    assert len(await nexhealth.syncs(OFFICE)) == 1
    assert meter.rejected_entries == 0


async def test_a_silent_office_is_given_up_and_delays_no_other(
    sim: Simulator, client: Client, meter: Recorder
) -> None:
    timeout = 1.5  # in which the others must answer, also on a busy machine
    async with client(sim.url, timeout=timeout) as nexhealth:
        inventory = await nexhealth.inventory()
        sim.faults["office-1"] = f.Hang()
        sim.faults["office-2"] = f.Stall()
        began = time.monotonic()
        hanging = [
            asyncio.ensure_future(failure(nexhealth.syncs(Institution(f"office-{n}"))))
            for n in (1, 2)
        ]
        await asyncio.gather(*(nexhealth.syncs(Institution(f"office-{n}")) for n in (3, 4)))
        assert not any(task.done() for task in hanging)
        errors = await asyncio.gather(*hanging)
        assert time.monotonic() - began >= timeout
    assert {type(error) for error in errors} == {Timeout}
    assert meter.calls["sync_status", "none"] in (1, 2)
    assert len(inventory) == 4


async def test_addresses_and_contacts_leave_neither_in_values_nor_in_logs(
    sim: Simulator, nexhealth: NexHealth, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    private = set().union(*(office.private for office in sim.offices.values()))
    assert len(private) > 15
    inventory = await nexhealth.inventory()
    told: list[object] = [inventory, dict(await nexhealth.fleet(inventory))]
    told += [await nexhealth.syncs(institution) for institution in inventory]
    entry = b'{"institution_id": 1, "sync_source_name": 5, "locations": ['
    planted = b", ".join(b'{"city": "%s"}' % text.encode() for text in private)
    for body in (entry + planted + b"]", entry + planted + b"]}", planted):
        for code in (b"true", b"false"):
            answer = b'{"code": %s, "error": [%s], "data": [%s]}' % (code, planted, body)
            sim.faults["office-1"] = f.Body(answer)
            try:
                told.append(await nexhealth.syncs(OFFICE))
            except PollError as error:
                told.append(f"{error!r} {error}")
    shown = f"{told} {[record.__dict__ for record in caplog.records]}"
    assert not [text for text in private if text in shown]


async def test_a_server_without_tls_is_told_as_such(sim: Simulator, client: Client) -> None:
    async with client(sim.url.replace("http:", "https:")) as nexhealth:
        error = await failure(nexhealth.syncs(OFFICE))
    assert type(error) is TlsFailed
    assert error.reason == "tls"


def _inventory(sim: Simulator) -> Inventory:
    return Inventory({name: Institution(name) for name in sim.offices})
