"""Sleeps that a wake-up ends."""

import asyncio

from nexhealth_exporter.poller.heartbeat import Heartbeat


class Sleeper:
    """The poller's sleeps. Each is announced to `heartbeat`, so that it does not count as stuck."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self._wake = asyncio.Event()

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
            self._heartbeat.beat(seconds)
            await either(self._wake, seconds)


async def either(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
