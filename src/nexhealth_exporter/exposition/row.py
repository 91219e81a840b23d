"""Label pairs and values of the lines about one institution and about one sync.

Only what does not depend on the clock; a value of None gives no line.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.table import Family
from nexhealth_exporter.exposition.text import labels
from nexhealth_exporter.fleet import Standing, SyncStanding
from nexhealth_exporter.model import Institution, IntegrationType, Operation, Severity

OPEN = b","

Cell = float | bytes | None
"""A value, which may be a boolean; as bytes, the end of a line that has labels of its own."""


class Column(msgspec.Struct, frozen=True, eq=False):
    """The lines of one family that differ only in the sync or institution they are about.

    `tail` follows their label pairs; if it leaves the brace open, cells hold the rest of the line.
    `path` is the attribute of `SyncStanding` that holds the value, if one does. `is_real` is True
    for real numbers, which are kept in an array; booleans, counts and texts are not.
    """

    family: Family
    tail: bytes = b"} "
    path: str = ""
    is_real: bool = False

    @property
    def is_open(self) -> bool:
        """True when cells hold label pairs of their own, and the value after them."""
        return self.tail == OPEN


def _severities(family: Family, operation: Operation, suffix: str = "") -> Iterator[Column]:
    for severity in Severity:
        tail = f',severity="{severity}"}} '.encode()
        yield Column(family, tail, f"{operation}.{severity}{suffix}", is_real=True)


MARKS = tuple(Column(table.LAST_MARK[op], path=f"sync.{op}_at", is_real=True) for op in Operation)
SYNC_INFO = Column(table.SYNC_INFO, OPEN)
SYNC_COLUMNS = (
    *MARKS,
    *chain.from_iterable(_severities(table.DEADLINE[op], op, "_at") for op in Operation),
    *chain.from_iterable(_severities(table.ALLOWANCE[op], op) for op in Operation),
    *(Column(table.UP[op], path=f"sync.{op}_up") for op in Operation),
    SYNC_INFO,
)
INSTITUTION_INFO = Column(table.INSTITUTION_INFO, OPEN)
INSTITUTION_COLUMNS = (
    INSTITUTION_INFO,
    Column(table.POLL_SUCCESS),
    Column(table.LAST_POLL, is_real=True),
    Column(table.INSTITUTION_SYNCS),
)

_NONE = math.inf
"""Stands for None in an array: it is not written either."""

_values_of = attrgetter(*(column.path for column in SYNC_COLUMNS if column.path))


class Rows:
    """A table: the label pairs of each row, and one cell per row and column.

    Values are kept, not the standings that they were read from: that would be a second fleet.
    Numbers lie in arrays: those of a fleet are scattered over memory, and fetching them takes as
    long as writing them.
    """

    def __init__(self, columns: Iterable[Column], pairs: list[bytes]) -> None:
        self.pairs = pairs
        self._cells: dict[Column, Any] = {
            column: (array("d", [_NONE]) if column.is_real else [None]) * len(pairs)
            for column in columns
        }

    def put(self, at: int, values: Iterable[Cell]) -> set[Column]:
        """Set that row, column by column; returns the columns in which it has changed."""
        changed = set()
        for (column, cells), value in zip(self._cells.items(), values, strict=True):
            cell = _NONE if value is None and column.is_real else value
            if cells[at] != cell:
                changed.add(column)
                cells[at] = cell
        return changed

    def cell(self, column: Column, at: int) -> Any:  # noqa: ANN401 - as the column has it
        """One cell."""
        return self._cells[column][at]

    def column(self, column: Column) -> list[Any]:
        """The cells of all rows."""
        return list(self._cells[column])


def sync_cells(standing: SyncStanding) -> tuple[Cell, ...]:
    """The cells of SYNC_COLUMNS for a sync."""
    return (*_values_of(standing), _described(standing))


def institution_cells(standing: Standing, info: bytes) -> tuple[Cell, ...]:
    """The cells of INSTITUTION_COLUMNS for an institution, of which `info` is the first."""
    return (
        info,
        None if standing.last_poll is None else int(standing.failure is None),
        standing.last_success,
        None if standing.syncs is None else len(standing.syncs),
    )


def institution_pairs(institution: Institution) -> bytes:
    """The label pairs of an institution, with the brace left open."""
    return b"{" + labels({"institution": institution.subdomain})


def sync_pairs(institution: bytes, name: str, kind: IntegrationType) -> bytes:
    """The label pairs of a sync, with the brace left open."""
    return institution + b"," + labels({"sync": name, "integration_type": kind})


def institution_id_pair(institution: Institution) -> bytes:
    """The first label pair of `nexhealth_sync_info` after those that every sync has."""
    return f'institution_id="{institution_id_text(institution)}",'.encode()


def _described(standing: SyncStanding) -> bytes:
    """The rest of that line."""
    expectation = standing.expectation
    return _described_as(
        standing.sync.emr,
        expectation.timezone,
        expectation.source,
        expectation.schedule,
        standing.state,
        len(standing.sync.locations),
    )


@lru_cache(maxsize=4096)
def _described_as(  # noqa: PLR0917 - a cache is keyed by position
    emr: str, timezone: str, source: str, schedule: str, state: str, locations: int
) -> bytes:
    """Cached, since many syncs share one."""
    return _info(
        {
            "emr": emr,
            "timezone": timezone,
            "expectation": source,
            "schedule": schedule,
            "state": state,
            "locations": str(locations),
        }
    )


def institution_info(standing: Standing) -> bytes:
    """The end of the line that describes an institution."""
    institution = standing.institution
    return _info(
        {
            "institution_id": institution_id_text(institution),
            "institution_name": institution.name,
            "group": standing.group,
        }
    )


def institution_id_text(institution: Institution) -> str:
    """The institution's id as a label value; empty if it is not known."""
    return "" if institution.id is None else str(institution.id)


def _info(pairs: Mapping[str, str]) -> bytes:
    return labels(pairs) + b"} 1"
