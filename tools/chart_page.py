"""Write the table of values into the chart's README, from values.yaml.

A key of values.yaml is described by the comment above it that begins with `# -- `; sections begin
with `# @section `. The keys of `settings` are described by the program itself.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from generated import ROOT, write_or_check

from nexhealth_exporter.settings import Settings
from nexhealth_exporter.settings.table import default_text

CHART = ROOT / "helm/nexhealth-exporter"
README = CHART / "README.md"
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->\n"

# What the chart itself decides.
OWN = {"api_key", "shard", "shards"} | {
    name for name in Settings.model_fields if name.endswith("_file")
}

_COMMENT = re.compile(r" *# ?(?P<text>.*)")
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z]\w*):")


@dataclass(frozen=True)
class Value:
    """A described key: its path with dots, its default, what it means, and its section."""

    path: str
    default: object
    meaning: str
    section: str

    def row(self) -> str:
        """The row of the table."""
        shown = self.default if isinstance(self.default, str) else json.dumps(self.default)
        default = f"`{shown}`" if shown else ""
        meaning = self.meaning.replace("|", "\\|")
        return f"| `{self.path}` | {default} | {meaning} |\n".replace("|  |", "| |")


def described(text: str) -> Iterator[Value]:
    """The described keys of a values file, in its order."""
    values = yaml.safe_load(text)
    section, comment, parents = "", [], dict[int, str]()
    for line in text.splitlines():
        if remark := _COMMENT.fullmatch(line):
            comment.append(remark["text"])
            if remark["text"].startswith("@section "):
                section = remark["text"].removeprefix("@section ")
            continue
        if found := _KEY.match(line):
            depth = len(found["indent"])
            parents = {d: key for d, key in parents.items() if d < depth} | {depth: found["key"]}
            if comment and comment[0].startswith("-- "):
                path = [parents[d] for d in sorted(parents)]
                meaning = " ".join(comment).removeprefix("-- ")
                yield Value(".".join(path), _at(values, path), meaning, section)
        comment = []


def _at(values: object, path: list[str]) -> object:
    for key in path:
        assert isinstance(values, dict)  # noqa: S101  the file's own keys lead here
        values = values[key]
    return values


def camel(name: str) -> str:
    """`poll_interval_seconds` as a key of `settings`."""
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


def settings(section: str) -> Iterator[Value]:
    """The keys of `settings`, which values.yaml leaves to the program's defaults."""
    for name, field in Settings.model_fields.items():
        if name not in OWN:
            about = field.description or ""
            yield Value(f"settings.{camel(name)}", default_text(field), about, section)


def table(text: str) -> str:
    """Every value in Markdown, one table for each section."""
    lines, section = [], ""
    for value in described(text):
        if value.section != section:
            section = value.section
            lines.append(f"\n### {section}\n\n| Value | Default | Meaning |\n| --- | --- | --- |\n")
        lines.append(value.row())
        if value.path == "settings":
            lines += [setting.row() for setting in settings(section)]
    return "".join(lines) + "\n"


def page() -> str:
    """The README with a fresh table."""
    head, _, rest = README.read_text("utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + table((CHART / "values.yaml").read_text("utf-8")) + END + tail


if __name__ == "__main__":
    sys.exit(write_or_check({README: page()}))
