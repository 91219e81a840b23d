"""The database: opened, checked, and read without being changed. Errors say what to do."""

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from nexhealth_exporter.errors import StateError
from nexhealth_exporter.state.rows import SCHEMA, TABLES, oldest

_T = TypeVar("_T")

_CACHE = 256
"""KiB of the database that SQLite caches: little, since it is read once and written in order."""

_PATIENCE = 10.0
"""Seconds for which a lock of another process is waited for."""

_OWN_TABLES = {"sync", "look", "incident", "answer"}


class OlderError(Exception):
    """The file has an older schema, which is the argument."""


def opened(path: Path, *, is_alone: bool) -> sqlite3.Connection:
    """The database, open for writing, with its tables and without what is forgotten.

    Raises OSError, sqlite3.DatabaseError, OlderError, or StateError if it is not ours.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, check_same_thread=False, timeout=_PATIENCE)
    try:
        if is_alone:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
        _check(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA cache_size = -{_CACHE}")
        db.executescript(TABLES)
        db.execute(f"PRAGMA user_version = {SCHEMA}")
        db.execute("DELETE FROM look WHERE at < ?", (oldest(db),))
        db.execute(
            "DELETE FROM sync WHERE (institution, name) NOT IN (SELECT institution, name FROM look)"
        )
        db.commit()
    except BaseException:
        db.close()
        raise
    return db


def read(path: Path, reading: Callable[[sqlite3.Connection, Path], _T]) -> _T | None:
    """What `reading` finds in the file, which is not changed; None without file or tables."""
    try:
        path.stat()  # `exists` takes a path that may not be looked at for one that is not there
        is_in_use = Path(f"{path}-wal").exists()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}.") from None
    # Where nobody writes, a reader would create WAL files of its own beside it, unless SQLite is
    # told that the file is immutable. So it must be told as well where it may not create them.
    ways = ("mode=ro", "immutable=1") if is_in_use else ("immutable=1",)
    why = ""
    for way in ways:
        try:
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?{way}", uri=True)) as db:
                tables = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
                if not tables:
                    return None
                _check(db, path)
                return reading(db, path)
        except sqlite3.Error as error:
            why = str(error)
            if _is_busy(error):
                break  # who holds the lock is about to change it
        except OlderError as error:
            raise StateError(
                f"{path} was written by an older version (schema {error}); "
                "the exporter sets it aside when it starts."
            ) from None
    raise StateError(f"{path} cannot be read: {why}.")


def require_usable(path: Path) -> None:
    """Raise StateError if `StateFile` would refuse it alone; leaves no trace and no lock.

    A file that is damaged or of an older version is not refused: it would be set aside.
    """
    try:
        if not _is_there(path):
            return
        uri = f"{path.resolve().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN EXCLUSIVE")
            with suppress(OlderError):
                _check(db, path)
            db.rollback()
    except (OSError, sqlite3.DatabaseError) as error:
        if (refused := refusal(path, error, is_alone=True)) is not None:
            raise refused from None


def _is_there(path: Path) -> bool:
    """Whether there is such a file. Raises OSError if there is none and none can be begun."""
    with suppress(FileNotFoundError):
        path.stat()
        return True
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    is_effective = os.access in os.supports_effective_ids
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=is_effective):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return False


def refusal(
    path: Path, error: OSError | sqlite3.DatabaseError, *, is_alone: bool
) -> StateError | None:
    """Why a file cannot be used after this error; None if it is damaged and can be replaced."""
    if isinstance(error, OSError):
        return StateError(f"{path} cannot be opened: {error.strerror}.")
    if is_alone and _is_busy(error):
        return StateError(f"{path} is in use; stop the exporter that uses it.")
    if isinstance(error, sqlite3.OperationalError):
        return StateError(f"{path} cannot be opened: {error}.")
    return None


def _is_busy(error: sqlite3.Error) -> bool:
    """Whether the error is SQLITE_BUSY or a special case of it."""
    code: int = getattr(error, "sqlite_errorcode", 0)  # errors of our own have none
    return code & 0xFF == sqlite3.SQLITE_BUSY


def _check(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    # The database of another program is neither set aside nor added to.
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    foreign = sorted(name for name in tables - _OWN_TABLES if not name.startswith("sqlite_"))
    if foreign and (version <= SCHEMA or tables.isdisjoint(_OWN_TABLES)):
        raise StateError(
            f"{path} is the database of another program (it has a table {foreign[0]}); "
            "use another file."
        )
    if 0 < version < SCHEMA:
        raise OlderError(version)
    if version > SCHEMA:
        raise StateError(
            f"{path} was written by a newer version (schema {version}, this one knows "
            f"{SCHEMA}); use that version, or another file."
        )
    problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(problem)


def inode_of(path: Path) -> tuple[int, int] | None:
    """What tells the file from another one at its path; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}.") from None
    return found.st_dev, found.st_ino
