"""How often, and how soon, others have their turn while something goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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


@dataclass
class Held:
    """For how many seconds the event loop gave nobody a turn, at the longest."""

    longest: float = 0.0


@asynccontextmanager
async def turns() -> AsyncIterator[Held]:
    """Watch the loop. Calls that leave while it is held arrive together, closer than they left."""
    held = Held()

    async def watch() -> None:
        while True:
            due = time.monotonic() + 0.005
            await asyncio.sleep(0.005)
            held.longest = max(held.longest, time.monotonic() - due)

    watching = asyncio.create_task(watch())
    try:
        yield held
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
