"""Waiting that a wake-up ends, with signs of life."""

import asyncio

STALLED_SECONDS = 300.0
"""Without a sign of life for this long the poller counts as stuck."""

TICK_SECONDS = 30.0
"""The longest sleep, so that a resting poller gives a sign of life this often."""


def now() -> float:
    """The event loop's seconds: what durations are measured with."""
    return asyncio.get_running_loop().time()


class Rest:
    """The pauses of a poller."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()
        self._alive_at = 0.0

    def alive(self) -> None:
        """Give a sign of life."""
        self._alive_at = now()

    def is_alive(self) -> bool:
        """Tell whether there were signs of life of late."""
        return now() - self._alive_at < STALLED_SECONDS

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
        """Sleep, giving signs of life; a wake-up ends it."""
        until = now() + seconds
        while (left := until - now()) > 0 and not self.is_woken:
            self.alive()
            await either(self._wake, min(left, TICK_SECONDS))


async def either(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
