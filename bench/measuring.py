"""How to measure: alternatives take turns, in CPU time, so that noise affects all of them alike."""

import asyncio
import gc
import multiprocessing
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

Work = Callable[[], Awaitable[object]]

MIB = 1024 * 1024

REPEATS, SHORT = 5, 0.5
"""Work that takes less than so many CPU seconds is repeated this often in a round."""


def apart(work: Callable[_P, _T], *args: _P.args, **how: _P.kwargs) -> _T:
    """The result of `work` in a fresh process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args, **how).result()


async def cpu(work: Work) -> float:
    """CPU seconds of this process for that work."""
    began = time.process_time()
    await work()
    return time.process_time() - began


async def in_turns(ways: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each alternative, by round: the median of a few repeats where it is short."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            spent = [await cpu(work)]
            while len(spent) < REPEATS and sum(spent) < SHORT:
                spent.append(await cpu(work))
            taken[name].append(median(spent))
    return taken


def ratios(theirs: list[float], ours: list[float]) -> list[float]:
    """The ratio of the first to the second, by round."""
    return [their / our for their, our in zip(theirs, ours, strict=True)]


async def stall(work: Work) -> float:
    """The longest CPU seconds in which nothing else got a turn on the loop during the work."""
    return max(await turns(work))


async def turns(work: Work) -> list[float]:
    """CPU seconds of each turn of the loop during the work."""
    taken: list[float] = []

    async def tick() -> None:
        last = time.process_time()
        while True:
            await asyncio.sleep(0)
            now = time.process_time()
            taken.append(now - last)
            last = now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    taken.clear()
    await work()
    await asyncio.sleep(0)
    ticking.cancel()
    return taken


async def allocated(work: Work) -> int:
    """The peak memory, in bytes, above what was held before."""
    gc.collect()
    tracemalloc.start()
    await work()
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return held


def peak() -> int:
    """The most bytes of memory that this program has held.

    Not getrusage's: that counts what the process held that this one was forked from.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
