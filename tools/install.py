"""Install into `.venv`: `python3 tools/install.py STEP`.

A step is named for its file in `constraints/`, and each rests on others: `runtime`, which brings
the project itself, editable; `dev`; whatever else. Those that are not up to date are installed,
checked by hash. Standard library only, since nothing else is there yet.

A step that is done leaves a stamp, as old as its beginning, and has nothing to do until a file that
it rests on is newer. One process installs at a time; who has waited looks again. Whoever ends in
the middle leaves a mark, and whoever comes next makes the environment anew: half of a package may
be there, which no installer notices.

pip brings uv, which then installs the rest: it reads an index of thousands of files in a fifth of
pip's time. Where pip's settings say what uv has no word for, or uv fails, pip does it all.
"""

from __future__ import annotations  # an older Python must get as far as finding a newer one

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from alone import alone

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UNFINISHED = VENV / ".unfinished"
"""Marks an unfinished step; replaced by the stamp when the step is done."""
FIRST = "runtime"
"""The step that all others build on: an environment without its stamp is recreated."""
OLDEST = (3, 11)
KNOWN = ("python3.14", "python3.13", "python3.12", "python3.11")
if TYPE_CHECKING:
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


def run(*command: str | Path, environment: dict[str, str] | None = None) -> bool:
    """Whether it succeeded. It holds the lock as well; killed, it leaves the mark."""
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, close_fds=False)
    if done.returncode < 0:
        sys.exit(f"{Path(command[0]).name} was killed; run it again, and .venv is recreated")
    return done.returncode == 0


def installers(step: str) -> Iterator[tuple[Command, dict[str, str]]]:
    """The commands that may install, the best first, each with its environment."""
    # The program starts quickly also for whoever forbids Python to keep what it has compiled. The
    # tools are compiled when first used: most of their files never are.
    compiling = ["--compile-bytecode"] if step == FIRST else []
    settings = settings_for_uv(files_of(step))
    pip: Command = [*PIP, "install", "-qq"]
    hashed = ["--no-deps", "--require-hashes", "--only-binary=:all:", f"--requirement={BRINGS}"]
    if settings is not None and run(*pip, *hashed):
        # As pip does: of all indexes, whichever has the file.
        uv: Command = [UV, "pip", "install", "--quiet", "--index-strategy=unsafe-best-match"]
        yield [*uv, f"--python={PYTHON}", *compiling], {**os.environ, **settings}
        print("uv failed, trying pip", flush=True)
    yield pip, {**os.environ}


def files_of(step: str) -> list[str]:
    """What is installed; with the project, what builds it."""
    names = ("runtime", "build") if step == FIRST else (step,)
    return [f"constraints/{name}.txt" for name in names]


def steps_to(step: str) -> list[str]:
    """The step after those that it rests on."""
    below = {FIRST: [], "dev": [FIRST]}.get(step, [FIRST, "dev"])
    return [*below, step]


def stamp(step: str) -> Path:
    """Where it is written that the step is done."""
    return VENV / f".{step}"


def is_done(step: str) -> bool:
    """Whether its stamp is there, and no older than what the step rests on."""
    rests_on = [ROOT / file for file in (*files_of(step), "pyproject.toml")]
    rests_on += map(stamp, steps_to(step)[:-1])
    try:
        done = stamp(step).stat().st_mtime_ns
        return all(path.stat().st_mtime_ns <= done for path in rests_on)
    except FileNotFoundError:
        return False


def make_environment() -> None:
    """An empty `.venv`, with the mark before it could be taken for a whole one."""
    have_ensurepip()
    why = ": a set-up was interrupted" if UNFINISHED.exists() else ""
    print(f"Making .venv with Python {sysconfig.get_python_version()}{why}", flush=True)
    venv: Command = [sys.executable, "-m", "venv"]
    # What is being emptied must not look finished: the mark may be emptied first.
    if stamp(FIRST).exists():
        stamp(FIRST).unlink()
    if not run(*venv, "--clear", "--without-pip", VENV):
        sys.exit("Python's venv failed; its output is above")
    UNFINISHED.touch()
    if not run(*venv, VENV):
        sys.exit("Python's venv failed; its output is above")


def install(step: str) -> None:
    """Do the step and leave its stamp; leaves with pip's words when it fails."""
    UNFINISHED.touch()
    # The files are complete. Without --no-deps, an extra such as coverage[toml] makes pip look at
    # versions newer than the pinned one, and refuse them for want of a hash.
    parts = [["--require-hashes", *(f"--requirement={file}" for file in files_of(step))]]
    if step == FIRST:
        parts.append(["--no-build-isolation", "--editable", "."])
    print(f"Installing {step} into .venv", flush=True)
    for installer, environment in installers(step):
        commands = [[*installer, "--no-deps", *part] for part in parts]
        if all(run(*command, environment=environment) for command in commands):
            UNFINISHED.rename(stamp(step))
            return
    # It came to its own end, and what was there before is whole, where the disk had room for it.
    UNFINISHED.unlink()
    sys.exit("pip failed; its words are above (if the disk was full, remove .venv)")


def main(step: str) -> None:
    """Do whatever is not done of the step and those that it rests on."""
    use_new_python()
    steps = steps_to(step)
    if PYTHON.exists() and not UNFINISHED.exists() and all(map(is_done, steps)):
        return
    with alone(__file__, "into .venv"):
        if UNFINISHED.exists() or not stamp(FIRST).exists() or not runs(PYTHON):
            make_environment()
        for each in steps:
            if not is_done(each):
                install(each)


if __name__ == "__main__":
    main(sys.argv[1])
