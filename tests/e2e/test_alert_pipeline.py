"""What arrives at the phone when an office stops, the vendor fails, or the API does."""

from pathlib import Path

import pytest

from tests.e2e.pipeline import CLOSED, SERVERS, exporter, pipeline
from tests.e2e.processes import free_port, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


async def test_an_office_is_one_page_that_outlives_a_restart_and_a_closed_one_is_none(
    tmp_path: Path,
) -> None:
    port = free_port()
    async with pipeline(tmp_path, port) as line:
        line.simulator.offices[CLOSED].freeze()
        async with exporter(line.simulator, tmp_path, port):
            await until(lambda: line.prometheus.value("nexhealth_up == 1"))
            line.simulator.offices["office-2"].freeze()
            await line.paged(1)
        async with exporter(line.simulator, tmp_path, port):
            await until(lambda: line.prometheus.value("nexhealth_up == 1"))
            await line.evaluated(20)
            assert len(line.pages) == 1, line.pages

            line.simulator.offices["office-2"].thaw()
            await line.paged(2)
            await line.evaluated(5)

    stopped = "Office 2: The server-based sync of an office has stopped."
    assert [("trigger", f"CRITICAL {stopped}"), ("resolve", f"RESOLVED {stopped}")] == line.pages
    text = line.text(0)
    assert "Office 2, sync Dentrix #2, is overdue." in text
    assert "Direction: read and write." in text
    assert '{match: {subdomain: "office-2"}' in text
    assert "16s allowed" in text
    said = f"{line.listener.posts}{line.listener.mails}"
    assert CLOSED not in said


async def test_a_vendor_wide_incident_is_one_page(tmp_path: Path) -> None:
    port = free_port()
    async with pipeline(tmp_path, port) as line, exporter(line.simulator, tmp_path, port):
        await until(lambda: line.prometheus.value("nexhealth_up == 1"))
        for subdomain in SERVERS:
            line.simulator.offices[subdomain].freeze()
        held = "institution_sync:nexhealth_sync_deadline_timestamp_seconds:held_back"
        await until(
            lambda: line.prometheus.value(f'count({held}{{severity="critical"}}) >= 19'), seconds=90
        )
        await line.paged(1)
        await line.evaluated(10)
        assert len(line.pages) == 1, line.pages

        for subdomain in SERVERS:
            line.simulator.offices[subdomain].thaw()
        await line.paged(2)
        await line.evaluated(5)

    silent = "all server syncs: So many syncs of one type stopped at once"
    assert [action for action, _ in line.pages] == ["trigger", "resolve"]
    assert all(silent in title for _, title in line.pages)
    assert not line.listener.mails


async def test_an_api_outage_is_one_page_that_is_not_about_offices(tmp_path: Path) -> None:
    port = free_port()
    async with pipeline(tmp_path, port) as line, exporter(line.simulator, tmp_path, port):
        await until(lambda: line.prometheus.value("nexhealth_up == 1"))
        await line.simulator.go_away()
        await line.paged(1)
        await line.evaluated(25)
        assert len(line.pages) == 1, line.pages

        await line.simulator.come_back()
        await line.paged(2)
        await line.evaluated(5)

    title = "The NexHealth API cannot be used."
    assert [("trigger", f"CRITICAL: {title}"), ("resolve", f"RESOLVED: {title}")] == line.pages
    assert "SyncOverdue" not in f"{line.listener.posts}{line.listener.mails}"
    assert not line.listener.mails
