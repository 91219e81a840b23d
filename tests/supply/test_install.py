"""Setting up survives company and sudden ends: real processes, in a project of their own."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAMP, LIST = ".venv/.runtime", "constraints/runtime.txt"


def made(tmp_path: Path) -> Path:
    """A project with what the installer needs, and nothing to be had from an index."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/install.py", tmp_path / "tools")
    (tmp_path / "constraints").mkdir()
    (tmp_path / LIST).write_text("# nothing\n")
    return tmp_path


def installing(project: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "tools/install.py", STAMP, LIST],
        cwd=project,
        env={**os.environ, "PIP_NO_INDEX": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_two_at_once_install_once_and_take_up_what_was_broken_off(
    tmp_path: Path,
) -> None:
    project = made(tmp_path)
    killed = installing(project)
    assert killed.stdout is not None
    assert "Making .venv" in killed.stdout.readline()
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()

    one = installing(project)
    assert one.stdout is not None
    begun = one.stdout.readline()
    other = installing(project)
    said = begun + one.communicate(timeout=60)[0]
    heard = other.communicate(timeout=60)[0]

    assert (one.returncode, other.returncode) == (0, 0), said + heard
    assert said.count("Making .venv") == said.count("Installing constraints/runtime.txt") == 1
    assert heard == "Waiting for another make, which installs into .venv\n"
    assert (project / STAMP).exists()

    assert installing(project).communicate(timeout=60)[0] == ""
    later = (project / STAMP).stat().st_mtime_ns + 10**9
    os.utime(project / LIST, ns=(later, later))
    changed = installing(project).communicate(timeout=60)[0]
    assert "Installing" in changed
    assert "Making" not in changed
