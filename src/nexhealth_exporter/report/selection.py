"""The choice of rows by text, type, condition and reason, one page at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from nexhealth_exporter.errors import ExporterError
from nexhealth_exporter.model import IntegrationType, Reason
from nexhealth_exporter.report.row import Condition, Row

OVERDUE = "overdue"
"""As a state: overdue at either severity."""

ROWS_OF_A_PAGE = 50
MOST_ROWS = 1000
LONGEST_TEXT = 200

WordT = TypeVar("WordT", bound=StrEnum)


class SelectionError(ExporterError):
    """A query parameter has an invalid value; the text names it and the valid values."""


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
        """The selection of a URL's query; an empty value does not limit anything.

        Unknown parameters are ignored. Raises SelectionError.
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
        """The URL query for this selection with some fields changed; defaults are left out."""
        usual = Selection()
        names = ("text", "integration_type", "state", "reason", "page", "per_page")
        wanted = {name: changed.get(name, getattr(self, name)) for name in names}
        return {
            name: str(value)
            for name, value in wanted.items()
            if value not in {None, ""} and value != getattr(usual, name)
        }

    def matching(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that match, of all pages."""
        words = self.text.casefold().split()
        kept = list(rows)
        if self.state == OVERDUE:
            kept = [row for row in kept if row.is_overdue]
        elif self.state is not None:
            kept = [row for row in kept if row.condition == self.state]
        if self.integration_type is not None:
            kept = [row for row in kept if row.integration_type is self.integration_type]
        if self.reason is not None:
            kept = [row for row in kept if _reason(row) is self.reason]
        for word in words:
            kept = [row for row in kept if word in _said(row)]
        return kept


@dataclass(frozen=True, slots=True)
class Picked:
    """One page of the matching rows; `total` counts them on all pages, `pages` is at least 1."""

    rows: Sequence[Row]
    total: int
    page: int
    pages: int
    first: int
    """The number of the first row of the page, counted from 1; 0 if there is none."""
    syncs: int
    """How many of `total` are syncs; the others are institutions without one."""


def pick(rows: Sequence[Row], selection: Selection) -> Picked:
    """The page that was asked for, or the last one if there are fewer."""
    matching = selection.matching(rows)
    pages = max(1, -(-len(matching) // selection.per_page))
    page = min(selection.page, pages)
    start = (page - 1) * selection.per_page
    shown = matching[start : start + selection.per_page]
    syncs = sum(row.sync is not None for row in matching)
    return Picked(shown, len(matching), page, pages, start + 1 if shown else 0, syncs)


def _reason(row: Row) -> Reason | None:
    """Why the sync rests; None if it does not."""
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
