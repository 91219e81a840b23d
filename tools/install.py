"""Install the project into `.venv`: `python3 tools/install.py constraints/FILE ...`.

Makes the environment when it is missing, installs the given files checked by hash, then the
project itself, editable. Standard library only, since nothing else is there yet.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)
KNOWN = ("python3.13", "python3.12", "python3.11")


def use_new_python() -> None:
    """Go on under a Python that is new enough, or say which is missing."""
    if sys.version_info >= OLDEST:
        return
    newer = next(filter(None, map(shutil.which, KNOWN)), None)
    if newer is None:
        sys.exit(f"needs Python {'.'.join(map(str, OLDEST))} or newer; this is {sys.version}")
    os.execv(newer, [newer, *sys.argv])  # noqa: S606 - a path that PATH gave us, no shell


def have_ensurepip() -> None:
    """Debian keeps the seed of virtual environments in a package of its own."""
    if importlib.util.find_spec("ensurepip"):
        return
    package = f"python{sysconfig.get_python_version()}-venv"
    install = ["apt-get", "install", "--yes", "-qq", package]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        sys.exit(f"Python's venv module is incomplete; as root, once: {' '.join(install)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], install):
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def runs(python: Path) -> bool:
    """False also when the interpreter behind an old environment is gone."""
    try:
        done = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def main(files: list[str]) -> None:
    """Install what the files list and the project; leaves with pip's words when it fails."""
    use_new_python()
    if not runs(PYTHON):
        have_ensurepip()
        print(f"Making .venv with Python {sysconfig.get_python_version()}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    pip: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "-qq",
    ]
    chosen = [argument for file in files for argument in ("--requirement", file)]
    print(f"Installing {', '.join(files)} into .venv", flush=True)
    editable = ["--no-build-isolation", "--editable", "."]
    # The files are complete. Without --no-deps, an extra such as coverage[toml] makes pip look at
    # versions newer than the pinned one, and refuse them for want of a hash.
    for what in (["--require-hashes", *chosen], editable):
        if subprocess.run([*pip, "--no-deps", *what], cwd=ROOT, check=False).returncode:
            sys.exit("pip failed; its words are above")


if __name__ == "__main__":
    main(sys.argv[1:])
