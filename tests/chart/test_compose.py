"""The demo in compose: what it mounts is there, and Prometheus takes what it is given."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.chart.charts import ROOT, TOOLS

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROMTOOL = TOOLS / "prometheus-3" / "promtool"


def mounts(service: str) -> dict[str, str]:
    """Source by target."""
    return {each.split(":")[1]: each.split(":")[0] for each in SERVICES[service].get("volumes", [])}


def test_everything_that_is_mounted_exists() -> None:
    for service in SERVICES:
        for source in mounts(service).values():
            assert (ROOT / source).exists() if source[0] == "." else source in COMPOSE["volumes"]


def test_nothing_is_reached_from_outside_the_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_prometheus_takes_the_configuration_with_all_rules(tmp_path: Path) -> None:
    for target, source in mounts("prometheus").items():
        if target.startswith("/etc/prometheus/"):
            (tmp_path / target.removeprefix("/etc/prometheus/")).symlink_to(ROOT / source)
    done = subprocess.run(
        [PROMTOOL, "check", "config", "--lint=all", tmp_path / "prometheus.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    config = yaml.safe_load((tmp_path / "prometheus.yaml").read_text())
    files = [path for path in (ROOT / "alerts").glob("*.yaml") if path.name != "alertmanager.yaml"]

    assert done.returncode == 0, done.stderr
    assert set(config["rule_files"]) == {f"alerts/{path.name}" for path in files}


def test_the_services_know_one_another() -> None:
    config = yaml.safe_load((ROOT / "compose" / "prometheus.yaml").read_text())
    grafana = yaml.safe_load((ROOT / "compose/grafana/datasources/prometheus.yaml").read_text())
    provider = yaml.safe_load((ROOT / "compose/grafana/dashboards/nexhealth.yaml").read_text())
    (scraped,) = config["scrape_configs"][0]["static_configs"][0]["targets"]
    (alerted,) = config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]

    assert {scraped.split(":")[0], alerted.split(":")[0]} < set(SERVICES)
    assert f"--history-target={scraped}" in SERVICES["nexhealth-exporter"]["command"]
    assert re.fullmatch(r"http://(\w+):9090", grafana["datasources"][0]["url"])
    assert provider["providers"][0]["options"]["path"] in mounts("grafana")


def test_history_is_loaded_once(tmp_path: Path) -> None:
    history, data = tmp_path / "history", tmp_path / "data"
    history.mkdir()
    data.mkdir()
    for day in range(2):
        at = 1_700_000_000 + day * 86400
        lines = [f"up {i % 2} {at + 300 * i}" for i in range(200)]
        (history / f"day-{day}.om").write_text("\n".join([*lines, "# EOF", ""]))
    script = ROOT / "compose" / "load-history.sh"
    load = ["/bin/sh", str(script), str(history), str(data)]
    path = {"PATH": f"{PROMTOOL.parent}:/usr/bin:/bin"}

    subprocess.run(load, env=path, check=True, capture_output=True)
    blocks = sorted(each.name for each in data.iterdir())
    again = subprocess.run(load, env=path, check=True, capture_output=True, text=True)

    assert len(blocks) >= 3
    assert "already" in again.stdout
    assert blocks == sorted(each.name for each in data.iterdir())
