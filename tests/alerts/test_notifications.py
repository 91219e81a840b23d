"""What people get: inhibition, grouping and texts of a real Alertmanager."""

import re
from pathlib import Path

import pytest

from tests.alerts.tools import ALERTMANAGER, alertmanager, configured, listening

PAGER, CHAT = "/v2/enqueue", "/services/replace-with-your-hook"
PAGE = "http://nexhealth-exporter:10639/institutions/smiles"
ANY_TIME = re.compile(r"\n +active_time_intervals: \[.*\]")


def alert(name: str, severity: str, **labels: str) -> dict[str, str]:
    """Labels as a rule sets them."""
    return {"alertname": f"NexHealth{name}", "severity": severity, **labels}


def office(
    severity: str, name: str = "smiles", kind: str = "server", **labels: str
) -> dict[str, str]:
    """An overdue sync."""
    which = "Server" if kind == "server" else "Cloud"
    found = alert(f"{which}SyncOverdue", severity, institution=name, integration_type=kind)
    return found | {"sync": "SD #1"} | labels


EXPORTER_DOWN = alert("ExporterDown", "critical")
API_DOWN = alert("APIDown", "critical")
KEY_REFUSED = alert("KeyRefused", "critical")
DATA_OLD = alert("DataOld", "critical")
INCIDENT = alert("FleetIncident", "critical", integration_type="server")
CRITICAL, WARNING = office("critical"), office("warning")
CHAIN = [EXPORTER_DOWN, API_DOWN, KEY_REFUSED, DATA_OLD, INCIDENT, CRITICAL, WARNING]
"""Each explains what follows; the key outranks the API in the same place."""


@pytest.mark.parametrize("generation", ALERTMANAGER)
async def test_what_explains_an_alert_silences_it(generation: str, tmp_path: Path) -> None:
    async with listening() as listener:
        text = ANY_TIME.sub("", configured(listener))
        async with alertmanager(tmp_path, generation, text) as server:
            for fired in (*CHAIN, alert("Watchdog", "none")):
                await server.post(fired, summary=fired["alertname"])
            await listener.until(lambda heard: heard.to(PAGER) and heard.to("/nexhealth"))
            pages = [post["payload"]["summary"] for post in listener.to(PAGER)]
            assert pages == ["CRITICAL: NexHealthExporterDown"]

            # Take the top away, one after the other: the next one speaks, and only that one.
            spoken: list[dict[str, str]] = []
            for top in (EXPORTER_DOWN, KEY_REFUSED, API_DOWN, DATA_OLD, INCIDENT, CRITICAL):
                await server.resolve(top)
                await server.post(*(a for a in CHAIN if a not in [*spoken, top]))
                spoken.append(top)
                expected = expected_after(spoken)
                assert expected == await server.settled(expected)


def expected_after(gone: list[dict[str, str]]) -> dict[str, bool]:
    """Whether each of those that are left is inhibited once these are over: all but one."""
    left = [a for a in CHAIN if a not in gone]
    top = KEY_REFUSED if KEY_REFUSED in left else left[0]
    expected = {f"{a['alertname']} {a['severity']}": a is not top for a in left}
    return expected | {"NexHealthWatchdog none": False}


@pytest.mark.parametrize("generation", ALERTMANAGER)
async def test_old_data_about_some_offices_silences_no_other(
    generation: str, tmp_path: Path
) -> None:
    """An office is overdue only if it was polled after its deadline, so its page is right."""
    async with (
        listening() as listener,
        alertmanager(tmp_path, generation, configured(listener)) as server,
    ):
        some_old = DATA_OLD | {"extent": "some"}
        await server.post(some_old, CRITICAL, INCIDENT | {"integration_type": "cloud"})
        await server.post(alert("PollsFailing", "warning"))
        expected = {
            "NexHealthDataOld critical": False,
            "NexHealthPollsFailing warning": True,
            "NexHealthServerSyncOverdue critical": False,
            "NexHealthFleetIncident critical": False,
        }
        assert expected == await server.settled(expected)


@pytest.mark.parametrize("label", ["cluster", "environment", "prometheus"])
@pytest.mark.parametrize("generation", ALERTMANAGER)
async def test_what_fires_in_one_cluster_silences_nothing_in_another(
    generation: str, label: str, tmp_path: Path
) -> None:
    here, there = {label: "staging"}, {label: "production"}
    async with (
        listening() as listener,
        alertmanager(tmp_path, generation, configured(listener)) as server,
    ):
        await server.post(*(top | here for top in CHAIN[:-1]))
        await server.post(alert("ShardMissing", "critical") | here, DATA_OLD | here)
        polls, vanished = alert("PollsFailing", "warning"), alert("SyncVanished", "warning")
        await server.post(*(one | there for one in (WARNING, polls, vanished)))
        expected = {
            "NexHealthServerSyncOverdue warning": False,
            "NexHealthPollsFailing warning": False,
            "NexHealthSyncVanished warning": False,
            "NexHealthExporterDown critical": False,
            "NexHealthServerSyncOverdue critical": True,
        }
        expected |= {f"{a['alertname']} critical": True for a in (*CHAIN[1:-2], DATA_OLD)}
        expected |= {"NexHealthShardMissing critical": True}
        assert expected == await server.settled(expected)


@pytest.mark.parametrize("fired", [EXPORTER_DOWN, CRITICAL], ids=["fleet", "office"])
@pytest.mark.parametrize("generation", ALERTMANAGER)
async def test_each_cluster_has_a_page_of_its_own(
    generation: str, fired: dict[str, str], tmp_path: Path
) -> None:
    """Else the second would only be added to a page that somebody has acknowledged."""
    async with (
        listening() as listener,
        alertmanager(tmp_path, generation, configured(listener)) as server,
    ):
        await server.post(*(fired | {"cluster": name} for name in ("staging", "production")))
        await listener.until(lambda heard: heard.to(PAGER))
        await listener.until(lambda heard: len({p["dedup_key"] for p in heard.to(PAGER)}) > 1)


@pytest.mark.parametrize("generation", ALERTMANAGER)
async def test_an_incident_of_one_type_leaves_the_others_alone(
    generation: str, tmp_path: Path
) -> None:
    async with (
        listening() as listener,
        alertmanager(tmp_path, generation, configured(listener)) as server,
    ):
        await server.post(INCIDENT, CRITICAL, office("critical", "eyes", "cloud"))
        expected = {
            "NexHealthFleetIncident critical": False,
            "NexHealthServerSyncOverdue critical": True,
            "NexHealthCloudSyncOverdue critical": False,
        }
        assert expected == await server.settled(expected)


@pytest.mark.parametrize("generation", ALERTMANAGER)
async def test_an_office_is_one_page_with_the_right_text(generation: str, tmp_path: Path) -> None:
    notes = {
        "summary": "The server-based sync of an office has stopped.",
        "institution_name": "Smile & Sons <Dental>",
        "description": "Sync SD #1 has been silent.",
        "directions": "read and write",
        "looks_like": "It stopped at Tue 11:32 UTC, in the middle of open hours.",
        "causes": "The server is off.",
        "next_step": "Call the office.",
        "closure_line": '- {match: {subdomain: "smiles"}, days: ["2026-03-03"]}',
        "silence_command": "amtool silence add 'institution=~smiles'",
        "down_for": "3d 2h 0m 0s",
        "runbook_url": "https://runbooks.example/x.md",
    }
    async with listening() as listener:
        text = ANY_TIME.sub("", configured(listener))
        async with alertmanager(tmp_path, generation, text) as server:
            # Two syncs of one institution, both directions of severity.
            second = {"sync": "SD #2"}
            await server.post(WARNING, CRITICAL, WARNING | second, CRITICAL | second, **notes)
            await listener.until(lambda heard: heard.to(PAGER) and heard.mails)
            await server.resolve(CRITICAL)
            await server.resolve(CRITICAL | second)
            await server.resolve(WARNING)
            await server.resolve(WARNING | second)
            await listener.until(lambda heard: len(heard.to(PAGER)) > 1 and len(heard.mails) > 1)

    triggered, resolved = listener.to(PAGER)
    assert (triggered["event_action"], resolved["event_action"]) == ("trigger", "resolve")
    title = "CRITICAL Smile & Sons <Dental>: The server-based sync of an office has stopped."
    assert title == triggered["payload"]["summary"]
    body = triggered["payload"]["custom_details"]["text"]
    for key in set(notes) - {"institution_name", "down_for"}:
        assert notes[key] in body
    assert "for 26 hours; over a weekend, take the command on its page:" in body
    mail = listener.mails[0].replace("=\r\n", "")
    assert mail.count("Subject: New product key for Smile & Sons <Dental>") == 2
    assert "has been down for 3d 2h 0m 0s" in mail
    assert "RESOLVED" in listener.mails[-1]


@pytest.mark.parametrize("generation", ALERTMANAGER)
async def test_a_fleet_incident_is_one_page_for_everybody(generation: str, tmp_path: Path) -> None:
    async with (
        listening() as listener,
        alertmanager(tmp_path, generation, configured(listener)) as server,
    ):
        many = [office("critical", f"office-{i}") for i in range(300)]
        await server.post(INCIDENT)
        await server.post(*many)
        await listener.until(lambda heard: heard.to(PAGER))
        # The marker is posted later and paged later: what was to come before it has come.
        await server.post(alert("ShardMissing", "critical"), summary="The marker.")
        await listener.until(lambda heard: len(heard.to(PAGER)) > 1)

    summaries = [post["payload"]["summary"] for post in listener.to(PAGER)]
    assert len(summaries) == 2
    assert "CRITICAL all server syncs:" in summaries[0]
    assert "The marker." in summaries[1]


@pytest.mark.parametrize("generation", ALERTMANAGER)
async def test_the_chat_has_links_and_names_do_not_become_mentions(
    generation: str, tmp_path: Path
) -> None:
    async with listening() as listener:
        text = ANY_TIME.sub("", configured(listener))
        async with alertmanager(tmp_path, generation, text) as server:
            vanished = alert("SyncVanished", "warning", institution="smiles")
            notes = {"summary": "A sync is gone.", "description": "<!channel> @here"}
            await server.post(
                vanished, **notes, link=PAGE, runbook_url="https://runbooks.example/x"
            )
            await listener.until(lambda heard: heard.to(CHAT))

    (post,) = listener.to(CHAT)
    lines = post["attachments"][0]["text"].splitlines()
    assert "?!channel? ?here" in lines
    assert f"Why: {PAGE}" in lines
    assert "Runbook: https://runbooks.example/x" in lines
