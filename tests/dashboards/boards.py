"""The dashboards as Grafana reads them, and their queries as Grafana would send them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATHS = tuple(sorted((ROOT / "dashboards").glob("*.json")))
BOARDS: Mapping[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in PATHS}

_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")


@dataclass(frozen=True)
class Query:
    """One expression: the board and panel it stands in, and how it is asked."""

    board: str
    panel: str
    expression: str
    is_instant: bool = False

    def __str__(self) -> str:
        return f"{self.board}: {self.panel}"

    def sent(self, values: Mapping[str, str]) -> str:
        """The expression with its variables replaced; one that has no value is an error."""
        return _VARIABLE.sub(lambda found: values[found[1] or found[2]], self.expression)


def panels() -> list[tuple[str, dict[str, Any]]]:
    """Every panel with the name of its board."""
    return [(name, panel) for name, board in BOARDS.items() for panel in board["panels"]]


def targets() -> list[Query]:
    """Every query of every panel."""
    return [
        Query(name, panel["title"], target["expr"], target["instant"])
        for name, panel in panels()
        for target in panel.get("targets", ())
    ]


def panel_of(query: Query) -> dict[str, Any]:
    """The panel in which a query stands."""
    place = (query.board, query.panel)
    return next(panel for name, panel in panels() if (name, panel["title"]) == place)


def annotations() -> list[Query]:
    """Every query of every annotation."""
    return [
        Query(name, annotation["name"], annotation["expr"])
        for name, board in BOARDS.items()
        for annotation in board["annotations"]["list"]
    ]


def variables(board: str) -> list[dict[str, Any]]:
    """The variables of a board, in their order."""
    found: list[dict[str, Any]] = BOARDS[board]["templating"]["list"]
    return found


def queried(variable: Mapping[str, Any]) -> tuple[str, str]:
    """The selector and the label of a variable that lists a label's values."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
    assert found, variable["query"]
    return found[1], found[2]


def texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
