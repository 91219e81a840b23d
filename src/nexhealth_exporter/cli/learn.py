"""`learn`: fills the state file with patterns from a file or the history of a Prometheus."""

import argparse
import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from nexhealth_exporter.backtest import Replay
from nexhealth_exporter.cli.backtest import from_file, prometheus_of
from nexhealth_exporter.cli.backtest import from_prometheus as prometheus_history
from nexhealth_exporter.cli.parts import policy_of, read_files, watches
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.fleet import Fleet, Memory, SyncMemory
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.settings import Settings, variable
from nexhealth_exporter.state import FORGOTTEN_AFTER, StateFile, require_usable


def learn(settings: Settings, arguments: argparse.Namespace) -> int:
    """Replay the past into the state file; 0. Raises ConfigError or StateError."""
    if settings.state_file is None:
        raise ConfigError(
            f"{variable('state_file')} is not set: there is no file to save patterns to."
        )
    require_usable(settings.state_file)  # the past takes minutes to read
    rules = read_files(settings).rules
    if arguments.observations is not None:
        fleet = from_observations(settings, rules, Path(arguments.observations))
    else:
        address = prometheus_of(settings, arguments.prometheus)
        fleet = asyncio.run(from_prometheus(settings, rules, address))
    # Opened only now: to open it creates it, or sets a damaged one aside.
    with closing(StateFile(settings.state_file, is_alone=True)) as state:
        before = state.fleet()
        news = _news(fleet, before, time.time())
        state.save(Fleet(remembered=news.syncs, latest_incidents=before.latest_incidents))
    known = [sync for memory in news.syncs.values() for sync in memory.values()]
    learned, total = sum(sync.learned.pattern is not None for sync in known), len(known)
    print(f"{learned} of {total} syncs now have a pattern, saved in {settings.state_file}.")
    if news.known_later:
        print(f"{news.known_later} more were left unchanged: the file has newer data about them.")
    if news.too_old:
        print(f"{news.too_old} more were not saved: they were last seen too long ago.")
    return 0


class _News(NamedTuple):
    """What is to be saved, and how many syncs are not."""

    syncs: dict[str, Memory]
    known_later: int
    too_old: int


def _news(found: Fleet, before: Fleet, now: float) -> _News:
    """What is worth saving: the state file knows nothing newer, and would not forget it at once."""
    syncs: dict[str, Memory] = {}
    known_later = too_old = 0
    for institution, memory in found.memory():
        known = before.remembered.get(institution, {})
        kept: dict[str, SyncMemory] = {}
        for name, one in memory.items():
            if name in known and known[name].looked_at > one.looked_at:
                known_later += 1
            elif one.looked_at < now - FORGOTTEN_AFTER:
                too_old += 1
            else:
                kept[name] = one
        if kept:
            syncs[institution] = kept
    return _News(syncs, known_later, too_old)


def from_observations(settings: Settings, rules: Rules, path: Path) -> Fleet:
    """The fleet as it would be after the observations in that file. Raises ConfigError."""
    replay = Replay(policy_of(settings, rules), watches(settings, rules))
    for batch in from_file(path, "learning"):
        replay.feed(batch, is_reported=False)
    return _learned(replay)


async def from_prometheus(settings: Settings, rules: Rules, url: str) -> Fleet:
    """The fleet as it would be after the last six weeks."""
    replay = Replay(policy_of(settings, rules), watches(settings, rules))
    async for batch in prometheus_history(settings, url, "learning"):
        replay.feed(batch, is_reported=False)
    return _learned(replay)


def _learned(replay: Replay) -> Fleet:
    if replay.last is None:
        raise ConfigError("there are no observations to learn from.")
    return replay.fleet
