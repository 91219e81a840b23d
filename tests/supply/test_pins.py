"""What is installed is pinned by version and hash, and comes from no address of ours."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path.stem for path in (ROOT / "constraints").glob("*.txt"))
PIN = re.compile(r"(?P<name>[\w.-]+)(\[[\w,]+\])?==(?P<version>[\w.!+]+)( ; [^/]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def lines(name: str) -> list[str]:
    return (ROOT / "constraints" / f"{name}.txt").read_text("utf-8").splitlines()


def pins(name: str) -> set[tuple[str, str]]:
    found = filter(None, map(PIN.fullmatch, lines(name)))
    return {(pin["name"], pin["version"]) for pin in found}


def declared(requirements: list[str]) -> set[str]:
    names = [re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in requirements]
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


@pytest.mark.parametrize("name", FILES)
def test_a_lock_holds_versions_and_hashes_and_nothing_else(name: str) -> None:
    previous = ""
    for line in lines(name):
        assert PIN.fullmatch(line) or HASH.fullmatch(line), line
        # A version without a hash would end with the line before another version.
        assert not (PIN.fullmatch(previous) and PIN.fullmatch(line)), previous
        previous = line
    assert HASH.fullmatch(previous)


def test_what_is_declared_is_locked_and_all_locks_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    locked = {name: {package for package, _ in pins(name)} for name in FILES}
    assert declared(project["project"]["dependencies"]) <= locked["runtime"]
    assert {*groups, "runtime"} == {*FILES}
    for group, packages in groups.items():
        assert declared(packages) <= locked[group]
    # One environment may hold them all.
    assert pins("runtime") <= pins("dev")
    for name in FILES:
        assert {pin for pin in pins(name) if pin[0] in locked["dev"]} <= pins("dev")


@pytest.mark.parametrize(
    ("installer", "complaint"),
    [
        ((sys.executable, "-m", "pip"), "DO NOT MATCH THE HASHES"),
        ((str(Path(sys.executable).with_name("uv")), "pip"), "Hash mismatch"),
    ],
    ids=("pip", "uv"),
)
def test_another_file_than_the_one_that_was_locked_is_refused(
    tmp_path: Path, installer: tuple[str, ...], complaint: str
) -> None:
    """The options with which the environment and the image are made, on a wheel with a bad hash."""
    wheels = tmp_path / "wheels"
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "swapped"\nversion = "1.0"\n'
        "[tool.hatch.build.targets.wheel]\nbypass-selection = true\n"
    )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    make = [*pip, "wheel", "-qq", "--no-deps", "--no-build-isolation", "-w", str(wheels), "."]
    subprocess.run(make, cwd=tmp_path, check=True)
    (tmp_path / "lock.txt").write_text(f"swapped==1.0 --hash=sha256:{'0' * 64}\n")
    install = [
        *installer,
        "install",
        "--no-index",
        "--find-links",
        str(wheels),
        "--target",
        "there",
    ]
    options = set()
    for maker in ("tools/install.py", "Dockerfile"):
        text = (ROOT / maker).read_text("utf-8")
        options |= {frozenset(re.findall(r"--no-deps|--require-hashes", text))}
    assert options == {frozenset({"--no-deps", "--require-hashes"})}
    done = subprocess.run(
        [*install, *options.pop(), "--requirement", "lock.txt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert complaint in done.stderr
    assert not list(tmp_path.glob("there/swapped*"))
