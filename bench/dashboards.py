"""What the dashboards' queries cost at 10,000 syncs: `python -m bench.dashboards [--syncs 10000]`.

A real Prometheus scrapes a page of that many syncs, records what the dashboards
read, and has 30 days of the recording behind thin coverage: half of the syncs are always on, half
keep office hours. Printed: the shortest and the median of the seconds of each query, slowest
first; the shortest tells more where others share the machine.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web
from tests.dashboards.boards import ROOT, Query, annotations, targets
from tests.dashboards.test_answers import everything

TOOLS = ROOT / ".tools/prometheus-3"
ADDRESS = "127.0.0.1:19641"
HOUR, DAYS, DAYS_A_BLOCK = 3600, 30, 6
SPANS = {"fleet": 86400, "institution": 7 * 86400, "exporter": 6 * 3600}
REASONS = ("closed", "weekend", "lunch", "holiday")
LATE = "institution_sync:nexhealth_sync_read_late:bool"
MONTH = "institution_sync:nexhealth_sync_read_late:avg30d"


def key(i: int) -> str:
    """The labels of the i-th sync."""
    kind = ("server", "cloud")[i % 2]
    return f'institution="office-{i}",sync="SD #1",integration_type="{kind}"'


def page(syncs: int, now: float) -> Iterator[str]:
    """An exporter's page: one sync in 200 is down, every second one rests."""
    yield "nexhealth_institutions 1\n"
    for i in range(syncs):
        office, own = f'institution="office-{i}"', key(i)
        is_resting, lag = i % 4 > 1, 86400 if i % 200 == 0 else 300 + i % 1200
        yield f"nexhealth_institution_last_poll_timestamp_seconds{{{office}}} {now}\n"
        yield f"nexhealth_institution_poll_success{{{office}}} 1\n"
        yield f"nexhealth_institution_syncs{{{office}}} 1\n"
        yield (
            f'nexhealth_institution_info{{{office},institution_id="{i}",'
            f'institution_name="Office {i}",group="g{i % 7}"}} 1\n'
            f'nexhealth_sync_info{{{own},institution_id="{i}",emr="Dentrix",state="active",'
            f'timezone="America/Chicago",expectation="learned",schedule="",locations="2"}} 1\n'
        )
        yield f"nexhealth_sync_expected_up{{{own}}} {0 if is_resting else 1}\n"
        if is_resting:
            reason = REASONS[i % len(REASONS)]
            yield f'nexhealth_sync_expected_downtime{{{own},reason="{reason}"}} 1\n'
        for way in ("read", "write"):
            yield f"nexhealth_sync_{way}_lag_seconds{{{own}}} {lag}\n"
            yield f"nexhealth_sync_{way}_unexpected_lag_seconds{{{own}}} {lag}\n"
            yield f"nexhealth_sync_{way}_up{{{own}}} 1\n"
            for severity, allowed in (("warning", 2700), ("critical", 14400)):
                labels = f'{own},severity="{severity}"'
                at = now - lag + allowed
                yield f"nexhealth_sync_{way}_deadline_timestamp_seconds{{{labels}}} {at}\n"
                yield f"nexhealth_sync_{way}_allowance_seconds{{{labels}}} {allowed}\n"


def write_past(folder: Path, syncs: int, now: float) -> None:
    """Thirty days of the recording, in blocks as large as Prometheus makes them by and by."""
    file = folder / "past.om"
    first = int(now - DAYS * 86400) // HOUR
    for day in range(0, DAYS, DAYS_A_BLOCK):
        steps = range(first + day * 24, first + (day + DAYS_A_BLOCK) * 24)
        with file.open("w") as out:
            for i in range(syncs):
                labels = f'{LATE}{{instance="recorded",job="nexhealth-exporter",{key(i)}}}'
                open_steps = steps if i % 2 else [s for s in steps if _office_hours(s)]
                out.writelines(f"{labels} {int((i + s) % 9 == 0)} {s * HOUR}\n" for s in open_steps)
            out.write("# EOF\n")
        command = ("tsdb", "create-blocks-from", "openmetrics", "-q", "--max-block-duration=162h")
        subprocess.run([TOOLS / "promtool", *command, file, folder / "data"], check=True)
    file.unlink()


def _office_hours(step: int) -> bool:
    day, hour = divmod(step, 24)
    return (day + 3) % 7 < 5 and 13 <= hour < 22  # noqa: PLR2004 - 1970 began on a Thursday


@asynccontextmanager
async def serving(body: str, replicas: int) -> AsyncIterator[list[str]]:
    """The page, as that many replicas would serve it."""

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


@asynccontextmanager
async def prometheus(folder: Path, addresses: list[str]) -> AsyncIterator[None]:
    """A real Prometheus with the recordings, evaluated every minute."""
    rules = yaml.safe_load((ROOT / "alerts/recording.yaml").read_text())
    for group in rules["groups"]:
        group["interval"] = "1m"
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    job = {
        "job_name": "nexhealth-exporter",
        "scrape_interval": "30s",
        "static_configs": [{"targets": addresses}],
    }
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "scrape_configs": [job]}))
    with (folder / "prometheus.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            TOOLS / "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=60d",
            f"--web.listen-address={ADDRESS}",
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def ask(session: aiohttp.ClientSession, query: Query) -> float:
    """The seconds until the query of a dashboard that was just opened is answered."""
    now = time.time()
    values = {**everything(query.board), "institution": "office-200"}
    values |= {} if query.board == "institution" else {"institution": ".*"}
    asked = {"query": query.sent(values)}
    if query.is_instant:
        path, span = "query", {"time": str(now)}
    else:
        seconds = SPANS[query.board]
        start, step = str(now - seconds), str(max(15, seconds // 1000))
        path, span = "query_range", {"start": start, "end": str(now), "step": step}
    begun = time.perf_counter()
    async with session.post(f"http://{ADDRESS}/api/v1/{path}", data={**asked, **span}) as answer:
        body = json.loads(await answer.text())
    if body["status"] != "success":
        raise RuntimeError(f"{query}: {body}")
    return time.perf_counter() - begun


async def standing(session: aiohttp.ClientSession) -> None:
    """Wait until everything is scraped and recorded."""
    lately = f"count(last_over_time({MONTH}[2m]))"
    for _ in range(300):
        await asyncio.sleep(1)
        try:
            url = f"http://{ADDRESS}/api/v1/query"
            async with session.get(url, params={"query": lately}) as answer:
                if answer.ok and json.loads(await answer.text())["data"]["result"]:
                    return
        except aiohttp.ClientConnectionError:
            continue
    raise RuntimeError("nothing was recorded in five minutes")


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--syncs", type=int, default=10_000)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, now = Path(name), time.time()
        await asyncio.to_thread(write_past, folder, given.syncs, now)
        body = "".join(page(given.syncs, time.time()))
        async with (
            serving(body, given.replicas) as addresses,
            prometheus(folder, addresses),
            aiohttp.ClientSession() as session,
        ):
            await standing(session)
            found: list[tuple[float, float, str]] = []
            for query in targets() + annotations():
                spent = [await ask(session, query) for _ in range(given.rounds)]
                found.append((min(spent), statistics.median(spent), str(query)))
    print(
        f"{given.syncs} syncs, {given.replicas} replicas, {given.rounds} rounds:",
        "shortest, median (seconds)",
    )
    for shortest, median, label in sorted(found, reverse=True):
        print(f"  {shortest:.3f}  {median:.3f}  {label}")


if __name__ == "__main__":
    asyncio.run(main())
