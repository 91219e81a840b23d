"""The floors of the house as `pyproject.toml` lists them, and a mark's way through it."""

import tomllib
from pathlib import Path

from drawings.paper import Paper

ROOT = Path(__file__).parents[2]

WIDTH, TOP, BAND, GAP, TALL = 960, 16.0, 50.0, 6.0, 30.0
EDGE, OUTSIDE = (170.0, 790.0), (85.0, 875.0)

PLACES = {
    "__main__": 260,
    "cli": 480,
    "settings": 235,
    "poller": 345,
    "backtest": 455,
    "web": 690,
    "policy": 520,
    "rules": 605,
    "webconfig": 440,
    "nexhealth": 245,
    "simulator": 335,
    "state": 408,
    "document": 480,
    "logs": 550,
    "watch": 607,
    "exposition": 690,
    "report": 690,
    "fleet": 430,
    "plan": 300,
    "formatting": 600,
    "expectation": 430,
    "model": 390,
    "errors": 470,
}
"""Where each room stands, left to right. A new one in pyproject.toml needs its place here."""

WAY = (
    ("API", "nexhealth", "1", 0.4),
    ("nexhealth", "poller", "2", 0.5),
    ("poller", "fleet", "3", 0.3),
    ("rules", "policy", "", 0.5),
    ("policy", "fleet", "4", 0.3),
    ("fleet", "expectation", "5", 0.5),
    ("fleet", "exposition", "6", 0.5),
    ("fleet", "report", "", 0.5),
    ("web", "Prometheus", "7", 0.5),
)
"""From where to where, the step's number, and how far along it stands."""
ON_THE_WAY = {room for start, end, *_ in WAY for room in (start, end)}
OUT = {"API": (OUTSIDE[0], "nexhealth"), "Prometheus": (OUTSIDE[1], "web")}
WORDS = {"API": ("NexHealth's", "API"), "Prometheus": ("Prometheus,", "Alertmanager")}


def floors() -> list[list[str]]:
    """The rooms of each floor, from the top."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    return [[room.strip() for room in layer.split("|")] for layer in layers]


def house() -> str:
    """The drawing."""
    rows = floors()
    where = {room: _middle(i) for i, row in enumerate(rows) for room in row}
    missing = where.keys() ^ PLACES.keys()
    if missing:
        raise SystemExit(f"tools/drawings/house.py: no place, or no room, for {sorted(missing)}")
    height = int(_middle(len(rows)) - BAND / 2 + TOP)
    paper = Paper(
        WIDTH,
        height,
        "The floors of the program, from cli down to model, and the way of a mark: from NexHealth's"
        " API through nexhealth, poller, fleet and exposition to Prometheus.",
    )
    for i in range(len(rows)):
        top = _middle(i) - BAND / 2
        paper.box(EDGE[0], top, EDGE[1] - EDGE[0], BAND - GAP, "floor", rx="6")
    middle = {room: (float(PLACES[room]), where[room]) for room in PLACES}
    for room, (x, beside) in OUT.items():
        middle[room] = (x, where[beside])
    for start, end, number, _ in WAY:
        _arrow(paper, middle[start], middle[end], number)
    _beside(paper, middle)
    for room in PLACES:
        _room(paper, room, *middle[room])
    for room in OUT:
        x, y = middle[room]
        paper.box(x - 55, y - 22, 110, 38, "ground", rx="6", stroke="var(--soft)")
        for line, words in enumerate(WORDS[room]):
            paper.text(x, y - 7 + 16 * line, words, "small", "middle")
    for start, end, number, share in WAY:
        if number:
            (x1, y1), (x2, y2) = middle[start], middle[end]
            x, y = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
            paper.dot(x, y, 9, "mark")
            paper.text(x, y + 4, number, "small", "strong", "middle", colour="ground")
    return paper.svg()


def _middle(floor: int) -> float:
    return TOP + BAND * (floor + 0.5)


def _width(room: str) -> float:
    return 18 + 7.3 * len(room)


def _room(paper: Paper, room: str, x: float, y: float) -> None:
    is_passed = room in ON_THE_WAY
    stroke, thick = ("var(--mark)", "2") if is_passed else ("var(--line)", "1")
    width, top = _width(room), y - GAP / 2 - TALL / 2
    paper.box(x - width / 2, top, width, TALL, "ground", rx="6", stroke=stroke, stroke_width=thick)
    paper.text(x, top + 20, room, "middle", *(("strong",) if is_passed else ("soft",)))


def _arrow(paper: Paper, start: tuple[float, float], end: tuple[float, float], number: str) -> None:
    colour, width = ("mark", "2") if number else ("soft", "1.5")
    paper.line([start, end], colour, stroke_width=width)


def _beside(paper: Paper, middle: dict[str, tuple[float, float]]) -> None:
    """What is drawn is served by `web`, past the floors between."""
    paper.line([middle["exposition"], middle["web"]], "mark", stroke_width="2")
    (x, low), (_, high) = middle["report"], middle["web"]
    paper.line([(x, low), (x + 70, low), (x + 70, high), (x, high)], "soft", stroke_width="1.5")
