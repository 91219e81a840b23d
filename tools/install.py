"""Install into `.venv`, as make asks: `python3 tools/install.py STAMP PREREQUISITE ...`.

Makes the environment when it is missing and installs each `constraints/FILE` checked by hash;
`pyproject.toml` stands for the project itself, editable. The stamp is touched when that is done.
Standard library only, since nothing else is there yet.

One at a time: whoever finds another installing waits, and then finds the work done. A stamp is
older than what it rests on until all is installed, so whatever is broken off is taken up again.

pip brings uv, which then installs the rest: it reads an index of thousands of files in a fifth of
pip's time. Where pip's settings say what uv has no word for, or uv fails, pip does it all.
"""

import ast
import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / ".venv.lock"
"""Beside the environment, which is emptied when it is made anew."""
PROJECT = "pyproject.toml"
OLDEST = (3, 11)
KNOWN = ("python3.13", "python3.12", "python3.11")
Command = list[str | Path]
PIP: Command = [PYTHON, "-m", "pip", "--disable-pip-version-check"]
UV = VENV / "bin" / "uv"
BRINGS = ROOT / "constraints" / "install.txt"
WORDS = {
    "cert": "SSL_CERT_FILE",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "trusted-host": "UV_INSECURE_HOST",
}
"""pip's settings and the variables by which uv knows the same."""
SILENT = {
    "break-system-packages",
    "disable-pip-version-check",
    "no-color",
    "no-input",
    "progress-bar",
    "quiet",
    "require-virtualenv",
    "retries",
    "root-user-action",
    "verbose",
}
"""pip's settings that change nothing of what is installed, nor from where."""


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


def names(text: str) -> set[str]:
    """The packages that a requirements file is about; an option such as -c is one by that name."""
    lines = re.findall(r"^\s*([\w.-]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in lines}


def is_about(constraints: list[str], files: list[str]) -> bool:
    """True when what pip is to keep to may be about a package of ours, or cannot be read here.

    uv accepts constraints without hashes only where it would accept packages without.
    """
    ours = {"-c", "-r", "-constraint", "-requirement"}
    for file in files:
        ours |= names((ROOT / file).read_text("utf-8"))
    try:
        return any(ours & names(Path(path).read_text("utf-8")) for path in constraints)
    except OSError:
        return True


def settings_for_uv(files: list[str]) -> dict[str, str] | None:
    """What pip is told by its files and the environment, in uv's words; None where uv has none.

    Given as environment, not as arguments: an address may hold a password.
    """
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False)
    told: dict[str, str] = {}
    # What comes later outranks: the section of a command, then the environment.
    for section in ("global", "install", ":env:"):
        for line in listed.stdout.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}."):
                told[name.removeprefix(f"{section}.")] = ast.literal_eval(value)
    constraints = told.pop("constraint", "").split()
    if listed.returncode or is_about(constraints, files) or told.keys() - WORDS.keys() - SILENT:
        return None
    words = {WORDS[name]: " ".join(value.split()) for name, value in told.items() if name in WORDS}
    if "UV_FIND_LINKS" in words:
        words["UV_FIND_LINKS"] = words["UV_FIND_LINKS"].replace(" ", ",")
    return words


def installers(files: list[str], *, is_project: bool) -> Iterator[tuple[Command, dict[str, str]]]:
    """The commands that may install, the best first, each with its environment."""
    # The program starts quickly also for whoever forbids Python to keep what it has compiled. The
    # tools are compiled when first used: most of their files never are.
    compiling = ["--compile-bytecode"] if is_project else []
    settings = settings_for_uv(files)
    pip: Command = [*PIP, "install", "-qq"]
    hashed = ["--no-deps", "--require-hashes", "--only-binary=:all:", f"--requirement={BRINGS}"]
    if settings is not None and not subprocess.run([*pip, *hashed], check=False).returncode:
        # As pip does: of all indexes, whichever has the file.
        uv: Command = [UV, "pip", "install", "--quiet", "--index-strategy=unsafe-best-match"]
        yield [*uv, f"--python={PYTHON}", *compiling], {**os.environ, **settings}
        print("uv failed; now pip", flush=True)
    yield pip, {**os.environ}


@contextmanager
def alone() -> Iterator[None]:
    """Keep others from installing meanwhile; the kernel lets go of the lock of whoever dies."""
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another make, which installs into .venv", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_newer(stamp: Path, needed: list[str]) -> bool:
    """Whether all of it has been installed, by another maybe."""
    made = [(ROOT / path).stat().st_mtime_ns for path in needed]
    return stamp.exists() and stamp.stat().st_mtime_ns >= max(made)


def install(needed: list[str]) -> None:
    """Install what the files list and the project; leaves with pip's words when it fails."""
    if not runs(PYTHON):
        have_ensurepip()
        print(f"Making .venv with Python {sysconfig.get_python_version()}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    files = [path for path in needed if path.startswith("constraints/")]
    is_project = PROJECT in needed
    # The files are complete. Without --no-deps, an extra such as coverage[toml] makes pip look at
    # versions newer than the pinned one, and refuse them for want of a hash.
    steps = [["--require-hashes", *(f"--requirement={file}" for file in files)]]
    if is_project:
        steps.append(["--no-build-isolation", "--editable", "."])
    said = [*files, "the project"] if is_project else files
    print(f"Installing {', '.join(said)} into .venv", flush=True)
    for installer, environment in installers(files, is_project=is_project):
        commands = [[*installer, "--no-deps", *step] for step in steps]
        if not any(
            subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
            for command in commands
        ):
            return
    sys.exit("pip failed; its words are above")


def main(target: str, *needed: str) -> None:
    """Bring the environment up to date with what the target needs."""
    use_new_python()
    stamp = ROOT / target
    with alone():
        if not is_newer(stamp, list(needed)):
            install(list(needed))
            stamp.touch()


if __name__ == "__main__":
    main(*sys.argv[1:])
