"""`demo`: a simulated NexHealth and an exporter that polls it, in one process."""

import argparse
import asyncio
import errno
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web

from nexhealth_exporter import settings
from nexhealth_exporter.cli.arguments import DEMO_SETTINGS
from nexhealth_exporter.cli.exporter import opened
from nexhealth_exporter.cli.history import history_files, write_history
from nexhealth_exporter.cli.learn import from_observations
from nexhealth_exporter.cli.parts import policy_of, read_files
from nexhealth_exporter.cli.serve import run
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.settings import ListenAddress, Settings
from nexhealth_exporter.simulator import Simulator
from nexhealth_exporter.simulator.demo import Demo
from nexhealth_exporter.simulator.demo import demo as demo_fleet
from nexhealth_exporter.simulator.record import write_observations
from nexhealth_exporter.state import StateFile
from nexhealth_exporter.web.server import serving

DAY = 86400.0
WATCHED = 28 * DAY
"""Seconds of the past to learn from: enough for a pattern, and simulated within seconds."""

LOOKS = 1800.0
"""Seconds between observations of the past: one per slot of a pattern is enough."""


async def demo(arguments: argparse.Namespace) -> int:
    """Watch the simulated fleet until stopped; 0."""
    fleet = demo_fleet(time.time())
    async with (
        Simulator(fleet.offices, per_second=None, per_minute=None) as simulator,
        _settings(arguments, fleet, simulator) as given,
    ):
        await _remember(arguments, given, fleet)
        async with opened(given) as exporter:
            is_secure = exporter.files.web.tls is not None
            await run(exporter, lambda port: _introduce(given, fleet, port, is_secure=is_secure))
    return 0


async def _remember(arguments: argparse.Namespace, given: Settings, fleet: Demo) -> None:
    """Fill the state file with what an exporter would have learned in weeks."""
    rules = read_files(given).rules
    if arguments.history is None:
        known = await asyncio.to_thread(_learned, given, rules, fleet, time.time())
    else:
        known = await _with_history(arguments, given, rules, fleet)
    if given.state_file is not None:
        with closing(StateFile(given.state_file)) as state:
            state.save(known)


async def _with_history(
    arguments: argparse.Namespace, given: Settings, rules: Rules, fleet: Demo
) -> Fleet:
    """Write the history; what is learned until its end, which is now."""
    folder, days = arguments.history, arguments.history_days
    with _writing(folder):  # fails before weeks are simulated and learned
        files = history_files(folder, days)
    until = time.time()
    known = await asyncio.to_thread(_learned, given, rules, fleet, until - days * DAY)
    policy, target = policy_of(given, rules), arguments.history_target
    with _writing(folder):
        known = await write_history(
            fleet.past, policy, files, known=known, until=until, target=target
        )
    _tell_how_to_load(folder, len(files))
    return known


def _learned(given: Settings, rules: Rules, fleet: Demo, until: float) -> Fleet:
    """What is learned from the weeks before `until`, as by `learn`."""
    with TemporaryDirectory(prefix="nexhealth-demo-") as folder:
        past = Path(folder) / "past.jsonl"
        start = (until - WATCHED) // LOOKS * LOOKS
        write_observations(fleet.learned, past, start=start, end=until, step=LOOKS)
        return from_observations(given, rules, past)


def _tell_how_to_load(folder: Path, files: int) -> None:
    print(f"{files} days of history are in {folder}; to load them:")
    print(f"  for day in {folder}/*.om; do")
    print('    promtool tsdb create-blocks-from openmetrics --max-block-duration=24h "$day" DATA')
    print(f"  done    # {files} files; DATA is Prometheus' data folder", flush=True)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"--history {folder} cannot be written: {error.strerror}.") from None


@asynccontextmanager
async def _settings(
    arguments: argparse.Namespace, fleet: Demo, simulator: Simulator
) -> AsyncIterator[Settings]:
    with TemporaryDirectory(prefix="nexhealth-demo-") as folder:
        config_file = Path(folder) / "offices.yaml"
        config_file.write_text(fleet.configuration, encoding="utf-8")
        theirs = {"api_url": simulator.url, "api_key": simulator.api_key}
        own = {"config_file": str(config_file), "state_file": str(Path(folder) / "learned.db")}
        # The environment may hold a real key and address: the demo looks at neither.
        given = settings.load(
            {**DEMO_SETTINGS, **own, **settings.overrides(arguments), **theirs}, {}
        )
        yield given.model_copy(update={"listen_address": await _free(given.listen_address)})


async def _free(address: ListenAddress) -> ListenAddress:
    """The address, with port 0 (any free port) if its own is in use.

    Raises ConfigError if nothing can listen there, before weeks are simulated and learned.
    """
    try:
        async with serving(web.Application(), address.host, address.port):
            return address
    except ConfigError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
            raise
    print(f"Port {address.port} is in use, using another one.")
    return ListenAddress(address.host, 0)


def _introduce(given: Settings, fleet: Demo, port: int, *, is_secure: bool) -> None:
    host = given.listen_address.host
    is_any = host in {None, "", "0.0.0.0", "::"}  # noqa: S104
    address = ListenAddress("localhost" if is_any else host, port)
    url = f"{'https' if is_secure else 'http'}://{address}"
    count = len(fleet.offices)
    print(f"Simulated NexHealth with {count} institutions, and the exporter polling it:")
    print(f"  {url}/         what is fresh, resting or overdue, and why")
    print(f"  {url}/metrics  the metrics, for Prometheus")
    for sentence in fleet.missing:
        print(f"  (cannot be shown right now: {sentence})")
    print("All institutions appear within seconds, when the first round has finished.")
    print("Press Ctrl-C to stop.", flush=True)
