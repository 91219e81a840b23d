"""Reads rules from the configuration file."""

from collections.abc import Iterator

from nexhealth_exporter.document import Document, Problem, did_you_mean, parse
from nexhealth_exporter.rules.matching import Entries
from nexhealth_exporter.rules.rules import Rules
from nexhealth_exporter.rules.schema import ConfigFile


def read(text: str, name: str) -> Rules:
    """The rules in the text of the file `name`. Raises ConfigError."""
    document = parse(text, name)
    file = document.read_as(ConfigFile)
    problems = list(_unknown_schedules(file))
    if problems:
        raise document.error(problems)
    return Rules(
        schedules={key: table.schedule(key) for key, table in file.schedules.items()},
        institutions=Entries(tuple(file.institutions)),
        closures=Entries(tuple(file.closures)),
        name=name,
        text=text,
        lines=_lines(document, file),
    )


def _unknown_schedules(file: ConfigFile) -> Iterator[Problem]:
    for i, entry in enumerate(file.institutions):
        name = entry.schedule
        if name is not None and name not in file.schedules:
            remedy = did_you_mean(name, file.schedules, "add it to schedules")
            place = ("institutions", i, "schedule")
            yield Problem(place, f'has "{name}", which is not in schedules; {remedy}')


def _lines(document: Document, file: ConfigFile) -> dict[tuple[str, int], int]:
    sizes = {"institutions": len(file.institutions), "closures": len(file.closures)}
    return {
        (section, i): document.line((section, i)) for section, n in sizes.items() for i in range(n)
    }
