"""`learn` with a state file that it cannot use: refused at once, and left alone."""

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nexhealth_exporter.cli import main
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.state import SCHEMA, StateFile
from tests.faults.test_disk import nobody


def another_program_s(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE notes (text)")


def a_newer_version_s(path: Path) -> None:
    with closing(StateFile(path)):
        pass
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")


def without_a_log(path: Path) -> None:
    """A folder has the name of its write-ahead log."""
    with closing(StateFile(path)):
        pass
    path.with_name(f"{path.name}-wal").mkdir()


def below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("in the way")


UNUSABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "another program's": (another_program_s, "is the database of another program"),
    "a newer version's": (a_newer_version_s, "was written by a newer version"),
    "without a log": (without_a_log, "cannot be opened: unable to open database file"),
    "a folder": (Path.mkdir, "cannot be opened"),
    "below a file": (below_a_file, "cannot be opened: Not a directory"),
}


@pytest.mark.parametrize(("made", "sentence"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_state_file_is_refused_before_the_past_is_read_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], made: Callable[[Path], None], sentence: str
) -> None:
    state = tmp_path / "folder" / "state.db"
    state.parent.mkdir()
    made(state)

    def there() -> list[tuple[Path, bytes]]:
        found = sorted(tmp_path.rglob("*"))
        return [(path, path.read_bytes() if path.is_file() else b"") for path in found]

    before = there()
    words = ["learn", "--observations", "/nowhere", "--state-file", str(state)]
    assert main(words) == 1
    assert sentence in capsys.readouterr().err
    assert there() == before


def test_a_state_file_that_is_in_use_is_refused_before_the_past_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state.db"
    words = ["learn", "--observations", "/nowhere", "--state-file", str(state)]
    with closing(StateFile(state)) as used:
        assert main(words) == 1
        assert "is in use; stop the exporter that uses it" in capsys.readouterr().err
        used.save(Fleet())

    before = state.read_bytes()
    assert main(words) == 1
    assert "/nowhere cannot be read" in capsys.readouterr().err
    assert (list(tmp_path.iterdir()), state.read_bytes()) == ([state], before)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_state_file_that_cannot_be_written_is_refused_before_the_past_is_read(
    capsys: pytest.CaptureFixture[str], *, is_there: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.db"
        if is_there:
            with closing(StateFile(state)):
                pass
        Path(folder).chmod(0o555)
        state = state if is_there else state.parent / "new" / state.name
        words = ["learn", "--observations", "/nowhere", "--state-file", str(state)]
        try:
            with nobody():
                assert main(words) == 1
        finally:
            Path(folder).chmod(0o755)
    assert f"{state} cannot be" in capsys.readouterr().err
