"""Whether files have changed, told by their content.

Times of files tell nothing here: a mounted ConfigMap or Secret is swapped by a link.
"""

import hashlib
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

Fingerprint = Mapping[Path, str | None]
"""The SHA-256 of each file's content; None for a file that cannot be read, or only once."""


def fingerprint(paths: Iterable[Path]) -> Fingerprint:
    """What these files are now."""
    return {path: _digest(path) for path in paths}


def is_lasting(path: Path) -> bool:
    """Whether it can be read again and again: what a pipe holds is gone after the first time."""
    return stat.S_ISREG(_mode(path))


def gives_once(path: Path) -> bool:
    """Whether what it holds is gone after the first time, as of a pipe."""
    mode = _mode(path)
    return bool(mode) and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _mode(path: Path) -> int:
    """What kind of file it is; 0 if that cannot be told."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _digest(path: Path) -> str | None:
    if not is_lasting(path):
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
