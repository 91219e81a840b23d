"""The list of alerts in `alerts/README.md`: `python -m tests.alerts.readme` writes it."""

import yaml

from tests.alerts.tools import ALERTS, RULE_FILES

PATH = ALERTS / "README.md"
BEGIN, END = "<!-- alerts: generated -->", "<!-- alerts: end -->"


def listed() -> str:
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
        link = f"[{name}](../docs/runbooks/{name}.md)"
        lines.append(
            f"| {link} | {row['severity']} | {row['after']} | {row['says']} | `{row['file']}` |"
        )
    return "\n".join(lines)


def written() -> str:
    """The page with a fresh list."""
    head, _, rest = PATH.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{listed()}\n{END}{tail}"


def main() -> None:
    """Write the page."""
    PATH.write_text(written())


if __name__ == "__main__":
    main()
