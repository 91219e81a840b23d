"""`status`: polls once and prints every sync, worst first."""

import json
import sys
import time

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nexhealth_exporter import report
from nexhealth_exporter.cli.parts import (
    connect,
    log_warnings,
    pace_of,
    policy_of,
    read_files,
    watches,
)
from nexhealth_exporter.cli.persistence import read_learned
from nexhealth_exporter.cli.running import readable
from nexhealth_exporter.errors import ExporterError
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.poller import Poller
from nexhealth_exporter.settings import ApiKey, Settings

ALL_WELL, OVERDUE = 0, 2

COLUMNS = ("institution", "sync", "type", "state", "why, in office time")


async def status(settings: Settings, form: str) -> int:
    """Print every sync; 2 if one is overdue, else 0. Raises PollError without an inventory."""
    fleet = await _polled(settings)
    if not any(standing.last_success for standing in fleet) and fleet.standings:
        raise ExporterError("no poll succeeded, so nothing is known; the log says why.")
    found = report.rows(fleet, time.time())
    with readable():
        if form == "json":
            print(json.dumps([report.facts_of_row(row) for row in found], indent=2))
        else:
            _print(found)
    return OVERDUE if any(row.is_overdue for row in found) else ALL_WELL


async def _polled(settings: Settings) -> Fleet:
    rules = read_files(settings).rules
    key = ApiKey(settings)
    key()
    log_warnings(settings, key)
    own = OwnMetrics("")
    async with connect(settings, key, own) as api:
        poller = Poller(
            api,
            pace_of(settings),
            policy_of(settings, rules),
            watches=watches(settings, rules),
            concurrency=settings.api_max_concurrency,
            meter=own,
            clock=time.time,
            remembering=read_learned(settings.state_file),
        )
        return await poller.once()


def _print(found: list[report.Row]) -> None:
    # In a pipe, lines are not wrapped, so that other programs can read them.
    console = Console(width=None if sys.stdout.isatty() else 1000)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold")  # never truncated: names must stay whole
    for row in found:
        sync = row.sync
        cells = (
            row.standing.institution.subdomain,
            sync.sync.name if sync else "",
            sync.integration_type.value if sync else "",
            row.condition.value.replace("_", " "),
            report.why(row),
        )
        # Text, not markup: a name may hold brackets.
        table.add_row(*(Text(cell) for cell in cells))
    syncs = sum(row.sync is not None for row in found)
    overdue = sum(row.is_overdue for row in found)
    blind = sum(row.is_blind for row in found)
    asides = f", {blind} could not be polled" if blind else ""
    # Printed here, because Rich exits the program when a pipe is closed.
    with console.capture() as drawn:
        console.print(table)
        console.print(f"{syncs} sync{'' if syncs == 1 else 's'}, {overdue} overdue{asides}")
    for line in drawn.get().splitlines():
        print(line.rstrip())  # the table fills its columns with blanks
