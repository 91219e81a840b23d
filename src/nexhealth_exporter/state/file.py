"""The state file while the exporter writes it. Saving may be done from any thread."""

import logging
import sqlite3
import threading
import time
from array import array
from contextlib import suppress
from itertools import islice
from pathlib import Path

from nexhealth_exporter.errors import StateError
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import Answer
from nexhealth_exporter.state.database import OlderError, inode_of, opened, refusal
from nexhealth_exporter.state.rows import (
    answers_in,
    changes_of,
    fleet_in,
    save_answers,
    save_changes,
    save_incidents,
)

logger = logging.getLogger(__name__)

_BATCH = 256
"""Records that are written together: copies of a whole fleet would leave its memory in pieces."""

_SHARED_SAVES = 3
"""So many saves in a row, each after a write by another process, tell that the file is shared:
during a rolling update, or when it was repaired by hand, it is so for a moment only."""


class StateFile:
    """The open state file. Each method raises StateError if it cannot be used."""

    def __init__(self, path: Path, *, is_alone: bool = False) -> None:
        """Open it. A damaged or older file is set aside and a new one begun: see `was_lost`.

        With `is_alone`, a file that another process has open is refused.
        """
        self.path = path
        self.was_lost = False
        self._is_alone = is_alone
        self._version: int | None = None
        """Of the content, which writes of other processes change; None before the first save."""
        self._shared = 0
        """How many saves in a row found that another process had written."""
        self._saved = array("q")
        """Stamps of the records in the database: the records themselves would take much memory."""
        self._latest = 0
        """The stamp of the latest standing whose answer is in the database."""
        self._writing = threading.Lock()
        try:
            self._db = opened(path, is_alone=is_alone)
        except (OSError, sqlite3.DatabaseError) as error:
            if (refused := refusal(path, error, is_alone=is_alone)) is not None:
                raise refused from None
            self._set_aside("damaged", f"it is damaged: {error}")
        except OlderError as error:
            self._set_aside(f"schema-{error}", f"an older version wrote it (schema {error})")
        self._inode = inode_of(path)

    def _set_aside(self, what: str, why: str) -> None:
        aside = self.path.with_name(f"{self.path.name}.{what}-{time.time():.0f}")
        moved: list[tuple[Path, Path]] = []
        try:
            for suffix in ("", "-wal", "-shm"):
                part = self.path.with_name(self.path.name + suffix)
                if part.exists():
                    moved.append((part, part.rename(aside.with_name(aside.name + suffix))))
            self._db = opened(self.path, is_alone=self._is_alone)
        except (OSError, sqlite3.Error) as again:
            with suppress(OSError):  # without it, the next start would not know of the loss
                for part, now in moved:
                    now.replace(part)
            raise StateError(f"{self.path} cannot be replaced: {again}; {why}.") from None
        self.was_lost = True
        logger.error(
            "state file unusable and set aside, learning starts over",
            extra={"file": str(self.path), "set_aside": str(aside), "error": why},
        )

    def fleet(self) -> Fleet:
        """A fleet that remembers everything in the database and watches nothing yet.

        Records that cannot be read are left out; `was_lost` is True then.
        """
        fleet, unreadable = fleet_in(self._db, self.path)
        self.was_lost = self.was_lost or unreadable > 0
        self._saved = array("q", (change.stamp for change in changes_of(fleet)))
        return fleet

    def answers(self) -> list[Answer]:
        """The last answer about each institution, the oldest first.

        Those that cannot be read are left out: another version wrote them, and the next poll
        replaces them.
        """
        return answers_in(self._db, self.path)

    def save(self, fleet: Fleet) -> int:
        """Write what has changed since the last save, in one transaction; how many records.

        If the file is gone, a new one is begun: whatever is known is in memory. If another process
        keeps writing to it, StateError is raised after the save: the two undo each other's work.
        """
        # The lock includes the comparison: no older save may come after a newer one.
        with self._writing:
            if inode_of(self.path) is None:
                self._begin_anew()
            written = self._save(fleet)
            # SQLite would go on writing to the old file, which has no name any more. The new one
            # may be a backup that was put there: it must not be overwritten.
            if inode_of(self.path) != self._inode:
                raise StateError(
                    f"{self.path} was replaced while in use; restart the exporter to use it."
                )
            if self._shared >= _SHARED_SAVES:
                raise StateError(
                    f"{self.path} is shared: another process writes to it too; "
                    "give each exporter a file of its own."
                )
            return written

    def _begin_anew(self) -> None:
        self._db.close()
        try:
            self._db = opened(self.path, is_alone=self._is_alone)
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"{self.path} is gone and cannot be replaced: {error}.") from None
        self._inode = inode_of(self.path)
        self._saved, self._latest, self._version = array("q"), 0, None
        logger.warning("state file gone, writing a new one", extra={"file": str(self.path)})

    def _save(self, fleet: Fleet) -> int:
        changes, saved = changes_of(fleet), frozenset(self._saved)
        stamps, written = array("q"), 0
        try:
            self._look_for_others()
            with self._db as db:
                while some := list(islice(changes, _BATCH)):
                    its = [change.stamp for change in some]
                    stamps.extend(its)
                    news = [c for c, stamp in zip(some, its, strict=True) if stamp not in saved]
                    written += len(news)
                    save_changes(db, some, news)
                save_incidents(db, fleet.latest_incidents)
                save_answers(db, fleet, self._latest)
        except sqlite3.Error as error:
            raise StateError(f"{self.path} cannot be written: {error}.") from None
        self._saved = stamps
        self._latest = max((standing.stamp for standing in fleet), default=self._latest)
        return written

    def _look_for_others(self) -> None:
        before = self._version
        (self._version,) = self._db.execute("PRAGMA data_version").fetchone()
        self._shared = self._shared + 1 if before not in {None, self._version} else 0

    def close(self) -> None:
        """Close the file."""
        self._db.close()
