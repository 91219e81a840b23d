"""The commands, which wire everything together; settings are read only here."""

import argparse
import errno
import gc
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from nexhealth_exporter import __version__, settings
from nexhealth_exporter.errors import ExporterError

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

_STDOUT, _STDERR = 1, 2

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors that mean that a disk, a quota or a file is full."""

INTERRUPTED = 130
"""The exit code that shells use for a program ended by Ctrl-C."""

WITH_ARGUMENTS = frozenset({"backtest", "learn", "schedules"})
"""Commands with arguments of their own besides settings, defined in their modules."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command of that command line; returns the exit code."""
    _mend_streams()
    arguments = parse_arguments(list(sys.argv[1:] if argv is None else argv))
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except ExporterError as error:
        _say(*str(error).splitlines())
        return 1
    except OSError as error:
        if error.errno not in _FULL:
            raise
        from nexhealth_exporter.cli.running import drop_output

        _say(f"the output cannot be written: {error.strerror}.")
        drop_output()
        return 1


def _say(*sentences: str) -> None:
    """Print to stderr what is wrong."""
    for sentence in sentences:
        print(f"nexhealth-exporter: {sentence}", file=sys.stderr)


def _mend_streams() -> None:
    """Prepare stdout and stderr: neither a closed one nor an unencodable character may crash us."""
    # Otherwise a socket would get the number of a closed stream, which aborts the event loop.
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(opened)
    sys.stdout = sys.stdout or os.fdopen(_STDOUT, "w")
    sys.stderr = sys.stderr or os.fdopen(_STDERR, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
        if name == "simulate":
            _simulate_arguments(command)
            continue
        if name == "demo":
            _demo_arguments(command)
        if name == "check":
            command.add_argument(
                "--offline",
                action="store_true",
                help="validate only files and settings, without a key and without calls, for "
                "example before deployment",
            )
        if name == "status":
            command.add_argument(
                "--format",
                choices=("table", "json"),
                default="table",
                help="a table for people (the default), or `syncs` of /api/v1/syncs as JSON, "
                "without links",
            )
        if name in WITH_ARGUMENTS:
            module = import_module(f"nexhealth_exporter.cli.{name}")
            module.add_arguments(command)
        settings.add_arguments(command, DEMO_HELP if name == "demo" else None)
    return parser


def _simulate_arguments(command: argparse.ArgumentParser) -> None:
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


def _demo_arguments(command: argparse.ArgumentParser) -> None:
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


def _run(arguments: argparse.Namespace) -> int:
    command = _imported(arguments)
    # What was imported so far stays, so garbage collection need not look at it.
    gc.freeze()
    gc.enable()
    from nexhealth_exporter.cli.running import readable

    code = 0
    with readable():
        code = command()
    return code  # noqa: RET504 - reached also if the pipe was closed


def _imported(arguments: argparse.Namespace) -> Callable[[], int]:
    """The command, ready to be run."""
    # Imported late, so that --help and an invalid setting are answered fast.
    from nexhealth_exporter.cli.running import run

    if arguments.command == "simulate":
        from nexhealth_exporter.cli.simulate import simulate

        return lambda: run(simulate(arguments))
    if arguments.command == "demo":
        from nexhealth_exporter.cli.demo import demo

        return lambda: run(demo(arguments))
    given = settings.load(settings.overrides(arguments), os.environ)
    if arguments.command == "check":
        from nexhealth_exporter.cli.check import check

        return lambda: run(check(given, is_offline=arguments.offline))
    if arguments.command == "status":
        from nexhealth_exporter.cli.status import status

        return lambda: run(status(given, arguments.format))
    if arguments.command in WITH_ARGUMENTS:
        module = import_module(f"nexhealth_exporter.cli.{arguments.command}")
        command: Callable[[Any, Any], int] = getattr(module, arguments.command)
        return lambda: command(given, arguments)
    # There is nothing to reload yet, and changed files are noticed anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from nexhealth_exporter.cli.serve import serve

    return lambda: run(serve(given))
