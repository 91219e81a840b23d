"""From an office to a phone: simulator, exporter, Prometheus and Alertmanager with our files.

Time is compressed by settings alone: allowances of seconds in the exporter's configuration, and
every duration of the bundled rules and waits of the bundled routes divided by sixty.
"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nexhealth_exporter.simulator import Simulator
from nexhealth_exporter.simulator.offices import DENTRIX, DENTRIX_ASCEND, Steady, plain_office
from tests.alerts.tools import RULE_FILES, Listener, alertmanager, configured, listening
from tests.e2e.processes import PROGRAM, Prometheus, binary, free_port, get, running, until

CLOSED = "office-20"
SERVERS = [f"office-{number}" for number in range(1, 21)]
CONFIGURATION = """
schedules:
  always: {hours: {mon-sun: "00:00-24:00"}, holidays: none}
institutions:
  - match: {}
    schedule: always
    allowance:
      server: {warning: 12s, critical: 16s}
      cloud: {warning: 12s, critical: 16s}
closures:
  - match: {subdomain: office-20}
    days: ["2020-01-01..2099-12-31"]
"""


def compressed(text: str) -> str:
    """Rules whose minutes are seconds."""

    def shorter(found: re.Match[str]) -> str:
        seconds = int(found[1]) * {"m": 1, "h": 60, "d": 1440}[found[2]]
        return f"{seconds}s"

    text = re.sub(r"(?<=[\[: ])(\d+)([mhd])(?=[\]:\n])", shorter, text)
    text = text.replace("clamp_min(3 *", "clamp_min(0 *").replace(", 900)", ", 15)")
    # A restart takes its seconds however much time is compressed.
    waiting = r"(alert: NexHealthExporterDown(?:\n(?!\s+- ).*)*?\n\s+for: )5s"
    return re.sub(waiting, r"\g<1>60s", text).replace(
        "keep_firing_for: 15s", "keep_firing_for: 20s"
    )


@dataclass
class Pipeline:
    """Everything between an office and a phone."""

    simulator: Simulator
    prometheus: Prometheus
    listener: Listener

    @property
    def pages(self) -> list[tuple[str, str]]:
        """What the pager got: action and title, in order."""
        posts = self.listener.to("/v2/enqueue")
        return [(post["event_action"], post["payload"]["summary"]) for post in posts]

    def text(self, page: int) -> str:
        """The body of a page."""
        details: dict[str, Any] = self.listener.to("/v2/enqueue")[page]["payload"]["custom_details"]
        return str(details["text"])

    async def paged(self, count: int) -> None:
        """Wait until the pager got that many notifications."""
        await until(lambda: len(self.pages) >= count, seconds=90, why=str(self.pages))

    async def evaluated(self, seconds: float) -> None:
        """Let rules and routes run for so long, as Prometheus sees it."""
        start = await self.prometheus.value("vector(time())")
        assert start is not None
        await until(
            lambda: self.prometheus.value(f"vector(time()) > {start + seconds}"), seconds=90
        )


@asynccontextmanager
async def pipeline(folder: Path, *ports: int) -> AsyncIterator[Pipeline]:
    """The pipeline with 20 server-based and 10 cloud-based offices, one of them closed.

    Exporters are scraped at these ports, each a replica of the others.
    """
    steady = Steady(read_every=1, write_every=1)
    offices = [
        plain_office(n, emr=DENTRIX if n <= len(SERVERS) else DENTRIX_ASCEND, behaviour=steady)
        for n in range(1, 31)
    ]
    async with (
        listening() as listener,
        Simulator(offices, per_second=None, per_minute=None) as simulator,
        alertmanager(folder, "alertmanager-new", configured(listener)) as server,
        watching(folder, ports, server.url) as prom,
    ):
        yield Pipeline(simulator, prom, listener)


@asynccontextmanager
async def watching(folder: Path, ports: Sequence[int], notify: str) -> AsyncIterator[Prometheus]:
    """A Prometheus with the bundled rules that scrapes the ports and notifies that address."""
    files = [folder / path.name for path in RULE_FILES]
    for source, target in zip(RULE_FILES, files, strict=True):
        target.write_text(compressed(source.read_text()))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in files],
        "scrape_configs": [
            {
                "job_name": "nexhealth-exporter",
                "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}],
            }
        ],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [notify.removeprefix("http://")]}]}]
        },
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    listen = free_port()
    command = (
        binary("prometheus-3", "prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{listen}",
        "--rules.alert.resend-delay=1s",
    )
    async with running(*command) as process:
        prom = Prometheus(f"http://127.0.0.1:{listen}")

        async def is_ready() -> bool:
            return (await get(f"{prom.url}/-/ready"))[0] == 200

        await until(is_ready, why=process.said)
        yield prom


def exporter(simulator: Simulator, folder: Path, port: int) -> Any:
    """The real program on the simulator."""
    (folder / "offices.yaml").write_text(CONFIGURATION)
    settings = {
        "API_URL": simulator.url,
        "API_KEY": simulator.api_key,
        "LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "POLL_INTERVAL_SECONDS": "1",
        "POLL_SCOPE": "institution",
        "CONFIG_FILE": str(folder / "offices.yaml"),
        "API_CALLS_BUDGET": "0",
    }
    env = {f"NEXHEALTH_EXPORTER_{name}": value for name, value in settings.items()}
    return running(*PROGRAM, env=env)
