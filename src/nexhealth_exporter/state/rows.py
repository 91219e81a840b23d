"""A fleet as rows of the tables, and back."""

import logging
import math
import sqlite3
import sys
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

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

SCHEMA = 4
"""Version of tables and records; an older file is set aside. To append a field to a record, no new
version is needed."""

FORGOTTEN_AFTER = 120 * 86400.0
"""Seconds after which a sync is forgotten if it was not polled while others were."""

TABLES = """
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


def changes_of(fleet: Fleet) -> Iterator[Change]:
    """Every record that is to outlive the process, saved already or not."""
    for institution, memories in fleet.memory():
        for name, memory in memories.items():
            yield Change(institution, name, memory)


def save_changes(db: sqlite3.Connection, changes: Iterable[Change], news: Iterable[Change]) -> None:
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


def save_incidents(
    db: sqlite3.Connection, latest: Mapping[IntegrationType, tuple[Incident, ...]]
) -> None:
    """Replace the fleet incidents by these."""
    rows = [
        (kind.value, lasted.start, None if lasted.end == math.inf else lasted.end)
        for kind, several in latest.items()
        for lasted in several
    ]
    db.execute("DELETE FROM incident")
    db.executemany("INSERT INTO incident VALUES (?, ?, ?)", rows)


def save_answers(db: sqlite3.Connection, fleet: Fleet, since: int) -> None:
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


def fleet_in(db: sqlite3.Connection, path: Path) -> tuple[Fleet, int]:
    """What the database remembers, and how many of its records cannot be read."""
    remembered: dict[str, dict[str, SyncMemory]] = {}
    unreadable = 0
    try:
        rows = db.execute(
            "SELECT institution, name, record, at, integration_type"
            " FROM sync JOIN look USING (institution, name) WHERE at >= ?",
            (oldest(db),),
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


def answers_in(db: sqlite3.Connection, path: Path) -> list[Answer]:
    """The last answers that can be read, the oldest first."""
    try:
        rows = db.execute("SELECT told FROM answer").fetchall()
    except sqlite3.Error as error:
        raise StateError(f"{path} cannot be read: {error}.") from None
    answers = []
    for (told,) in rows:
        with suppress(*_UNREADABLE):
            answers.append(_decode_answer(told))
    return sorted(answers, key=lambda answer: answer.at)


def oldest(db: sqlite3.Connection) -> float:
    """Syncs that were last polled before this instant are forgotten.

    Counted from the latest poll of any sync, so that neither a clock that is months ahead nor
    months in which nothing ran make the exporter forget everything.
    """
    latest = db.execute("SELECT MAX(at) FROM look").fetchone()[0]
    return min(time.time(), latest or 0.0) - FORGOTTEN_AFTER


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
