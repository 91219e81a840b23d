"""Two exporters on one fleet, and one Prometheus that scrapes both."""

from collections import Counter
from pathlib import Path

import pytest

from tests.dashboards.boards import targets
from tests.dashboards.test_answers import everything
from tests.e2e.pipeline import CLOSED, Pipeline, exporter, pipeline
from tests.e2e.processes import free_port, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

OVERDUE = "NexHealthServerSyncOverdue"
SHOULD_RUN = "integration_type:nexhealth_sync_expected_up:count"
COUNTED = {"Overdue, critical": 1, "Overdue, warning": 0, "Fresh": 28, "Resting": 1, "Unknown": 0}


async def counts(line: Pipeline) -> dict[str, float | None]:
    """The numbers at the top of the fleet dashboard."""
    return {
        query.panel: await line.prometheus.value(query.sent(everything("fleet")))
        for query in targets()
        if query.board == "fleet" and query.panel in COUNTED
    }


async def counted(line: Pipeline) -> None:
    """Wait until every sync is counted once; a lost scrape may leave some out for a moment."""

    async def is_once() -> bool:
        return await counts(line) == COUNTED

    await until(is_once, seconds=90, why=str(await counts(line)))


async def firing(line: Pipeline) -> Counter[tuple[str, str]]:
    """How many alerts fire for each institution and severity."""
    found = await line.prometheus.query(f'ALERTS{{alertname="{OVERDUE}",alertstate="firing"}}')
    return Counter((a["metric"]["institution"], a["metric"]["severity"]) for a in found)


async def test_two_replicas_are_one_alert_and_one_count_whichever_of_them_restarts(
    tmp_path: Path,
) -> None:
    here, there = free_port(), free_port()
    async with pipeline(tmp_path, here, there) as line:
        line.simulator.offices[CLOSED].freeze()
        async with exporter(line.simulator, tmp_path, here):
            async with exporter(line.simulator, tmp_path, there):
                await until(lambda: line.prometheus.value("count(nexhealth_up == 1) == 2"))
                line.simulator.offices["office-2"].freeze()
                await line.paged(1)
                await until(lambda: line.prometheus.value(f"sum({SHOULD_RUN}) == 29"))

                twice = f"count(nexhealth_sync_expected_up) == {2 * 30}"
                await until(lambda: line.prometheus.value(twice))
                await counted(line)
                assert await firing(line) == {
                    ("office-2", "warning"): 1,
                    ("office-2", "critical"): 1,
                }
            await line.evaluated(10)
            await counted(line)
        async with exporter(line.simulator, tmp_path, there):
            await until(lambda: line.prometheus.value("count(nexhealth_up == 1) == 1"))
            await line.evaluated(10)
            await counted(line)
            assert len(line.pages) == 1, line.pages

            line.simulator.offices["office-2"].thaw()
            await line.paged(2)

    assert [action for action, _ in line.pages] == ["trigger", "resolve"]
