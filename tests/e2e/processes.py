"""Real processes for tests: the program itself, and Prometheus."""

import asyncio
import fcntl
import json
import os
import random
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "nexhealth_exporter")
GENERATIONS = ("prometheus-2", "prometheus-3")


def binary(folder: str, name: str) -> Path:
    """A real binary of one generation, which `make tools` fetched; its absence is a failure."""
    path = ROOT / ".tools" / folder / name
    assert path.exists(), f"{path} is missing: python3 tools/fetch.py {folder.partition('-')[0]}"
    return path


def free_port() -> int:
    """A port that no other test process is given while this one lives.

    Below the range from which the system serves connections, or one of them could take it.
    """
    folder = Path(tempfile.gettempdir()) / "nexhealth-exporter-ports"
    folder.mkdir(exist_ok=True)
    while True:
        # Not from the generator that property tests seed alike in every worker.
        port = random.SystemRandom().randrange(20_001, 32_000, 2)
        lock = os.open(folder / str(port), os.O_CREAT | os.O_RDWR)
        with socket.socket() as trial, suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            trial.bind(("127.0.0.1", port))
            return port  # locked until this process ends
        os.close(lock)


class Process:
    """A running process and everything it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._lines.append(line.decode(errors="replace"))

    @property
    def said(self) -> str:
        return "".join(self._lines)

    @property
    def pid(self) -> int:
        return self._process.pid

    def hang_up(self) -> None:
        """Send SIGHUP."""
        self._process.send_signal(signal.SIGHUP)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it by a signal; its exit code. Killed, and so not 0, after 10 seconds."""
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await self.ended(10)

    async def ended(self, seconds: float = 30) -> int:
        """Wait for its end; its exit code."""
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading
        assert self._process.returncode is not None
        return self._process.returncode


@asynccontextmanager
async def running(
    *command: str | Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """Start the command with nothing of the exporter's in its environment but `env`."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NEXHEALTH_")}
    process = Process(
        await asyncio.create_subprocess_exec(
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**inherited, "PYTHONUNBUFFERED": "1", **(env or {})},
        )
    )
    try:
        yield process
    finally:
        await process.stop()


async def until(holds: Callable[[], Any], *, seconds: float = 45.0, why: str = "") -> Any:
    """Wait for something true; it may be a coroutine function, asked again and again."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = holds()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(why or "it never came to hold") from None


async def get(url: str, **headers: str) -> tuple[int, str]:
    """Status and text of a page; (0, reason) while nobody answers."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            return answer.status, await answer.text()
    except aiohttp.ClientError as error:
        return 0, str(error)


class Prometheus:
    """A real Prometheus; asks its query API."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def query(self, promql: str) -> list[dict[str, Any]]:
        """The result of an instant query: a list of {"metric": .., "value": [t, "v"]}."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/query", params={"query": promql}) as answer,
        ):
            body = await answer.json()
        assert body["status"] == "success", body
        found: list[dict[str, Any]] = body["data"]["result"]
        return found

    async def value(self, promql: str) -> float | None:
        """The only value of an instant query; None when it is empty."""
        found = await self.query(promql)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None


@asynccontextmanager
async def prometheus(
    generation: str,
    folder: Path,
    targets: Mapping[str, str],
    *,
    interval: str = "1s",
    port: int = 0,
) -> AsyncIterator[Prometheus]:
    """A Prometheus of that generation that scrapes the targets (job to host:port)."""
    port = port or free_port()
    config = {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [target]}]}
            for job, target in targets.items()
        ],
    }
    path = folder / f"{generation}.yml"
    path.write_text(json.dumps(config))
    command = (
        binary(generation, "prometheus"),
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / generation}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    async with running(*command) as process:
        found = Prometheus(f"http://127.0.0.1:{port}")

        async def is_ready() -> bool:
            return (await get(f"{found.url}/-/ready"))[0] == 200

        await until(is_ready, why=process.said)
        yield found
