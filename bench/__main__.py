"""What the exporter costs, row by row: `python -m bench [--small] [--only ROW ...]`.

Prints a table of bars, figures and verdicts, and writes it as JSON, each row as soon as it is
measured: what interrupts it takes no more than the rows that follow. The whole also draws
docs/images/growth.svg. `--small` takes small fleets and few rounds, and compares with bars that
are several times as wide: it exits with 1 when one of them is missed, the whole never does.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench import answers, growth, memory, pacing, plot, polling, scrape, seen, start
from bench.figures import HEAD, Figure, line, write_json

ROOT = Path(__file__).resolve().parents[1]
MARGIN, MARGINS = 3.0, {"polling": 4.0}
"""How many times as wide the small benchmark's bars are; more where the whole misses its own."""

Row = Callable[[], list[Figure]]


def _growth() -> list[Figure]:
    sizes = growth.measured(100_000)
    (ROOT / "docs/images/growth.svg").write_text(plot.svg(sizes), encoding="utf-8")
    return growth.figures(sizes)


WHOLE: dict[str, Row] = {
    "scrape": lambda: scrape.figures(series=100_000, rounds=7),
    "prometheus": lambda: seen.figures(series=100_000, scrapes=6),
    "polling": lambda: polling.figures(institutions=800, rounds=4, met=4000),
    "pacing": lambda: pacing.figures(seconds=66, per_second=50, per_minute=1000),
    "memory": lambda: memory.figures(syncs=10_000, rounds=2000),
    "start": lambda: start.figures(syncs=10_000, rounds=9),
    "growth": _growth,
    "answer": lambda: answers.figures(institutions=10_000, rounds=5),
}
SMALL: dict[str, Row] = {
    "scrape": lambda: scrape.figures(series=20_000, rounds=3),
    "polling": lambda: polling.figures(institutions=300, rounds=2, met=600),
    "growth": lambda: growth.figures(growth.measured(1000), least=100),
    "answer": lambda: answers.figures(institutions=2000, rounds=5),
}


def main() -> int:
    """Measure, print, write; 1 if a bar of the small benchmark is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", nargs="*", choices=WHOLE, default=[])
    parser.add_argument("--json", type=Path, default=ROOT / "build/bench.json")
    given = parser.parse_args()
    rows = SMALL if given.small else WHOLE
    found: list[Figure] = []
    print(HEAD, flush=True)
    for name, row in rows.items():
        if given.only and name not in given.only:
            continue
        began = time.perf_counter()
        for figure in row():
            found.append(_widened(figure) if given.small else figure)
            print(line(found[-1]), flush=True)
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        write_json(found, given.json)
    return int(given.small and not all(figure.holds for figure in found))


def _widened(figure: Figure) -> Figure:
    if figure.bar is None:
        return figure
    margin = MARGINS.get(figure.row, MARGIN)
    return replace(figure, bar=figure.bar / margin if figure.is_least else figure.bar * margin)


if __name__ == "__main__":
    sys.exit(main())
