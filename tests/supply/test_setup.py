"""Set-up: by several tasks at once, and after one that was interrupted. Nothing is downloaded."""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BACKEND = """
import pathlib, time, zipfile

ABOUT = "project-1.dist-info"

def build_editable(folder, *_):
    with open("builds", "a") as builds:
        builds.write("built\\n")
    while pathlib.Path("held").exists():
        time.sleep(0.02)
    with zipfile.ZipFile(f"{folder}/project-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("project.py", "")
        metadata = "Metadata-Version: 2.1\\nName: project\\nVersion: 1\\n"
        wheel.writestr(f"{ABOUT}/METADATA", metadata)
        wheel.writestr(f"{ABOUT}/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(f"{ABOUT}/RECORD", "")
    return "project-1-py3-none-any.whl"
"""
"""How the project is built: counted, and for as long as the test wants."""

Start = Callable[[str], subprocess.Popen[str]]


def wheel(folder: Path, name: str) -> str:
    """A package of one empty module; returns the line that locks it."""
    path = folder / f"{name}-1-py3-none-any.whl"
    about = f"{name}-1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return f"{name}==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of our kind, with packages of its own that lie beside it."""
    for folder in ("tools", "constraints", "wheels"):
        (tmp_path / folder).mkdir()
    for script in ("install.py", "alone.py"):
        shutil.copy(ROOT / "tools" / script, tmp_path / "tools")
    for step in ("runtime", "build", "install", "dev"):
        lock = wheel(tmp_path / "wheels", f"for_{step}")
        (tmp_path / "constraints" / f"{step}.txt").write_text(lock)
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "project"\nversion = "1"\n'
    )
    return tmp_path


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    """Starts a set-up up to a step, whose words can be read."""
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project / "wheels")}
    # As `make` does: pip is compiled once, not each time.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | settings
    with ExitStack() as running:

        def started(step: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "tools/install.py", step],
                cwd=project,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                process_group=0,
            )
            running.enter_context(process)
            running.callback(end, process)
            return process

        yield started
        (project / "held").unlink(missing_ok=True)


def end(process: subprocess.Popen[str]) -> None:
    """End a set-up that still runs, together with its installer."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def said(process: subprocess.Popen[str]) -> str:
    """The next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def until_it_builds(process: subprocess.Popen[str], project: Path) -> None:
    """Wait until it stands in the middle of installing."""
    while not (project / "builds").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def held(project: Path) -> bool:
    """Whether somebody holds the lock."""
    with (project / "tools" / "install.py").open("r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_of_two_set_ups_at_once_the_second_waits_and_installs_what_is_left(
    project: Path, start: Start
) -> None:
    (project / "held").touch()
    first = start("runtime")
    until_it_builds(first, project)
    second = start("dev")
    assert said(second) == "Waiting for another make to finish installing into .venv"
    (project / "held").unlink()

    told, _ = first.communicate()
    assert first.returncode == 0, told
    assert told.splitlines()[-1] == "Installing runtime into .venv"
    told, _ = second.communicate()
    assert second.returncode == 0, told
    assert told == "Installing dev into .venv\n"

    needed = "import for_runtime, for_build, for_dev, project"
    subprocess.run([project / ".venv/bin/python", "-c", needed], check=True)
    assert (project / "builds").read_text() == "built\n"
    assert start("dev").communicate()[0] == ""

    # A failure leaves what was there before.
    (project / ".venv" / "mine").touch()
    lock = project / "constraints" / "dev.txt"
    right = lock.read_text()
    lock.write_text(f"missing==1 --hash=sha256:{'0' * 64}\n")
    told, _ = start("dev").communicate()
    assert "No matching distribution found for missing==1" in told
    lock.write_text(right)
    assert start("dev").communicate()[0] == "Installing dev into .venv\n"
    assert (project / ".venv" / "mine").exists()


def test_after_a_set_up_that_was_killed_the_next_one_makes_the_environment_anew(
    project: Path, start: Start
) -> None:
    (project / "held").touch()
    first = start("runtime")
    until_it_builds(first, project)
    half = project / ".venv" / "half-a-package"
    half.touch()
    second = start("runtime")
    assert said(second).startswith("Waiting for another make")
    first.kill()
    first.wait()
    # Its installer goes on.
    assert held(project)
    (project / "held").unlink()

    told, _ = second.communicate()
    assert second.returncode == 0, told
    assert "a set-up was interrupted" in told
    assert not half.exists()
    subprocess.run([project / ".venv/bin/python", "-c", "import for_runtime, project"], check=True)
    assert (project / "builds").read_text() == "built\nbuilt\n"
    assert not held(project)

    # Ended once more while it empties the environment, of which the mark may be the first to go.
    (project / ".venv" / ".unfinished").touch()
    half.touch()
    emptying = project / "venv.py"
    emptying.write_text("import os\nos.remove('.venv/.unfinished')\nraise SystemExit(1)\n")
    assert "Python's venv failed" in start("runtime").communicate()[0]
    emptying.unlink()
    anew = start("runtime")
    assert said(anew).startswith("Making .venv")
    while half.exists():
        assert anew.poll() is None, anew.communicate()
        time.sleep(0.05)
