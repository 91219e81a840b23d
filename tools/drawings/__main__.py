"""Draw the pictures of the documentation: `python tools/drawings [--check]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from generated import ROOT, write_or_check

from drawings.deadline import deadline
from drawings.house import house
from drawings.week import week

if __name__ == "__main__":
    drawings = {"deadline": deadline(), "house": house(), "week": week()}
    texts = {ROOT / f"docs/images/{name}.svg": text for name, text in drawings.items()}
    sys.exit(write_or_check(texts))
