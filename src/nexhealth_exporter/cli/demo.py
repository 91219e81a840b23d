"""`demo`: the simulated NexHealth, and the exporter on it, in one go."""

import argparse
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nexhealth_exporter import settings
from nexhealth_exporter.cli.exporter import Exporter, opened, policy_of
from nexhealth_exporter.cli.history import write_history
from nexhealth_exporter.cli.serve import run
from nexhealth_exporter.settings import ListenAddress, Settings
from nexhealth_exporter.simulator import Simulator
from nexhealth_exporter.simulator.demo import Demo
from nexhealth_exporter.simulator.demo import demo as demo_fleet

USUAL: Mapping[str, Any] = {
    "poll_scope": "institution",
    "poll_interval_seconds": 15,
    "api_calls_budget": 25_000_000,
    "log_level": "warning",
}
"""What differs from the settings' own defaults: simulated calls cost nothing."""


async def demo(arguments: argparse.Namespace) -> int:
    """Watch the simulated fleet until stopped; 0."""
    fleet = demo_fleet(time.time())
    async with Simulator(fleet.offices, per_second=None, per_minute=None) as simulator:
        with _settings(arguments, fleet, simulator) as given:
            async with opened(given) as exporter:
                if arguments.history is not None:
                    await _write_history(arguments, given, fleet, exporter)
                await run(exporter, lambda port: _introduce(given, fleet, port))
    return 0


async def _write_history(
    arguments: argparse.Namespace, given: Settings, fleet: Demo, exporter: Exporter
) -> None:
    files = await write_history(
        fleet.offices,
        policy_of(given, exporter.files.rules),
        arguments.history,
        until=time.time(),
        days=arguments.history_days,
        target=arguments.history_target,
    )
    print(f"{arguments.history_days} days of history are in {arguments.history}; to load them:")
    print(f"  for day in {arguments.history}/*.om; do")
    print('    promtool tsdb create-blocks-from openmetrics --max-block-duration=24h "$day" DATA')
    print(f"  done    # {len(files)} files; DATA is Prometheus' data folder", flush=True)


@contextmanager
def _settings(
    arguments: argparse.Namespace, fleet: Demo, simulator: Simulator
) -> Iterator[Settings]:
    with TemporaryDirectory(prefix="nexhealth-demo-") as folder:
        config_file = Path(folder) / "offices.yaml"
        config_file.write_text(fleet.configuration, encoding="utf-8")
        theirs = {"api_url": simulator.url, "api_key": simulator.api_key}
        own = {"config_file": str(config_file)}
        # The environment may hold a real key and address: the demo looks at neither.
        given = settings.load({**USUAL, **own, **settings.overrides(arguments), **theirs}, {})
        yield given.model_copy(update={"listen_address": _free(given.listen_address)})


def _free(address: ListenAddress) -> ListenAddress:
    """The address, with any free port if its own is in use."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address.host or "", address.port))
        except OSError:
            print(f"Port {address.port} is in use, taking another one.")
            return ListenAddress(address.host, 0)
    return address


def _introduce(given: Settings, fleet: Demo, port: int) -> None:
    host = given.listen_address.host
    url = f"http://{'localhost' if host in {None, '', '0.0.0.0'} else host}:{port}"  # noqa: S104
    count = len(fleet.offices)
    print(f"A simulated NexHealth with {count} institutions, and the exporter on it:")
    print(f"  {url}/         who is fresh, who rests, who is overdue, and why")
    print(f"  {url}/metrics  what Prometheus reads")
    for sentence in fleet.missing:
        print(f"  (not to be seen right now: {sentence})")
    print("Stop it with Ctrl-C.", flush=True)
