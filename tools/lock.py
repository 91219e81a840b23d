"""Renew `constraints/` from pyproject.toml: newest versions, hashes, and no addresses.

One resolution serves every Python and platform that we support: what differs carries a marker.
"""

import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".tools" / "uv"
OPTIONS = "--quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header"
LEFT_OUT = ("rfc3987-syntax", "lark")
"""A grammar of IRIs, which jsonschema would compile anew at each import, for seconds. The address
in a bill of materials is all that it could check here, and a test does."""
FILES = {
    "runtime": ("pyproject.toml",),
    "dev": ("pyproject.toml", "--group", "dev"),
    "build": ("--group", "build"),
    "install": ("--group", "install"),
    "fuzz": ("--group", "fuzz"),
    "docs": ("--group", "docs"),
    "release": ("--group", "release"),
    "mutation": ("--group", "mutation"),
}
"""The sources of each file. One environment may hold them all: each keeps to the pins above."""
PIN = re.compile(r"[\w.\[\]-]+==[\w.!+]+( ; [^/]+)?( \\)?|    --hash=sha256:[0-9a-f]{64}( \\)?")


def main() -> None:
    """Write each file; refuses what is neither a pin nor a hash."""
    venv.create(UV, symlinks=True, with_pip=True)
    pip = (UV / "bin/python", "-m", "pip")
    subprocess.run([*pip, "install", "-qq", "--upgrade", "uv"], check=True)
    above: list[str | Path] = []
    for name, source in FILES.items():
        path = ROOT / "constraints" / f"{name}.txt"
        left_out = [f"--no-emit-package={each}" for each in LEFT_OUT]
        options = [*OPTIONS.split(), *left_out, "--upgrade", "--output-file", path, *source, *above]
        above += ["--constraints", path]
        subprocess.run([UV / "bin/uv", "pip", "compile", *options], cwd=ROOT, check=True)
        strange = [line for line in path.read_text().splitlines() if not PIN.fullmatch(line)]
        if strange:
            sys.exit(f"{path} contains more than pins and hashes: {strange[0]}")


if __name__ == "__main__":
    main()
