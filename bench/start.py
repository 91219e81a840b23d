"""CPU from the start of the program to its first byte, compared with its unavoidable imports."""

import asyncio
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tests.e2e.processes import PROGRAM, free_port, running

from bench.figures import Figure, median
from bench.measuring import apart, ratios
from bench.offices import institutions_of, write_past
from bench.programs import Exporter
from nexhealth_exporter.state import StateFile

IMPORTS = "import aiohttp, uvloop, prometheus_client, pydantic_settings"
_CPU = "; import time; print(time.process_time())"


def figures(syncs: int, rounds: int) -> list[Figure]:
    """Starts in turns with bare imports, and the state of so many syncs."""
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(_bare())
        ours.append(asyncio.run(_first_byte()))
    return [
        median("start", "CPU until the first byte of /metrics, relative to the bare imports",
               ratios(ours, theirs), 1.3, unit="x"),
        median("start", "CPU until the first byte of /metrics",
               [1e3 * s for s in ours], None, unit=" ms"),
        median("start", f"loading the state of {syncs:,} syncs, CPU",
               [apart(_loaded, syncs) for _ in range(2)], 1, unit=" s"),
    ]  # fmt: skip


def _bare() -> float:
    """CPU seconds for the four packages that the exporter is built on."""
    command = (sys.executable, "-c", IMPORTS + _CPU)
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


async def _first_byte() -> float:
    """CPU seconds until the program has answered a first scrape; the API has not answered yet."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {
            "NEXHEALTH_EXPORTER_API_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "NEXHEALTH_EXPORTER_API_KEY": "bench",
            "NEXHEALTH_EXPORTER_LISTEN_ADDRESS": f"127.0.0.1:{port}",
        }
        return await _answered(port, env)


async def _answered(port: int, env: Mapping[str, str]) -> float:
    async with running(*PROGRAM, "serve", env=env) as process:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.005)
                continue
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if not re.match(rb"HTTP/1.1 200", await reader.readline()):
                raise RuntimeError(process.said)
            used = Exporter("", process).cpu
            writer.close()
            return used


def _loaded(syncs: int) -> float:
    """CPU seconds for reading the state."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "learned.db"
        write_past(path, institutions_of(syncs), time.time())
        began = time.process_time()
        with closing(StateFile(path)) as state:
            state.fleet()
        return time.process_time() - began
