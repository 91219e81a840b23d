"""What was learned, in a small SQLite database: it outlives restarts, and kills at any moment.

A row holds what is known of one sync, or the last answer about one institution: so whoever was
overdue before a restart is so after it, whether the API answers or not. Saving may be done from
any thread.
"""

import errno
import logging
import math
import os
import sqlite3
import sys
import threading
import time
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
from msgspec.structs import astuple, replace

from nexhealth_exporter.errors import StateError
from nexhealth_exporter.expectation.incident import Incident
from nexhealth_exporter.expectation.learned import Learned
from nexhealth_exporter.expectation.pattern import week_of
from nexhealth_exporter.expectation.record import unpacked
from nexhealth_exporter.expectation.sharing import shared
from nexhealth_exporter.fleet import Fleet, SyncMemory
from nexhealth_exporter.model import Answer, IntegrationType

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

SCHEMA = 4
"""Version of tables and records; an older file is set aside. To append a field to a record, no new
version is needed."""

FORGOTTEN_AFTER = 120 * 86400.0
"""Seconds after which a sync is forgotten if it was not polled while others were."""

_CACHE = 256
"""KiB of the database that SQLite caches: little, since it is read once and written in order."""

_PATIENCE = 10.0
"""Seconds for which a lock of another process is waited for."""

_BATCH = 256
"""Records that are written together: copies of a whole fleet would leave its memory in pieces."""

_SHARED_SAVES = 3
"""So many saves in a row, each after a write by another process, tell that the file is shared:
during a rolling update, or when it was repaired by hand, it is so for a moment only."""

_OWN_TABLES = {"sync", "look", "incident", "answer"}

_TABLES = """
CREATE TABLE IF NOT EXISTS sync (
    institution TEXT NOT NULL, name TEXT NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (institution, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS look (
    institution TEXT NOT NULL, name TEXT NOT NULL, at REAL NOT NULL, integration_type TEXT NOT NULL,
    PRIMARY KEY (institution, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS incident (
    integration_type TEXT NOT NULL, start REAL NOT NULL, ended REAL,
    PRIMARY KEY (integration_type, start)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answer (
    institution TEXT NOT NULL PRIMARY KEY, told BLOB NOT NULL
) WITHOUT ROWID;
"""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Learned).decode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode


_UNREADABLE = (msgspec.DecodeError, zlib.error, TypeError, ValueError)
"""All that decoding a record or an answer can raise, whatever its bytes are."""


class Change(NamedTuple):
    """A sync's record that is to be saved."""

    institution: str
    name: str
    memory: SyncMemory

    @property
    def stamp(self) -> int:
        """A hash of the record, valid while this process lives.

        Two different records share one with a probability of 1 in 2 ** 61; the later one is then
        not saved until it changes again.
        """
        learned = self.memory.learned
        pattern = None if learned.pattern is None else astuple(learned.pattern)
        told = astuple(replace(learned, pattern=None))
        return hash((self.institution, self.name, *told, pattern))


class _OlderError(Exception):
    """The file has an older schema, which is the argument."""


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
            self._db = _opened(path, is_alone=is_alone)
        except (OSError, sqlite3.DatabaseError) as error:
            if (refused := _refusal(path, error, is_alone=is_alone)) is not None:
                raise refused from None
            self._set_aside("damaged", f"it is damaged: {error}")
        except _OlderError as error:
            self._set_aside(f"schema-{error}", f"an older version wrote it (schema {error})")
        self._inode = _inode(path)

    def _set_aside(self, what: str, why: str) -> None:
        aside = self.path.with_name(f"{self.path.name}.{what}-{time.time():.0f}")
        moved: list[tuple[Path, Path]] = []
        try:
            for suffix in ("", "-wal", "-shm"):
                part = self.path.with_name(self.path.name + suffix)
                if part.exists():
                    moved.append((part, part.rename(aside.with_name(aside.name + suffix))))
            self._db = _opened(self.path, is_alone=self._is_alone)
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
        fleet, unreadable = _remembering(self._db, self.path)
        self.was_lost = self.was_lost or unreadable > 0
        self._saved = array("q", (change.stamp for change in _changes(fleet)))
        return fleet

    def answers(self) -> list[Answer]:
        """The last answer about each institution, the oldest first.

        Those that cannot be read are left out: another version wrote them, and the next poll
        replaces them.
        """
        return _answers(self._db, self.path)

    def save(self, fleet: Fleet) -> int:
        """Write what has changed since the last save, in one transaction; how many records.

        If the file is gone, a new one is begun: whatever is known is in memory. If another process
        keeps writing to it, StateError is raised after the save: the two undo each other's work.
        """
        # The lock includes the comparison: no older save may come after a newer one.
        with self._writing:
            if _inode(self.path) is None:
                self._begin_anew()
            written = self._save(fleet)
            # SQLite would go on writing to the old file, which has no name any more. The new one
            # may be a backup that was put there: it must not be overwritten.
            if _inode(self.path) != self._inode:
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
            self._db = _opened(self.path, is_alone=self._is_alone)
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"{self.path} is gone and cannot be replaced: {error}.") from None
        self._inode = _inode(self.path)
        self._saved, self._latest, self._version = array("q"), 0, None
        logger.warning("state file gone, writing a new one", extra={"file": str(self.path)})

    def _save(self, fleet: Fleet) -> int:
        changes, saved = _changes(fleet), frozenset(self._saved)
        stamps, written = array("q"), 0
        try:
            self._look_for_others()
            with self._db as db:
                while some := list(islice(changes, _BATCH)):
                    its = [change.stamp for change in some]
                    stamps.extend(its)
                    news = [c for c, stamp in zip(some, its, strict=True) if stamp not in saved]
                    written += len(news)
                    _save_changes(db, some, news)
                _save_incidents(db, fleet.latest_incidents)
                _save_answers(db, fleet, self._latest)
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


def _changes(fleet: Fleet) -> Iterator[Change]:
    """Every record that is to outlive the process, saved already or not."""
    for institution, memories in fleet.memory():
        for name, memory in memories.items():
            yield Change(institution, name, memory)


def remembered(path: Path | None) -> Fleet:
    """What the file remembers, for commands that only read; the file is not changed in any way.

    A file that does not exist remembers nothing. Raises StateError if it cannot be used.
    """
    found = None if path is None else _read(path, lambda db, its: _remembering(db, its)[0])
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
            fleet, unreadable = _remembering(db, path)
            return cls(path, fleet, _answers(db, path), unreadable > 0, _inode(path))

        return _read(path, everything) or cls(path, Fleet(), [], was_lost=False, inode=None)

    def emptied(self) -> "Unwritten":
        """The same without what it holds."""
        return self._replace(fleet=Fleet(), answers=[])

    def opened(self) -> StateFile:
        """The file opened for writing. Raises StateError while that fails.

        So it does if another file has taken its place: what that one holds was never read, and
        would be overwritten.
        """
        if (_read(self.path, lambda _, path: _inode(path))) != self.inode:
            raise StateError(
                f"{self.path} was replaced before it could be written; "
                "restart the exporter to use it."
            )
        return StateFile(self.path)


def _read(path: Path, reading: Callable[[sqlite3.Connection, Path], _T]) -> _T | None:
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
        except _OlderError as error:
            raise StateError(
                f"{path} was written by an older version (schema {error}); "
                "the exporter sets it aside when it starts."
            ) from None
    raise StateError(f"{path} cannot be read: {why}.")


def _answers(db: sqlite3.Connection, path: Path) -> list[Answer]:
    try:
        rows = db.execute("SELECT told FROM answer").fetchall()
    except sqlite3.Error as error:
        raise StateError(f"{path} cannot be read: {error}.") from None
    answers = []
    for (told,) in rows:
        with suppress(*_UNREADABLE):
            answers.append(_decode_answer(told))
    return sorted(answers, key=lambda answer: answer.at)


def _remembering(db: sqlite3.Connection, path: Path) -> tuple[Fleet, int]:
    """What the database remembers, and how many of its records cannot be read."""
    remembered: dict[str, dict[str, SyncMemory]] = {}
    unreadable = 0
    try:
        rows = db.execute(
            "SELECT institution, name, record, at, integration_type"
            " FROM sync JOIN look USING (institution, name) WHERE at >= ?",
            (_oldest(db),),
        )
        for institution, name, record, at, word in rows:
            try:
                memory = SyncMemory(_unpacked(record), at, IntegrationType(word))
            except _UNREADABLE:
                unreadable += 1
            else:
                remembered.setdefault(sys.intern(institution), {})[sys.intern(name)] = memory
        latest: dict[IntegrationType, tuple[Incident, ...]] = {}
        lasted = db.execute("SELECT integration_type, start, ended FROM incident ORDER BY start")
        for word, start, end in lasted:
            one = Incident(start, math.inf if end is None else end)
            kind = IntegrationType(word)
            latest[kind] = (*latest.get(kind, ()), one)
    except (sqlite3.Error, ValueError) as error:
        raise StateError(f"{path} cannot be read: {error}.") from None
    if unreadable:
        logger.error(
            "unreadable records in the state file, learning starts over for their syncs",
            extra={"file": str(path), "records": unreadable},
        )
    lasting = {k: i[-1].start for k, i in latest.items() if i[-1].end == math.inf}
    return Fleet(remembered=remembered, incidents=lasting, latest_incidents=latest), unreadable


def _inode(path: Path) -> tuple[int, int] | None:
    """What tells the file from another one at its path; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}.") from None
    return found.st_dev, found.st_ino


def _opened(path: Path, *, is_alone: bool) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, check_same_thread=False, timeout=_PATIENCE)
    try:
        if is_alone:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
        _check(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA cache_size = -{_CACHE}")
        db.executescript(_TABLES)
        db.execute(f"PRAGMA user_version = {SCHEMA}")
        db.execute("DELETE FROM look WHERE at < ?", (_oldest(db),))
        db.execute(
            "DELETE FROM sync WHERE (institution, name) NOT IN (SELECT institution, name FROM look)"
        )
        db.commit()
    except BaseException:
        db.close()
        raise
    return db


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
            with suppress(_OlderError):
                _check(db, path)
            db.rollback()
    except (OSError, sqlite3.DatabaseError) as error:
        if (refused := _refusal(path, error, is_alone=True)) is not None:
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


def _refusal(
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


def _oldest(db: sqlite3.Connection) -> float:
    """Syncs that were last polled before this instant are forgotten.

    Counted from the latest poll of any sync, so that neither a clock that is months ahead nor
    months in which nothing ran make the exporter forget everything.
    """
    latest = db.execute("SELECT MAX(at) FROM look").fetchone()[0]
    return min(time.time(), latest or 0.0) - FORGOTTEN_AFTER


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
        raise _OlderError(version)
    if version > SCHEMA:
        raise StateError(
            f"{path} was written by a newer version (schema {version}, this one knows "
            f"{SCHEMA}); use that version, or another file."
        )
    problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(problem)


def _save_changes(
    db: sqlite3.Connection, changes: Iterable[Change], news: Iterable[Change]
) -> None:
    """Save the records of `news`, and when each of `changes` was last polled."""
    db.executemany(
        "INSERT OR REPLACE INTO sync VALUES (?, ?, ?)",
        ((_text(c.institution), _text(c.name), _encode(c.memory.learned)) for c in news),
    )
    db.executemany(
        "INSERT OR REPLACE INTO look VALUES (?, ?, ?, ?)",
        (
            (_text(name), _text(sync), memory.looked_at, memory.integration_type.value)
            for name, sync, memory in changes
        ),
    )


def _save_incidents(
    db: sqlite3.Connection, latest: Mapping[IntegrationType, tuple[Incident, ...]]
) -> None:
    rows = [
        (kind.value, lasted.start, None if lasted.end == math.inf else lasted.end)
        for kind, several in latest.items()
        for lasted in several
    ]
    db.execute("DELETE FROM incident")
    db.executemany("INSERT INTO incident VALUES (?, ?, ?)", rows)


def _save_answers(db: sqlite3.Connection, fleet: Fleet, since: int) -> None:
    """Save the answers of standings newer than that stamp; drop those of who is gone.

    A fleet without standings has not been told yet which institutions there are.
    """
    if not fleet.standings:
        return
    known = db.execute("SELECT institution FROM answer")
    gone = [row for row in known if row[0] not in fleet.standings]
    db.executemany("DELETE FROM answer WHERE institution = ?", gone)
    db.executemany("INSERT OR REPLACE INTO answer VALUES (?, ?)", _new_answers(fleet, since))


def _new_answers(fleet: Fleet, since: int) -> Iterator[tuple[str, bytes]]:
    """The answers of standings with later stamps, as rows; encoded one by one."""
    for standing in fleet:
        if standing.stamp > since and (answer := standing.answer) is not None:
            try:
                encoded = _encode(answer)
            except UnicodeEncodeError:  # a lone surrogate in a name; the next poll has it
                continue
            yield standing.institution.subdomain, encoded


def _text(name: str) -> str:
    """The name as SQLite can store it: without lone surrogates."""
    return name.encode("utf-8", "replace").decode()


def _unpacked(packed: bytes) -> Learned:
    """A decoded record; raises one of _UNREADABLE also for what is packed within it."""
    learned = _decode(packed)
    unpacked(learned.packed)
    pattern = learned.pattern
    if pattern is not None:
        week_of(pattern.packed)
        pattern = replace(
            pattern,
            sure=shared(pattern.sure),
            since=shared(pattern.since),
            weights=shared(pattern.weights),
        )
    return replace(
        learned,
        made_on=shared(learned.made_on),
        pattern=pattern,
        zone=sys.intern(learned.zone),
    )
