"""The demo with its past, and a real Prometheus that has loaded that past and scrapes the demo."""

import json
import math
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from nexhealth_exporter.simulator.demo import demo
from tests.dashboards.boards import ROOT
from tests.e2e.processes import free_port

DAY = 86400.0
TOOLS = ROOT / ".tools/prometheus-3"


@dataclass(frozen=True)
class Site:
    """Addresses of the demo and of Prometheus, and since when there are samples."""

    exporter: str
    prometheus: str
    since: float

    def ask(self, path: str, **query: str) -> Any:
        """The data of an answer of Prometheus' API."""
        found = _fetched(f"{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(query)}")
        assert found["status"] == "success", found
        return found["data"]

    def now(self, expression: str) -> list[dict[str, Any]]:
        """An instant query at present."""
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def past(self, expression: str) -> list[dict[str, Any]]:
        """A range query over all samples, 1000 steps up to now."""
        end = time.time()
        step = math.ceil((end - self.since) / 1000)
        span = {"start": str(end - 1000 * step), "end": str(end), "step": str(step)}
        found: list[dict[str, Any]] = self.ask("query_range", query=expression, **span)["result"]
        return found

    def syncs(self) -> Any:
        """What the exporter itself says of its fleet."""
        return _fetched(f"{self.exporter}/api/v1/syncs")


def _fetched(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the test's own
        return json.load(answer)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the test's own
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refusal:
        refusal.close()  # an answer as well, which Python 3.14 asks to close
        return False
    except OSError:
        return False


def _wait(holds: Callable[[], Any], seconds: float = 480) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.2)


@contextmanager
def _running(log: Path, *command: str | Path) -> Iterator[None]:
    with log.open("w") as out:
        process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=out)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _configuration(folder: Path, target: str, itself: str) -> Path:
    """Recordings every second: nobody waits an hour for the first one.

    A scrape has five seconds: what a busy machine is too slow for would be missing in answers.

    It scrapes itself as well: who has one exporter has a hundred other targets.
    """
    rules: Mapping[str, Any] = yaml.safe_load((ROOT / "alerts/recording.yaml").read_text())
    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule["expr"] = rule["expr"].replace("minute() < 5", "minute() < 60")
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [address]}]}
        for name, address in (("nexhealth-exporter", target), ("prometheus", itself))
    ]
    path = folder / "prometheus.yml"
    config = {
        "global": {"scrape_interval": "5s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": jobs,
    }
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo, since a day before the latest fleet incident of its past."""
    folder = tmp_path_factory.mktemp("dashboards")
    begun = time.time()
    days = math.ceil((begun - demo(begun).incident.start) / DAY)
    exporter, prometheus = (f"127.0.0.1:{free_port()}" for _ in range(2))
    program = (sys.executable, "-m", "nexhealth_exporter", "demo", "--history", folder / "past")
    options = ("--history-days", str(days), "--history-target", exporter)
    polls = ("--poll-interval-seconds", "2", "--listen-address", exporter)
    with _running(folder / "demo.log", *program, *options, *polls):
        _wait(lambda: _answers(f"http://{exporter}/-/ready"))
        for day in sorted((folder / "past").iterdir()):
            load = ("tsdb", "create-blocks-from", "openmetrics", "--quiet")
            blocks = ("--max-block-duration=24h", day, folder / "data")
            subprocess.run([TOOLS / "promtool", *load, *blocks], check=True, capture_output=True)
            day.unlink()
        server = (
            TOOLS / "prometheus",
            f"--config.file={_configuration(folder, exporter, prometheus)}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={prometheus}",
        )
        with _running(folder / "prometheus.log", *server):
            found = Site(f"http://{exporter}", f"http://{prometheus}", begun - days * DAY)
            _wait(lambda: _answers(f"http://{prometheus}/-/ready"))
            late = "institution_sync:nexhealth_sync_read_late:count30d"
            _wait(lambda: found.now(f"count_over_time({late}[1m]) > 3"))
            _wait(lambda: len(found.now("count_over_time(up[1m]) > 3")) == 2)  # of either job
            yield found
