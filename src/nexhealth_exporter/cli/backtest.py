"""`backtest`: what would have alerted on recorded observations."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from nexhealth_exporter.backtest import Answer, Batch, Replay, answer, batches
from nexhealth_exporter.backtest.answer import RULES
from nexhealth_exporter.backtest.baselines import Place
from nexhealth_exporter.backtest.observations import instant, opened
from nexhealth_exporter.backtest.prometheus import HISTORY_SECONDS, history
from nexhealth_exporter.cli.parts import policy_of, read_files, watches
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.settings import Settings, variable


def prometheus_of(settings: Settings, given: str) -> str:
    """The address from the flag or else the settings. Raises ConfigError if there is none."""
    address = given or settings.prometheus_url
    if not address:
        raise ConfigError(f"--prometheus needs a URL, or set {variable('prometheus_url')}.")
    return address


def backtest(settings: Settings, arguments: argparse.Namespace) -> int:
    """Replay observations and print the result; 0. Raises ConfigError for unusable ones."""
    rules = read_files(settings).rules
    place = Place(settings.default_timezone, settings.default_country)
    replay = Replay(policy_of(settings, rules), watches(settings, rules), place)
    since = _since(arguments.since)

    def feed(batch: Batch) -> None:
        replay.feed(batch, is_reported=since is None or batch.rows[0][0] >= since)

    if arguments.prometheus is not None:
        address = prometheus_of(settings, arguments.prometheus)
        asyncio.run(_each(from_prometheus(settings, address, "replaying"), feed))
    else:
        for batch in from_file(Path(arguments.file), "replaying"):
            feed(batch)
    if replay.last is None:
        raise ConfigError("there are no observations to replay.")
    if since is not None and since > replay.last:
        last = f"{datetime.fromtimestamp(replay.last, UTC):%Y-%m-%dT%H:%M:%SZ}"
        raise ConfigError(
            f"--from {arguments.since} is later than the last observation, at {last}."
        )
    found = answer(replay, since)
    if arguments.format == "json":
        print(json.dumps(found.as_json(), indent=1))
    else:
        _print(found)
    return 0


async def _each(found: AsyncIterator[Batch], feed: Callable[[Batch], None]) -> None:
    async for batch in found:
        feed(batch)


async def from_prometheus(settings: Settings, url: str, doing: str) -> AsyncIterator[Batch]:
    """Six weeks of a Prometheus' history, with a progress bar on a terminal."""
    end = time.time()
    start = end - HISTORY_SECONDS
    with _bar(doing, HISTORY_SECONDS) as show:
        async for batch in history(url, start, end, settings.prometheus_tenant):
            yield batch
            show(batch.rows[-1][0] - start)


def from_file(path: Path, doing: str) -> Iterator[Batch]:
    """The observations of a file, with a progress bar on a terminal."""
    try:
        with path.open("rb") as raw, _bar(doing, path.stat().st_size) as show:
            for batch in batches(opened(raw), path.name):
                yield batch
                show(raw.tell() if raw.seekable() else 0)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None


@contextmanager
def _bar(doing: str, total: float) -> Iterator[Callable[[float], None]]:
    """A progress bar, on a terminal only; yields a function that takes how much is done."""
    is_hidden = not sys.stderr.isatty()
    with Progress(console=Console(stderr=True), disable=is_hidden, transient=True) as bar:
        task = bar.add_task(doing, total=max(total, 1))
        yield (lambda _: None) if is_hidden else (lambda done: bar.update(task, completed=done))


def _since(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return instant(text)
    except ValueError:
        raise ConfigError(f"--from {text} is not a time such as 2026-03-02T00:00:00Z.") from None


def _print(found: Answer) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    start, end = (datetime.fromtimestamp(at, UTC) for at in (found.start, found.end))
    console.print(
        f"{sum(found.syncs.values())} syncs from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    )
    table = Table("alerts per office and month", box=box.SIMPLE_HEAD, pad_edge=False)
    for kind, count in found.syncs.items():
        table.add_column(f"{kind} ({count})", justify="right")
    for rule, words in RULES.items():
        table.add_row(words, *(f"{rates[rule]:.2f}" for rates in found.rates.values()))
    console.print(table)
    _print_incidents(found, console)


def _print_incidents(found: Answer, console: Console) -> None:
    for lasted in found.incidents:
        start = f"{datetime.fromtimestamp(lasted.start, UTC):%Y-%m-%d %H:%M}"
        end = "now"
        if lasted.end is not None:
            end = f"{datetime.fromtimestamp(lasted.end, UTC):%Y-%m-%d %H:%M} UTC"
        console.print(f"fleet incident of {lasted.integration_type} syncs: {start} UTC to {end}")
