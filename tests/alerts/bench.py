"""What the rules cost at 10,000 syncs: `python -m tests.alerts.bench [SYNCS [REPLICAS]]`.

A real Prometheus of each generation knows a day ago and the last hour of that many syncs, scrapes
them every 30 seconds and evaluates all rule files, with and without a fleet incident. Then, at
rest, it is asked for each rule once more. Printed: how many alerts stand in Prometheus, and the
CPU seconds of each group, also as a share of its interval; the least of three times. CPU seconds,
because they stay the same while others use the machine.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from tests.alerts.tools import RULE_FILES
from tests.e2e.processes import binary, free_port

TYPES = ("server", "cloud")
SCRAPE_INTERVAL, TIMES = 30, 3
MINUTE, HOUR, DAY = 60, 3600, 86400
TICK = os.sysconf("SC_CLK_TCK")

PAST: Mapping[str, Sequence[tuple[float, float, int]]] = {
    # What rules read with a range or an offset: metric, from and to so long ago, seconds apart.
    "nexhealth_sync_expected_up": [(HOUR, 0, SCRAPE_INTERVAL)],
    "nexhealth_institution_poll_success": [(HOUR / 4, 0, SCRAPE_INTERVAL)],
    "nexhealth_institution_info": [(HOUR / 4, 0, SCRAPE_INTERVAL), (DAY, DAY - HOUR, 240)],
    "nexhealth_sync_info": [(DAY, DAY - HOUR, 240)],
    "nexhealth_institution_syncs": [(DAY, DAY - HOUR, 240)],
}


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
async def serving(body: str, replicas: int) -> AsyncIterator[list[str]]:
    """The addresses at which that many replicas serve the page."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=body)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    for _ in range(replicas):
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield ["{}:{}".format(*address[:2]) for address in runner.addresses]
    finally:
        await runner.cleanup()


def write_past(folder: Path, generation: str, body: str, targets: list[str]) -> None:
    """Load what ranges and offsets look back at."""
    file, now = folder / "past.om", int(time.time())
    series: dict[str, list[str]] = {name: [] for name in PAST}
    for line in body.splitlines():
        if (name := line.partition("{")[0]) in series:
            series[name].append(line.partition("{")[2])
    with file.open("w") as out:
        for name, lines in series.items():
            for target in targets:
                scraped = f'{name}{{job="nexhealth-exporter",instance="{target}",'
                instants = [
                    at
                    for begin, end, step in PAST[name]
                    for at in range(now - int(begin), now - int(end), step)
                ]
                for line in lines:
                    out.writelines(f"{scraped}{line} {at}\n" for at in sorted(instants))
        out.write("# EOF\n")
    command = ("tsdb", "create-blocks-from", "openmetrics", "--quiet")
    promtool = str(binary(generation, "promtool"))
    subprocess.run([promtool, *command, str(file), str(folder / "data")], check=True)
    file.unlink()


@asynccontextmanager
async def prometheus(
    folder: Path, generation: str, targets: list[str]
) -> AsyncIterator[tuple[str, int]]:
    """Address and process of a real Prometheus with all rules; at rest without targets."""
    job = {
        "job_name": "nexhealth-exporter",
        "scrape_interval": f"{SCRAPE_INTERVAL}s",
        "static_configs": [{"targets": targets}],
    }
    for path in RULE_FILES:
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            group["interval"] = "1m"  # nobody waits for the slower ones
        (folder / path.name).write_text(yaml.safe_dump(rules))
    config = {"rule_files": [path.name for path in RULE_FILES], "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config if targets else {}))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("a") as log:
        process = await asyncio.create_subprocess_exec(
            str(binary(generation, "prometheus")),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://{address}", process.pid
    finally:
        process.terminate()
        await process.wait()


async def get(session: aiohttp.ClientSession, url: str, **query: str) -> Any:
    """The data of an answer of Prometheus' API; None while it is not up."""
    try:
        async with session.post(url, data=query) if query else session.get(url) as answer:
            return json.loads(await answer.text())["data"] if answer.ok else None
    except aiohttp.ClientConnectionError:
        return None


async def until(asked: Callable[[], Awaitable[Any]]) -> Any:
    """The first answer that is not empty."""
    while True:
        if found := await asked():
            return found
        await asyncio.sleep(2)


async def evaluated(session: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    """The groups, once each was evaluated after the third scrape."""

    async def scraped() -> Any:
        often = "timestamp(nexhealth_up) and count_over_time(nexhealth_up[10m]) >= 3"
        found = await get(session, f"{url}/api/v1/query", query=often)
        return found and found["result"]

    since = datetime.fromtimestamp(float((await until(scraped))[0]["value"][1]), UTC).isoformat()

    async def groups() -> Any:
        found = (await get(session, f"{url}/api/v1/rules"))["groups"]
        return found if min(g["lastEvaluation"] for g in found)[:19] > since[:19] else None

    found: list[dict[str, Any]] = await until(groups)
    return found


def spent(process: int) -> float:
    """The CPU seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


async def cost(session: aiohttp.ClientSession, url: str, process: int, **query: str) -> float:
    """The CPU seconds of a query, the least of three times."""
    found = []
    for _ in range(TIMES):
        before = spent(process)
        if await get(session, f"{url}/api/v1/query", **query) is None:
            raise RuntimeError(f"no answer to {query}")
        found.append(spent(process) - before)
    return min(found)


def intervals() -> dict[str, int]:
    """The seconds from one evaluation of each group to the next."""
    groups = [group for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"]]
    return {group["name"]: MINUTE * int(group["interval"].removesuffix("m")) for group in groups}


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def measure(syncs: int, replicas: int, generation: str, *, incident: bool) -> None:
    """Print what the rules cost one Prometheus."""
    body = "".join(page(syncs, incident=incident, now=time.time()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with serving(body, replicas) as targets, aiohttp.ClientSession() as session:
            await asyncio.to_thread(write_past, folder, generation, body, targets)
            async with prometheus(folder, generation, targets) as (url, _):
                groups = await evaluated(session, url)
                at = time.time()
                standing = await get(session, f"{url}/api/v1/alerts")
            async with prometheus(folder, generation, []) as (url, process):
                await until(partial(get, session, f"{url}/api/v1/query", query="nexhealth_up"))
                await asyncio.sleep(10)  # what it has to tidy up after a start
                rules = [
                    (
                        group,
                        rule,
                        await cost(session, url, process, query=rule["query"], time=str(at)),
                    )
                    for group in groups
                    for rule in group["rules"]
                ]
    alerts = [alert["labels"]["alertname"] for alert in standing["alerts"]]
    counted = {name: alerts.count(name) for name in sorted(set(alerts))}
    state = "in an incident" if incident else "ordinary"
    say(f"{generation}, {syncs} syncs, {replicas} replicas, {state}: {counted}")
    total = 0.0
    for name, interval in intervals().items():
        seconds = sum(took for group, _, took in rules if group["name"] == name)
        total += seconds / interval
        say(f"  {name:<20} {seconds:6.2f} s of {interval:4.0f} s, {seconds / interval:6.2%}")
    say(f"  {'together':<35} {total:6.2%}; the dearest:")
    for _, rule, took in sorted(rules, key=lambda each: -each[2])[:5]:
        say(f"    {took:5.2f} s {rule['name']}")


async def main() -> None:
    """Measure both generations, ordinary and in an incident."""
    syncs = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    replicas = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for generation in ("prometheus-3", "prometheus-2"):
        for incident in (False, True):
            await measure(syncs, replicas, generation, incident=incident)


if __name__ == "__main__":
    asyncio.run(main())
