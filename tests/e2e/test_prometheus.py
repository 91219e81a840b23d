"""The real program, scraped by a real Prometheus."""

import asyncio
import re
from functools import partial
from pathlib import Path

import pytest

from nexhealth_exporter.simulator import Simulator, plain_offices
from tests.e2e.processes import (
    GENERATIONS,
    PROGRAM,
    Process,
    binary,
    free_port,
    get,
    prometheus,
    running,
    until,
)

OVERDUE = """
max by (institution, sync, integration_type) (
  nexhealth_sync_read_deadline_timestamp_seconds{severity="critical"}
) <= on (institution) group_left ()
max by (institution) (nexhealth_institution_last_poll_timestamp_seconds)
"""

MANY = 20
"""More syncs of each usual type are in the demo's fleet."""

pytestmark = pytest.mark.e2e


async def demo_address(demo: Process) -> str:
    """Where the demo says it serves, once its first round is over."""
    found = await until(
        lambda: re.search(r"http://localhost:(\d+)/metrics", demo.said),
        seconds=90,
        why="the demo never said",
    )
    address = f"127.0.0.1:{found[1]}"

    async def is_ready() -> bool:
        return (await get(f"http://{address}/-/ready"))[0] == 200

    await until(is_ready, why=demo.said)
    return address


async def test_prometheus_scrapes_the_lag_of_the_demos_fleet(tmp_path: Path) -> None:
    async with running(*PROGRAM, "demo", "--poll-interval-seconds", "2") as demo:
        address = await demo_address(demo)
        for generation in GENERATIONS:
            await says_nothing(generation, (await get(f"http://{address}/metrics"))[1])
        async with asyncio.TaskGroup() as both:
            for generation in GENERATIONS:
                both.create_task(scrapes(generation, tmp_path, address))
        assert await demo.stop() == 0


async def says_nothing(generation: str, page: str) -> None:
    """That promtool finds nothing to complain about."""
    check = await asyncio.create_subprocess_exec(
        binary(generation, "promtool"),
        "check",
        "metrics",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await check.communicate(page.encode())
    assert (check.returncode, said.decode()) == (0, "")


async def scrapes(generation: str, folder: Path, address: str) -> None:
    """That a Prometheus reads what it should from the demo at that address."""
    async with prometheus(generation, folder, {"nexhealth": address}) as prom:
        # Asked until it is so: a scrape that a busy machine holds up for a second is a lost one.
        async def are_there(series: str) -> bool:
            found = await prom.query(f"count by (integration_type) ({series})")
            counts = {r["metric"]["integration_type"]: float(r["value"][1]) for r in found}
            usual = [counts.pop(kind, 0.0) for kind in ("server", "cloud")]
            return min(usual) > MANY and counts.keys() == {"unknown"}

        for direction in ("read", "write"):
            lag = f"nexhealth_sync_{direction}_lag_seconds"
            await until(partial(are_there, lag), why=f"{lag} of some types are missing")
        await until(lambda: prom.value("nexhealth_up == 1"))
        await until(lambda: prom.value("count(nexhealth_sync_expected_downtime)"))

        # An office that is down: its lag grows as fast as time passes. Of five samples, one whose
        # scrape a busy machine held up for a moment would bend the slope: it is out of them soon.
        found = await until(lambda: prom.query(OVERDUE), why="nothing is overdue in the demo")
        labels = ",".join(f'{k}="{v}"' for k, v in found[0]["metric"].items())
        lag = f"nexhealth_sync_read_lag_seconds{{{labels}}}[10s]"
        grows = f"abs(deriv({lag}) - 1) < bool 0.05 and count_over_time({lag}) >= 5"
        await until(lambda: prom.value(grows), why="the lag does not grow as time passes")


async def test_an_api_that_goes_away_leaves_the_series_and_nexhealth_up_tells(
    tmp_path: Path,
) -> None:
    port = free_port()
    async with Simulator(plain_offices(4), per_second=None, per_minute=None) as simulator:
        env = {
            "NEXHEALTH_EXPORTER_API_URL": simulator.url,
            "NEXHEALTH_EXPORTER_API_KEY": simulator.api_key,
            "NEXHEALTH_EXPORTER_LISTEN_ADDRESS": f"127.0.0.1:{port}",
            "NEXHEALTH_EXPORTER_POLL_INTERVAL_SECONDS": "1",
            "NEXHEALTH_EXPORTER_POLL_SCOPE": "institution",
        }
        async with (
            running(*PROGRAM, env=env) as exporter,
            prometheus("prometheus-3", tmp_path, {"nexhealth": f"127.0.0.1:{port}"}) as prom,
        ):
            await until(lambda: prom.value("nexhealth_up == 1"), why=exporter.said)
            await until(lambda: prom.value("count(nexhealth_sync_read_lag_seconds) == 4"))

            await simulator.go_away()
            await until(lambda: prom.value("nexhealth_up == bool 0"))
            await until(lambda: prom.value("count(nexhealth_sync_read_lag_seconds) == 4"))
            await until(lambda: prom.value("sum(nexhealth_institution_poll_success) == bool 0"))

            await simulator.come_back()
            await until(lambda: prom.value("nexhealth_up == 1"))
            await until(lambda: prom.value("sum(nexhealth_institution_poll_success) == 4"))
            assert "Traceback" not in exporter.said
            assert simulator.api_key not in exporter.said
            assert await exporter.stop() == 0
