"""Running a command on the event loop until it ends or is told to stop."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import uvloop

from nexhealth_exporter.errors import ExporterError

T = TypeVar("T")


def run(command: Coroutine[Any, Any, int]) -> int:
    """Run the command on uvloop; its exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(command)


@contextmanager
def readable() -> Iterator[None]:
    """Whoever reads what is printed meanwhile may have seen enough, as in `status | head`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()


def drop_output() -> None:
    """Have what is printed and was not written yet go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def on_signal(number: signal.Signals, act: Callable[[], object]) -> None:
    """Call `act` on the loop whenever that signal comes."""
    asyncio.get_running_loop().add_signal_handler(number, act)


async def until_stopped(*works: Callable[[], Awaitable[object]]) -> None:
    """Do the works side by side until SIGTERM or SIGINT, then end them.

    What one of them raises ends all, and is raised.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        on_signal(number, stopped.set)
    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(work)) for work in (*works, stopped.wait)]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
    except* ExporterError as group_of_errors:
        # Sentences for the operator: one is as good as all that follow from it.
        failure = group_of_errors.exceptions[0]
    # Python before 3.11.4 wraps what is raised inside `except*` into a group again.
    if failure is not None:
        raise failure


async def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What the work brings, from a thread with a loop of its own; it ends with whoever waits."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work())

    def finish() -> T:
        try:
            return loop.run_until_complete(task)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    try:
        return await asyncio.to_thread(finish)
    except asyncio.CancelledError:
        # The program waits for its threads, and this one may wait for minutes.
        with suppress(RuntimeError):  # it has ended just now
            loop.call_soon_threadsafe(task.cancel)
        raise


async def _awaited(work: Callable[[], Awaitable[object]]) -> None:
    await work()
