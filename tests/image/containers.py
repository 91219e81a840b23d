"""A real engine builds the image, and the tests run it: `python -m tests.image.containers`.

Docker where its daemon answers; else podman, which is installed where root and apt are at hand.
Where no registry can be reached, the base image is made from Debian's own packages, which have
the same Python, and kept in `.tools/containers/`.

Exit code of the command: that of the tests. Where no container can run, it says so and gives 0,
but with `CI=true` 1.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / ".tools" / "containers"
IMAGE = "localhost/nexhealth-exporter:check"

PODMAN = ("podman", "buildah", "runc", "mmdebstrap")
PYTHON = ("python3", "python3-venv", "ca-certificates", "tzdata", "media-types")
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")

# Inside a container of its own, podman may not raise limits beyond its parent's.
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")


class Unavailable(Exception):
    """No container can run here; the text says what would have to be there."""


@dataclass(frozen=True)
class Engine:
    """docker or podman, and what it needs to build and to run."""

    command: tuple[str, ...]
    build_options: tuple[str, ...] = ()
    run_options: tuple[str, ...] = ()

    def call(self, *words: str | Path, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """The finished command, well or badly."""
        return subprocess.run(
            [*self.command, *words], capture_output=True, text=True, check=False, timeout=seconds
        )

    def tell(self, *words: str | Path, seconds: float = 60) -> str:
        """What the command prints; Unavailable with its last words when it fails."""
        done = self.call(*words, seconds=seconds)
        if done.returncode:
            raise Unavailable(f"{' '.join(map(str, words[:2]))}: {last_line(done.stderr)}")
        return done.stdout.strip()


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no word of it")


@functools.cache
def engine() -> Engine:
    """The engine of this machine. Raises Unavailable."""
    docker = Engine(("docker",))
    if shutil.which("docker") and docker.call("info").returncode == 0:
        return docker
    install_podman()
    store = ("--root", str(STORE / "storage"), "--runroot", str(STORE / "run"))
    runtime = ("--runtime=runc",) if shutil.which("runc") else ()
    return Engine(
        ("podman", *store, *runtime),
        ("--format=docker", "--network=host", "--pull=missing", *LIMITS),
        # Docker gives no writable /tmp to a read-only container, podman would.
        (*LIMITS, "--read-only-tmpfs=false"),
    )


def install_podman() -> None:
    """By apt, as root, when it is not here."""
    if shutil.which("podman"):
        return
    install = ("apt-get", "install", "--yes", "-qq", "--no-install-recommends", *PODMAN)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise Unavailable(f"no docker answers and podman is missing; as root: {' '.join(install)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("apt-get", "update", "-qq"), install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"{' '.join(command[:2])}: {last_line(done.stderr)}")


def base_image() -> str:
    """The name of the base, as the Dockerfile has it."""
    found = re.search(r"^ARG PYTHON=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found is not None
    return f"python:{found[1]}"


def have_base() -> None:
    """Have the base image: at hand, pulled, or made from Debian's packages."""
    name = base_image()
    if engine().call("image", "inspect", name).returncode == 0:
        return
    pulled = engine().call("pull", "--quiet", name, seconds=600)
    if pulled.returncode == 0:
        return
    if engine().command[0] != "podman" or os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        raise Unavailable(f"{name} cannot be pulled: {last_line(pulled.stderr)}")
    archive = STORE / "base.tar"
    if not archive.exists():
        make_base(archive, suite=name.rpartition("-")[2])
    engine().tell("import", "--quiet", archive, f"localhost/{name}", seconds=120)


def make_base(archive: Path, suite: str) -> None:
    """A root filesystem with Debian's Python where the official image has its own."""
    names = ("python", "python3")
    links = " && ".join(f'ln -s ../../bin/python3 "$1/usr/local/bin/{name}"' for name in names)
    unfinished = archive.with_suffix(".part.tar")
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=essential",
        "--dpkgopt=force-unsafe-io",
        f"--include={','.join(PYTHON)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "locale", "man")),
        f"--customize-hook={links}",
        f"--customize-hook=copy-in {AUTHORITIES} {AUTHORITIES.parent}",
        suite,
        str(unfinished),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise Unavailable(f"mmdebstrap: {last_line(done.stderr)}")
    unfinished.rename(archive)


def build() -> None:
    """Build the image; what has not changed comes from the engine's cache."""
    done = engine().call(
        "build",
        *engine().build_options,
        "--build-arg=REVISION=0123456789abcdef",
        f"--tag={IMAGE}",
        ROOT,
        seconds=900,
    )
    if engine().command[0] == "podman":  # the store is ours, and so is what has grown old in it
        engine().tell("image", "prune", "--force", "--filter=until=48h")
    if done.returncode:
        raise RuntimeError(f"the image cannot be built:\n{(done.stdout + done.stderr)[-5000:]}")


def prepare() -> None:
    """Have the image built. Raises Unavailable where no container can run."""
    STORE.mkdir(parents=True, exist_ok=True)
    have_base()
    trial = ("run", "--rm", "--network=none", "--read-only", *engine().run_options)
    engine().tell(*trial, base_image(), "python", "-c", "pass")
    build()


def main() -> int:
    """Prepare and test, or say why not."""
    try:
        prepare()
    except Unavailable as reason:
        print(f"The image is NOT checked: no container can run here ({reason})")  # noqa: T201
        return 1 if os.environ.get("CI") == "true" else 0
    tests = [sys.executable, "-m", "pytest", str(ROOT / "tests" / "image")]
    return subprocess.run(tests, check=False, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
