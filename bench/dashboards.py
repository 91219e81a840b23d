"""What the dashboards' queries cost at 10,000 syncs: `python -m bench.dashboards [--syncs 10000]`.

A real Prometheus scrapes a page of that many syncs, records what the dashboards
read, and has 30 days of the recording behind thin coverage: half of the syncs are always on, half
keep office hours. Then, at rest, it is asked. Printed: the least seconds and CPU seconds that each
query took, dearest first; the latter stay the same while others use the machine. What is recorded
of a month is asked too.
"""

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import yaml
from tests.alerts.bench import serving, spent
from tests.dashboards.boards import BOARDS, ROOT, Query, annotations, targets
from tests.dashboards.test_answers import everything

TOOLS = ROOT / ".tools/prometheus-3"
ADDRESS = "127.0.0.1:19641"
HOUR, DAYS, DAYS_A_BLOCK = 3600, 30, 6
SPANS = {"fleet": 86400, "institution": 7 * 86400, "exporter": 6 * 3600}
REASONS = ("closed", "weekend", "lunch", "holiday")
LATE = "institution_sync:nexhealth_sync_read_late:bool"
RECORDINGS = ROOT / "alerts/recording.yaml"
MONTH = "institution_sync:nexhealth_sync_read_late:count30d"


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
async def prometheus(folder: Path, addresses: list[str]) -> AsyncIterator[int]:
    """The process of a real Prometheus with the recordings; without addresses it is at rest."""
    rules = yaml.safe_load(RECORDINGS.read_text())
    for group in rules["groups"]:
        group["interval"] = "1m"
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    job = {
        "job_name": "nexhealth-exporter",
        "scrape_interval": "30s",
        "static_configs": [{"targets": addresses}],
    }
    config = folder / "prometheus.yml"
    busy = {"rule_files": ["rules.yml"], "scrape_configs": [job]}
    config.write_text(yaml.safe_dump(busy if addresses else {}))
    with (folder / "prometheus.log").open("a") as log:
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
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


async def ask(
    session: aiohttp.ClientSession, query: Query, process: int, now: float
) -> tuple[float, float]:
    """The seconds until the query of a dashboard that was just opened is answered, and CPU's."""
    values = everything(query.board) if query.board in BOARDS else {}
    values |= {"institution": "office-200" if query.board == "institution" else ".*"}
    asked = {"query": query.sent(values)}
    if query.is_instant:
        path, span = "query", {"time": str(now)}
    else:
        seconds = SPANS[query.board]
        start, step = str(now - seconds), str(max(15, seconds // 1000))
        path, span = "query_range", {"start": start, "end": str(now), "step": step}
    begun, before = time.perf_counter(), spent(process)
    async with session.post(f"http://{ADDRESS}/api/v1/{path}", data={**asked, **span}) as answer:
        body = json.loads(await answer.text())
    if body["status"] != "success":
        raise RuntimeError(f"{query}: {body}")
    return time.perf_counter() - begun, spent(process) - before


def recordings() -> list[Query]:
    """The recordings that read a month."""
    groups = yaml.safe_load(RECORDINGS.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "30d]" in rule["expr"]]
    return [Query("recording", rule["record"], rule["expr"], is_instant=True) for rule in rules]


async def standing(session: aiohttp.ClientSession, query: str) -> None:
    """Wait until the query has an answer."""
    for _ in range(300):
        await asyncio.sleep(1)
        try:
            url = f"http://{ADDRESS}/api/v1/query"
            async with session.get(url, params={"query": query}) as answer:
                if answer.ok and json.loads(await answer.text())["data"]["result"]:
                    return
        except aiohttp.ClientConnectionError:
            continue
    raise RuntimeError(f"no answer in five minutes: {query}")


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
            aiohttp.ClientSession() as session,
        ):
            async with prometheus(folder, addresses):
                # Everything has been scraped and recorded.
                await standing(session, f"count(count_over_time({MONTH}[10m]) > 1)")
                at = time.time()
            async with prometheus(folder, []) as process:
                await standing(session, f"count({MONTH} @ {at})")
                await asyncio.sleep(10)  # what it has to tidy up after a start
                found: list[tuple[float, float, str]] = []
                for query in targets() + annotations() + recordings():
                    took = [await ask(session, query, process, at) for _ in range(given.rounds)]
                    seconds, cpu = (min(each) for each in zip(*took, strict=True))
                    found.append((seconds, cpu, str(query)))
    print(
        f"{given.syncs} syncs, {given.replicas} replicas, {given.rounds} rounds:",
        "least seconds, least CPU seconds",
    )
    for seconds, cpu, label in sorted(found, key=lambda each: -each[1]):
        print(f"  {seconds:.3f}  {cpu:.2f}  {label}")


if __name__ == "__main__":
    asyncio.run(main())
