"""A state file that can be read at the start, but not be written: nothing learned is lost."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.state import StateFile
from tests.faults.test_disk import NAMES, Opened, no_room, nobody, opened, told
from tests.state.test_state import DAY, lived, watching

__all__ = ["opened"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def fleet() -> Fleet:
    return lived(watching(Fleet(), NAMES[:5]), NAMES[:5], time.time() // DAY * DAY - 3 * DAY, 1)


def learned(fleet: Fleet) -> dict[str, object]:
    return {name: memory["Main é"].learned for name, memory in fleet.memory()}


@contextmanager
def in_the_way(path: Path, _: Fleet) -> Iterator[None]:
    """A folder has the name of the write-ahead log."""
    wal = path.with_name(f"{path.name}-wal")
    wal.mkdir()
    yield
    wal.rmdir()


@contextmanager
def full(_path: Path, _: Fleet) -> Iterator[None]:
    with no_room(0):
        yield


@contextmanager
def read_only(path: Path, _: Fleet) -> Iterator[None]:
    for file in path.parent.iterdir():
        file.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        with nobody():
            yield
    finally:
        path.parent.chmod(0o755)
        for file in path.parent.iterdir():
            file.chmod(0o644)


@contextmanager
def read_only_after_a_kill(path: Path, fleet: Fleet) -> Iterator[None]:
    """All that was learned is in the write-ahead log that was left behind."""
    path.unlink()
    with closing(StateFile(path.with_name("killed"))) as state:
        state.save(fleet)
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(f"{state.path}{suffix}", f"{path}{suffix}")
    with read_only(path, fleet):
        yield


Hindered = Callable[[Path, Fleet], AbstractContextManager[None]]
HINDERED = [in_the_way, full, read_only, read_only_after_a_kill]


@pytest.mark.parametrize("hindered", HINDERED)
def test_what_was_learned_is_known_though_nothing_can_be_written_and_saved_once_it_can(
    hindered: Hindered, folder: Path, fleet: Fleet, caplog: pytest.LogCaptureFixture, opened: Opened
) -> None:
    path, own = folder / "state.db", OwnMetrics("test")
    with closing(StateFile(path)) as state:
        state.save(fleet)
    later = lived(fleet, NAMES[:5], time.time() // DAY * DAY - 2 * DAY, 0.5)

    with hindered(path, fleet):
        persistence = opened(path, own)
        known, answers = persistence.handed_over()
        assert learned(known) == learned(fleet)
        assert {a.institution.subdomain for a in answers} == set(NAMES[:5])
        assert told(own, "state_ok") == 0
        persistence.save(later)
        assert told(own, "state_ok") == 0
    assert [r.msg for r in caplog.records] == [
        "state file cannot be written, learned state is kept in memory only until it can",
        "saving state failed",
    ]

    persistence.save(later)
    assert told(own, "state_ok") == 1
    with closing(StateFile(path)) as state:
        assert learned(state.fleet()) == learned(later)


@pytest.mark.parametrize("hindered", [full, read_only])
def test_a_first_state_is_saved_once_it_can_be_written(
    hindered: Hindered, folder: Path, fleet: Fleet, opened: Opened
) -> None:
    path, own = folder / "state.db", OwnMetrics("test")
    with hindered(path, fleet):
        persistence = opened(path, own)
        persistence.save(fleet)
        assert told(own, "state_ok") == 0
    for room in (0, 4096):  # for nothing, and for the first page only
        with no_room(room):
            persistence.save(fleet)
            assert told(own, "state_ok") == 0

    persistence.save(fleet)
    assert told(own, "state_ok") == 1
    with closing(StateFile(path)) as state:
        assert learned(state.fleet()) == learned(fleet)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_file_that_takes_its_place_before_it_can_be_written_is_not_overwritten(
    folder: Path, fleet: Fleet, caplog: pytest.LogCaptureFixture, opened: Opened, *, is_there: bool
) -> None:
    path, backup, own = folder / "state.db", folder / "backup.db", OwnMetrics("test")
    with closing(StateFile(backup)) as state:
        state.save(fleet)
    if is_there:
        with closing(StateFile(path)) as state:
            state.save(Fleet())
    with read_only(path, fleet):
        persistence = opened(path, own)
    backup.replace(path)
    before = path.read_bytes()

    for _ in range(2):
        persistence.save(watching(Fleet(), NAMES[:5]))
        assert told(own, "state_ok") == 0
        assert "was replaced before it could be written; restart the exporter" in str(
            caplog.records[-1].__dict__["error"]
        )
    assert path.read_bytes() == before


def test_a_damaged_file_that_cannot_be_replaced_stays_told_as_lost(
    folder: Path, fleet: Fleet, opened: Opened
) -> None:
    path, own = folder / "state.db", OwnMetrics("test")
    damaged = b"damaged" * 1000
    path.write_bytes(damaged)
    with full(path, fleet):
        persistence = opened(path, own)
        assert told(own, "state_ok") == 0
    assert path.read_bytes() == damaged
    persistence.save(fleet)
    assert told(own, "state_ok") == 0


def test_what_another_process_learns_into_a_file_at_the_start_is_not_overwritten(
    folder: Path, fleet: Fleet, opened: Opened
) -> None:
    path, own = folder / "state.db", OwnMetrics("test")
    with closing(StateFile(path)) as state:
        state.save(fleet)
    later = lived(fleet, NAMES[:5], time.time() // DAY * DAY - 2 * DAY, 0.5)
    with closing(StateFile(path, is_alone=True)) as learning:
        learning.fleet()
        learning.save(fleet)
        persistence = opened(path, own)
        learning.save(later)
    persistence.save(fleet)
    assert told(own, "state_ok") == 0
    with closing(StateFile(path)) as state:
        assert learned(state.fleet()) == learned(later)
