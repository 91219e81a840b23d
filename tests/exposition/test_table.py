"""Names, types and labels are what rules, dashboards and the chart depend on."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.fleet import Round
from nexhealth_exporter.model import IntegrationType, Operation, Poll, Sync
from nexhealth_exporter.plan import Pace, Scope, plan
from tests.e2e.processes import binary
from tests.exposition.fleets import NOW, fleet_of
from tests.exposition.reading import families, text_of

ROOT = Path(__file__).parents[2]

SYNC = "institution sync integration_type"
CONTRACT = {
    "nexhealth_sync_last_read_timestamp_seconds": ("gauge", SYNC),
    "nexhealth_sync_last_write_timestamp_seconds": ("gauge", SYNC),
    "nexhealth_sync_read_lag_seconds": ("gauge", SYNC),
    "nexhealth_sync_write_lag_seconds": ("gauge", SYNC),
    "nexhealth_sync_read_unexpected_lag_seconds": ("gauge", SYNC),
    "nexhealth_sync_write_unexpected_lag_seconds": ("gauge", SYNC),
    "nexhealth_sync_read_deadline_timestamp_seconds": ("gauge", f"{SYNC} severity"),
    "nexhealth_sync_write_deadline_timestamp_seconds": ("gauge", f"{SYNC} severity"),
    "nexhealth_sync_read_allowance_seconds": ("gauge", f"{SYNC} severity"),
    "nexhealth_sync_write_allowance_seconds": ("gauge", f"{SYNC} severity"),
    "nexhealth_sync_read_up": ("gauge", SYNC),
    "nexhealth_sync_write_up": ("gauge", SYNC),
    "nexhealth_sync_expected_up": ("gauge", SYNC),
    "nexhealth_sync_expected_downtime": ("gauge", f"{SYNC} reason"),
    "nexhealth_sync_info": (
        "gauge",
        f"{SYNC} institution_id emr timezone expectation schedule state locations",
    ),
    "nexhealth_institution_info": ("gauge", "institution institution_id institution_name group"),
    "nexhealth_institutions": ("gauge", ""),
    "nexhealth_institution_poll_success": ("gauge", "institution"),
    "nexhealth_institution_last_poll_timestamp_seconds": ("gauge", "institution"),
    "nexhealth_institution_syncs": ("gauge", "institution"),
    "nexhealth_fleet_incident_start_timestamp_seconds": ("gauge", "integration_type"),
    "nexhealth_up": ("gauge", ""),
    "nexhealth_poll_round_duration_seconds": ("gauge", ""),
    "nexhealth_poll_last_round_timestamp_seconds": ("gauge", ""),
    "nexhealth_poll_interval_seconds": ("gauge", ""),
    "nexhealth_poll_failures_total": ("counter", "reason"),
    "nexhealth_entries_rejected_total": ("counter", ""),
    "nexhealth_api_requests_total": ("counter", "endpoint code"),
    "nexhealth_api_request_duration_seconds": ("histogram", "endpoint"),
    "nexhealth_api_throttled_seconds_total": ("counter", ""),
    "nexhealth_api_calls_projected": ("gauge", ""),
    "nexhealth_api_calls_budget": ("gauge", ""),
    "nexhealth_api_token_expiry_timestamp_seconds": ("gauge", ""),
    "nexhealth_shard_info": ("gauge", "shard shards"),
    "nexhealth_state_ok": ("gauge", ""),
    "nexhealth_state_last_save_timestamp_seconds": ("gauge", ""),
    "nexhealth_timezone_fallback_institutions": ("gauge", ""),
    "nexhealth_config_last_reload_successful": ("gauge", ""),
    "nexhealth_config_last_reload_success_timestamp_seconds": ("gauge", ""),
    "nexhealth_exporter_build_info": ("gauge", "version revision python_version"),
}


async def full_page(*, openmetrics: bool) -> str:
    """A page on which every metric has a sample."""
    own = OwnMetrics("1.2.3", "0a1b2c")
    own.called("sync_status", "200", 0.2)
    own.called("authenticates", "none", 10.0)
    own.throttled(1.5)
    own.rejected(2)
    own.token_expires(NOW + 3600)
    own.poll_failed("timeout")
    own.planned(plan(Pace(Scope.AUTO, 300.0, 3600.0, rate=10.0, budget=30000.0), 60))
    own.budgeted(30000)
    own.sharded(1, 3)
    own.state_usable(is_ok=True)
    own.state_saved(NOW - 60)
    own.reloaded(NOW - 3600)
    polls = [
        Poll(
            f"office-{i}",
            NOW,
            (
                Sync(
                    "Dentrix",
                    IntegrationType.SERVER,
                    "Dentrix",
                    NOW - 30 * 3600,
                    NOW - 30 * 3600,
                    read_up=True,
                    write_up=False,
                ),
            ),
        )
        for i in range(60)
    ]
    fleet = fleet_of(polls).with_incidents(NOW).after_round(Round(NOW, 4.5, is_up=True))
    text = await text_of(Page(own), fleet, NOW, openmetrics=openmetrics)
    assert 'nexhealth_fleet_incident_start_timestamp_seconds{integration_type="server"}' in text
    return text


def test_the_table_is_the_contract() -> None:
    assert {f.name: (f.kind.value, " ".join(f.labels)) for f in table.ALL} == CONTRACT


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_a_full_page_has_every_metric_with_the_labels_of_the_table(
    *, openmetrics: bool
) -> None:
    found: dict[str, tuple[str, str, set[frozenset[str]]]] = {}
    for metric in families(await full_page(openmetrics=openmetrics), openmetrics=openmetrics):
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        labels = {frozenset(sample.labels) - {"le"} for sample in metric.samples}
        found[name] = (metric.type, metric.documentation, labels)
    ours = {name for name in found if name.startswith("nexhealth_")}
    assert ours == CONTRACT.keys()
    for family in table.ALL:
        assert found[family.name] == (family.kind, family.help, {frozenset(family.labels)})
    assert {"process_start_time_seconds", "python_info"} <= found.keys()
    assert not any(name.endswith("_created") for name in found)


@pytest.mark.parametrize("generation", ["2", "3"])
def test_promtool_has_nothing_to_say(generation: str) -> None:
    page = asyncio.run(full_page(openmetrics=False))
    checked = subprocess.run(
        [binary(f"prometheus-{generation}", "promtool"), "check", "metrics"],
        input=page,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_help_says_that_scrapes_make_no_calls_and_what_unexpected_lag_cannot_tell() -> None:
    for of in (table.LAST_MARK, table.LAG, table.UNEXPECTED_LAG, table.DEADLINE, table.UP):
        assert all("a scrape never calls the API" in family.help for family in of.values())
    for family in table.UNEXPECTED_LAG.values():
        assert "cannot tell a stopped sync from failing polls" in family.help
        assert "at most 400 days back" in family.help


def test_help_calls_the_write_mark_a_check_in_and_not_a_write() -> None:
    told = table.LAST_MARK[Operation.WRITE].help
    assert "asked for write commands, whether or not there were any" in told


def test_the_written_reference_is_that_of_the_table() -> None:
    command = [sys.executable, str(ROOT / "tools/metrics_page.py"), "--check"]
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr
