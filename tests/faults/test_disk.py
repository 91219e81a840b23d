"""A disk that is full, cannot be written or is not there: the exporter goes on and says so."""

import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from nexhealth_exporter.cli.persistence import Persistence
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Fleet, SyncMemory
from nexhealth_exporter.simulator import Simulator, plain_offices
from nexhealth_exporter.state import StateFile
from tests.e2e.processes import PROGRAM, free_port, get, running, until
from tests.faults.truth import Seen
from tests.state.test_state import DAY, lived, watching

NAMES = [f"office-{number}" for number in range(40)]


Opened = Callable[[Path, OwnMetrics], Persistence]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens memories, and closes each in the end."""
    with ExitStack() as stack:
        yield lambda path, own: stack.enter_context(closing(Persistence(path, own)))


@contextmanager
def no_room(room: int) -> Iterator[None]:
    """No file of this process may be larger than so many bytes: what a full disk is to SQLite."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def told(own: OwnMetrics, name: str) -> float | None:
    return Seen.of(own.page(frozenset(), openmetrics=False).decode()).one(name)


def test_a_full_disk_is_told_and_nothing_is_lost_once_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, opened: Opened
) -> None:
    path, own = tmp_path / "state.db", OwnMetrics("test")
    start = time.time() // DAY * DAY - 3 * DAY
    persistence = opened(path, own)
    assert told(own, "state_ok") == 1
    fleet = lived(watching(Fleet(), NAMES), NAMES, start, 1)

    with no_room(8192):
        persistence.save(fleet)
        assert told(own, "state_ok") == 0
        assert told(own, "state_last_save_timestamp_seconds") is None
        assert "saving state failed" in caplog.text
        fleet = lived(fleet, NAMES, start + DAY, 1)
        persistence.save(fleet)
        assert told(own, "state_ok") == 0

    persistence.save(fleet)
    assert told(own, "state_ok") == 1
    assert told(own, "state_last_save_timestamp_seconds") == pytest.approx(time.time(), abs=60)
    with closing(StateFile(path)) as state:
        kept = state.fleet().remembered
    assert {name: memory["Main é"].learned for name, memory in kept.items()} == {
        name: memory["Main é"].learned for name, memory in fleet.memory()
    }


@contextmanager
def nobody() -> Iterator[None]:
    """Root may write anywhere: be somebody else for a moment."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


@pytest.mark.parametrize("is_there", [True, False])
def test_a_read_only_disk_is_told_and_stops_nothing(
    caplog: pytest.LogCaptureFixture, opened: Opened, *, is_there: bool
) -> None:
    start = time.time() // DAY * DAY - 3 * DAY
    fleet = lived(watching(Fleet(), NAMES), NAMES, start, 1)
    with tempfile.TemporaryDirectory() as name:
        folder, own = Path(name), OwnMetrics("test")
        path = folder / "state.db"
        if is_there:
            opened(path, own).save(fleet)
            path.chmod(0o444)
        folder.chmod(0o555)
        try:
            with nobody(), pytest.raises(PermissionError):
                (folder / "file").touch()
            with nobody():
                persistence = opened(path, own)
                assert told(own, "state_ok") == 0
                persistence.save(fleet)
                assert told(own, "state_ok") == 0
        finally:
            folder.chmod(0o755)
    assert "kept in memory only" in caplog.text


NOWHERE: dict[str, Callable[[Path], Path]] = {
    "a folder that cannot be made": lambda _: Path("/proc/nexhealth/state.db"),
    "a file in place of the folder": lambda folder: folder / "file" / "state.db",
    "a folder in its place": lambda folder: folder,
    "no room at all": lambda _: Path("/dev/full"),
    "a name too long": lambda folder: folder / ("x" * 300),
}


@pytest.mark.parametrize("where", NOWHERE)
def test_a_file_that_cannot_be_opened_is_told_and_stops_nothing(
    where: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, opened: Opened
) -> None:
    (tmp_path / "file").write_text("in the way")
    own = OwnMetrics("test")
    path = NOWHERE[where](tmp_path)
    try:
        persistence = opened(path, own)
        assert told(own, "state_ok") == 0
        assert "kept in memory only" in caplog.text
        persistence.save(Fleet())
        assert told(own, "state_ok") == 0
    finally:
        if where == "no room at all":  # SQLite may put its journal beside a device
            path.with_name(f"{path.name}-journal").unlink(missing_ok=True)


@pytest.mark.e2e
async def test_the_program_runs_and_ends_well_where_nothing_can_be_written(tmp_path: Path) -> None:
    port = free_port()
    async with Simulator(plain_offices(3)) as simulator:
        env = {
            "API_URL": simulator.url,
            "API_KEY": simulator.api_key,
            "LISTEN_ADDRESS": f"127.0.0.1:{port}",
            "STATE_FILE": str(tmp_path / "state.db"),
        }
        settings = {f"NEXHEALTH_EXPORTER_{name}": value for name, value in env.items()}
        # No byte may be written to any file, as on a disk that is full.
        command = ("sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *PROGRAM)
        async with running(*command, env=settings) as exporter:

            async def page() -> Seen | None:
                status, text = await get(f"http://127.0.0.1:{port}/metrics")
                seen = Seen.of(text) if status == 200 else None
                return seen if seen is not None and seen.one("up") == 1 else None

            seen: Seen = await until(page, why=exporter.said)
            assert seen.one("state_ok") == 0
            assert len(seen.samples["sync_read_lag_seconds"]) == 3
            assert await exporter.stop() == 0
            assert "kept in memory only" in exporter.said
            assert "Traceback" not in exporter.said


class FaultyFleet(Fleet, frozen=True):
    """A fleet with a fault of ours in telling what is to be remembered."""

    def memory(self) -> Iterator[tuple[str, dict[str, SyncMemory]]]:
        raise LookupError("a fault of ours")


def test_a_fault_in_saving_ends_nothing_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, opened: Opened
) -> None:
    own = OwnMetrics("test")
    persistence = opened(tmp_path / "state.db", own)
    persistence.save(FaultyFleet())

    assert "LookupError: a fault of ours" in caplog.text
    assert told(own, "state_ok") == 0
    persistence.save(Fleet())
    assert told(own, "state_ok") == 1
