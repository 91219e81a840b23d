"""The commands, which wire everything together; settings are read only here."""

import argparse
import errno
import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from nexhealth_exporter import settings
from nexhealth_exporter.cli.arguments import parse_arguments
from nexhealth_exporter.errors import ExporterError

_STDOUT, _STDERR = 1, 2

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors that mean that a disk, a quota or a file is full."""

INTERRUPTED = 130
"""The exit code that shells use for a program ended by Ctrl-C."""

_WITHOUT_LOOP = frozenset({"backtest", "learn", "schedules"})
"""Commands that run on no event loop, or on one of their own."""


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
    if arguments.command in _WITHOUT_LOOP:
        module = import_module(f"nexhealth_exporter.cli.{arguments.command}")
        command: Callable[[Any, Any], int] = getattr(module, arguments.command)
        return lambda: command(given, arguments)
    # There is nothing to reload yet, and changed files are noticed anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from nexhealth_exporter.cli.serve import serve

    return lambda: run(serve(given))
