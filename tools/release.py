"""Build a release into `dist/`, check it, and say what to publish: `make release`.

Wheel and source, the chart, a bill of materials and their checksums. The wheel is installed into
an environment of its own, with the pinned packages, and run as users do. Publishes nothing.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nexhealth_exporter import __version__

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
HELM = ROOT / ".tools/helm-4/helm"
CHART = ROOT / "helm/nexhealth-exporter"
PATIENCE = 180.0
"""Seconds until a program that was started must have said or done what is waited for."""


def run(*command: str | Path, **environment: str) -> str:
    """What the command prints; leaves with its words when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def build() -> None:
    """Source and wheel, the wheel from the source, both dated as the commit is."""
    shutil.rmtree(DIST, ignore_errors=True)
    made_at = run("git", "log", "-1", "--format=%ct").strip()
    run(sys.executable, "-m", "build", "--no-isolation", SOURCE_DATE_EPOCH=made_at)
    run(sys.executable, "-m", "twine", "check", "--strict", *sorted(DIST.iterdir()))
    print(f"Built {', '.join(path.name for path in sorted(DIST.iterdir()))}; twine accepts them.")


def chart() -> None:
    """The chart as one file, linted and rendered as it is."""
    run(HELM, "package", CHART, "--destination", DIST)
    package = DIST / f"nexhealth-exporter-{__version__}.tgz"
    values = ("--set", "demo=true,prometheusRule.enabled=true,dashboards.enabled=true")
    run(HELM, "lint", "--strict", package, *values)
    rendered = run(HELM, "template", "release", package, *values)
    for kind in ("StatefulSet", "PrometheusRule", "ConfigMap"):
        if f"kind: {kind}" not in rendered:
            sys.exit(f"{package.name} does not render a {kind}")
    with tarfile.open(package) as files:
        tests = [name for name in files.getnames() if "/tests/" in name and "/alerts/" in name]
    if tests:
        sys.exit(f"{package.name} contains tests of the alerts: {tests[0]}")
    print(f"Packed {package.name}; Helm lints and renders it.")


def sbom() -> None:
    """What the wheel and the image are made of."""
    command = (Path(sys.executable).with_name("cyclonedx-py"), "requirements")
    options = ("--pyproject", "pyproject.toml", "--output-reproducible", "--output-file")
    run(*command, *options, DIST / "sbom.json", "constraints/runtime.txt")
    print("Wrote its bill of materials to sbom.json.")


@contextmanager
def started(*command: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A program that runs meanwhile, and must end well when asked to."""
    words = [str(word) for word in command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(PATIENCE)
    if code:
        sys.exit(f"{' '.join(words)} ended with {code}")


def said(process: subprocess.Popen[str], pattern: str) -> str:
    """The first group of the first line that fits."""
    for line in process.stdout or ():
        if found := re.search(pattern, line):
            return found[1]
    sys.exit(f"a program ended without printing {pattern}")


def install() -> None:
    """Into an environment of its own: `--version`, `check` on a simulated fleet, `demo`."""
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "venv", folder)
        program = Path(folder, "bin/nexhealth-exporter")
        pip = (Path(folder, "bin/python"), "-m", "pip", "install", "-qq", "--no-deps")
        run(*pip, "--require-hashes", "--requirement", "constraints/runtime.txt")
        run(*pip, next(DIST.glob("*.whl")))
        if __version__ not in run(program, "--version"):
            sys.exit(f"the installed program is not {__version__}")
        with started(program, "simulate", "--port", "0", "--institutions", "12") as simulated:
            url, key = said(simulated, "API_URL=(.*)"), said(simulated, "API_KEY=(.*)")
            of = {"NEXHEALTH_EXPORTER_API_URL": url, "NEXHEALTH_EXPORTER_API_KEY": key}
            if "sees 12 institutions" not in run(program, "check", **of):
                sys.exit("check does not see the simulated fleet")
        with started(program, "demo", "--listen-address", "127.0.0.1:0") as demo:
            ready(said(demo, r"(http://\S+)/metrics"))
    print("Installed the wheel in a separate environment: --version, check and demo work.")


def ready(address: str) -> None:
    """Wait until it has polled, then read its page."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        page = f"{address}/metrics"
        with urllib.request.urlopen(page, timeout=30) as answer:  # noqa: S310 - our own program
            if b"\nnexhealth_up 1" in answer.read():
                return
        time.sleep(0.5)
    sys.exit("the demo's page never said nexhealth_up 1")


def sums() -> None:
    """Checksums of everything, for those who verify."""
    files = sorted(DIST.iterdir())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (DIST / "SHA256SUMS").write_text("".join(lines), "utf-8")


def open_points() -> Iterator[str]:
    """What has to be done before this may be published."""
    if run("git", "status", "--porcelain"):
        yield "commit what is not committed, and build again"
    if f"## [{__version__}]" not in (ROOT / "CHANGELOG.md").read_text("utf-8"):
        yield f"move Unreleased in CHANGELOG.md under [{__version__}], and build again"
    if f"v{__version__}" not in run("git", "tag", "--points-at", "HEAD").split():
        yield f"tag the commit: git tag --sign v{__version__}"


def main() -> None:
    """Build, check, tell."""
    build()
    chart()
    sbom()
    install()
    sums()
    points = list(open_points())
    if points:
        print("\nBefore it is published:", *(f"  - {point}" for point in points), sep="\n")
    python = " ".join(f"dist/{path.name}" for path in DIST.glob("nexhealth_exporter-*"))
    image = f"--build-arg VERSION={__version__} --build-arg REVISION=$(git rev-parse HEAD)"
    print(
        f"""
Nothing was published. To publish {__version__}:
  git push origin v{__version__}
  twine upload {python}
  helm push dist/nexhealth-exporter-{__version__}.tgz oci://YOUR-REGISTRY/charts
  docker build {image} --tag YOUR-REGISTRY/nexhealth-exporter:{__version__} .
  docker push YOUR-REGISTRY/nexhealth-exporter:{__version__}
and attach dist/sbom.json and dist/SHA256SUMS to the release."""
    )


if __name__ == "__main__":
    main()
