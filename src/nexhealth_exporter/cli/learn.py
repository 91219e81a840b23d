"""`learn`: fills the state with patterns, from a file or from the history of a Prometheus."""

import argparse
import asyncio
from pathlib import Path

from nexhealth_exporter.backtest import Replay
from nexhealth_exporter.cli.backtest import from_file
from nexhealth_exporter.cli.backtest import from_prometheus as prometheus_history
from nexhealth_exporter.cli.exporter import policy_of, read_files, watches
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.settings import Settings, variable
from nexhealth_exporter.state import State


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The words of this command apart from settings."""
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--observations", metavar="FILE", help="JSON lines, gzipped or not")
    source.add_argument("--prometheus", metavar="URL", help="a Prometheus that scraped this")


def learn(settings: Settings, arguments: argparse.Namespace) -> int:
    """Replay the past into the state file; 0. Raises ConfigError or StateError."""
    if settings.state_file is None:
        raise ConfigError(f"{variable('state_file')} is not set: there is nowhere to learn to.")
    rules = read_files(settings).rules
    state = State(settings.state_file)
    if arguments.observations:
        fleet = from_observations(settings, rules, Path(arguments.observations))
    else:
        fleet = asyncio.run(from_prometheus(settings, rules, arguments.prometheus))
    state.save(fleet)
    state.close()
    known = [kept for _, memory in fleet.memory() for kept in memory.values()]
    learned, total = sum(kept.learned.pattern is not None for kept in known), len(known)
    print(f"{learned} of {total} syncs have a pattern now; {settings.state_file} keeps them.")
    return 0


def from_observations(settings: Settings, rules: Rules, path: Path) -> Fleet:
    """The fleet as it would be after what the file holds. Raises ConfigError."""
    replay = Replay(policy_of(settings, rules), watches(settings, rules))
    for batch in from_file(path, "learning"):
        replay.feed(batch, is_reported=False)
    return replay.fleet


async def from_prometheus(settings: Settings, rules: Rules, url: str) -> Fleet:
    """The fleet as it would be after the last six weeks."""
    replay = Replay(policy_of(settings, rules), watches(settings, rules))
    async for batch in prometheus_history(url, "learning"):
        replay.feed(batch, is_reported=False)
    return replay.fleet
