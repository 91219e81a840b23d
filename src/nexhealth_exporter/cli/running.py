"""Running a command on the event loop until it ends or is stopped by a signal."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import uvloop

from nexhealth_exporter.errors import ExporterError

T = TypeVar("T")


def run(command: Coroutine[Any, Any, int]) -> int:
    """Run the command on uvloop; returns its exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(command)


@contextmanager
def readable() -> Iterator[None]:
    """Ignore that the reader of stdout closes the pipe, as in `status | head`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()


def drop_output() -> None:
    """Discard output that has not been written yet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def on_signal(number: signal.Signals, act: Callable[[], object]) -> None:
    """Call `act` on the event loop whenever that signal arrives."""
    asyncio.get_running_loop().add_signal_handler(number, act)


async def until_stopped(*works: Callable[[], Awaitable[object]]) -> None:
    """Run all of them concurrently until SIGTERM or SIGINT, then cancel them.

    If one of them raises, the others are cancelled and the error is raised.
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
        # For the operator the first sentence is enough: the others follow from it.
        failure = group_of_errors.exceptions[0]
    # Python before 3.11.4 wraps what is raised inside `except*` into a group again.
    if failure is not None:
        raise failure


async def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in a thread with its own event loop; cancelled together with the caller."""
    loop = asyncio.new_event_loop()

    def finish() -> T:
        try:
            return loop.run_until_complete(work())
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def cancel() -> None:
        for task in asyncio.all_tasks(loop):
            task.cancel()

    executor = ThreadPoolExecutor(max_workers=1)
    job = executor.submit(finish)
    executor.shutdown(wait=False)
    try:
        return await asyncio.wrap_future(job)
    except asyncio.CancelledError:
        if job.cancel():  # before it has begun
            loop.close()
            raise
        # The program waits for its threads before it exits; this one might take minutes.
        with suppress(RuntimeError):  # it has just ended
            loop.call_soon_threadsafe(cancel)
        raise


async def _awaited(work: Callable[[], Awaitable[object]]) -> None:
    await work()
