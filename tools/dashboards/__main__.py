"""Write the Grafana dashboards: `python tools/dashboards`.

With --check nothing is written; the exit code is 1 if a dashboard is not as it would be written.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dashboards.exporter import exporter
from dashboards.fleet import fleet
from dashboards.institution import institution

FOLDER = Path(__file__).parents[2] / "dashboards"


def files() -> dict[Path, str]:
    """Each dashboard as it should be; sorted keys keep differences small."""
    boards = {
        "fleet": fleet(),
        "institution": institution(),
        "exporter": exporter(),
    }
    return {
        FOLDER / f"{name}.json": json.dumps(board, indent=2, sort_keys=True) + "\n"
        for name, board in boards.items()
    }


def main() -> int:
    """Write or compare; the exit code."""
    if "--check" not in sys.argv[1:]:
        FOLDER.mkdir(exist_ok=True)
        for path, text in files().items():
            path.write_text(text, encoding="utf-8")
        return 0
    drifted = [p for p, text in files().items() if not p.exists() or p.read_text() != text]
    for path in drifted:
        print(f"{path} is not as its source makes it: run make docs", file=sys.stderr)
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())
