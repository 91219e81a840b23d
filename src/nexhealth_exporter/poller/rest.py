"""Waiting that a wake-up ends, with signs of life."""

import asyncio

STALLED_SECONDS = 300.0
"""When a sign of life is overdue by so much, the poller counts as stuck."""


def now() -> float:
    """The event loop's seconds: what durations are measured with."""
    return asyncio.get_running_loop().time()


class Rest:
    """The pauses of a poller."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()
        self._due = 0.0

    def alive(self, within: float = 0.0) -> None:
        """Give a sign of life; the next one comes within so many seconds."""
        self._due = max(self._due, now() + within)

    def is_alive(self) -> bool:
        """Tell whether no sign of life is long overdue."""
        return now() - self._due < STALLED_SECONDS

    def wake(self) -> None:
        """End every sleep, and let none begin until `settle`."""
        self._wake.set()

    def settle(self) -> None:
        """Allow sleep again."""
        self._wake.clear()

    @property
    def is_woken(self) -> bool:
        """Whether there was a wake-up since `settle`."""
        return self._wake.is_set()

    async def sleep(self, seconds: float) -> None:
        """Sleep so long; a wake-up ends it."""
        if seconds > 0:
            self.alive(seconds)
            await either(self._wake, seconds)


async def either(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
