"""`backtest`: what would have been alerted over recorded observations."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nexhealth_exporter.backtest import Answer, Batch, Replay, answer, batches
from nexhealth_exporter.backtest.answer import WAYS
from nexhealth_exporter.backtest.observations import moment, opened
from nexhealth_exporter.cli.exporter import policy_of, read_files, watches
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.settings import Settings


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The words of this command apart from settings."""
    command.add_argument("file", metavar="FILE", help="observations as JSON lines, gzipped or not")
    command.add_argument(
        "--from", dest="since", metavar="TIME", help="report only from then on; learn from all"
    )
    command.add_argument(
        "--format",
        choices=("table", "json"),
        default="table",
        help="a comparison for people (the default), or one JSON object with every alert",
    )


def backtest(settings: Settings, arguments: argparse.Namespace) -> int:
    """Replay a file and print the answer; 0. Raises ConfigError for what cannot be read."""
    rules = read_files(settings).rules
    replay = Replay(policy_of(settings, rules), watches(settings, rules))
    since = _since(arguments.since)
    for batch in from_file(Path(arguments.file), "replaying"):
        replay.feed(batch, is_reported=since is None or batch.rows[0][0] >= since)
    if replay.last is None:
        raise ConfigError(f"{arguments.file} holds no observation.")
    found = answer(replay, since)
    if arguments.format == "json":
        print(json.dumps(found.as_json(), indent=1))
    else:
        _print(found)
    return 0


def from_file(path: Path, doing: str) -> Iterator[Batch]:
    """The observations of a file, with a progress bar on a terminal."""
    try:
        with path.open("rb") as raw, progress(doing, path.stat().st_size) as show:
            for batch in batches(opened(raw), path.name):
                yield batch
                show(raw)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None


@contextmanager
def progress(doing: str, size: int) -> "Iterator[_Show]":
    """A bar over the bytes of a file, on a terminal only."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn(doing),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=console,
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        yield _Show(bar, size)


class _Show:
    """Moves the bar to where a file has been read."""

    def __init__(self, bar: Progress, size: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=max(size, 1))

    def __call__(self, raw: IO[bytes]) -> None:
        if not self._bar.disable:
            self._bar.update(self._task, completed=raw.tell())


def _since(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return moment(text)
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
    for way, words in WAYS.items():
        table.add_row(words, *(f"{rates[way]:.2f}" for rates in found.rates.values()))
    console.print(table)
    _print_incidents(found, console)


def _print_incidents(found: Answer, console: Console) -> None:
    for lasted in found.incidents:
        start = f"{datetime.fromtimestamp(lasted.start, UTC):%Y-%m-%d %H:%M}"
        end = "now" if lasted.end is None else f"{datetime.fromtimestamp(lasted.end, UTC):%H:%M}"
        console.print(f"fleet incident of {lasted.integration_type} syncs: {start} to {end} UTC")
