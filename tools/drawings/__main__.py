"""Draw the pictures of the documentation: `python tools/drawings`.

With --check nothing is written; the exit code is 1 if a drawing is not as it would be drawn.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from drawings.deadline import deadline
from drawings.house import house
from drawings.week import week

FOLDER = Path(__file__).parents[2] / "docs" / "images"


def files() -> dict[Path, str]:
    """Each drawing as it should be."""
    drawings = {"deadline": deadline(), "house": house(), "week": week()}
    return {FOLDER / f"{name}.svg": text for name, text in drawings.items()}


def main() -> int:
    """Write or compare; the exit code."""
    drifted = [p for p, text in files().items() if not p.exists() or p.read_text("utf-8") != text]
    if "--check" not in sys.argv[1:]:
        for path in drifted:
            path.write_text(files()[path], "utf-8")
        return 0
    for path in drifted:
        print(f"{path} is not as it would be drawn: run make docs", file=sys.stderr)
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())
