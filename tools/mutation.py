"""Change the core line by line and see whether a test notices: `make mutation`.

Which modules are changed and which tests judge stands in pyproject.toml, [tool.mutmut]. Names of
mutants limit a run, as in `python tools/mutation.py "nexhealth_exporter.fleet*"`; what was judged
before is kept until its code changes. `mutmut show NAME` tells what a survivor is.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MUTANTS = ROOT / "mutants"
MUTMUT = Path(sys.executable).with_name("mutmut")
VERDICTS = {0: "survived", 1: "found", 3: "found", 5: "untested", 33: "untested"}
"""By the exit codes that mutmut records. Any other means that the mutant did not finish."""


def judged(path: Path) -> Counter[str]:
    """How many mutants of a module were found, survived, met no test, or took too long."""
    codes = json.loads(path.read_text("utf-8"))["exit_code_by_key"].values()
    return Counter(VERDICTS.get(code, "endless") for code in codes if code is not None)


def main(names: list[str]) -> int:
    """Run, then print a row for each module."""
    done = subprocess.run([MUTMUT, "run", "--max-children", "2", *names], cwd=ROOT, check=False)
    print("\n| module | mutants | found | endless | survived | untested |")
    print("| --- | --- | --- | --- | --- | --- |")
    for path in sorted(MUTANTS.rglob("*.meta")):
        if counts := judged(path):
            module = path.relative_to(MUTANTS / "src/nexhealth_exporter").with_suffix("")
            row = [counts[kind] for kind in ("found", "endless", "survived", "untested")]
            print(f"| `{module}` | {counts.total()} | {' | '.join(map(str, row))} |")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
