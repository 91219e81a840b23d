"""The poller's heartbeat for the liveness probe, and sleeps that a wake-up ends."""

import asyncio

STALLED_SECONDS = 300.0
"""If a heartbeat is overdue by so many seconds, the poller is stuck."""


def now() -> float:
    """The event loop's monotonic clock in seconds, by which durations are measured."""
    return asyncio.get_running_loop().time()


class Heartbeat:
    """When the next heartbeat is due, and sleeps, which postpone it until they end."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()
        self._due = 0.0

    def beat(self, within: float = 0.0) -> None:
        """The poller is alive; the next heartbeat is due within so many seconds."""
        self._due = max(self._due, now() + within)

    def is_alive(self) -> bool:
        """Whether the next heartbeat is not long overdue."""
        return now() - self._due < STALLED_SECONDS

    def wake(self) -> None:
        """End every sleep; until `settle`, sleeps end at once."""
        self._wake.set()

    def settle(self) -> None:
        """Let sleeps last again."""
        self._wake.clear()

    @property
    def is_woken(self) -> bool:
        """Whether there was a wake-up since `settle`."""
        return self._wake.is_set()

    async def sleep(self, seconds: float) -> None:
        """Sleep for so many seconds, or until a wake-up."""
        if seconds > 0:
            self.beat(seconds)
            await either(self._wake, seconds)


async def either(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
