"""Write the Grafana dashboards: `python tools/dashboards [--check]`."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from generated import ROOT, write_or_check

from dashboards.exporter import exporter
from dashboards.fleet import fleet
from dashboards.institution import institution

BOARDS = {"fleet": fleet(), "institution": institution(), "exporter": exporter()}

if __name__ == "__main__":
    # Sorted keys keep differences small.
    texts = {
        ROOT / f"dashboards/{name}.json": json.dumps(board, indent=2, sort_keys=True) + "\n"
        for name, board in BOARDS.items()
    }
    sys.exit(write_or_check(texts))
