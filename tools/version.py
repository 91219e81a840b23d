"""Copy the version from the package to the chart and the image: `tools/version.py [--check]`."""

import re
import sys

from generated import ROOT, write_or_check

from nexhealth_exporter import __version__

PLACES = {
    "helm/nexhealth-exporter/Chart.yaml": r'(?<=^version: )\S+|(?<=^appVersion: ")[^"]+',
    "Dockerfile": r"(?<=^ARG VERSION=)\S+",
}
"""Other files that contain the version, each with a pattern for it."""

if __name__ == "__main__":
    texts = {
        ROOT / name: re.sub(
            pattern, __version__, (ROOT / name).read_text("utf-8"), flags=re.MULTILINE
        )
        for name, pattern in PLACES.items()
    }
    sys.exit(write_or_check(texts))
