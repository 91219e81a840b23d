"""What the lines of one institution, and of one sync, say: label pairs and values.

A column reads from each standing what does not depend on the clock; None gives no line.
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
    """Lines of one family that differ only in whose they are.

    `tail` follows their label pairs; when it does not close them, cells hold the line's end.
    `path` is the attribute of a sync's standing that is the value, if one is. `is_real` is True
    for real numbers, which are kept side by side in an array; booleans, counts and texts are not.
    """

    family: Family
    tail: bytes = b"} "
    path: str = ""
    is_real: bool = False

    @property
    def is_open(self) -> bool:
        """True when cells hold label pairs of their own, and the value after them."""
        return self.tail == OPEN


def _severities(family: Family, path: str) -> Iterator[Column]:
    for severity in Severity:
        tail = f',severity="{severity}"}} '.encode()
        yield Column(family, tail, path.format(severity=severity), is_real=True)


MARKS = tuple(Column(table.LAST_MARK[op], path=f"sync.{op}_at", is_real=True) for op in Operation)
SYNC_INFO = Column(table.SYNC_INFO, OPEN)
SYNC_COLUMNS = (
    *MARKS,
    *chain.from_iterable(
        _severities(table.DEADLINE[op], f"{op}.{{severity}}_at") for op in Operation
    ),
    *chain.from_iterable(
        _severities(table.ALLOWANCE[op], f"{op}.basis.{{severity}}") for op in Operation
    ),
    *(Column(table.UP[op], path=f"sync.{op}_up") for op in Operation),
    SYNC_INFO,
)
OFFICE_INFO = Column(table.INSTITUTION_INFO, OPEN)
OFFICE_COLUMNS = (
    OFFICE_INFO,
    Column(table.POLL_SUCCESS),
    Column(table.LAST_POLL, is_real=True),
    Column(table.INSTITUTION_SYNCS),
)

_NONE = math.inf
"""Stands for None in an array: it is not written either."""

_told = attrgetter(*(column.path for column in SYNC_COLUMNS if column.path))


class Rows:
    """Lines side by side: whose they are, and what each column says of them.

    Values are kept, not what they were read from: that would be a second fleet. Numbers lie in
    arrays: those of a fleet are all over its memory, and fetching them takes as long as writing.
    """

    def __init__(self, columns: Iterable[Column], pairs: list[bytes]) -> None:
        self.pairs = pairs
        self._cells: dict[Column, Any] = {
            column: (array("d", [_NONE]) if column.is_real else [None]) * len(pairs)
            for column in columns
        }

    def put(self, at: int, values: Iterable[Cell]) -> set[Column]:
        """Say this in that row, column by column; the columns that said something else."""
        changed = set()
        for (column, cells), value in zip(self._cells.items(), values, strict=True):
            cell = _NONE if value is None and column.is_real else value
            if cells[at] != cell:
                changed.add(column)
                cells[at] = cell
        return changed

    def cell(self, column: Column, at: int) -> Any:  # noqa: ANN401 - as the column has it
        """What that row says."""
        return self._cells[column][at]

    def said(self, column: Column) -> list[Any]:
        """What all rows say."""
        return list(self._cells[column])


def sync_cells(standing: SyncStanding) -> tuple[Cell, ...]:
    """What SYNC_COLUMNS say of a sync."""
    return (*_told(standing), _described(standing))


def office_cells(standing: Standing, info: bytes) -> tuple[Cell, ...]:
    """What OFFICE_COLUMNS say of an institution, the first `info`."""
    return (
        info,
        None if standing.last_poll is None else int(standing.failure is None),
        standing.last_success,
        None if standing.syncs is None else len(standing.syncs),
    )


def office_pairs(institution: Institution) -> bytes:
    """The open label pairs of an institution."""
    return b"{" + labels({"institution": institution.subdomain})


def sync_pairs(office: bytes, name: str, kind: IntegrationType) -> bytes:
    """The open label pairs of a sync."""
    return office + b"," + labels({"sync": name, "integration_type": kind})


def number_pair(institution: Institution) -> bytes:
    """How the line that describes a sync goes on: with its institution's id."""
    return f'institution_id="{number_of(institution)}",'.encode()


def _described(standing: SyncStanding) -> bytes:
    """What its info says apart from the institution's id."""
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
    """The same for many syncs, which share it."""
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


def office_info(standing: Standing) -> bytes:
    """The end of the line that describes an institution."""
    institution = standing.institution
    return _info(
        {
            "institution_id": number_of(institution),
            "institution_name": institution.name,
            "group": standing.group,
        }
    )


def number_of(institution: Institution) -> str:
    """Its id, as labels have it."""
    return "" if institution.id is None else str(institution.id)


def _info(pairs: Mapping[str, str]) -> bytes:
    return labels(pairs) + b"} 1"
