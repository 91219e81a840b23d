"""The lists of alerts in `alerts/README.md` and `docs/runbooks/README.md`, and of what holds back.

`python -m tests.alerts.readme` writes them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.alerts.tools import ALERTS, ROOT, RULE_FILES

PATHS = {ALERTS / "README.md": "../docs/runbooks/", ROOT / "docs/runbooks/README.md": ""}
"""The pages with a list, and where runbooks are from there."""
BEGIN, END = "<!-- alerts: generated -->", "<!-- alerts: end -->"
MATCHER = re.compile(r'(\w+) *=?(!)?[=~]+ *"(.*)"')
CHAIN, CHAIN_END = "<!-- inhibition: generated -->", "<!-- inhibition: end -->"


def listed(runbooks: str) -> str:
    """A table of every alert: name, severities, waiting, what it says, where it is."""
    lines = ["| Alert | Severity | After | Summary | File |", "| --- | --- | --- | --- | --- |"]
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


def chain() -> str:
    """A table of Alertmanager's inhibition, from the top, and a list of what stands outside."""
    lines = [
        "| While one of these fires | These are held back | With the same |",
        "| --- | --- | --- |",
    ]
    for rule in yaml.safe_load((ALERTS / "alertmanager.yaml").read_text())["inhibit_rules"]:
        causes, held = (
            ", ".join(map(_worded, rule[f"{side}_matchers"])) for side in ("source", "target")
        )
        lines.append(f"| {causes} | {held} | {', '.join(rule.get('equal', [])) or '-'} |")
    lines += ["", "Held back only by `NexHealthExporterDown`:", ""]
    lines += [f"- `{name}`: {reason}" for name, reason in held_by_nothing().items()]
    return "\n".join(lines)


def held_by_nothing() -> dict[str, str]:
    """The alerts that no other one explains, each with its reason: comments below the rules."""
    text = (ALERTS / "alertmanager.yaml").read_text("utf-8")
    return dict(re.findall(r"^#   (NexHealth\w+): (.+)$", text, re.MULTILINE))


def _worded(matcher: str) -> str:
    """The names that a matcher means; a bar would end the cell."""
    label, is_not, names = MATCHER.fullmatch(matcher.strip()).groups()  # type: ignore[union-attr]
    head, _, rest = names.partition("(")
    choices, _, tail = rest.partition(")")
    words = [f"`{head}{choice}{tail}`" for choice in choices.split("|")]
    if names.endswith(".+"):
        words = ["every alert"]
    is_name = label == "alertname"
    unless = ("but " if is_name else "not ") * bool(is_not)
    return f"{'' if is_name else label + ' '}{unless}{', '.join(words)}"


def _between(text: str, begin: str, fresh: str, end: str) -> str:
    head, _, rest = text.partition(begin)
    return f"{head}{begin}\n{fresh}\n{end}{rest.partition(end)[2]}"


def written() -> Iterator[tuple[Path, str]]:
    """The pages with fresh lists."""
    for path, runbooks in PATHS.items():
        text = _between(path.read_text("utf-8"), BEGIN, listed(runbooks), END)
        if CHAIN in text:
            text = _between(text, CHAIN, chain(), CHAIN_END)
        yield path, text


def main() -> None:
    """Write the pages."""
    for path, text in written():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
