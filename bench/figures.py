"""Measured figures, compared with their bars."""

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `rounds` are the results of single rounds: the noise.

    `bar` is the most that it may be, or the least if `is_least`; None promises nothing.
    """

    row: str
    what: str
    value: float
    bar: float | None
    unit: str = ""
    is_least: bool = False
    rounds: tuple[float, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the bar is reached."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.is_least else self.value <= self.bar

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if self.bar is None:
            return ""
        return "holds" if self.holds else f"missed: {self.value / self.bar:.2f}x the bar"


def median(
    row: str, what: str, rounds: Sequence[float], bar: float | None, **how: object
) -> Figure:
    """The figure in the middle of the rounds."""
    return Figure(row, what, statistics.median(rounds), bar, rounds=tuple(rounds), **how)  # type: ignore[arg-type]


def number(value: float) -> str:
    """With three significant digits, or as a whole number."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004


HEAD = (
    "| what | bar | figure | rounds, lowest to highest | verdict |\n| --- | --- | --- | --- | --- |"
)
"""The head of the table in Markdown."""


def line(of: Figure) -> str:
    """The figure as a line of that table."""
    sign = "" if of.bar is None else "≥ " if of.is_least else "≤ "
    bar = "" if of.bar is None else sign + number(of.bar) + of.unit
    spread = f"{number(min(of.rounds))} to {number(max(of.rounds))}" if of.rounds else ""
    value = number(of.value) + of.unit
    return f"| {of.row}: {of.what} | {bar} | {value} | {spread} | {of.verdict} |"


def write_json(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures, with the Python and the machine they were measured on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"python": platform.python_version(), "machine": platform.machine()}
    told = [{**asdict(of), "holds": of.holds} for of in figures]
    path.write_text(json.dumps({**about, "figures": told}, indent=1) + "\n", encoding="utf-8")
