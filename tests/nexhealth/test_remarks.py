"""What is wrong with answers that can be used is told in the log, but not each round."""

import logging
import operator
from contextlib import suppress
from functools import partial

import pytest
from aiohttp import web

from nexhealth_exporter import logs
from nexhealth_exporter.errors import Malformed, Throttled
from nexhealth_exporter.model import Institution, Inventory
from nexhealth_exporter.nexhealth import NexHealth
from nexhealth_exporter.simulator import Simulator
from nexhealth_exporter.simulator import faults as f
from tests.nexhealth.conftest import Client, Server, plain_answer

OFFICE = Institution("office-1", id=1)


def _warnings(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [r for r in caplog.records if r.name.startswith("nexhealth_exporter")]


async def test_warnings_of_the_api_are_logged_once(
    sim: Simulator, nexhealth: NexHealth, caplog: pytest.LogCaptureFixture
) -> None:
    sim.faults["office-1"] = f.Body(
        b'{"code": true, "description": ["The following", "is ignored: x."], "data": []}'
    )
    for _ in range(3):
        assert await nexhealth.syncs(OFFICE) == ()
    (record,) = _warnings(caplog)
    assert record.__dict__["warning"] == "The following; is ignored: x."
    assert record.__dict__["endpoint"] == "sync_status"


async def test_a_long_pause_of_all_calls_is_logged_before_it_begins(
    sim: Simulator, nexhealth: NexHealth, caplog: pytest.LogCaptureFixture
) -> None:
    sim.faults["/sync_status"] = f.Throttle(retry_after=60)
    with pytest.raises(Throttled):
        await nexhealth.syncs(OFFICE)
    (told,) = _warnings(caplog)
    assert "pausing all calls" in told.msg
    assert vars(told)["seconds"] == 60


@pytest.mark.parametrize("told", [b'"count": 5', b'"page_info": {"has_next_page": true}'])
async def test_more_entries_than_were_sent_are_logged_as_truncated(
    sim: Simulator, nexhealth: NexHealth, caplog: pytest.LogCaptureFixture, told: bytes
) -> None:
    sim.faults["office-1"] = f.Body(b'{"code": true, "data": [], ' + told + b"}")
    for _ in range(3):
        await nexhealth.syncs(OFFICE)
    (record,) = _warnings(caplog)
    assert "truncated" in record.__dict__["warning"]


def _rejections(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, int, str | None]]:
    """Endpoint, reason, number, institution; and forgets them."""
    found = [vars(record) for record in _warnings(caplog)]
    caplog.clear()
    assert {told["msg"] for told in found} <= {"entries rejected"}
    return [
        (told["endpoint"], told["reason"], told["entries"], told.get("institution"))
        for told in found
    ]


async def test_entries_that_are_rejected_are_told_with_where_and_why_but_not_each_round(
    sim: Simulator, nexhealth: NexHealth, caplog: pytest.LogCaptureFixture
) -> None:
    inventory = await nexhealth.inventory()
    sim.faults["office-1"] = f.STRANGE_ENTRIES
    for _ in range(3):
        await nexhealth.syncs(OFFICE)
    told = [("sync_status", "malformed", 4), ("sync_status", "incomplete", 1)]
    assert _rejections(caplog) == [(*each, "office-1") for each in told]
    # Of an answer about all nobody knows whose they were.
    for _ in range(3):
        await nexhealth.fleet(inventory)
    assert _rejections(caplog) == [(*each, None) for each in told]
    # More of the same is news from twice as many.
    for number, is_news in ((7, False), (8, True), (15, False)):
        sim.faults["office-1"] = f.Edit(partial(operator.add, [7] * number))
        await nexhealth.syncs(OFFICE)
        news = ("sync_status", "malformed", number, "office-1")
        assert _rejections(caplog) == [news] * is_news
    # Whoever looks closer is told each time.
    caplog.set_level("DEBUG", "nexhealth_exporter")
    await nexhealth.syncs(OFFICE)
    assert _rejections(caplog) == [("sync_status", "malformed", 15, "office-1")]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (f.Flood(100_000, b"7"), ("malformed", 100_000, None)),
        (f.Flood(100_000), ("incomplete", 100_000, None)),
        # Those of one institution alone have its name.
        (f.Flood(100_000, b'{"institution_id":1}'), ("too_many", 99_000, "office-1")),
        (f.Flood(1, b'"%b"' % (b"x" * 1_100_000)), ("too_large", 1, None)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
async def test_a_flood_of_entries_that_are_rejected_is_one_line(
    sim: Simulator,
    nexhealth: NexHealth,
    caplog: pytest.LogCaptureFixture,
    fault: f.Fault,
    told: tuple[str, int, str | None],
) -> None:
    inventory = await nexhealth.inventory()
    sim.faults["/sync_status"] = fault
    with suppress(Malformed):
        await nexhealth.fleet(inventory)
    assert _rejections(caplog) == [("sync_status", *told)]


async def test_of_many_institutions_with_entries_that_are_rejected_a_hundred_are_told(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    person = "Jane Roe, Elm Street, (555)0100, jane@office.invalid"

    async def answer(request: web.Request) -> web.Response:
        if request.path != "/sync_status":
            return plain_answer(request)
        entries = [person, {"locations": person}, {"sync_source_name": "Main"}]
        return web.json_response({"code": True, "data": entries})

    caplog.set_level("DEBUG", "nexhealth_exporter")
    async with Server(answer) as url, client(url) as nexhealth:
        for number in range(60):
            await nexhealth.syncs(Institution(f"office-{number}"))
        # What belongs to no institution is told all the same.
        with suppress(Malformed):
            await nexhealth.fleet(Inventory())
    told = _warnings(caplog)
    levels = [record.levelname for record in told]
    assert levels == ["WARNING"] * 100 + ["DEBUG"] * 20 + ["WARNING"] * 2
    lines = [logs.Logfmt().format(record) for record in told]
    assert not [line for line in lines for word in person.split()[1:] if word in line]
    assert 'msg="entries rejected" endpoint=sync_status' in lines[0]
    assert "reason=malformed entries=1 institution=office-0" in lines[0]
