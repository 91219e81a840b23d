"""The real promtool, amtool, Prometheus and Alertmanager, and servers that listen to the latter."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from tests.e2e.processes import binary

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "alerts"
RULE_FILES = tuple(ALERTS / f"{n}.yaml" for n in ("exporter", "inventory", "syncs", "recording"))
STORIES = tuple(sorted((ALERTS / "tests").glob("*.yaml")))
PROMETHEUS = ("prometheus-2", "prometheus-3")
ALERTMANAGER = ("alertmanager-old", "alertmanager-new")

Json = Any


def run(*command: str | Path, cwd: Path = ALERTS) -> subprocess.CompletedProcess[str]:
    """A finished command with what it said."""
    return subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False
    )


def rules() -> list[dict[str, Json]]:
    """Every rule of every file."""
    files = [yaml.safe_load(path.read_text()) for path in RULE_FILES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Json]]:
    """Every alerting rule."""
    return [rule for rule in rules() if "alert" in rule]


@dataclass
class Listener:
    """What Alertmanager delivered: bodies posted over HTTP by path, and e-mails."""

    http: str = ""
    smtp: str = ""
    posts: list[tuple[str, Json]] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[["Listener"], object], seconds: float = 30.0) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(seconds):
            while not condition(self):
                self._news.clear()
                await self._news.wait()

    def to(self, path: str) -> list[Json]:
        """The bodies posted to a path."""
        return [body for at, body in self.posts if at == path]

    async def take(self, request: web.Request) -> web.Response:
        """Keep a post."""
        self.posts.append((request.path, await request.json()))
        self._news.set()
        return web.json_response({"status": "success", "ok": True}, status=202)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Just enough SMTP to be given a message."""
        with closing(writer):
            writer.write(b"220 here\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                    self._news.set()
                writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                await writer.drain()
                if verb == b"QUIT":
                    break


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    """A listener on free ports of 127.0.0.1."""
    listener = Listener()
    app = web.Application()
    app.router.add_post("/{path:.*}", listener.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    listener.http = f"http://{host}:{port}"
    smtp = await asyncio.start_server(listener.talk, "127.0.0.1", 0)
    listener.smtp = "{}:{}".format(*smtp.sockets[0].getsockname()[:2])
    try:
        yield listener
    finally:
        smtp.close()
        await runner.cleanup()


def configured(listener: Listener, text: str | None = None) -> str:
    """The bundled configuration with its placeholders replaced and its waits made short."""
    text = text or (ALERTS / "alertmanager.yaml").read_text()
    text = re.sub(r"https://\w+\.example", listener.http, text)
    text = text.replace("smtp.example:587", listener.smtp)
    text = text.replace("smtp_from:", "smtp_require_tls: false\n  smtp_from:")
    text = text.replace("templates/*", str(ALERTS / "templates" / "*"))
    text = re.sub(r"group_wait: \w+", "group_wait: 1s", text)
    return re.sub(r"group_interval: \w+", "group_interval: 1s", text)


@dataclass(frozen=True)
class Alertmanager:
    """A running Alertmanager."""

    url: str
    session: aiohttp.ClientSession

    async def post(self, *alerts: Mapping[str, str], **annotations: str) -> None:
        """Fire alerts of these labels."""
        body = [{"labels": dict(labels), "annotations": annotations} for labels in alerts]
        async with self.session.post(f"{self.url}/api/v2/alerts", json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def resolve(self, labels: Mapping[str, str]) -> None:
        """End an alert."""
        body = [{"labels": dict(labels), "endsAt": "2020-01-01T00:00:00Z"}]
        async with self.session.post(f"{self.url}/api/v2/alerts", json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def settled(self, inhibited: Mapping[str, bool]) -> dict[str, bool]:
        """Whether each alert is inhibited, by name and severity, at the latest after ten seconds.

        Accepted alerts reach Alertmanager's inhibition a moment later, so it is asked until it
        says what is awaited.
        """
        found = await self.inhibited()
        for _ in range(100):
            if found == inhibited:
                break
            await asyncio.sleep(0.1)
            found = await self.inhibited()
        return found

    async def inhibited(self) -> dict[str, bool]:
        """Whether each alert is inhibited at this moment, by name and severity."""
        async with self.session.get(f"{self.url}/api/v2/alerts") as answer:
            found = await answer.json()
        return {
            f"{a['labels']['alertname']} {a['labels']['severity']}": bool(
                a["status"]["inhibitedBy"]
            )
            for a in found
        }


@asynccontextmanager
async def alertmanager(folder: Path, generation: str, text: str) -> AsyncIterator[Alertmanager]:
    """A real Alertmanager with that configuration on a free port."""
    (folder / "alertmanager.yaml").write_text(text)
    log = folder / "alertmanager.log"
    with log.open("w") as out:
        process = await asyncio.create_subprocess_exec(
            str(binary(generation, "alertmanager")),
            f"--config.file={folder / 'alertmanager.yaml'}",
            f"--storage.path={folder / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=",
            "--log.level=debug",
            # Where Debian's build finds its default templates.
            cwd=binary(generation, "alertmanager").parent,
            stdout=out,
            stderr=out,
        )
    try:
        async with aiohttp.ClientSession() as session:
            yield Alertmanager(await _address(log, process), session)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _address(log: Path, process: asyncio.subprocess.Process) -> str:
    """Where it listens, as its log says."""
    async with asyncio.timeout(30):
        while True:
            found = re.search(r"Listening on.*?address=(\S+:\d+)", log.read_text())
            if found and not found[1].endswith(":0"):
                return f"http://{found[1]}"
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.05)
