"""What the rules cost at 10,000 syncs: `python -m tests.alerts.bench [SYNCS [REPLICAS]]`.

A real Prometheus scrapes a page of that many syncs every 30 seconds and evaluates all rule files,
with and without a fleet incident. Printed: how many alerts stand in Prometheus, and the least that
an evaluation of each group took, in seconds and as a share of its interval.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from tests.alerts.tools import RULE_FILES, binary
from tests.e2e.processes import free_port

TYPES = ("server", "cloud")
SCRAPE_INTERVAL, EVALUATIONS = 30, 3


def page(syncs: int, *, incident: bool, now: float) -> Iterator[str]:
    """An exporter's page: 1 in 200 syncs is down for long; in an incident all of them are."""
    yield f"nexhealth_up 1\nnexhealth_poll_last_round_timestamp_seconds {now}\n"
    yield "nexhealth_exporter_build_info 1\nnexhealth_poll_interval_seconds 300\n"
    yield 'nexhealth_shard_info{shard="0",shards="1"} 1\n'
    if incident:
        for kind in TYPES:
            start = f'nexhealth_fleet_incident_start_timestamp_seconds{{integration_type="{kind}"}}'
            yield f"{start} {now - 7200}\n"
    for i in range(syncs):
        office = f'institution="office-{i}"'
        key = f'{office},sync="SD #1",integration_type="{TYPES[i % 2]}"'
        is_down = i % 200 == 0
        mark = now - (86400 if is_down else 18000 if incident else 300)
        yield f"nexhealth_institution_last_poll_timestamp_seconds{{{office}}} {now}\n"
        yield f"nexhealth_institution_poll_success{{{office}}} 1\n"
        yield f"nexhealth_institution_syncs{{{office}}} 1\n"
        yield (
            f'nexhealth_institution_info{{{office},institution_id="{i}",'
            f'institution_name="Office {i}",group="g{i % 7}"}} 1\n'
        )
        yield (
            f'nexhealth_sync_info{{{key},institution_id="{i}",emr="Dentrix",state="active",'
            f'timezone="America/Chicago",expectation="learned",schedule="",locations="2"}} 1\n'
        )
        yield f"nexhealth_sync_expected_up{{{key}}} 1\n"
        for direction in ("read", "write"):
            name = f"nexhealth_sync_{direction}"
            yield f"nexhealth_sync_last_{direction}_timestamp_seconds{{{key}}} {mark}\n"
            yield f"{name}_lag_seconds{{{key}}} {now - mark}\n"
            yield f"{name}_unexpected_lag_seconds{{{key}}} {now - mark}\n"
            yield f"{name}_up{{{key}}} 1\n"
            for severity, allowed in (("warning", 13500), ("critical", 14400)):
                labels = f'{key},severity="{severity}"'
                yield f"{name}_deadline_timestamp_seconds{{{labels}}} {mark + allowed}\n"
                yield f"{name}_allowance_seconds{{{labels}}} {allowed}\n"


@asynccontextmanager
async def serving(syncs: int, *, incident: bool) -> AsyncIterator[str]:
    """The page on a free port."""

    body = "".join(page(syncs, incident=incident, now=time.time()))

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=body)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "{}:{}".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def prometheus(folder: Path, generation: str, targets: list[str]) -> AsyncIterator[str]:
    """A real Prometheus with all rules; each group is evaluated every minute."""
    job = {
        "job_name": "nexhealth-exporter",
        "scrape_interval": f"{SCRAPE_INTERVAL}s",
        "static_configs": [
            {"targets": [target], "labels": {"replica": str(i)}} for i, target in enumerate(targets)
        ],
    }
    config = {"rule_files": [str(path) for path in RULE_FILES], "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            str(binary(generation, "prometheus")),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()


async def get(session: aiohttp.ClientSession, url: str, **query: str) -> Any:
    """The data of an answer of Prometheus' API; None while it is not up."""
    try:
        async with session.get(url, params=query) as answer:
            return json.loads(await answer.text())["data"] if answer.ok else None
    except aiohttp.ClientConnectionError:
        return None


async def groups(session: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    """Every group of rules that has been evaluated later than a minute after the first scrape."""
    query = "timestamp(nexhealth_up offset 1m)"
    scraped = await get(session, f"{url}/api/v1/query", query=query)
    if not scraped or not scraped["result"]:
        return []
    since = datetime.fromtimestamp(float(scraped["result"][0]["value"][1]), UTC).isoformat()
    found = await get(session, f"{url}/api/v1/rules")
    return [g for g in found["groups"] if g["lastEvaluation"][:19] > since[:19]]


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def measure(syncs: int, replicas: int, generation: str, *, incident: bool) -> None:
    """Print what one Prometheus says after some evaluations."""
    async with serving(syncs, incident=incident) as target:
        with tempfile.TemporaryDirectory() as folder:
            async with (
                prometheus(Path(folder), generation, [target] * replicas) as url,
                aiohttp.ClientSession() as session,
            ):
                spent: dict[tuple[str, float], dict[str, float]] = {}
                while len(spent.get(("nexhealth-syncs", 60.0), ())) < EVALUATIONS:
                    await asyncio.sleep(2)
                    for group in await groups(session, url):
                        times = spent.setdefault((group["name"], float(group["interval"])), {})
                        times[group["lastEvaluation"]] = group["evaluationTime"]
                standing = await get(session, f"{url}/api/v1/alerts")
    alerts = [alert["labels"]["alertname"] for alert in standing["alerts"]]
    counted = {name: alerts.count(name) for name in sorted(set(alerts))}
    state = "in an incident" if incident else "ordinary"
    say(f"{generation}, {syncs} syncs, {replicas} replicas, {state}: {counted}")
    total = 0.0
    for (name, interval), times in sorted(spent.items()):
        least = min(times.values())
        total += least / interval
        say(f"  {name:<20} {least:6.3f} s of {interval:3.0f} s, {least / interval:6.2%}")
    say(f"  {'together':<36} {total:6.2%}")


async def main() -> None:
    """Measure both generations, ordinary and in an incident."""
    syncs = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    replicas = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for generation in ("prometheus-3", "prometheus-2"):
        for incident in (False, True):
            await measure(syncs, replicas, generation, incident=incident)


if __name__ == "__main__":
    asyncio.run(main())
