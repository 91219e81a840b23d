"""The poller's heartbeat, by which the liveness probe sees whether it is stuck."""

import asyncio

STALLED_SECONDS = 300.0
"""If a heartbeat is overdue by so many seconds, the poller is stuck."""


def monotonic() -> float:
    """The event loop's monotonic clock in seconds, by which durations are measured."""
    return asyncio.get_running_loop().time()


class Heartbeat:
    """Knows when the next heartbeat is due."""

    def __init__(self) -> None:
        self._due = 0.0

    def beat(self, within: float = 0.0) -> None:
        """The poller is alive; the next heartbeat is due within so many seconds."""
        self._due = max(self._due, monotonic() + within)

    def is_alive(self) -> bool:
        """Whether the next heartbeat is not long overdue."""
        return monotonic() - self._due < STALLED_SECONDS
