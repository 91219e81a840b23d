"""Whether files have changed, by their content.

Modification times do not tell: a mounted ConfigMap or Secret is replaced by swapping a symlink.
"""

import hashlib
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

Fingerprint = Mapping[Path, str | None]
"""The SHA-256 of each file's content; None for one that cannot be read, or read only once."""


def fingerprint(paths: Iterable[Path]) -> Fingerprint:
    """The fingerprint of these files as they are now."""
    return {path: _digest(path) for path in paths}


def is_regular_file(path: Path) -> bool:
    """Whether it is a regular file, which can be read again and again."""
    return stat.S_ISREG(_mode(path))


def is_readable_once(path: Path) -> bool:
    """Whether its content is gone once it was read, as that of a pipe."""
    mode = _mode(path)
    return bool(mode) and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _mode(path: Path) -> int:
    """Its type and permissions; 0 if they cannot be found out."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _digest(path: Path) -> str | None:
    if not is_regular_file(path):
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
