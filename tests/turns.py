"""How often others have their turn while something long goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class Turns:
    """The turns that others have had so far."""

    count: int = 0


@asynccontextmanager
async def others() -> AsyncIterator[Turns]:
    """A task beside this one that takes every turn it is given."""
    turns = Turns()

    async def take() -> None:
        while True:
            turns.count += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(take())
    try:
        yield turns
    finally:
        task.cancel()
