"""Copy the version from the package to the chart and the image: `python tools/version.py`.

With --check nothing is written; the exit code is 1 if a file has another version.
"""

import re
import sys
from pathlib import Path

from nexhealth_exporter import __version__

ROOT = Path(__file__).parents[1]
PLACES = {
    "helm/nexhealth-exporter/Chart.yaml": r'(?<=^version: )\S+|(?<=^appVersion: ")[^"]+',
    "Dockerfile": r"(?<=^ARG VERSION=)\S+",
}
"""Other files that contain the version, each with a pattern for it."""


def files() -> dict[Path, str]:
    """Each file as it should be."""
    texts = {ROOT / name: (ROOT / name).read_text("utf-8") for name in PLACES}
    patterns = [re.compile(pattern, re.MULTILINE) for pattern in PLACES.values()]
    return {
        path: pattern.sub(__version__, text)
        for (path, text), pattern in zip(texts.items(), patterns, strict=True)
    }


def main() -> int:
    """Write or compare; the exit code."""
    other = {path: text for path, text in files().items() if path.read_text("utf-8") != text}
    for path, text in other.items():
        if "--check" in sys.argv[1:]:
            print(f"{path} does not have version {__version__}: run make docs", file=sys.stderr)
        else:
            path.write_text(text, "utf-8")
    return 1 if other and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
