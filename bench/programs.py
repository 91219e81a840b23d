"""Real processes: the simulated API, the exporter on it, and what they cost."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from tests.e2e.processes import PROGRAM, Process, free_port, get, running, until

KEY = "bench"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Exporter:
    """The real program, running."""

    url: str
    process: Process

    @property
    def resident(self) -> int:
        """Bytes of memory that it holds."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        if found is None:
            raise RuntimeError(self.process.said)
        return int(found[1]) * 1024

    @property
    def cpu(self) -> float:
        """CPU seconds that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").split(") ")[1]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / TICKS

    async def rounds(self) -> float:
        """When its latest round ended; 0 before the first."""
        name = "nexhealth_poll_last_round_timestamp_seconds"
        _, text = await get(f"{self.url}/metrics?name[]={name}")
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    async def after_a_round(self) -> None:
        """Wait for the end of a round that has not ended yet."""
        before = await self.rounds()

        async def has_ended() -> bool:
            return await self.rounds() > before

        await until(has_ended, seconds=300, why=self.process.said)

    async def scrape(self) -> int:
        """One scrape as Prometheus asks for it; how many series there are."""
        async with (
            aiohttp.ClientSession(auto_decompress=True) as session,
            session.get(f"{self.url}/metrics", headers={"Accept-Encoding": "gzip"}) as answer,
        ):
            text = await answer.read()
        return text.count(b"\n") - text.count(b"\n#")


@asynccontextmanager
async def beside(module: str, *arguments: str) -> AsyncIterator[str]:
    """A module in a process of its own, until its input ends; the first line that it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("pipes were asked for")
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


def simulated(institutions: int) -> AbstractAsyncContextManager[str]:
    """The simulated API with so many institutions; its address."""
    return beside("bench.simulated", str(institutions))


@asynccontextmanager
async def exporter(api: str, *, ready: bool = True, **settings: object) -> AsyncIterator[Exporter]:
    """The program on that API, once its first round is over, or as soon as it listens."""
    port = free_port()
    given = {
        "api_url": api,
        "api_key": KEY,
        "api_calls_budget": 0,
        "listen_address": f"127.0.0.1:{port}",
        "poll_scope": "fleet",
        "poll_interval_seconds": 2,
        # The simulated API is no faster than its machine.
        "api_timeout_seconds": 100,
        "log_level": "warning",
        **settings,
    }
    env = {f"NEXHEALTH_EXPORTER_{name.upper()}": str(value) for name, value in given.items()}
    async with running(*PROGRAM, "serve", env=env) as process:
        made = Exporter(f"http://127.0.0.1:{port}", process)

        path = "/-/ready" if ready else "/-/healthy"

        async def is_ready() -> bool:
            return (await get(made.url + path))[0] == 200  # noqa: PLR2004

        await until(is_ready, seconds=300, why=process.said)
        yield made
