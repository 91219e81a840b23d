"""A state file that is only read."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from nexhealth_exporter.errors import StateError
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import Answer
from nexhealth_exporter.state.database import inode_of, read
from nexhealth_exporter.state.file import StateFile
from nexhealth_exporter.state.rows import answers_in, fleet_in


def remembered(path: Path | None) -> Fleet:
    """What the file remembers, for commands that only read; the file is not changed in any way.

    A file that does not exist remembers nothing. Raises StateError if it cannot be used.
    """
    found = None if path is None else read(path, lambda db, its: fleet_in(db, its)[0])
    return found or Fleet()


class Unwritten(NamedTuple):
    """A state file that can be read but not written, and what it holds."""

    path: Path
    fleet: Fleet
    answers: list[Answer]
    was_lost: bool
    """Whether records could not be read."""
    inode: tuple[int, int] | None
    """What tells the file from another one; None if there is none, or nothing in it."""

    @classmethod
    def read(cls, path: Path) -> "Unwritten":
        """Read the file. Raises StateError if it cannot be used."""

        def everything(db: sqlite3.Connection, path: Path) -> Unwritten:
            fleet, unreadable = fleet_in(db, path)
            return cls(path, fleet, answers_in(db, path), unreadable > 0, inode_of(path))

        return read(path, everything) or cls(path, Fleet(), [], was_lost=False, inode=None)

    def emptied(self) -> "Unwritten":
        """The same without what it holds."""
        return self._replace(fleet=Fleet(), answers=[])

    def opened(self) -> StateFile:
        """The file opened for writing. Raises StateError while that fails.

        So it does if another file has taken its place: what that one holds was never read, and
        would be overwritten.
        """
        if (read(self.path, lambda _, path: inode_of(path))) != self.inode:
            raise StateError(
                f"{self.path} was replaced before it could be written; "
                "restart the exporter to use it."
            )
        return StateFile(self.path)
