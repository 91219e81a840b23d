"""`/metrics` as scrapers ask for it."""

import asyncio
import gzip
import math
import socket

import pytest
from aiohttp import web
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.model import IntegrationType
from nexhealth_exporter.web.app import build
from nexhealth_exporter.web.connections import IDLE_SECONDS
from nexhealth_exporter.web.negotiation import OPENMETRICS, TEXT
from nexhealth_exporter.web.scrape import Scrape
from nexhealth_exporter.web.server import serving
from tests.web.conftest import NOON, Site, named

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROTOBUF_FIRST = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
    f"encoding=delimited;q=0.7,{PROMETHEUS}"
)

MANY = [named(f"{n} {'x' * 180}", None, NOON) for n in range(1200)]
"""Syncs of one institution whose page is larger than the buffers of a slow reader."""


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", TEXT),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.2", TEXT),
        ("text/plain;q=0.2, application/openmetrics-text;q=0.9", OPENMETRICS),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=nonsense, ;;=,", TEXT),
        (PROMETHEUS, OPENMETRICS),
        (PROTOBUF_FIRST, OPENMETRICS),
    ],
)
async def test_the_format_that_is_wanted_most_is_given(site: Site, accept: str, kind: str) -> None:
    site.world.poll(NOON, named("Main", IntegrationType.SERVER, NOON - 90))

    async with site.get("/metrics", headers={"Accept": accept}) as response:
        body = await response.text()

    assert kind == response.headers["Content-Type"]
    parser = openmetrics if kind == OPENMETRICS else text
    samples = {s.name: s.value for family in parser(body) for s in family.samples}
    assert samples["nexhealth_sync_read_lag_seconds"] == 90


@pytest.mark.parametrize(
    ("encoding", "is_gzip"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("identity", False), ("gzip;q=0", False)],
)
async def test_gzip_is_given_to_those_who_ask(site: Site, encoding: str, is_gzip: bool) -> None:
    site.world.poll(NOON, named("Main", IntegrationType.SERVER, NOON))

    async with site.get("/metrics", headers={"Accept-Encoding": encoding}) as response:
        body = await response.read()

    assert is_gzip == (response.headers.get("Content-Encoding") == "gzip")
    assert b"nexhealth_sync_read_lag_seconds" in (gzip.decompress(body) if is_gzip else body)
    assert "Accept-Encoding" in response.headers["Vary"]


async def test_it_answers_before_anything_is_known(site: Site) -> None:
    assert "nexhealth_exporter_build_info" in await site.text("/metrics")


async def test_head_has_the_headers_of_get_and_no_body(site: Site) -> None:
    # A metric that stands still: CPU seconds may take a digit more a moment later.
    address = "/metrics?name[]=nexhealth_institutions"
    async with site.get(address) as got:
        body = await got.read()
    async with site.get(address, "HEAD") as head:
        nothing = await head.read()

    assert nothing == b""
    assert len(body) == int(head.headers["Content-Length"]) == int(got.headers["Content-Length"])
    assert got.headers["Content-Type"] == head.headers["Content-Type"]


async def test_only_the_metrics_that_are_named(site: Site) -> None:
    site.world.poll(NOON, named("Main", IntegrationType.SERVER, NOON))
    wanted = ("nexhealth_sync_read_lag_seconds", "nexhealth_institutions")

    body = await site.text("/metrics?" + "&".join(f"name[]={name}" for name in wanted))

    assert set(wanted) == {s.name for family in text(body) for s in family.samples}


@pytest.mark.parametrize("kind", [TEXT, OPENMETRICS])
async def test_every_metric_can_be_asked_for_by_its_name(site: Site, kind: str) -> None:
    site.world.poll(NOON, named("Main", IntegrationType.SERVER, NOON))
    parser = openmetrics if kind == OPENMETRICS else text

    async def found(path: str) -> dict[str, int]:
        async with site.get(path, headers={"Accept": kind}) as response:
            return {family.name: len(family.samples) for family in parser(await response.text())}

    there = await found("/metrics")

    assert {"python_info", "process_open_fds", "nexhealth_sync_read_up"} <= there.keys()
    for name, samples in there.items():
        # Families that have no sample just now are headings alone.
        assert {name: samples} == await found(f"/metrics?name[]={name}") or not samples


async def slow_reader(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that takes a little at a time, and no more than is read."""
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    own.setblocking(False)  # noqa: FBT003 - the standard library's signature
    await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=own, limit=4096)


async def test_a_scrape_in_flight_is_finished_when_the_server_stops() -> None:
    site = Site()
    site.world.poll(NOON, *MANY)
    app = build(site.view(), Page(OwnMetrics("1.0")))
    async with serving(app, "127.0.0.1", 0) as port:
        reader, writer = await slow_reader(port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        body = asyncio.create_task(reader.readexactly(length))

    assert length > 1_000_000
    assert length == len(await body)
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def test_a_scraper_that_stops_reading_is_cut_off() -> None:
    site = Site()
    site.world.poll(NOON, *MANY)
    app = web.Application()
    scrape = Scrape(site.view(), Page(OwnMetrics("1.0")), writing_seconds=0.3)
    app.router.add_get("/metrics", scrape.get)
    async with serving(app, "127.0.0.1", 0) as port:
        reader, writer = await slow_reader(port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        await asyncio.sleep(1)
        # Sooner than a connection is cut on which nothing happens.
        async with asyncio.timeout(IDLE_SECONDS / 3):
            with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
                await reader.readexactly(length)
        writer.close()


async def test_a_client_that_hangs_up_disturbs_nobody(site: Site) -> None:
    site.world.poll(NOON, *MANY[:200])
    port = int(site.url.rpartition(":")[2])
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")
        await writer.drain()
        writer.transport.abort()

    families = list(text(await site.text("/metrics")))
    lag = next(f for f in families if f.name == "nexhealth_sync_read_lag_seconds")
    assert len(lag.samples) == 200
    assert not any(math.isnan(sample.value) for sample in lag.samples)
