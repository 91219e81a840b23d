"""Which rows somebody asks to see: by text, type, condition and reason, a page at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from nexhealth_exporter.errors import ExporterError
from nexhealth_exporter.model import IntegrationType, Reason
from nexhealth_exporter.report.row import Condition, Row

OVERDUE = "overdue"
"""Stands for both severities."""

ROWS_OF_A_PAGE = 50
MOST_ROWS = 1000
LONGEST_TEXT = 200

WordT = TypeVar("WordT", bound=StrEnum)


class SelectionError(ExporterError):
    """What was asked for does not exist; the text names the parameter and what it may be."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to show. `state` is a condition, "overdue" or None for all; pages count from 1."""

    text: str = ""
    integration_type: IntegrationType | None = None
    state: str | None = None
    reason: Reason | None = None
    page: int = 1
    per_page: int = ROWS_OF_A_PAGE

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Selection":
        """The selection of a URL's query; empty values ask for everything.

        Raises SelectionError. Parameters that are not known are left alone.
        """
        state = query.get("state") or None
        if state != OVERDUE:
            state = _word(query, "state", Condition, also=(OVERDUE,))
        return cls(
            text=query.get("text", "").strip()[:LONGEST_TEXT].rstrip(),
            integration_type=_word(query, "integration_type", IntegrationType),
            state=state,
            reason=_word(query, "reason", Reason),
            page=_number(query, "page", 1, 10**9),
            per_page=_number(query, "per_page", ROWS_OF_A_PAGE, MOST_ROWS),
        )

    def query(self, **changed: object) -> dict[str, str]:
        """The query that asks for this selection, changed so; what is usual is left out."""
        usual = Selection()
        names = ("text", "integration_type", "state", "reason", "page", "per_page")
        wanted = {name: changed.get(name, getattr(self, name)) for name in names}
        return {
            name: str(value)
            for name, value in wanted.items()
            if value not in {None, ""} and value != getattr(usual, name)
        }

    def held(self, rows: Iterable[Row]) -> list[Row]:
        """Those of the rows that are asked for, on whichever page."""
        words = self.text.casefold().split()
        kept = list(rows)
        if self.state is not None:
            kept = [row for row in kept if row.condition in self._conditions]
        if self.integration_type is not None:
            kept = [row for row in kept if row.integration_type is self.integration_type]
        if self.reason is not None:
            kept = [row for row in kept if _reason(row) is self.reason]
        for word in words:
            kept = [row for row in kept if word in _said(row)]
        return kept

    @property
    def _conditions(self) -> tuple[str | None, ...]:
        if self.state == OVERDUE:
            return (Condition.OVERDUE_CRITICAL, Condition.OVERDUE_WARNING)
        return (self.state,)


@dataclass(frozen=True, slots=True)
class Picked:
    """One page of the rows asked for; `total` counts all of them, `pages` is at least 1."""

    rows: Sequence[Row]
    total: int
    page: int
    pages: int
    first: int
    """The place of the first row shown, from 1; 0 when there is none."""
    syncs: int
    """How many of all are syncs; the others are institutions without one."""


def pick(rows: Sequence[Row], selection: Selection) -> Picked:
    """The page asked for, or the last one if it lies beyond."""
    held = selection.held(rows)
    pages = max(1, -(-len(held) // selection.per_page))
    page = min(selection.page, pages)
    start = (page - 1) * selection.per_page
    shown = held[start : start + selection.per_page]
    syncs = sum(row.sync is not None for row in held)
    return Picked(shown, len(held), page, pages, start + 1 if shown else 0, syncs)


def _reason(row: Row) -> Reason | None:
    """Why it rests, if it does."""
    return row.now_piece.reason if row.condition is Condition.RESTING and row.now_piece else None


def _said(row: Row) -> str:
    institution, sync = row.standing.institution, row.sync
    said = f"{institution.subdomain}\n{institution.name}\n{row.standing.group}"
    if sync is not None:
        said = f"{said}\n{sync.sync.name}\n{sync.sync.emr}\n{sync.hours.expectation.timezone}"
    return said.casefold()


def _word(
    query: Mapping[str, str], name: str, words: type[WordT], also: tuple[str, ...] = ()
) -> WordT | None:
    given = query.get(name) or None
    if given is None:
        return None
    try:
        return words(given)
    except ValueError:
        known = ", ".join([*also, *words])
        raise SelectionError(f"{name} must be one of {known}") from None


def _number(query: Mapping[str, str], name: str, usual: int, most: int) -> int:
    given = query.get(name) or str(usual)
    if not (given.isascii() and given.isdigit() and len(given) < 10 and 1 <= int(given) <= most):  # noqa: PLR2004 - keeps int() cheap
        raise SelectionError(f"{name} must be a whole number from 1 to {most}")
    return int(given)
