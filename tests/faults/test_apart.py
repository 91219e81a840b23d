"""Work in a thread of its own ends with whoever asked for it."""

import asyncio
import gc
from contextlib import suppress

import pytest

from nexhealth_exporter.cli.running import apart


async def _long() -> None:
    await asyncio.sleep(60)


async def test_work_that_is_cancelled_at_once_leaves_nothing_behind() -> None:
    for turn in range(200):
        task = asyncio.create_task(apart(_long))
        for _ in range(turn % 4):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    gc.collect()  # what was never awaited or closed is told, and fails the test


async def test_its_answer_and_its_error_arrive() -> None:
    async def answer() -> int:
        return 7

    async def fail() -> int:
        raise ValueError("seven")

    assert await apart(answer) == 7
    with pytest.raises(ValueError, match="seven"):
        await apart(fail)
