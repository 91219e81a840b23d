"""A token bucket for API calls: no 30 days hold more calls than the budget, whatever fails.

A plan keeps within the budget while all goes well. Retries, refused tokens and failed inventories
come on top: here every call that was sent is paid for, from a bucket that fills evenly. When it is
empty the next question waits: rounds become less frequent, but none is lost.
"""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nexhealth_exporter.plan import MONTH, spendable
from nexhealth_exporter.poller.heartbeat import monotonic
from nexhealth_exporter.poller.sleeper import Sleeper

logger = logging.getLogger(__name__)

SAVED = 0.03
"""Size of the bucket as a share of the budget: what can be saved up for retries and a start.

The bucket and what fills it in 30 days stay below the whole budget: the difference is for retries
of questions that are already under way.
"""

_LEAST_SAVED = 3.0
"""Calls; an inventory that is under way must leave room for another question."""

_SHORTEST_WAIT = 1.0
"""Seconds; a fraction of a call, left by rounding, must not make the loop spin."""


class Budget:
    """Delays questions so that at most `calls` are sent in 30 days (0 is unlimited).

    `sent` tells how many calls were sent so far, for whatever purpose.
    """

    def __init__(self, calls: float, sent: Callable[[], int], sleeper: Sleeper) -> None:
        self._most = max(SAVED * calls, _LEAST_SAVED) if calls else math.inf
        self._per_second = spendable(calls) / MONTH
        self._sent = sent
        self._sleeper = sleeper
        self._seen = sent()
        self._saved = self._most
        self._at: float | None = None
        self._pending = 0
        self._loan = 0.0
        self._has_warned = False

    @property
    def spare(self) -> int | None:
        """Saved calls that may be spent on what is not urgent; None means any number."""
        if math.isinf(room := self._room()):
            return None
        return max(0, int(room - self._loan - self._most / 2))

    @contextmanager
    def lending(self, calls: float) -> Iterator[None]:
        """Let so many calls be sent in advance; later ones wait until that is paid back."""
        self._loan = calls
        try:
            yield
        finally:
            self._loan = 0.0

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a question is under way, it counts as one more call."""
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1

    async def turn(self) -> None:
        """Wait until there is budget for a call, or until a wake-up."""
        while (room := self._room()) < 1 and not self._sleeper.is_woken:
            self._warn_once()
            await self._sleeper.sleep(max((1 - room) / self._per_second, _SHORTEST_WAIT))

    def _room(self) -> float:
        """Calls for which there is budget now."""
        at, sent = monotonic(), self._sent()
        earned = 0.0 if self._at is None else (at - self._at) * self._per_second
        self._saved = min(self._saved + earned, self._most) - (sent - self._seen)
        self._at, self._seen = at, sent
        if self._saved > self._most / 2:
            self._has_warned = False
        return self._saved + self._loan - self._pending

    def _warn_once(self) -> None:
        if not self._has_warned:
            logger.warning(
                "more calls sent than planned, delaying further calls to stay within the budget"
            )
        self._has_warned = True
