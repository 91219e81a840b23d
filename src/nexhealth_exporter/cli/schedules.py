"""`schedules`: the learned pattern of an institution, as a chart and as YAML to be pasted."""

import argparse
import math
from collections.abc import Iterator

from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.expectation.allowance import Room, allowances
from nexhealth_exporter.expectation.pattern import FULL_WEIGHT_PERCENT, Pattern
from nexhealth_exporter.expectation.quiet import OVERNIGHT
from nexhealth_exporter.expectation.schedule import HOUR
from nexhealth_exporter.expectation.slots import SLOTS
from nexhealth_exporter.formatting import quoted, subdomain_glob
from nexhealth_exporter.model import WAYS, IntegrationType, Severity, Source
from nexhealth_exporter.nexhealth.text import clean, shortened
from nexhealth_exporter.report.pattern import DAY_NAMES, clock, sentence, weekday_groups
from nexhealth_exporter.settings import Settings, variable
from nexhealth_exporter.state import remembered

_SHADES = " ░▒▓█"
_HOURS = "".join(f"{hour:<6}" for hour in range(0, 24, 3))


def schedules(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print what was learned about each sync; 0. Raises ConfigError if there is nothing."""
    institution: str = arguments.institution
    known = remembered(settings.state_file)
    if settings.state_file is None or not settings.state_file.exists():
        file = variable("state_file")
        raise ConfigError(f"{file} names no existing file: nothing has been learned yet.")
    memory = known.remembered.get(institution)
    if not memory:
        raise ConfigError(f"nothing has been learned about {institution}; check the subdomain.")
    are_several = sum(kept.learned.pattern is not None for kept in memory.values()) > 1
    for name, kept in sorted(memory.items()):
        pattern = kept.learned.pattern
        print(f"{clean(institution)}, {clean(name)}:")
        if pattern is None:
            print("  not enough evidence yet: configured hours apply, or else the default\n")
            continue
        print(f"  {sentence(pattern)}\n")
        print("\n".join(_chart(pattern)))
        pasted = _yaml(institution, name if are_several else None, pattern, kept.integration_type)
        print("\n".join(pasted), end="\n\n")
    return 0


def _chart(pattern: Pattern) -> Iterator[str]:
    yield f"      {_HOURS}"
    week = pattern.week
    for day, word in enumerate(DAY_NAMES):
        values = week.values[day * SLOTS : (day + 1) * SLOTS]
        yield f"  {word} {''.join(_SHADES[(value + 24) // 25] for value in values)}"


def _yaml(
    institution: str, sync: str | None, pattern: Pattern, kind: IntegrationType
) -> Iterator[str]:
    """The part of a configuration file that says the same; `sync` is None if there is only one."""
    office = institution if sync is None else f"{institution}-{sync}"
    # Names of schedules must be printable and not too long.
    name = quoted(shortened("".join(filter(str.isprintable, f"{office}-learned"))))
    if sync is not None:
        yield "\n  # the entry applies to every sync of the institution, unless you add an"
        yield "  # integration_type or emr to its match"
    yield "\n  # to fix these hours, paste this into the configuration file"
    yield "  schedules:"
    yield f"    {name}:"
    hours = ", ".join(
        f'{_days(g.first, g.last)}: "{", ".join(f"{clock(a)}-{clock(b)}" for a, b in g.windows)}"'
        for g in weekday_groups(pattern)
        if g.windows
    )
    yield f"      hours: {{{hours}}}"
    if pattern.works_on_holidays:
        yield "      holidays: none"
    yield "  institutions:"
    yield f"    - match: {{subdomain: {subdomain_glob(institution)}}}"
    yield f"      schedule: {name}"
    # Configured hours count fully, but these learned ones only in part.
    weights = [pattern.week.seldom or weight for weight in pattern.weights]
    told = ", ".join(
        f"{operation}: {{{_allowed(pattern, kind, way, weight)}}}"
        for way, (operation, weight) in enumerate(zip(WAYS, weights, strict=True))
        if weight < FULL_WEIGHT_PERCENT
    )
    if told:
        yield "      # it moves now and then: this many open hours without a move are tolerated"
        yield f"      allowance: {{{kind}: {{{told}}}}}"


def _allowed(pattern: Pattern, kind: IntegrationType, way: int, weight: int) -> str:
    """Hours of silence to tolerate overnight, by severity, if each hour counts fully."""
    room = Room.of(pattern, way, kind, OVERNIGHT)
    allowed = allowances(kind, WAYS[way], Source.LEARNED, {}, room)
    hours = {s: FULL_WEIGHT_PERCENT * allowed[s] / weight / HOUR for s in Severity}
    return ", ".join(f"{severity}: {math.ceil(hours[severity])}h" for severity in Severity)


def _days(first: int, last: int) -> str:
    names = [day.lower() for day in DAY_NAMES]
    return names[first] if first == last else f"{names[first]}-{names[last]}"
