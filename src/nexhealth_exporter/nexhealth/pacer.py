"""The rate limiter: when the next call may be sent, for every call of the process.

The rules, for a limit per second and one per minute:

1. No sliding second and no sliding minute ever holds more calls than its limit. What counts is
   when a call was *sent*; one that was let through but is not sent yet counts as being sent now.
2. Calls are evenly spaced. While all waiting calls fit into what is left of the minute, the gap
   is that of the limit per second: a small fleet is polled within a second or two. When more are
   waiting, the gap is that of the limit per minute, so that a long queue neither bursts nor stalls.
3. Gaps are counted from due time to due time, so that late wake-ups do not add up.
4. A pause (429) holds every call, because the limits belong to the key.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Self

MARGIN = 0.1
"""Seconds added to each window: calls that take unequally long may arrive closer together."""

SECOND = 1.0 + MARGIN
MINUTE = 60.0 + MARGIN

_LATE = 0.25
"""Up to so many seconds of lateness are made up for by shorter gaps; more is forgotten."""

_NAP = 1.0
"""The longest single sleep in seconds, so that new limits and pauses take effect soon."""


class Slot:
    """The right to send one call; an async context manager that waits for its turn.

    `held` is for how many seconds the limits held it back.
    """

    def __init__(
        self,
        permits: asyncio.Semaphore,
        take: Callable[[asyncio.Semaphore], Awaitable[float]],
        on_sent: Callable[[], None],
    ) -> None:
        self.held = 0.0
        self._permits = permits
        self._take = take
        self._on_sent: Callable[[], None] | None = on_sent

    async def __aenter__(self) -> Self:
        self.held = await self._take(self._permits)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.sent()
        self._permits.release()

    def sent(self) -> None:
        """The call has just been sent. Further calls of this method change nothing."""
        on_sent, self._on_sent = self._on_sent, None
        if on_sent is not None:
            on_sent()


class Pacer:
    """Lets calls through, first come first served; `clock` and `sleep` are in seconds."""

    def __init__(
        self,
        per_second: int,
        per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._sent: deque[float] = deque()
        self._unsent = 0
        self._due = float("-inf")
        self._paused_until = float("-inf")
        self.limit(per_second, per_minute)

    def limit(self, per_second: int, per_minute: int) -> None:
        """Replace the limits; both at least 1. Calls already sent count against the new ones."""
        if per_second < 1 or per_minute < 1:
            message = f"limits must be at least 1, not {per_second} and {per_minute}"
            raise ValueError(message)
        self._per_second = per_second
        self._per_minute = per_minute

    def pause(self, seconds: float) -> None:
        """Let nothing through for so many seconds; never shortens a pause."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    @property
    def paused_for(self) -> float:
        """Seconds for which nothing will be let through; 0 when there is no pause."""
        return max(0.0, self._paused_until - self._clock())

    def slot(self, permits: asyncio.Semaphore) -> AbstractAsyncContextManager[Slot]:
        """Take one of `permits` (calls in flight) and wait for the turn to send.

        The caller calls `sent()` when the call leaves; on exit it counts as sent at the latest.
        """
        return Slot(permits, self._take, self._note_sent)

    async def _take(self, permits: asyncio.Semaphore) -> float:
        arrived = self._clock()
        self._waiting += 1
        try:
            async with self._turn:
                await permits.acquire()
                try:
                    return await self._wait(arrived)
                except BaseException:
                    permits.release()
                    raise
        finally:
            self._waiting -= 1

    async def _wait(self, arrived: float) -> float:
        began = now = self._clock()
        while (at := self._allowed_at(now, arrived)) > now:
            await self._sleep(min(at - now, _NAP))
            now = self._clock()
        self._due = self._next_due(now, arrived)
        self._unsent += 1
        return now - began

    def _allowed_at(self, now: float, arrived: float) -> float:
        while self._sent and self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        return max(
            self._next_due(now, arrived),
            self._window_opens(now, self._per_second, SECOND),
            self._window_opens(now, self._per_minute, MINUTE),
        )

    def _next_due(self, now: float, arrived: float) -> float:
        return max(self._due + self._gap(), arrived, self._paused_until, now - _LATE)

    def _gap(self) -> float:
        even = SECOND / self._per_second
        left = self._per_minute - len(self._sent) - self._unsent
        if self._waiting <= left:
            return even
        return max(even, MINUTE / self._per_minute)

    def _window_opens(self, now: float, limit: int, length: float) -> float:
        """When a window of `length` seconds has room for one more call."""
        room = limit - self._unsent
        if room <= 0:
            return now + length / limit  # until one of them is sent: look again soon
        if len(self._sent) < room:
            return now
        return self._sent[-room] + length

    def _note_sent(self) -> None:
        self._unsent -= 1
        self._sent.append(self._clock())
