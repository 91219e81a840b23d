"""Writes files that are generated, or with `--check` says which of them are out of date."""

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def write_or_check(files: Mapping[Path, str]) -> int:
    """Write each file that is not as it should be; the exit code.

    With `--check` on the command line nothing is written, and the code is 1 if a file differs.
    """
    is_check = "--check" in sys.argv[1:]
    outdated = [
        path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text
    ]
    for path in outdated:
        if is_check:
            print(f"{path.relative_to(ROOT)} is out of date: run make docs", file=sys.stderr)
        else:
            path.write_text(files[path], "utf-8")
    return int(is_check and bool(outdated))
