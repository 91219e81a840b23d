"""The state outlives restarts, kills and damage."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import astuple, replace

from nexhealth_exporter.cli import main
from nexhealth_exporter.errors import StateError
from nexhealth_exporter.expectation.incident import Incident
from nexhealth_exporter.expectation.learned import Learned
from nexhealth_exporter.expectation.pattern import Pattern, Week, week_of
from nexhealth_exporter.expectation.quiet import Quiet
from nexhealth_exporter.expectation.record import Packed, Record, unpacked
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Location, Poll, Sync
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.state import SCHEMA, TABLES, StateFile, remembered

DAY, STEP = 86400.0, 600.0
POLICY = policy(Rules(), Defaults("America/New_York", "US", DAY, 30 * DAY))


def watching(fleet: Fleet, names: list[str]) -> Fleet:
    places = (Location(1, "America/New_York"),)
    return fleet.watching(
        Inventory({name: Institution(name, locations=places) for name in names}), POLICY
    )


def lived(fleet: Fleet, names: list[str], start: float, days: float) -> Fleet:
    """Every office moves from 13:00 to 22:00 UTC on weekdays, looked at each ten minutes."""
    number = int(days * DAY / STEP)
    for at in (start + n * STEP for n in range(number)):
        local = datetime.fromtimestamp(at, UTC)
        day = at - at % DAY
        mark = at if local.hour in range(13, 22) and local.weekday() < 5 else None
        known = fleet.standings[names[0]].memory().get("Main é")
        mark = mark or (known.learned.marks[0] if known else day)
        sync = Sync("Main é", IntegrationType.SERVER, read_at=mark, write_at=mark)
        fleet = fleet.after([Poll(name, at, (sync,)) for name in names], POLICY)
    return fleet


Opened = Callable[[Path], StateFile]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens states, and closes each in the end."""
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(closing(StateFile(path)))


@pytest.fixture
def recently() -> float:
    """The midnight of a Monday about six weeks ago: older records are forgotten."""
    monday = 4 * DAY  # 1970 began on a Thursday
    return (time.time() - monday) // (7 * DAY) * (7 * DAY) + monday - 42 * DAY


def save(path: Path, fleet: Fleet) -> None:
    with closing(StateFile(path)) as state:
        state.save(fleet)


def told(fleet: Fleet) -> list[object]:
    return [
        (s.integration_type, s.learned.first_seen, s.read.deadline, s.write.deadline,
         s.read.allowance, s.expectation.source, s.expectation.days)
        for _, s in fleet.syncs()
    ]  # fmt: skip


def test_a_restart_changes_no_deadline(tmp_path: Path, recently: float, opened: Opened) -> None:
    path, names = tmp_path / "state.db", ["a", "b"]
    fleet = lived(watching(Fleet(), names), names, recently, 24.6)
    state = opened(path)
    assert state.save(fleet) == 2
    assert state.save(fleet) == 0
    state.close()
    restarted = watching(opened(path).fleet(), names)

    now = recently + 24.6 * DAY
    assert told(lived(restarted, names, now, 0.01)) == told(lived(fleet, names, now, 0.01))
    later = lived(fleet, names, now, 10.3)
    assert told(lived(restarted, names, now, 10.3)) == told(later)
    assert {s.expectation.source for _, s in later.syncs()} == {"learned"}


def test_the_last_answers_are_told_after_a_restart(
    tmp_path: Path, recently: float, opened: Opened
) -> None:
    path, names = tmp_path / "state.db", ["a", "b"]
    fleet = lived(watching(Fleet(), names), names, recently, 0.1)
    state = opened(path)
    state.save(fleet)
    later = fleet.after(
        [
            Poll("a", recently + DAY, (Sync("another", None, write_at=1.5, write_up=False),)),
            Poll("b", recently + DAY, failure="timeout"),
        ],
        POLICY,
    )
    state.save(later)
    state.close()

    answers = opened(path).answers()
    assert [(a.institution.subdomain, a.at) for a in answers] == [
        ("b", fleet.standings["b"].last_success),
        ("a", recently + DAY),
    ]
    assert answers == [later.standings[name].answer for name in ("b", "a")]


def test_answers_of_who_is_watched_no_more_are_forgotten(
    tmp_path: Path, recently: float, opened: Opened
) -> None:
    path, names = tmp_path / "state.db", ["a", "b"]
    fleet = lived(watching(Fleet(), names), names, recently, 0.1)
    state = opened(path)
    state.save(fleet)
    # Who learns from a Prometheus watches nobody, and knows nothing of who has gone.
    state.save(Fleet(remembered=dict(fleet.memory())))
    assert len(state.answers()) == 2
    # Nor does one that has just started, whose answers are not taken over yet.
    state.save(watching(Fleet(), names))
    assert len(state.answers()) == 2

    state.save(watching(fleet, ["b"]))

    assert [answer.institution.subdomain for answer in state.answers()] == ["b"]


@pytest.mark.parametrize("told", [b"\x93\xc0", b"\x93\x81\xa9subdomain\xa1\xff", b"", "text"])
def test_an_answer_that_cannot_be_read_or_written_costs_no_other(
    tmp_path: Path,
    recently: float,
    told: bytes | str,
    opened: Opened,
) -> None:
    path, names = tmp_path / "state.db", ["a", "b", "c"]
    fleet = lived(watching(Fleet(), names), names, recently, 0.1)
    half = Sync("half \ud800 of one", IntegrationType.SERVER, read_at=recently)
    fleet = fleet.after([Poll("b", recently + DAY, (half,))], POLICY)
    state = opened(path)
    assert state.save(fleet) == 4
    state.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE answer SET told = ? WHERE institution = 'a'", (told,))

    again = opened(path)
    assert [answer.institution.subdomain for answer in again.answers()] == ["c"]
    assert not again.was_lost


def test_a_file_from_before_answers_were_kept_has_none(
    tmp_path: Path, recently: float, opened: Opened
) -> None:
    path, names = tmp_path / "state.db", ["a"]
    save(path, lived(watching(Fleet(), names), names, recently, 0.1))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TABLE answer")
    assert remembered(path).remembered.keys() == {"a"}
    again = opened(path)
    assert again.answers() == []
    assert again.fleet().remembered.keys() == {"a"}
    assert not again.was_lost


def test_what_many_records_name_alike_is_held_once(tmp_path: Path, recently: float) -> None:
    path, names = tmp_path / "state.db", ["a", "b"]
    save(path, lived(watching(Fleet(), names), names, recently, 0.1))
    one, other = (memory["Main é"].learned for memory in remembered(path).remembered.values())
    assert one.zone == "America/New_York"
    assert one.zone is other.zone


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_many_patterns_have_alike_is_held_once(
    tmp_path: Path, recently: float, *, is_restarted: bool
) -> None:
    path, names = tmp_path / "state.db", ["a", "b"]
    fleet = lived(watching(Fleet(), names), names, recently, 15)
    save(path, fleet)
    if is_restarted:
        later = recently + 15 * DAY
        fleet = lived(watching(remembered(path), names), names, later, 1 / 24)

    one, other = (sync for _, sync in fleet.syncs())
    mine, theirs = one.learned, other.learned
    assert mine.pattern is not None
    assert theirs.pattern is not None
    assert mine is not theirs
    assert mine.made_on is theirs.made_on
    assert mine.pattern.sure is theirs.pattern.sure
    assert mine.pattern.since is theirs.pattern.since
    assert mine.pattern.weights is theirs.pattern.weights
    assert one.read.warning is other.read.warning
    assert one.write.critical is other.write.critical


def test_more_that_was_learned_before_the_same_marks_is_saved(
    tmp_path: Path,
    recently: float,
    opened: Opened,
) -> None:
    path, names = tmp_path / "state.db", ["a"]
    short = lived(watching(Fleet(), names), names, recently + 20 * DAY, 4.6)
    whole = lived(watching(Fleet(), names), names, recently, 24.6)
    assert [s.sync for _, s in short.syncs()] == [s.sync for _, s in whole.syncs()]
    state = opened(path)
    state.save(short)

    assert state.save(whole) == 1

    state.close()
    assert remembered(path).remembered["a"]["Main é"].learned.record == (
        whole.standings["a"].memory()["Main é"].learned.record
    )


def test_a_type_that_answers_no_longer_tell_is_known_after_a_restart(
    tmp_path: Path,
    recently: float,
    opened: Opened,
) -> None:
    path, names = tmp_path / "state.db", ["a"]
    save(path, lived(watching(Fleet(), names), names, recently, 0.1))
    restarted = watching(opened(path).fleet(), names)
    at = recently + 0.1 * DAY
    told_nothing = Sync("Main é", None, read_at=at, write_at=at)

    fleet = restarted.after([Poll("a", at, (told_nothing,))], POLICY)

    assert [s.integration_type for _, s in fleet.syncs()] == [IntegrationType.SERVER]


def test_whoever_only_looks_sees_the_same_and_leaves_nothing_behind(
    tmp_path: Path,
    recently: float,
    opened: Opened,
) -> None:
    path, names = tmp_path / "state.db", ["a"]
    fleet = lived(watching(Fleet(), names), names, recently, 1)
    state = opened(path)
    state.save(fleet)
    first_seen = fleet.standings["a"].memory()["Main é"].learned.first_seen

    def looked() -> float:
        return remembered(path).remembered["a"]["Main é"].learned.first_seen

    assert looked() == first_seen  # beside the exporter that has it open
    state.close()
    before = sorted(tmp_path.iterdir()), path.read_bytes()
    assert looked() == first_seen
    assert (sorted(tmp_path.iterdir()), path.read_bytes()) == before


def test_whoever_may_not_even_look_for_the_file_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / ("a" * 300)
    with pytest.raises(StateError, match="cannot be read: File name too long"):
        remembered(path)

    assert main(["schedules", "smiles", "--state-file", str(path)]) == 1
    assert "cannot be read: File name too long" in capsys.readouterr().err


def test_whoever_only_looks_leaves_a_damaged_file_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"no database" * 100)

    with pytest.raises(StateError, match="cannot be read"):
        remembered(path)

    assert list(tmp_path.iterdir()) == [path]
    assert not remembered(tmp_path / "not there").remembered


def test_running_incidents_are_kept(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "state.db"
    started = {IntegrationType.CLOUD: 5.0}
    over, lasts = Incident(1.0, 2.0), Incident(5.0, float("inf"))
    lasting = {IntegrationType.CLOUD: (over, lasts), IntegrationType.SERVER: (over,)}
    save(path, Fleet(incidents=started, latest_incidents=lasting))

    fleet = opened(path).fleet()
    assert fleet.incidents == started
    assert fleet.latest_incidents == lasting


@pytest.mark.parametrize(
    "damage", [b"this is not a database, whatever its name says" * 100, b"SQLite format 3\0" * 99]
)
def test_a_damaged_file_is_set_aside(
    tmp_path: Path,
    damage: bytes,
    caplog: pytest.LogCaptureFixture,
    opened: Opened,
) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(damage)

    state = opened(path)

    assert state.was_lost
    assert state.fleet() == Fleet()
    aside = [
        p for p in tmp_path.iterdir() if "damaged" in p.name and p.suffix.startswith(".damaged")
    ]
    assert aside[0].read_bytes() == damage
    assert "set aside" in caplog.text


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE sync SET record = substr(record, 1, 40) WHERE institution = 'b'",
        "UPDATE sync SET record = 'text' WHERE institution = 'b'",
        "UPDATE look SET integration_type = 'another' WHERE institution = 'b'",
    ],
)
def test_a_record_that_cannot_be_read_costs_no_other(
    tmp_path: Path,
    recently: float,
    spoil: str,
    caplog: pytest.LogCaptureFixture,
    opened: Opened,
) -> None:
    path, names = tmp_path / "state.db", ["a", "b", "c"]
    fleet = lived(watching(Fleet(), names), names, recently, 1)
    save(path, fleet)
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute(spoil).rowcount == 1

    state = opened(path)

    assert state.fleet().remembered.keys() == {"a", "c"}
    assert state.was_lost
    assert caplog.records[0].__dict__["records"] == 1
    assert remembered(path).remembered.keys() == {"a", "c"}
    assert state.save(fleet) == 1
    state.close()
    again = opened(path)
    assert again.fleet().remembered.keys() == {"a", "b", "c"}
    assert not again.was_lost
    again.close()


def test_a_file_that_is_removed_while_in_use_is_written_anew_as_a_whole(
    tmp_path: Path, recently: float, caplog: pytest.LogCaptureFixture, opened: Opened
) -> None:
    path, names = tmp_path / "folder" / "state.db", ["a", "b"]
    fleet = lived(watching(Fleet(), names), names, recently, 1)
    state = opened(path)
    state.save(fleet)
    shutil.rmtree(path.parent)

    assert state.save(fleet) == 2

    assert state.save(fleet) == 0
    assert remembered(path).remembered.keys() == {"a", "b"}
    assert {known.institution.subdomain for known in opened(path).answers()} == {"a", "b"}
    assert [record.message for record in caplog.records] == ["state file gone, writing a new one"]


def test_a_file_that_is_replaced_while_in_use_is_not_overwritten(
    tmp_path: Path, recently: float, opened: Opened
) -> None:
    path, backup, names = tmp_path / "state.db", tmp_path / "backup.db", ["a", "b"]
    save(backup, lived(watching(Fleet(), names), names, recently, 2))
    state = opened(path)
    backup.replace(path)
    before = path.read_bytes()

    for _ in range(2):
        with pytest.raises(StateError, match="was replaced while in use; restart the exporter"):
            state.save(lived(watching(Fleet(), names), names, recently, 1))

    assert path.read_bytes() == before
    state.close()
    assert remembered(path).remembered.keys() == {"a", "b"}


def test_two_exporters_with_one_file_are_told_until_there_is_only_one(
    tmp_path: Path, recently: float, opened: Opened
) -> None:
    path, fleet = tmp_path / "state.db", lived(watching(Fleet(), ["a"]), ["a"], recently, 1)
    one, other = opened(path), opened(path)

    def saved(state: StateFile) -> bool:
        try:
            state.save(fleet)
        except StateError as error:
            assert "give each exporter a file of its own" in str(error)  # noqa: PT017 - not always
            return False
        return True

    results = [(saved(one), saved(other)) for _ in range(5)]
    other.close()

    # An old process may overlap with a new one for some saves, as in a rolling update.
    assert results[:3] == [(True, True)] * 3
    assert results[4:] == [(False, False)]
    assert not saved(one)
    assert saved(one)
    # Who only looks does not count.
    for _ in range(5):
        assert remembered(path).remembered
        assert saved(one)


@pytest.mark.parametrize("version", [0, 1, 99])
def test_the_database_of_another_program_stays_as_it_is(
    tmp_path: Path, version: int, opened: Opened
) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE bookmark (title TEXT)")
        db.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()

    with pytest.raises(StateError, match=r"another program .*a table bookmark.*use another file"):
        opened(path)
    with pytest.raises(StateError, match="another program"):
        remembered(path)

    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("theirs.db", before)]


def test_a_file_of_an_older_schema_is_set_aside(
    tmp_path: Path,
    recently: float,
    caplog: pytest.LogCaptureFixture,
    opened: Opened,
) -> None:
    path, names = tmp_path / "state.db", ["a"]
    save(path, lived(watching(Fleet(), names), names, recently, 1))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA user_version = 1")
    with pytest.raises(StateError, match=r"older version \(schema 1\)"):
        remembered(path)

    state = opened(path)

    assert state.was_lost
    assert not state.fleet().remembered
    assert "older version wrote it (schema 1)" in str(caplog.records[0].__dict__)
    aside = next(p for p in tmp_path.iterdir() if p.name.startswith("state.db.schema-1-"))
    with closing(sqlite3.connect(aside)) as db, db:
        assert db.execute("SELECT count(*) FROM sync").fetchone() == (1,)
    state.close()
    again = opened(path)
    assert not again.was_lost
    again.close()


def test_the_layout_of_records_has_not_changed_without_a_new_schema() -> None:
    known = (4, 351326399)
    assert (SCHEMA, zlib.crc32(_layout().encode())) == known, (
        "raise SCHEMA, then set both here; "
        "a field at the end with a default, or a table more, needs no other schema"
    )


@pytest.mark.parametrize(
    ("missing", "lacks"), [(1, {}), (2, {"seldom": 0}), (3, {"seldom": 0, "alone": (0, 0)})]
)
def test_a_week_that_was_packed_before_it_had_its_last_fields_is_read(
    missing: int, lacks: dict[str, Any]
) -> None:
    week = Week(bytes(336), bytes(168), (1, 0), ((), ()), (3, 4), 9, (5, 6))
    told = list(astuple(week))

    older = week_of(zlib.compress(msgspec.msgpack.encode(told[:-missing])))

    assert older == replace(week, weekend_pauses=None, **lacks)
    assert older.pauses_of(0) == (1, 1), "until then, they were the same all week"
    longer = msgspec.msgpack.encode([*told, "of a newer version"])
    assert week_of(zlib.compress(longer)) == week


def test_a_record_that_was_packed_before_it_had_absences_is_read() -> None:
    record = Record(7, 9, 2, 4, (1, 8))
    told = [7, [bytes([mask]) for mask in (9, 2, 4, 1, 8)], [[], []]]
    assert unpacked(zlib.compress(msgspec.msgpack.encode(told))) == record
    assert unpacked(replace(record, absences=(3, 0)).packed()).absences == (3, 0)


def _layout() -> str:
    """Names and types of all that a record is packed from, and the tables."""
    kinds = (Learned, Pattern, Week, Packed, Quiet)
    fields = [str(k.__annotations__) for k in kinds]
    return "\n".join([*fields, TABLES])


@pytest.mark.parametrize("more", ["", "CREATE TABLE note (text TEXT)"])
def test_a_newer_schema_is_refused_and_left_alone(
    tmp_path: Path, opened: Opened, more: str
) -> None:
    path = tmp_path / "state.db"
    opened(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(more)
        db.execute("PRAGMA user_version = 99")

    with pytest.raises(StateError, match="newer version"):
        opened(path)
    assert path.exists()


def test_what_nobody_looked_at_for_months_is_forgotten(
    tmp_path: Path, recently: float, opened: Opened
) -> None:
    path, old, new = tmp_path / "state.db", ["a"], ["b"]
    state = opened(path)
    fleet = lived(watching(Fleet(), old), old, recently - 400 * DAY, 2)
    state.save(lived(watching(fleet, new), new, recently, 2))
    state.close()

    assert [institution for institution, _ in opened(path).fleet().memory()] == new


def test_months_without_any_look_or_a_clock_that_is_ahead_forget_nobody(
    tmp_path: Path, opened: Opened
) -> None:
    path, names = tmp_path / "state.db", ["a", "b"]
    fleet = lived(watching(Fleet(), names), names, time.time() - 400 * DAY, 2)
    save(path, fleet)

    assert dict(opened(path).fleet().memory()) == dict(fleet.memory())


SAVING = """
import sys
from pathlib import Path
from tests.state.test_state import Fleet, StateFile, lived, time, watching
names = [f"office-{n}" for n in range(30)]
state, start = StateFile(Path(sys.argv[1])), time.time() // 86400 * 86400 - 20 * 86400
fleet = watching(state.fleet(), names)
for number in range(2000):
    fleet = lived(fleet, names, start + number * 6000, 0.05)
    state.save(fleet)
    print("saved", flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_state_that_opens(tmp_path: Path, opened: Opened) -> None:
    path, fleet = tmp_path / "state.db", Fleet()
    for number in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", SAVING, str(path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[2],
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"saved\n"
            time.sleep(0.05 + 0.17 * number)
            os.kill(process.pid, signal.SIGKILL)
        state = opened(path)
        assert not state.was_lost
        fleet = state.fleet()
        state.close()
    assert len(fleet.remembered) == 30


def test_ten_thousand_syncs_are_all_kept_and_small(
    tmp_path: Path, recently: float, opened: Opened
) -> None:
    fleet = lived(watching(Fleet(), ["a"]), ["a"], recently, 40)
    (kept,) = fleet.standings["a"].memory().values()
    many = {f"office-{n}": {"Main": kept} for n in range(10_000)}
    path = tmp_path / "state.db"
    state = opened(path)
    assert state.save(Fleet(remembered=many)) == len(many)
    state.close()

    assert remembered(path).remembered.keys() == many.keys()
    assert sum(part.stat().st_size for part in tmp_path.iterdir()) < 30e6


@pytest.mark.parametrize("zones", [(), ("",), ("Mars/Olympus",)])
def test_a_record_of_a_zone_that_is_not_known_is_of_the_present_one(
    tmp_path: Path,
    recently: float,
    zones: tuple[str, ...],
    opened: Opened,
) -> None:
    path = tmp_path / "state.db"
    save(path, lived(watching(Fleet(), ["smiles"]), ["smiles"], recently, 35))
    with closing(sqlite3.connect(path)) as db, db:
        (record,) = db.execute("SELECT record FROM sync").fetchone()
        *told, zone = msgspec.msgpack.decode(record)
        assert zone == "America/New_York"
        db.execute("UPDATE sync SET record = ?", (msgspec.msgpack.encode([*told, *zones]),))

    state = opened(path)
    assert not state.was_lost
    fleet = lived(watching(state.fleet(), ["smiles"]), ["smiles"], recently + 35 * DAY, 1 / 24)
    state.close()
    learned = fleet.standings["smiles"].memory()["Main é"].learned
    assert learned.zone == "America/New_York"
    assert learned.pattern is not None
