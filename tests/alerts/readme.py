"""The lists of alerts in `alerts/README.md` and `docs/runbooks/README.md`.

`python -m tests.alerts.readme` writes them.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.alerts.tools import ALERTS, ROOT, RULE_FILES

PATHS = {ALERTS / "README.md": "../docs/runbooks/", ROOT / "docs/runbooks/README.md": ""}
"""The pages with a list, and where runbooks are from there."""
BEGIN, END = "<!-- alerts: generated -->", "<!-- alerts: end -->"


def listed(runbooks: str) -> str:
    """A table of every alert: name, severities, waiting, what it says, where it is."""
    lines = ["| alert | severity | after | it says | file |", "| --- | --- | --- | --- | --- |"]
    rows: dict[str, dict[str, str]] = {}
    for path in RULE_FILES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in (rule for rule in group["rules"] if "alert" in rule):
                row = rows.setdefault(rule["alert"], {"severity": "", "file": path.name})
                row["severity"] += (", " if row["severity"] else "") + rule["labels"]["severity"]
                row["after"] = rule.get("for", "at once")
                row["says"] = rule["annotations"]["summary"]
    for name, row in rows.items():
        link = f"[{name}]({runbooks}{name}.md)"
        lines.append(
            f"| {link} | {row['severity']} | {row['after']} | {row['says']} | `{row['file']}` |"
        )
    return "\n".join(lines)


def written() -> Iterator[tuple[Path, str]]:
    """The pages with fresh lists."""
    for path, runbooks in PATHS.items():
        head, _, rest = path.read_text("utf-8").partition(BEGIN)
        _, _, tail = rest.partition(END)
        yield path, f"{head}{BEGIN}\n{listed(runbooks)}\n{END}{tail}"


def main() -> None:
    """Write the pages."""
    for path, text in written():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
