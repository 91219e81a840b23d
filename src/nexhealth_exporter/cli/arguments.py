"""The command line: the commands, and what each of them can be told."""

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from nexhealth_exporter import __version__, settings
from nexhealth_exporter.settings.values import url

COMMANDS = {
    "serve": "poll NexHealth and serve the metrics until stopped (the default command)",
    "demo": "watch a simulated fleet that shows every state; needs no key and no network",
    "simulate": "run only the simulated NexHealth, to test a client against it",
    "check": "validate configuration and credentials; show what would be polled, and its cost",
    "status": "poll once and print every sync, worst first; exits with 2 if one is overdue",
    "backtest": "replay recorded observations and report what would have alerted",
    "learn": "fill the state file with patterns from recorded observations or a Prometheus",
    "schedules": "show the learned pattern of an institution, also as YAML to paste",
}

DEMO_SETTINGS: Mapping[str, Any] = {
    "poll_scope": "institution",
    "poll_interval_seconds": 15,
    "api_calls_budget": 25_000_000,
    "log_level": "warning",
}
"""Defaults of the demo that differ from those of the settings: simulated calls cost nothing."""

DEMO_HELP: Mapping[str, str | None] = {
    **{name: str(value) for name, value in DEMO_SETTINGS.items()},
    "api_key_file": None,
    "api_url": None,
}


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """The parsed command line. Raises SystemExit, with a message, if it is invalid."""
    words = _with_command(words)
    return _parser(words[0]).parse_args(words)


def _with_command(words: list[str]) -> list[str]:
    """The same words; `serve` is added if they name no command."""
    first = next(iter(words), "")
    if first in COMMANDS or first in {"-h", "--help", "--version"}:
        return words
    if first and not first.startswith("-"):
        return words  # refused by the parser, which names the commands
    return ["serve", *words]


class _Parser(argparse.ArgumentParser):
    """Exits with 1 on an invalid command line, because 2 means an overdue sync in `status`."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong."""
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n")


def _between(least: int, most: int) -> Callable[[str], int]:
    """The type of a flag that takes a whole number within these limits."""

    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a number from {least} to {most}")
        return int(text)

    return number


def _target(text: str) -> str:
    """The type of a flag that takes host:port, which needs no escaping in a label."""
    if not re.fullmatch(r"[\w.:\[\]-]+:[0-9]+", text, re.ASCII):
        raise argparse.ArgumentTypeError("must be host:port, such as localhost:10639")
    return text


def _parser(chosen: str) -> argparse.ArgumentParser:
    # Only the chosen command gets its arguments and settings: to add them to all takes long.
    parser = _Parser(
        prog="nexhealth-exporter",
        description="Report whether the NexHealth syncs of medical and dental offices still run. "
        "Lag counts only in the time in which a sync is expected to run.",
        epilog="`nexhealth-exporter demo` shows it without a key. "
        "`nexhealth-exporter COMMAND --help` lists the settings of a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=purpose,
            description=purpose[0].upper() + purpose[1:] + ".",
            allow_abbrev=False,
        )
        if name != chosen:
            continue
        if name in _ARGUMENTS:
            _ARGUMENTS[name](command)
        if name != "simulate":
            settings.add_arguments(command, DEMO_HELP if name == "demo" else None)
    return parser


def _demo(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--history",
        type=Path,
        metavar="DIR",
        help="first write six weeks of the fleet's past as OpenMetrics into this folder, for "
        "`promtool tsdb create-blocks-from openmetrics`",
    )
    command.add_argument(
        "--history-days",
        type=_between(1, 365),
        default=42,
        metavar="N",
        help="number of days of history [42]",
    )
    command.add_argument(
        "--history-target",
        type=_target,
        default="localhost:10639",
        metavar="HOST:PORT",
        help="the instance under which Prometheus scrapes the demo [localhost:10639]",
    )


def _simulate(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", default="127.0.0.1", help="address to listen on [127.0.0.1]")
    command.add_argument(
        "--port",
        type=_between(0, 65535),
        default=10640,
        help="port to listen on; 0 takes a free one [10640]",
    )
    command.add_argument(
        "--institutions",
        type=_between(1, 100_000),
        default=100,
        metavar="N",
        help="number of institutions [100]",
    )
    command.add_argument(
        "--seed", type=int, default=1, metavar="N", help="seed of the simulated fleet [1]"
    )
    command.add_argument(
        "--requests-per-second",
        type=_between(1, 1_000_000),
        default=100,
        metavar="N",
        help="calls allowed per second; more are refused with 429 [100]",
    )
    command.add_argument(
        "--requests-per-minute",
        type=_between(1, 1_000_000),
        default=2000,
        metavar="N",
        help="calls allowed per minute; more are refused with 429 [2000]",
    )


def _check(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--offline",
        action="store_true",
        help="validate only files and settings, without a key and without calls, for "
        "example before deployment",
    )


def _status(command: argparse.ArgumentParser) -> None:
    _format(
        command,
        "a table for people (the default), or `syncs` of /api/v1/syncs as JSON, without links",
    )


def _backtest(command: argparse.ArgumentParser) -> None:
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "file", nargs="?", metavar="FILE", help="observations as JSON lines, gzipped or not"
    )
    _prometheus(source, "the last six weeks of a Prometheus that scraped this exporter")
    command.add_argument(
        "--from",
        dest="since",
        metavar="TIME",
        help="report only alerts from this time on, but learn from everything",
    )
    _format(command, "a comparison for people (the default), or one JSON object with every alert")


def _learn(command: argparse.ArgumentParser) -> None:
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--observations", metavar="FILE", help="JSON lines, gzipped or not")
    _prometheus(source, "a Prometheus that scraped this exporter")


def _schedules(command: argparse.ArgumentParser) -> None:
    command.add_argument("institution", help="the subdomain of the institution")


def _format(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("--format", choices=("table", "json"), default="table", help=what)


def _prometheus(command: argparse._MutuallyExclusiveGroup, what: str) -> None:
    """The flag that names a Prometheus; without a value it is that of the settings."""
    command.add_argument(
        "--prometheus",
        metavar="URL",
        nargs="?",
        const="",
        type=_address,
        help=f"{what}; without URL, the one in {settings.variable('prometheus_url')}",
    )


def _address(text: str) -> str:
    try:
        return url(text) if text else ""
    except ValueError as error:
        reason = f"{error}; the process list would show it" if "password" in str(error) else error
        remedy = f"set {settings.variable('prometheus_url')} and write --prometheus alone"
        raise argparse.ArgumentTypeError(f"{reason}; {remedy}") from None


_ARGUMENTS: Mapping[str, Callable[[argparse.ArgumentParser], None]] = {
    "demo": _demo,
    "simulate": _simulate,
    "check": _check,
    "status": _status,
    "backtest": _backtest,
    "learn": _learn,
    "schedules": _schedules,
}
"""What adds the arguments of a command other than settings."""
